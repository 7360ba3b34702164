//! Network namespaces, each with one TAP device whose other end is a port of the switch.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

/// What a frame may carry, bytes; small, as on any LAN.
const MTU: u16 = 1_500;
/// The device's name in each namespace.
const DEVICE: &str = "lab";

/// The namespaces of one run; deleted with it.
pub(crate) struct Hosts {
    names: Vec<String>,
}

impl Hosts {
    /// So many hosts on one network, and the switch's ends of their cables.
    ///
    /// # Errors
    /// What this machine cannot do.
    pub(crate) fn make(count: usize) -> Result<(Self, Vec<SyncDevice>), String> {
        let mut hosts = Self { names: Vec::new() };
        let mut ports = Vec::new();
        for index in 0..count {
            let name = format!("pydo-lab-{}-{index}", std::process::id());
            ip(&format!("netns add {name}"))?;
            hosts.names.push(name.clone());
            ip(&format!("-n {name} link set lo up"))?;
            let plugged = std::thread::spawn(move || plug(&name, index)).join();
            ports.push(plugged.map_err(|_| "a thread panicked".to_owned())??);
        }
        Ok((hosts, ports))
    }

    /// The address of a host.
    pub(crate) fn address(index: usize) -> String {
        format!("10.214.0.{}", index + 1)
    }

    /// A command that runs on a host; its process id is the program's own.
    pub(crate) fn command(&self, index: usize, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.names[index]])
            .arg(program);
        command
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in &self.names {
            if let Err(problem) = ip(&format!("netns delete {name}")) {
                eprintln!("{problem}");
            }
        }
    }
}

/// The hardware address of a host: its last byte is the port.
pub(crate) const fn hardware(index: u8) -> [u8; 6] {
    [2, 0x70, 0x79, 0x64, 0x6f, index]
}

/// Makes a host's device, from a thread that moves into its namespace and ends there.
fn plug(name: &str, index: usize) -> Result<SyncDevice, String> {
    let path = format!("/var/run/netns/{name}");
    let namespace = File::open(&path).map_err(|error| format!("{path}: {error}"))?;
    let network = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(namespace.as_fd(), network)
        .map_err(|error| format!("cannot enter a network namespace: {error}"))?;
    let port = u8::try_from(index).map_err(|_| "too many hosts".to_owned())?;
    let device = DeviceBuilder::new()
        .name(DEVICE)
        .layer(Layer::L2)
        .mac_addr(hardware(port))
        .ipv4(Hosts::address(index), 24, None)
        .mtu(MTU)
        .build_sync()
        .map_err(|error| format!("cannot make a TAP device: {error}"))?;
    ip(&format!("-n {name} route add 224.0.0.0/4 dev {DEVICE}"))?;
    Ok(device)
}

/// Runs `ip`.
fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.map_err(|error| format!("cannot run `ip`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let problem = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {arguments}: {}", problem.trim()))
}
