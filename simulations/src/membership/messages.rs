//! What overlays say to each other, as a simulated network looks at it.

use overlay_proto::member::{MemberRecord, SignedRecord};
use overlay_proto::plain_keys::PlainKeys;
use overlay_proto::{Message, ProcessId};

use crate::traffic::Protocol;

/// A record as an introducer would hand it out: believed by nobody, dialled by those who need.
pub(crate) fn introduction(process: &ProcessId) -> SignedRecord {
    let record = MemberRecord {
        process: *process,
        sequence: 0,
        addresses: vec!["/memory/0".to_owned()],
        kinds: Vec::new(),
        capacity: 0,
        load: 0,
        primaries: 0,
        labels: Vec::new(),
        leaving: false,
        stamp: 0,
    };
    SignedRecord::sign(&record, &PlainKeys(process.peer))
}

/// What an overlay's message is sent for.
pub(crate) fn protocol(message: &Message) -> Protocol {
    match message {
        Message::Probe { .. }
        | Message::Ack { .. }
        | Message::ProbeRequest { .. }
        | Message::ProbeReport { .. } => Protocol::Probes,
        Message::Sync { .. }
        | Message::Buckets { .. }
        | Message::Summary { .. }
        | Message::Records { .. } => Protocol::AntiEntropy,
        Message::Greeting { .. }
        | Message::GetList { .. }
        | Message::List { .. }
        | Message::ClusterRequest
        | Message::Cluster(_)
        | Message::Goodbye { .. } => Protocol::Links,
    }
}
