//! One link: a reliable ordered byte stream between two processes, as TCP gives it.

use std::collections::VecDeque;

use overlay_proto::{Instant, LinkDown};

/// One start of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The node's index in the world.
    pub node: u32,
    /// Which start of it, from 1.
    pub start: u32,
}

/// What a link carries to one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<T> {
    /// The link is open.
    Up,
    /// A message.
    Message(T),
    /// The link is gone.
    Down(LinkDown),
    /// A dial that was asked for without a message failed.
    DialFailed(LinkDown),
}

/// What one end knows of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing: it neither uses the link nor waits for it.
    Idle,
    /// It sent, and has not heard that the link is open.
    Waiting,
    /// It was told that the link is open.
    Up,
    /// It believes in a connection that the other end has given up.
    Stale,
}

/// What there is between the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// One end dials, until the deadline.
    Dialing(Instant),
    /// A connection.
    Up,
    /// A connection that one end has closed; the other learns it behind the data in flight.
    Closing,
    /// No connection.
    Lost,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Pipe<T> {
    /// Items with the time at which each arrives, in order of both.
    pub(super) queue: VecDeque<(Instant, Item<T>)>,
    /// Arrival of the newest item.
    pub(super) last: Instant,
    /// Set while a cut holds the first item back.
    pub(super) stalled: bool,
    /// When the sender's next retransmission gets through.
    pub(super) flush_at: Option<Instant>,
}

impl<T> Default for Pipe<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            last: Instant::ZERO,
            stalled: false,
            flush_at: None,
        }
    }
}

impl<T> Pipe<T> {
    /// Takes the first item that has arrived.
    pub(super) fn pop_arrived(&mut self, now: Instant) -> Option<Item<T>> {
        if self.queue.front().is_some_and(|(at, _)| *at <= now) {
            self.queue.pop_front().map(|(_, item)| item)
        } else {
            None
        }
    }
}

/// A link between `ends[0]` and `ends[1]`; `pipes[i]` leads away from `ends[i]`.
#[derive(Debug)]
pub(super) struct Link<T> {
    pub(super) generation: u32,
    pub(super) ends: [Endpoint; 2],
    pub(super) states: [End; 2],
    pub(super) waiting: [Vec<T>; 2],
    /// Whether this end asked for the link itself, beyond having something to send.
    pub(super) asked: [bool; 2],
    pub(super) pipes: [Pipe<T>; 2],
    pub(super) carrier: Carrier,
    /// Since when data is unacknowledged because of a cut.
    pub(super) stalled_since: Option<Instant>,
    /// Whether a stale end is about to find out.
    pub(super) farewell: bool,
}

impl<T> Link<T> {
    pub(super) fn new(generation: u32, ends: [Endpoint; 2]) -> Self {
        Self {
            generation,
            ends,
            states: [End::Idle; 2],
            waiting: [Vec::new(), Vec::new()],
            asked: [false; 2],
            pipes: [Pipe::default(), Pipe::default()],
            carrier: Carrier::Lost,
            stalled_since: None,
            farewell: false,
        }
    }

    /// Drops the connection and everything on it.
    pub(super) fn drop_connection(&mut self) {
        self.pipes = [Pipe::default(), Pipe::default()];
        self.stalled_since = None;
        self.carrier = Carrier::Lost;
    }

    /// Which end this is.
    pub(super) fn side(&self, end: Endpoint) -> usize {
        usize::from(self.ends[1] == end)
    }
}
