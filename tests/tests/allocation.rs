//! No decoder allocates what a message merely claims: at most in proportion to what arrived.
//!
//! Alone in its process, so that nobody else's memory is counted.

use bytes::Bytes;
use fuzz::{dice, noisy, seeds, swollen};
use objects_proto::directory::SlotRecord;
use objects_proto::execution::{CallChain, Codec, Deferred, RootId};
use objects_proto::frame;
use objects_proto::message::{
    Ask, CallRequest, Change, Delta, Message, Outbox, OutboxOp, Piece, Position, RegisterMessage,
    ReplayCall, Request, StateChange, Status, Value,
};
use objects_proto::mode::Mode;
use objects_proto::object::{
    Ballot, Configuration, Epoch, MethodId, ObjectId, Replica, Slot, Version,
};
use objects_proto::reference::RawRef;
use objects_proto::session::{Session, SessionId, SessionOp, Sessions};
use overlay::proto::directory::{self, Bundle, ObjectKey, SignedDirectoryRecord};
use overlay::proto::member::{HostedKind, Keys, MemberRecord, MemberState, SignedRecord};
use overlay::proto::message::{GossipBatch, MembershipEvent, SyncEntry};
use overlay::proto::plain_keys::PlainKeys;
use overlay::proto::registry::{Answer, Call};
use overlay::proto::{self, ClusterRecord, Duration, Incarnation, PeerId, ProcessId, codec};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A list of any length is made with room for what 1 MiB holds, before its entries are read.
const FIXED: usize = 2 * 1024 * 1024;
/// What an entry of one byte may become in memory.
const PER_BYTE: usize = 64;

fn process(number: u8) -> ProcessId {
    ProcessId {
        peer: PeerId([number; 32]),
        incarnation: Incarnation(1),
    }
}

fn configuration() -> Configuration {
    let member = |number| Replica {
        process: process(number),
        stamp: 1,
    };
    Configuration {
        epoch: Epoch::default(),
        members: (1..4).map(member).collect(),
        forks: Vec::new(),
        seal: None,
    }
}

fn deferred() -> Deferred {
    Deferred {
        target: RawRef {
            id: ObjectId(9),
            kind: "Counter".into(),
            configuration: Some(configuration().into()),
        },
        method: MethodId(4),
        name: String::from("add"),
        arguments: Bytes::from_static(b"one"),
    }
}

fn session() -> Session {
    Session {
        id: SessionId {
            lineage: Epoch::default().lineage,
            version: Version(3),
        },
        owner: process(1),
        next: 4,
        entries: Vec::new(),
    }
}

fn accept(change: Change) -> Message {
    Message::Register {
        object: ObjectId(7),
        message: RegisterMessage::Accept {
            epoch: Epoch::default(),
            ballot: Ballot::default(),
            version: Version(5),
            change,
        },
    }
}

fn step(state: StateChange) -> Message {
    let session = session();
    accept(Change::Step {
        base: Version(4),
        state,
        sessions: vec![SessionOp::Close(session.id); 3],
        outbox: vec![OutboxOp::Push(deferred()), OutboxOp::Done(1)],
        status: None,
    })
}

fn call() -> Message {
    Message::Request(Request {
        id: 1,
        object: ObjectId(2),
        kind: MethodId(3),
        attempt: 0,
        budget: Duration::from_secs(5),
        ask: Ask::Call(CallRequest {
            method: MethodId(4),
            write: true,
            codec: Codec::Cbor,
            position: Position::Unordered,
            chain: CallChain {
                root: RootId { began: 1, call: 2 },
                call: 3,
                holds: vec![ObjectId(5); 4],
            },
            arguments: Bytes::from_static(b"arguments"),
        }),
    })
}

fn frames() -> Vec<Vec<u8>> {
    let value = Value {
        mode: Mode::Strong,
        kind: "Counter".into(),
        kind_version: 1,
        factor: 3,
        state: Bytes::from_static(b"state"),
        sessions: Sessions {
            open: vec![session(); 3],
            callers: Vec::new(),
        },
        outbox: Outbox {
            last: 2,
            calls: vec![(1, deferred()), (2, deferred())],
        },
        status: Status::Live,
    };
    let pieces = vec![
        Piece::Kept { at: 0, length: 9 },
        Piece::New(Bytes::from_static(b"new")),
    ];
    let delta = Delta {
        length: 12,
        digest: 7,
        pieces,
    };
    let replay = ReplayCall {
        method: MethodId(4),
        codec: Codec::Cbor,
        arguments: Bytes::from_static(b"one"),
        digest: 7,
    };
    let messages = [
        call(),
        accept(Change::Full {
            configuration: configuration(),
            value,
        }),
        step(StateChange::Delta(delta)),
        step(StateChange::Replay(vec![replay; 4])),
    ];
    let frame = |message| frame::encode(message).expect("a frame").to_vec();
    messages.iter().map(frame).collect()
}

fn record() -> SignedRecord {
    let keys = PlainKeys::numbered(1);
    let record = MemberRecord {
        process: ProcessId {
            peer: keys.peer(),
            incarnation: Incarnation(1),
        },
        sequence: 1,
        addresses: vec![String::from("/ip4/10.0.0.1/tcp/4001"); 2],
        kinds: vec![HostedKind {
            name: String::from("Counter"),
            version: 1,
            weak: false,
            methods: vec![String::from("add"), String::from("get")],
        }],
        capacity: 1,
        load: 0,
        primaries: 0,
        labels: vec![(String::from("host"), String::from("a"))],
        leaving: false,
        stamp: 1,
    };
    SignedRecord::sign(&record, &keys)
}

fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
    codec::encode(value).expect("encoded")
}

fn cluster() -> ClusterRecord {
    ClusterRecord {
        id: proto::ClusterId(7),
        founder: process(1),
        founded_at_ms: 1,
        root_version: 1,
        root: encoded(&configuration()).into(),
    }
}

fn control() -> Vec<Vec<u8>> {
    let entry = SyncEntry {
        record: record(),
        state: MemberState::Alive,
        sequence: 0,
        age_s: 0,
    };
    let records = proto::Message::Records {
        entries: vec![entry; 3],
        want: vec![PeerId([7; 32]); 3],
    };
    let list = proto::Message::List {
        records: vec![record(); 3],
        cluster: Some(cluster()),
    };
    vec![records.encode(), list.encode()]
}

fn bundle() -> Bundle {
    let keys = PlainKeys::numbered(1);
    let record = directory::DirectoryRecord {
        object: ObjectKey([7; 16]),
        epoch: Bytes::from_static(b"epoch"),
        value: Bytes::from_static(b"value"),
        sequence: 1,
        signer: keys.peer(),
    };
    Bundle {
        records: vec![SignedDirectoryRecord::sign(&record, &keys); 3],
    }
}

/// A name, what is altered, and what decodes it.
type Decoder = (&'static str, Vec<Vec<u8>>, fn(Vec<u8>));

fn decoders() -> Vec<Decoder> {
    let batch = GossipBatch {
        events: vec![MembershipEvent::Alive(record()); 3],
        cluster: Some(cluster()),
    };
    let answer = Answer::List {
        records: vec![record(); 3],
        cluster: Some(cluster()),
    };
    let call = Call {
        cluster_name: String::from("default"),
        request: proto::registry::Request::Leave { record: record() },
    };
    let holders = SlotRecord::new(Slot(7), configuration().processes());
    let holders = holders.encode().expect("short").to_vec();
    let reference = serde_json::to_vec(&deferred().target).expect("JSON");
    let body = record().body().to_vec();
    vec![
        ("frame", frames(), |bytes| {
            drop(frame::decode(Bytes::from(bytes)));
        }),
        ("control message", control(), |bytes| {
            drop(proto::Message::decode(&bytes));
        }),
        ("gossip", vec![encoded(&batch)], |bytes| {
            drop(GossipBatch::decode(&bytes));
        }),
        ("registry call", vec![call.encode()], |bytes| {
            drop(Call::decode(&bytes));
        }),
        ("registry answer", vec![answer.encode()], |bytes| {
            drop(Answer::decode(&bytes));
        }),
        ("bundle", vec![bundle().encode()], |bytes| {
            drop(Bundle::decode(&bytes));
        }),
        ("cluster", vec![encoded(&cluster())], |bytes| {
            drop(ClusterRecord::decode(&bytes));
        }),
        ("member record", vec![body], |bytes| {
            let record = SignedRecord::new(bytes.into(), Bytes::new());
            let _claim = record.claim();
        }),
        ("directory record", vec![holders], |bytes| {
            drop(SlotRecord::decode(Slot(7), &bytes));
        }),
        ("reference", vec![reference], |bytes| {
            drop(serde_json::from_slice::<RawRef>(&bytes));
        }),
    ]
}

/// Most bytes that decoding held at one time, beside those that arrived.
fn held(decode: fn(Vec<u8>), bytes: Vec<u8>) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    decode(bytes);
    MEMORY.peak_usage().saturating_sub(before)
}

#[test]
fn decoding_holds_no_more_than_what_arrived_is_worth() {
    for (name, recordings, decode) in decoders() {
        let mut most = 0;
        for seed in seeds(40) {
            let mut dice = dice(seed);
            for _ in 0..100 {
                for bytes in [
                    noisy(&mut dice, &recordings),
                    swollen(&mut dice, &recordings),
                ] {
                    let allowed = FIXED + PER_BYTE * bytes.len();
                    let held = held(decode, bytes);
                    assert!(held <= allowed, "{name}: {held} bytes, seed {seed}");
                    most = most.max(held);
                }
            }
        }
        println!("{name}: at most {most} bytes");
    }
}
