//! The object machine of one node behind a lock, and what it asks of the world.
//!
//! Every thread that has an input takes the lock, runs the machine and leaves the outputs in
//! order; the first one that finds nobody carrying them out does so, without the lock, until
//! none is left. So messages leave in the order in which the machine sent them, and nothing is
//! called while the lock is held.

mod outputs;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use objects_proto::caller::HandleId;
use objects_proto::execution::Executed;
use objects_proto::frame;
use objects_proto::host::Counters;
use objects_proto::machine::{Announced, Command, Event as MachineEvent, Ticket, Timer};
use objects_proto::message::Message;
use objects_proto::objects::Objects;
use overlay::Outbound;
use overlay_proto::{Duration, Input, Instant, Machine, Output, ProcessId};
use tokio::sync::{oneshot, watch};

use crate::clock::{Ahead, Clock};
use crate::directory::Directory;
use crate::events::{Event, EventSource};
use crate::executor::Executors;
use crate::timers::Timers;
use crate::waiting::{Answer, Waiting};

/// A process that nothing happened in for this long was stopped: its timers run more often.
const STOPPED_AFTER: Duration = Duration::from_secs(1);
/// What a process that was stopped receives for this long is what its links had buffered.
const STALE_FOR: Duration = Duration::from_millis(100);
/// Rounds of outputs that one thread carries out before it leaves the rest to the timer task:
/// a caller must not be kept for ever by what others add.
const ROUNDS_MAX: usize = 32;
/// Longest pause of the timer task, so that a stop is noticed in an idle process too.
const HEARTBEAT: Duration = Duration::from_millis(250);

type MachineInput = Input<Command, Message, Timer>;
type MachineOutput = Output<Message, Timer, MachineEvent>;

/// The machine of one node and its surroundings.
pub(crate) struct Shard {
    clock: Clock,
    state: Mutex<State>,
    waiting: Waiting,
    timers: Timers,
    directory: Directory,
    executors: Executors,
    events: EventSource,
    outbound: OnceLock<Outbound>,
    drained: watch::Sender<Option<u32>>,
    news: watch::Sender<Announced>,
    handles: AtomicU64,
    counters: ShardCounters,
}

struct State {
    /// None before the overlay started and after the node is closed.
    machine: Option<Objects>,
    outputs: Vec<MachineOutput>,
    /// What methods came to, empty between inputs.
    results: Vec<Executed>,
    /// Somebody carries outputs out and will find those added meanwhile.
    carrying_out: bool,
    /// When anything happened last.
    seen: Instant,
    /// How far the time of day was ahead of the clock then.
    ahead: Ahead,
    /// Until when received frames are stale.
    stale_until: Instant,
}

/// What a node counted about its messages.
#[derive(Debug, Default)]
pub(crate) struct ShardCounters {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) unsent: AtomicU64,
    pub(crate) undecodable: AtomicU64,
    pub(crate) executions: AtomicU64,
    pub(crate) calls_lost: AtomicU64,
}

impl Shard {
    /// A shard without a machine yet.
    pub(crate) fn new(directory: Directory, executors: Executors) -> Self {
        let clock = Clock::start();
        Self {
            clock,
            state: Mutex::new(State {
                machine: None,
                outputs: Vec::new(),
                results: Vec::new(),
                carrying_out: false,
                seen: clock.now(),
                ahead: Clock::compare(clock.now()),
                stale_until: Instant::ZERO,
            }),
            waiting: Waiting::default(),
            timers: Timers::default(),
            directory,
            executors,
            events: EventSource::new(),
            outbound: OnceLock::new(),
            drained: watch::Sender::new(None),
            news: watch::Sender::new(Announced::default()),
            handles: AtomicU64::new(1),
            counters: ShardCounters::default(),
        }
    }

    /// Sets the machine going.
    pub(crate) fn start(&self, machine: Objects, outbound: Outbound) {
        let _set_once = self.outbound.set(outbound);
        let mut state = self.lock();
        state.seen = self.clock.now();
        state.ahead = Clock::compare(state.seen);
        state.machine = Some(machine);
    }

    /// Ends the machine: whoever waits gets no answer, further commands are refused.
    pub(crate) fn close(&self) {
        let machine = self.lock().machine.take();
        drop(machine);
        self.waiting.close();
        self.executors.stop();
    }

    /// Gives the machine an input and carries out what follows.
    pub(crate) fn handle(&self, input: MachineInput) {
        self.run(|state, now| state.take(now, input));
    }

    /// Gives the machine a command; the answer comes to the ticket. None once it is closed.
    pub(crate) fn open<A: Answer>(
        &self,
        command: impl FnOnce(Ticket) -> Command,
    ) -> Option<(Ticket, oneshot::Receiver<A>)> {
        self.run(|state, now| {
            state.machine.as_ref()?;
            let (ticket, receiver) = self.waiting.open_ticket();
            state.take(now, Input::Command(command(ticket)));
            Some((ticket, receiver))
        })
    }

    /// Nobody waits for this ticket any more.
    pub(crate) fn cancel(&self, ticket: Ticket) {
        if self.waiting.take(ticket).is_some() {
            self.handle(Input::Command(Command::Cancel(ticket)));
        }
    }

    /// Takes frames from a link. Those that a stopped process finds in its buffers are stale:
    /// their senders repeat what still matters to them.
    pub(crate) fn receive(&self, from: ProcessId, frames: &mut Vec<Bytes>) {
        self.counters
            .received
            .fetch_add(frames.len() as u64, Ordering::Relaxed);
        let mut messages = Vec::with_capacity(frames.len());
        messages.extend(
            frames
                .drain(..)
                .filter_map(|frame| self.decode(from, &frame)),
        );
        self.run(|state, now| {
            if now >= state.stale_until {
                for message in messages {
                    state.take(now, Input::Received { from, message });
                }
            }
        });
    }

    /// Decodes a copy: what the machine keeps of a message shares the frame's memory, and frames
    /// share that of all that arrived with them.
    fn decode(&self, from: ProcessId, frame: &[u8]) -> Option<Message> {
        let decoded = frame::decode(Bytes::copy_from_slice(frame));
        if let Err(error) = &decoded {
            count(&self.counters.undecodable);
            tracing::debug!(%from, %error, "a frame does not decode");
        }
        decoded.ok()
    }

    /// Gives the machine what methods came to, for ever.
    pub(crate) async fn run_results(&self) {
        loop {
            self.executors.results().ready().await;
            self.run(|_, _| {});
        }
    }

    /// Drives the timers for ever.
    pub(crate) async fn run_timers(&self) {
        loop {
            self.timers.wait(self.clock.now(), HEARTBEAT).await;
            self.run(|state, now| {
                for timer in self.timers.take_due(now) {
                    state.take(now, Input::TimerFired(timer));
                }
            });
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(crate) fn open_handle(&self) -> HandleId {
        HandleId(self.handles.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) const fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) const fn executors(&self) -> &Executors {
        &self.executors
    }

    pub(crate) const fn events(&self) -> &EventSource {
        &self.events
    }

    /// How many objects were left behind, once the node has handed over.
    pub(crate) fn drained(&self) -> watch::Receiver<Option<u32>> {
        self.drained.subscribe()
    }

    /// What the member record should say of this node's objects.
    pub(crate) fn news(&self) -> watch::Receiver<Announced> {
        self.news.subscribe()
    }

    pub(crate) const fn counters(&self) -> &ShardCounters {
        &self.counters
    }

    /// What the machine counted; zeros while there is none.
    pub(crate) fn machine_counters(&self) -> Counters {
        let state = self.lock();
        state
            .machine
            .as_ref()
            .map_or_else(Counters::default, Objects::counters)
    }

    /// Runs `step` under the lock, after telling the machine if the process was stopped, then
    /// carries out the outputs, unless somebody else does already.
    fn run<R>(&self, step: impl FnOnce(&mut State, Instant) -> R) -> R {
        let mut state = self.lock();
        let now = self.clock.now();
        let was_stopped = now.since(state.seen) > STOPPED_AFTER;
        state.seen = now;
        let ahead = Clock::compare(now);
        if ahead.stood_still_since(state.ahead) {
            tracing::warn!("the clock stood still, or the time of day was set: leases end");
            state.take(now, Input::Command(Command::ClockStopped));
        }
        state.ahead = ahead;
        if was_stopped {
            tracing::warn!("this process was stopped; leadership is confirmed anew");
            self.events.tell(Event::Stopped);
            state.stale_until = now + STALE_FOR;
            state.take(now, Input::Command(Command::Stopped));
        }
        self.take_results(&mut state, now);
        let result = step(&mut state, now);
        self.carry_out(state);
        result
    }

    fn take_results(&self, state: &mut State, now: Instant) {
        let mut results = std::mem::take(&mut state.results);
        self.executors.results().take(&mut results);
        for executed in results.drain(..) {
            state.take(now, Input::Command(Command::Executed(executed)));
        }
        state.results = results;
    }

    fn carry_out<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        if state.carrying_out {
            return;
        }
        state.carrying_out = true;
        let mut outputs = Vec::new();
        for _ in 0..ROUNDS_MAX {
            if state.outputs.is_empty() {
                break;
            }
            std::mem::swap(&mut outputs, &mut state.outputs);
            drop(state);
            for output in outputs.drain(..) {
                self.dispatch(output);
            }
            state = self.lock();
        }
        state.carrying_out = false;
        if state.outputs.is_empty() {
            // Its memory is used again.
            state.outputs = outputs;
        }
        if !state.outputs.is_empty() {
            self.timers.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, now: Instant, input: MachineInput) {
        if let Some(machine) = &mut self.machine {
            machine.handle(now, input, &mut self.outputs);
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
