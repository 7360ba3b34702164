//! Hosts in processes of their own, and this process as their client.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::try_join_all;
use objects::Node;
use objects::kinds::{Counter, CounterProxy};

use super::measure::{Done, Pace, all, alone, together};
use super::process::cpu_seconds;
use crate::processes::Process;

/// Objects that calls on many go to.
pub(super) const OBJECTS: usize = 64;

/// Hosts and their client.
pub(super) struct Cluster {
    /// The client.
    pub(super) node: Node,
    /// The host processes.
    pub(super) hosts: Vec<Process>,
}

impl Cluster {
    /// Starts `hosts` processes and joins them as a client whose objects get `factor` replicas.
    ///
    /// # Errors
    /// What went wrong, for people.
    pub(super) async fn start(hosts: usize, factor: u8) -> Result<Self, String> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench-{}-{number}", std::process::id());
        let first = host(&name, 0, None).await?;
        let through = first.address.clone();
        let rest = (1..hosts).map(|number| host(&name, number, Some(&through)));
        let mut processes = vec![first];
        processes.extend(try_join_all(rest).await?);
        let builder = Node::builder()
            .client()
            .factor(factor)
            .cluster(&name)
            .listen("127.0.0.1:0")
            .peer(&through)
            .mdns(false)
            .runtime_folder(false)
            .ignore_environment();
        let node = builder.start().await.map_err(|error| error.to_string())?;
        let mut watch = node.watch();
        while node.members().hosts().count() < hosts {
            watch.changed().await.map_err(|error| error.to_string())?;
        }
        let cluster = Self {
            node,
            hosts: processes,
        };
        Ok(cluster)
    }

    /// Makes counters.
    pub(super) async fn counters(&self, count: usize) -> Result<Vec<CounterProxy>, String> {
        let made = (0..count).map(|_| self.node.create(Counter::default()));
        try_join_all(made).await.map_err(|error| error.to_string())
    }

    /// The processes that calls cost time on: this one and the hosts.
    pub(super) fn pids(&self) -> Vec<u32> {
        let hosts = self.hosts.iter().map(|host| host.pid);
        hosts.chain([std::process::id()]).collect()
    }

    /// Ends the hosts.
    pub(super) async fn stop(mut self) {
        for host in &mut self.hosts {
            host.kill().await;
        }
    }
}

async fn host(cluster: &str, number: usize, through: Option<&str>) -> Result<Process, String> {
    let mut arguments: Vec<String> = ["bench-host", "--no-mdns", "--no-local", "--metrics"]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(["--listen", "127.0.0.1:0", "--cluster", cluster].map(str::to_owned));
    if let Some(peer) = through {
        arguments.extend(["--peer".to_owned(), peer.to_owned()]);
    }
    Process::start(&format!("host {number}"), &arguments).await
}

/// Calls `increment` on a counter; each of these has a handle of its own.
pub(super) fn increment(
    counter: &CounterProxy,
) -> impl FnMut() -> futures::future::BoxFuture<'static, Done> + Send + 'static {
    let counter = counter.clone();
    move || {
        let call = counter.increment(1);
        Box::pin(async move { call.await.map(drop).map_err(|error| error.to_string()) })
    }
}

/// Writes of `callers` at once over these counters; calls per second, and the processor time of
/// one, microseconds, of all processes together.
pub(super) async fn writes(
    pace: Pace,
    cluster: &Cluster,
    counters: &[CounterProxy],
    callers: usize,
) -> Result<(f64, f64), String> {
    let pids = cluster.pids();
    let (before, began) = (cpu_seconds(&pids), std::time::Instant::now());
    let caller = |index: usize| increment(&counters[index % counters.len()]);
    let rate = together(pace, callers, caller).await?;
    let (used, passed) = (cpu_seconds(&pids) - before, began.elapsed().as_secs_f64());
    Ok((rate, used / passed / rate * 1e6))
}

/// One writer alone on a counter.
pub(super) async fn write_alone(
    pace: Pace,
    counter: &CounterProxy,
) -> Result<super::measure::Times, String> {
    alone(pace, increment(counter)).await
}

/// Makes `count` counters, `at_once` at a time, and gives them with the rate per second.
pub(super) async fn create(
    cluster: &Cluster,
    count: usize,
    at_once: usize,
) -> Result<(Vec<CounterProxy>, f64), String> {
    let made = std::sync::Arc::new(std::sync::Mutex::new(Vec::with_capacity(count)));
    let (node, keep) = (cluster.node.clone(), made.clone());
    let job = move |_| {
        let (node, keep) = (node.clone(), keep.clone());
        async move {
            let counter = node.create(Counter::default()).await;
            let counter = counter.map_err(|error| error.to_string())?;
            keep.lock()
                .map_err(|error| error.to_string())?
                .push(counter);
            Done::Ok(())
        }
    };
    let rate = all(count, at_once, job).await?;
    let made = std::mem::take(&mut *made.lock().map_err(|error| error.to_string())?);
    Ok((made, rate))
}
