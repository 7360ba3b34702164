//! Network namespaces: a machine's worth of hosts on one bridge, cut off from each other at will.
//!
//! Nothing but `ip` is needed. Who is cut off believes that the other one has a hardware address
//! that nobody has, so that its packets leave and are lost on the way, in that direction alone.

use std::process::Command as Blocking;

use peer::processes::Process;
use tokio::process::Command;

use crate::fixture::fresh_name;

/// A hardware address that no device has.
const NOBODY: &str = "02:00:00:00:00:ff";

/// Namespaces joined by a bridge of their own, or each with nothing but loopback. The bridge
/// lives in the first one, so that the host's own network is not touched.
pub(crate) struct Namespaces {
    names: Vec<String>,
    devices: Vec<String>,
}

/// Runs `ip`, which must succeed.
fn ip(arguments: &str) {
    assert!(try_ip(arguments), "ip {arguments}");
}

fn try_ip(arguments: &str) -> bool {
    Blocking::new("ip")
        .args(arguments.split(' '))
        .output()
        .is_ok_and(|output| output.status.success())
}

impl Namespaces {
    /// `None` where namespaces cannot be made; a failure where the gate says that they can.
    pub(crate) fn make(count: usize, joined: bool) -> Option<Self> {
        let base = fresh_name();
        let mut made = Self {
            names: Vec::new(),
            devices: Vec::new(),
        };
        for index in 0..count {
            let name = format!("{base}-{index}");
            if !try_ip(&format!("netns add {name}")) {
                let required = std::env::var_os("PYDO_TEST_NAMESPACES").is_some();
                assert!(!required, "namespaces can be made, but this test could not");
                println!("skipped: network namespaces cannot be made here");
                return None;
            }
            ip(&format!("-n {name} link set lo up"));
            made.names.push(name);
        }
        if joined {
            made.join();
        }
        Some(made)
    }

    fn join(&mut self) {
        let home = &self.names[0];
        ip(&format!("-n {home} link add bridge type bridge"));
        self.devices.push("bridge".to_owned());
        for (index, name) in self.names.iter().enumerate().skip(1) {
            let far = "type veth peer name far netns";
            ip(&format!("-n {home} link add near{index} {far} {name}"));
            ip(&format!("-n {home} link set near{index} master bridge up"));
            self.devices.push("far".to_owned());
        }
        for (index, (name, device)) in self.names.iter().zip(&self.devices).enumerate() {
            let address = self.address(index);
            ip(&format!("-n {name} addr add {address}/24 dev {device}"));
            ip(&format!("-n {name} link set {device} up"));
            ip(&format!("-n {name} route add 224.0.0.0/4 dev {device}"));
        }
    }

    /// The address of a namespace on the bridge.
    pub(crate) fn address(&self, index: usize) -> String {
        format!("10.213.0.{}", index + 1)
    }

    /// All of them but one.
    pub(crate) fn others(&self, than: usize) -> impl Iterator<Item = usize> + Clone {
        (0..self.names.len()).filter(move |index| *index != than)
    }

    /// From now on what `from` sends to `to` is lost.
    pub(crate) fn cut(&self, from: usize, to: usize) {
        let (name, device, address) = self.way(from, to);
        ip(&format!(
            "-n {name} neigh replace {address} lladdr {NOBODY} dev {device} nud permanent"
        ));
    }

    /// What `from` sends to `to` arrives again.
    pub(crate) fn mend(&self, from: usize, to: usize) {
        let (name, device, address) = self.way(from, to);
        ip(&format!("-n {name} neigh del {address} dev {device}"));
    }

    fn way(&self, from: usize, to: usize) -> (&str, &str, String) {
        (&self.names[from], &self.devices[from], self.address(to))
    }

    /// A program in a namespace. Its process id is the program's own.
    pub(crate) fn command(&self, index: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[index], program]);
        command
    }

    /// A peer in a namespace.
    pub(crate) async fn peer(&self, index: usize, arguments: &[&str]) -> Process {
        let arguments: Vec<String> = arguments.iter().copied().map(String::from).collect();
        let command = self.command(index, env!("CARGO_BIN_EXE_peer"));
        Process::spawn(&format!("peer {index}"), command, &arguments)
            .await
            .expect("the peer starts")
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.names {
            try_ip(&format!("netns delete {name}"));
        }
    }
}
