//! An Ethernet switch in user space: forwards frames between the ports as the weather is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use simulations::seed::{Dice, Seed};
use tun_rs::SyncDevice;

use crate::hosts::hardware;
use crate::weather::Weather;

/// Longest frame, bytes.
const FRAME_MAX: usize = 2_048;
/// Frames on their way at one time; further ones are lost, as in any switch.
const DELAYED_MAX: usize = 16_384;

/// The switch. Its threads end when the devices of its ports are gone.
#[derive(Clone)]
pub(crate) struct Switch {
    shared: Arc<Shared>,
}

struct Shared {
    ports: Vec<SyncDevice>,
    weather: Mutex<Weather>,
    delayed: Mutex<BinaryHeap<Reverse<Delayed>>>,
    more: Condvar,
    forwarded: AtomicU64,
    reordered: AtomicU64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Delayed {
    at: Instant,
    number: u64,
    to: usize,
    frame: Vec<u8>,
}

impl Switch {
    /// Begins to forward. `seed` draws what is lost and how long the rest takes.
    pub(crate) fn start(ports: Vec<SyncDevice>, seed: Seed) -> Self {
        let count = ports.len();
        let shared = Arc::new(Shared {
            weather: Mutex::new(Weather::quiet(count)),
            delayed: Mutex::default(),
            more: Condvar::new(),
            forwarded: AtomicU64::new(0),
            reordered: AtomicU64::new(0),
            ports,
        });
        for port in 0..count {
            let shared = shared.clone();
            let dice = seed.child("frames").nth(port as u64).dice();
            std::thread::spawn(move || shared.forward_from(port, dice));
        }
        let late = shared.clone();
        std::thread::spawn(move || late.deliver_delayed());
        Self { shared }
    }

    /// Number of ports.
    pub(crate) fn ports(&self) -> usize {
        self.shared.ports.len()
    }

    /// Changes the weather.
    pub(crate) fn weather(&self, change: impl FnOnce(&mut Weather)) {
        change(&mut locked(&self.shared.weather));
    }

    /// Frames forwarded, and those of them that overtook an earlier one of the same way.
    pub(crate) fn counted(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.shared.forwarded), load(&self.shared.reordered))
    }
}

impl Shared {
    fn forward_from(&self, from: usize, mut dice: Dice) {
        let mut frame = vec![0; FRAME_MAX];
        // When the last delayed frame of each way arrives.
        let mut newest: Vec<Option<Instant>> = vec![None; self.ports.len()];
        while let Ok(length) = self.ports[from].recv(&mut frame) {
            let Some(destination) = frame.get(..6).filter(|_| length >= 14) else {
                continue;
            };
            let to_all = destination[0] & 1 == 1;
            let to = usize::from(destination[5]);
            let is_for =
                |port: u8| to_all || destination == hardware(port) && to == usize::from(port);
            for port in (0..self.ports.len()).filter(|port| *port != from) {
                if u8::try_from(port).is_ok_and(is_for) {
                    self.forward(from, port, &frame[..length], &mut newest[port], &mut dice);
                }
            }
        }
    }

    fn forward(
        &self,
        from: usize,
        to: usize,
        frame: &[u8],
        newest: &mut Option<Instant>,
        dice: &mut Dice,
    ) {
        let way = locked(&self.weather).way(from, to);
        if way.cut || dice.chance(way.loss) {
            return;
        }
        let number = self.forwarded.fetch_add(1, Ordering::Relaxed);
        if way.delay.is_zero() && way.jitter.is_zero() {
            self.deliver(to, frame);
            return;
        }
        let at = Instant::now() + dice.duration(way.delay, way.delay + way.jitter);
        if newest.is_some_and(|newest| at < newest) {
            self.reordered.fetch_add(1, Ordering::Relaxed);
        }
        *newest = (*newest).max(Some(at));
        let mut delayed = locked(&self.delayed);
        if delayed.len() < DELAYED_MAX {
            let frame = frame.to_vec();
            delayed.push(Reverse(Delayed {
                at,
                number,
                to,
                frame,
            }));
            self.more.notify_one();
        }
    }

    fn deliver(&self, to: usize, frame: &[u8]) {
        // A host whose device is gone or full loses frames, as on any network.
        let _lost = self.ports[to].send(frame);
    }

    fn deliver_delayed(&self) {
        let mut delayed = locked(&self.delayed);
        loop {
            let now = Instant::now();
            let due = delayed.peek().map(|Reverse(first)| first.at);
            delayed = match due {
                Some(at) if at <= now => {
                    if let Some(Reverse(first)) = delayed.pop() {
                        drop(delayed);
                        self.deliver(first.to, &first.frame);
                    } else {
                        drop(delayed);
                    }
                    locked(&self.delayed)
                }
                Some(at) => {
                    let waited = self.more.wait_timeout(delayed, at - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.more.wait(delayed);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
