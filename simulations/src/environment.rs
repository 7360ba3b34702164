//! What surrounds the machines of a world: who builds them, answers them and watches them.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use overlay_proto::message::GossipBatch;
use overlay_proto::{Command, Duration, LinkDown, PeerId, ProcessId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::conditions::Clock;
use crate::kernel::{Kernel, SimMachine};
use crate::seed::Seed;
use crate::trace::RunningHash;
use crate::traffic::Protocol;

/// A process about to start.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The node.
    pub node: u32,
    /// The process: a peer that is always the same, a fresh incarnation.
    pub process: ProcessId,
    /// Its clock.
    pub clock: Clock,
    /// Seeds the machine's own draws.
    pub seed: Seed,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It died, or its machine did.
    Crashed,
    /// It left cleanly.
    Left,
}

/// A message as it goes over the wire.
#[derive(Debug)]
pub struct Transmitted<T> {
    /// What the receiver gets.
    pub message: T,
    /// Its length in bytes.
    pub bytes: usize,
    /// A hash of the bytes.
    pub hash: u64,
    /// What it is sent for.
    pub protocol: Protocol,
}

/// Encodes and decodes a message as production does.
///
/// # Errors
/// In words, if it does not survive that.
pub fn over_the_wire<T: Serialize + DeserializeOwned>(
    message: &T,
) -> Result<Transmitted<T>, String> {
    let bytes = overlay_proto::codec::encode(message).map_err(|error| error.to_string())?;
    let mut hash = RunningHash::default();
    hash.bytes(&bytes);
    let message = overlay_proto::codec::decode(&bytes).map_err(|error| error.to_string())?;
    Ok(Transmitted {
        message,
        bytes: bytes.len(),
        hash: hash.value(),
        protocol: Protocol::Other,
    })
}

/// Takes messages over the wire: as production does in small worlds, by value in large ones,
/// where a message is still encoded, for its length and its hash, but not decoded again.
#[derive(Debug)]
pub struct Wire {
    by_value: bool,
    scratch: Vec<u8>,
}

impl Wire {
    /// Nodes up to which messages are decoded from their bytes.
    pub const DECODED_MAX: u32 = 200;

    /// The wire of a world of this many nodes.
    #[must_use]
    pub fn new(nodes: u32) -> Self {
        Self {
            by_value: nodes > Self::DECODED_MAX,
            scratch: Vec::new(),
        }
    }

    /// Whether receivers get what was sent itself, not what its bytes are decoded to.
    #[must_use]
    pub fn by_value(&self) -> bool {
        self.by_value
    }

    /// What each receiver of this gossip is told.
    ///
    /// # Errors
    /// In words, if it does not survive.
    pub fn gossip(&self, batch: Bytes) -> Result<impl Fn() -> Command + 'static, String> {
        let news = self.by_value.then(|| GossipBatch::decode(&batch));
        let news = news.transpose().map_err(|error| error.to_string())?;
        let news = news.map(Arc::new);
        Ok(move || match &news {
            Some(news) => Command::News(Arc::clone(news)),
            None => Command::Gossip(batch.clone()),
        })
    }

    /// Takes a message over.
    ///
    /// # Errors
    /// In words, if it does not survive that.
    pub fn transmit<T: Serialize + DeserializeOwned>(
        &mut self,
        message: T,
        protocol: Protocol,
    ) -> Result<Transmitted<T>, String> {
        if !self.by_value {
            let transmitted = over_the_wire(&message)?;
            return Ok(Transmitted {
                protocol,
                ..transmitted
            });
        }
        self.scratch.clear();
        overlay_proto::codec::encode_into(&message, &mut self.scratch)
            .map_err(|error| error.to_string())?;
        let mut hash = RunningHash::default();
        hash.bytes(&self.scratch);
        Ok(Transmitted {
            message,
            bytes: self.scratch.len(),
            hash: hash.value(),
            protocol,
        })
    }
}

/// What surrounds the machines: builds them, answers their events, and watches them.
pub trait Environment<M: SimMachine>: Sized {
    /// What the environment wakes itself for.
    type Alarm: Debug;

    /// Makes the machine of a process that starts.
    fn start(&mut self, kernel: &mut Kernel<M, Self::Alarm>, start: Start) -> M;

    /// The process runs now: the place for its first commands.
    fn started(&mut self, _kernel: &mut Kernel<M, Self::Alarm>, _start: Start) {}

    /// Takes a message over the wire, mostly by [`over_the_wire`].
    ///
    /// # Errors
    /// In words, if the message does not survive; that is a violation.
    fn transmit(&mut self, message: M::Message) -> Result<Transmitted<M::Message>, String>;

    /// A machine emitted an event.
    fn event(&mut self, kernel: &mut Kernel<M, Self::Alarm>, node: u32, event: M::Event);

    /// An alarm went off.
    fn alarm(&mut self, kernel: &mut Kernel<M, Self::Alarm>, alarm: Self::Alarm);

    /// A node is asked to leave. Calls [`Kernel::stop`] when it has.
    fn leave(&mut self, kernel: &mut Kernel<M, Self::Alarm>, node: u32) {
        kernel.stop(node);
    }

    /// A machine has handled an input: the place for checks of its state.
    fn handled(&mut self, _kernel: &mut Kernel<M, Self::Alarm>, _node: u32) {}

    /// A process is no more.
    fn ended(&mut self, _kernel: &mut Kernel<M, Self::Alarm>, _process: ProcessId, _how: Ending) {}

    /// A dial made by [`Kernel::dial`] failed.
    fn dial_failed(
        &mut self,
        _kernel: &mut Kernel<M, Self::Alarm>,
        _node: u32,
        _peer: PeerId,
        _reason: LinkDown,
    ) {
    }

    /// A stopped process is about to go on; what arrived meanwhile is still in its backlog.
    fn resumed(&mut self, _kernel: &mut Kernel<M, Self::Alarm>, _node: u32, _slept: Duration) {}

    /// Every fault was healed.
    fn healed(&mut self, _kernel: &mut Kernel<M, Self::Alarm>) {}
}
