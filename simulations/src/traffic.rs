//! What travels: bytes by protocol and by node.

/// Bytes around each message of a link beyond its own: the frame's header, yamux's header,
/// noise's length and tag, and TCP's and IP's headers with timestamps.
pub const ENVELOPE_BYTES: u64 = 10 + 12 + 18 + 52;

/// What a message is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Protocol {
    /// Is somebody there?
    Probes,
    /// Comparing what two members know.
    AntiEntropy,
    /// Greetings, goodbyes, lists.
    Links,
    /// Copies of gossip.
    Gossip,
    /// Calls and replies.
    Calls,
    /// Replicas of objects: rounds, takeovers, repairs.
    Replicas,
    /// Records and lookups in the directory.
    Directory,
    /// Anything else.
    Other,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Probes,
        Self::AntiEntropy,
        Self::Links,
        Self::Gossip,
        Self::Calls,
        Self::Replicas,
        Self::Directory,
        Self::Other,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Probes => "probes",
            Self::AntiEntropy => "anti-entropy",
            Self::Links => "links",
            Self::Gossip => "gossip",
            Self::Calls => "calls",
            Self::Replicas => "replicas",
            Self::Directory => "directory",
            Self::Other => "other",
        }
    }

    /// Its name among a run's counters.
    #[must_use]
    pub const fn counter(self) -> &'static str {
        match self {
            Self::Probes => "bytes of probes",
            Self::AntiEntropy => "bytes of anti-entropy",
            Self::Links => "bytes of links",
            Self::Gossip => "bytes of gossip",
            Self::Calls => "bytes of calls",
            Self::Replicas => "bytes of replicas",
            Self::Directory => "bytes of directory",
            Self::Other => "bytes of other",
        }
    }
}

/// Messages and bytes so far.
#[derive(Clone, Debug)]
pub struct Traffic {
    messages: u64,
    bytes: u64,
    by_protocol: [u64; Protocol::ALL.len()],
    sent: Vec<u64>,
    received: Vec<u64>,
}

impl Traffic {
    /// Nothing yet, among this many nodes.
    #[must_use]
    pub fn new(nodes: usize) -> Self {
        Self {
            messages: 0,
            bytes: 0,
            by_protocol: [0; Protocol::ALL.len()],
            sent: vec![0; nodes],
            received: vec![0; nodes],
        }
    }

    /// A message of `bytes` bytes goes from one node to another. The envelope is added here.
    pub fn sent(&mut self, from: u32, to: u32, protocol: Protocol, bytes: u64) {
        let whole = bytes + ENVELOPE_BYTES;
        self.messages += 1;
        self.bytes += bytes;
        self.by_protocol[protocol as usize] += whole;
        self.sent[from as usize] += whole;
        self.received[to as usize] += whole;
    }

    /// Messages on links, the copies of gossip included.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Their bytes, without envelopes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes sent for a protocol, with envelopes.
    #[must_use]
    pub fn of(&self, protocol: Protocol) -> u64 {
        self.by_protocol[protocol as usize]
    }

    /// Bytes that a node sent, with envelopes.
    #[must_use]
    pub fn sent_by(&self, node: u32) -> u64 {
        self.sent[node as usize]
    }

    /// Bytes that a node received, with envelopes.
    #[must_use]
    pub fn received_by(&self, node: u32) -> u64 {
        self.received[node as usize]
    }
}
