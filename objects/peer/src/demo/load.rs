//! The demo's clients: every client calls every object through one proxy, all the time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use objects::{CallError, Ref};
use tokio::task::JoinHandle;

use super::tally::{Tally, TallyProxy};

/// Pause of one client between two calls on one object.
const PACE: Duration = Duration::from_millis(100);
/// A call's deadline.
const DEADLINE: Duration = Duration::from_secs(15);

/// What the clients were told.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Acknowledged calls: (object, client, number).
    pub(crate) acknowledged: Vec<(usize, u32, u64)>,
    /// Calls that ended with a definite no.
    pub(crate) failed: u64,
    /// Calls of which nothing is known.
    pub(crate) indeterminate: u64,
    /// Texts of the first few errors.
    pub(crate) errors: Vec<String>,
    /// Per object: when its primary was killed, until a call sent after that is acknowledged.
    waiting: Vec<Option<Instant>>,
    /// Milliseconds from a kill to the next acknowledged call, per affected object.
    pub(crate) failover_ms: Vec<f64>,
}

/// Clients at work.
pub(crate) struct Load {
    heard: Arc<Mutex<Heard>>,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts `clients` clients; each gets a proxy of its own for each object.
    pub(crate) fn start(node: &objects::Node, objects: &[Ref<Tally>], clients: u32) -> Self {
        let heard = Heard {
            waiting: vec![None; objects.len()],
            ..Heard::default()
        };
        let heard = Arc::new(Mutex::new(heard));
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for client in 0..clients {
            for (index, reference) in objects.iter().enumerate() {
                let proxy = node.get(reference.clone());
                let offset = PACE.mul_f64(f64::from(client) / f64::from(clients.max(1)));
                let work = call_on(proxy, index, client, offset, heard.clone(), stop.clone());
                tasks.push(tokio::spawn(work));
            }
        }
        Self {
            heard,
            stop,
            clients: tasks,
        }
    }

    /// Notes that the primary of these objects is killed now.
    pub(crate) fn killed(&self, objects: &[usize]) {
        self.with(|heard| {
            for index in objects {
                heard.waiting[*index] = Some(Instant::now());
            }
        });
    }

    /// How many of the affected objects have not answered since.
    pub(crate) fn waiting(&self) -> usize {
        self.with(|heard| heard.waiting.iter().flatten().count())
    }

    /// Acknowledged calls so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.with(|heard| heard.acknowledged.len())
    }

    /// Stops the clients after their current calls.
    pub(crate) async fn finish(self) -> Heard {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.ok();
        }
        self.heard
            .lock()
            .map(|mut heard| std::mem::take(&mut *heard))
            .unwrap_or_default()
    }

    fn with<T: Default>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        self.heard
            .lock()
            .map(|mut heard| look(&mut heard))
            .unwrap_or_default()
    }
}

async fn call_on(
    proxy: TallyProxy,
    object: usize,
    client: u32,
    offset: Duration,
    heard: Arc<Mutex<Heard>>,
    stop: Arc<AtomicBool>,
) {
    tokio::time::sleep(offset).await;
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let sent = Instant::now();
        let ended = proxy.record(client, number).timeout(DEADLINE).await;
        if let Ok(mut heard) = heard.lock() {
            match ended {
                Ok(_) => heard.acknowledge(object, client, number, sent),
                Err(error) => heard.count_error(&error),
            }
        }
        tokio::time::sleep(PACE).await;
    }
}

impl Heard {
    fn acknowledge(&mut self, object: usize, client: u32, number: u64, sent: Instant) {
        self.acknowledged.push((object, client, number));
        if let Some(killed) = self.waiting[object]
            && sent >= killed
        {
            self.waiting[object] = None;
            self.failover_ms.push(killed.elapsed().as_secs_f64() * 1e3);
        }
    }

    fn count_error<E: std::fmt::Debug + std::fmt::Display>(&mut self, error: &CallError<E>) {
        match error {
            CallError::NotExecuted(_) | CallError::Failed(_) => self.failed += 1,
            CallError::Executed | CallError::Indeterminate(_) => self.indeterminate += 1,
        }
        if self.errors.len() < 5 {
            self.errors.push(error.to_string());
        }
    }
}
