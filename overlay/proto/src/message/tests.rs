//! Every decoder: whatever was encoded comes back, and whatever else arrives is refused
//! without harm.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::cluster::CLUSTER_ROOT_BYTES_MAX;
use crate::directory::{Bundle, DirectoryRecord, SignedDirectoryRecord};
use crate::id::Incarnation;
use crate::member::{HostedKind, MemberRecord};
use crate::plain_keys::PlainKeys;
use crate::registry::{Answer, Call, Refusal, Request};

fn process() -> impl Strategy<Value = ProcessId> {
    (any::<[u8; 32]>(), any::<u64>()).prop_map(|(peer, incarnation)| ProcessId {
        peer: PeerId(peer),
        incarnation: Incarnation(incarnation),
    })
}

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

fn record() -> impl Strategy<Value = SignedRecord> {
    let body = (
        process(),
        any::<u64>(),
        ".{0,40}",
        any::<u32>(),
        any::<bool>(),
    );
    body.prop_map(|(process, sequence, text, capacity, leaving)| {
        let kind = HostedKind {
            name: text.clone(),
            version: 1,
            weak: false,
            methods: vec![text.clone()],
        };
        let record = MemberRecord {
            process,
            sequence,
            addresses: vec![text.clone()],
            kinds: vec![kind],
            capacity,
            load: capacity / 2,
            primaries: capacity / 3,
            labels: vec![(String::from("host"), text)],
            leaving,
            stamp: sequence,
        };
        SignedRecord::sign(&record, &PlainKeys(process.peer))
    })
}

fn cluster() -> impl Strategy<Value = ClusterRecord> {
    let parts = (
        any::<u128>(),
        process(),
        any::<u64>(),
        any::<u64>(),
        bytes(100),
    );
    parts.prop_map(
        |(id, founder, founded_at_ms, root_version, root)| ClusterRecord {
            id: ClusterId(id),
            founder,
            founded_at_ms,
            root_version,
            root,
        },
    )
}

fn state() -> impl Strategy<Value = MemberState> {
    use MemberState::{Alive, Dead, Left, Suspect};
    prop_oneof![Just(Alive), Just(Suspect), Just(Dead), Just(Left)]
}

fn digest() -> impl Strategy<Value = Digest> {
    (any::<u64>(), any::<u64>()).prop_map(|(count, xor)| Digest { count, xor })
}

/// Any message that a member may send.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    let option = proptest::option::of::<BoxedStrategy<ClusterRecord>>;
    let list = |most| proptest::collection::vec(record(), 0..most);
    let entry =
        (process(), any::<u64>(), state()).prop_map(|(process, sequence, state)| SummaryEntry {
            process,
            sequence,
            state,
        });
    let entries = (record(), state(), any::<u64>()).prop_map(|(record, state, age_s)| SyncEntry {
        record,
        state,
        sequence: age_s,
        age_s,
    });
    prop_oneof![
        (
            proptest::option::of(record()),
            digest(),
            option(cluster().boxed())
        )
            .prop_map(|(record, digest, cluster)| Message::Greeting {
                record,
                digest,
                cluster
            }),
        (any::<u64>(), any::<Option<u64>>())
            .prop_map(|(nonce, suspected)| Message::Probe { nonce, suspected }),
        any::<u64>().prop_map(|nonce| Message::Ack { nonce }),
        (any::<u64>(), process())
            .prop_map(|(nonce, target)| Message::ProbeRequest { nonce, target }),
        (any::<u64>(), any::<bool>())
            .prop_map(|(nonce, reached)| Message::ProbeReport { nonce, reached }),
        (digest(), any::<Option<(u128, u64)>>()).prop_map(|(digest, cluster)| Message::Sync {
            digest,
            cluster: cluster.map(|(id, version)| (ClusterId(id), version)),
        }),
        prop_oneof![bytes(300).boxed(), Just(Bytes::from(vec![7; 2048])).boxed()]
            .prop_map(|hashes| Message::Buckets { hashes }),
        (
            prop_oneof![bytes(40).boxed(), Just(Bytes::from(vec![255; 32])).boxed()],
            proptest::collection::vec(entry, 0..20)
        )
            .prop_map(|(buckets, entries)| Message::Summary { buckets, entries }),
        (
            proptest::collection::vec(entries, 0..5),
            proptest::collection::vec(any::<[u8; 32]>().prop_map(PeerId), 0..5)
        )
            .prop_map(|(entries, want)| Message::Records { entries, want }),
        any::<u32>().prop_map(|limit| Message::GetList { limit }),
        (list(5), option(cluster().boxed()))
            .prop_map(|(records, cluster)| Message::List { records, cluster }),
        Just(Message::ClusterRequest),
        cluster().prop_map(Message::Cluster),
        any::<u64>().prop_map(|sequence| Message::Goodbye { sequence }),
    ]
}

/// Any gossip that a member may publish.
pub(crate) fn batch() -> impl Strategy<Value = GossipBatch> {
    let event = prop_oneof![
        record().prop_map(MembershipEvent::Alive),
        (process(), any::<u64>(), process(), any::<bool>()).prop_map(
            |(process, sequence, observer, refused)| MembershipEvent::Suspect {
                process,
                sequence,
                observer,
                refused
            }
        ),
        (process(), any::<u64>())
            .prop_map(|(process, sequence)| MembershipEvent::Left { process, sequence }),
    ];
    (
        proptest::collection::vec(event, 0..10),
        proptest::option::of(cluster()),
    )
        .prop_map(|(events, cluster)| GossipBatch { events, cluster })
}

/// Bytes that are almost those of `encoded`.
fn damage(mut encoded: Vec<u8>, places: &[(usize, u8)], cut: usize) -> Vec<u8> {
    for (place, byte) in places {
        let length = encoded.len();
        if let Some(target) = encoded.get_mut(place % length.max(1)) {
            *target = *byte;
        }
    }
    encoded.truncate(encoded.len().saturating_sub(cut));
    encoded
}

fn decode_everything(bytes: &[u8]) {
    let _ = Message::decode(bytes);
    let _ = GossipBatch::decode(bytes);
    let _ = Call::decode(bytes);
    let _ = Answer::decode(bytes);
    let _ = ClusterRecord::decode(bytes);
    let _ = Bundle::decode(bytes);
    let keys = PlainKeys::numbered(1);
    let (body, signature) = (Bytes::copy_from_slice(bytes), Bytes::new());
    let _ = SignedRecord::new(body.clone(), signature.clone()).open(&keys);
    let _ = SignedDirectoryRecord { body, signature }.open(&keys);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..600)
    ) {
        decode_everything(&bytes);
    }

    #[test]
    fn damaged_messages_are_refused_or_read_without_harm(
        message in message(),
        batch in batch(),
        places in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        cut in 0_usize..8,
    ) {
        decode_everything(&damage(message.encode(), &places, cut));
        decode_everything(&damage(batch.encode().to_vec(), &places, cut));
    }

    #[test]
    fn messages_and_gossip_come_back_as_they_were(message in message(), batch in batch()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        prop_assert_eq!(GossipBatch::decode(&batch.encode()), Ok(batch));
    }

    #[test]
    fn registry_messages_come_back_as_they_were(
        record in record(),
        records in proptest::collection::vec(record(), 0..5),
        cluster in proptest::option::of(cluster()),
        number in any::<u32>(),
    ) {
        let requests = [
            Request::Register {
                record: record.clone(),
                lease_s: number,
                cluster: cluster.clone(),
                limit: number,
            },
            Request::List { limit: number },
            Request::Leave { record },
        ];
        for request in requests {
            let call = Call { cluster_name: "lan".into(), request };
            prop_assert_eq!(Call::decode(&call.encode()), Ok(call));
        }
        let answers = [
            Answer::Registered {
                lease_s: number,
                records: records.clone(),
                cluster: cluster.clone(),
            },
            Answer::List { records, cluster },
            Answer::Left,
            Answer::Refused(Refusal::OriginFull),
        ];
        for answer in answers {
            prop_assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
        }
    }

    #[test]
    fn signed_records_open_only_as_they_were_signed(
        signed in record(),
        place in any::<usize>(),
        flip in 1_u8..=255,
    ) {
        let keys = PlainKeys::numbered(1);
        let opened = signed.open(&keys).unwrap();
        let again = SignedRecord::sign(opened, &PlainKeys(opened.process.peer));
        prop_assert_eq!(again, signed.clone());
        let mut body = signed.body().to_vec();
        let place = place % body.len();
        body[place] ^= flip;
        let forged = SignedRecord::new(body.into(), signed.signature().clone());
        prop_assert!(forged.open(&keys).is_err());
    }

    #[test]
    fn directory_records_and_clusters_come_back_as_they_were(
        object in any::<[u8; 16]>(),
        value in bytes(500),
        sequence in any::<u64>(),
        cluster in cluster(),
    ) {
        let keys = PlainKeys::numbered(1);
        let record = DirectoryRecord {
            object: crate::directory::ObjectKey(object),
            epoch: value.slice(..value.len() / 2),
            value,
            sequence,
            signer: keys.0,
        };
        let signed = SignedDirectoryRecord::sign(&record, &keys);
        let bundle = Bundle { records: vec![signed] };
        let decoded = Bundle::decode(&bundle.encode()).unwrap();
        prop_assert_eq!(decoded.records[0].open(&keys), Ok(record));
        let encoded = codec::encode(&cluster).unwrap();
        prop_assert_eq!(ClusterRecord::decode(&encoded), Ok(cluster));
    }
}

#[test]
fn unknown_fields_are_ignored_and_unknown_kinds_refused() {
    #[derive(Serialize)]
    enum Newer {
        Ack { nonce: u64, color: &'static str },
        Teleport,
    }
    let ack = codec::encode(&Newer::Ack {
        nonce: 7,
        color: "red",
    })
    .unwrap();
    assert_eq!(Message::decode(&ack), Ok(Message::Ack { nonce: 7 }));
    let unknown = codec::encode(&Newer::Teleport).unwrap();
    assert_eq!(Message::decode(&unknown), Err(DecodeError::Malformed));
}

#[test]
fn too_much_is_refused_unread() {
    let long = vec![0; MESSAGE_BYTES_MAX + 1];
    assert!(matches!(
        Message::decode(&long),
        Err(DecodeError::TooLong { .. })
    ));
    assert!(matches!(
        GossipBatch::decode(&long),
        Err(DecodeError::TooLong { .. })
    ));
    let founder = ProcessId {
        peer: PeerId([1; 32]),
        incarnation: Incarnation(1),
    };
    let root = vec![0; CLUSTER_ROOT_BYTES_MAX + 1].into();
    let id = ClusterId(1);
    let record = ClusterRecord {
        id,
        founder,
        founded_at_ms: 1,
        root_version: 1,
        root,
    };
    let encoded = codec::encode(&record).unwrap();
    assert!(matches!(
        ClusterRecord::decode(&encoded),
        Err(DecodeError::TooLong { .. })
    ));
}
