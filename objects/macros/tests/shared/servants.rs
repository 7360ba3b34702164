//! What the register relies on: batches, rollback points, and which servant is used again.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use objects_macros::shared;
use objects_proto::arguments::Encoder;
use objects_proto::caller::{BoxFuture, Caller, Completion, HandleId, Invocation};
use objects_proto::execution::{
    CallChain, Codec, Executed, Execution, ExecutionCall, ExecutionKey, ExecutionMode, Ran,
};
use objects_proto::kinds_table::{KindTable, decode_state, encode_state};
use objects_proto::method::Method;
use objects_proto::object::{Ballot, Epoch, MethodId, ObjectId, Version};
use objects_proto::outcome::{Cause, Failure};
use objects_proto::servant::{ServantLimits, Servants};
use objects_proto::shared::SharedObject;
use objects_proto::wire::{Wire, passer};
use overlay_proto::{Duration, Instant};
use serde::{Deserialize, Deserializer, Serialize};

use crate::world::{CALLER, Catching};

thread_local! {
    static DECODED: Cell<u32> = const { Cell::new(0) };
}

/// Counts how often one is decoded.
#[derive(Serialize)]
struct Tally {
    sum: i64,
    /// As deep as it is asked to be.
    tree: Option<Box<Tree>>,
    /// Not part of the state: tells a servant that was kept from one that was decoded.
    #[serde(skip)]
    here: i64,
}

#[derive(Serialize, Deserialize)]
struct Tree {
    below: Option<Box<Tree>>,
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Plain {
            sum: i64,
            tree: Option<Box<Tree>>,
        }
        DECODED.set(DECODED.get() + 1);
        let Plain { sum, tree } = Plain::deserialize(input)?;
        Ok(Self { sum, tree, here: 0 })
    }
}

#[shared(crate = objects_proto)]
impl Tally {
    fn add(&mut self, amount: i64) -> i64 {
        self.sum += amount;
        self.here += 1;
        self.sum
    }

    fn add_strictly(&mut self, amount: i64) -> Result<i64, String> {
        self.sum += amount;
        self.here += 1;
        if amount < 0 {
            Err("negative".to_owned())
        } else {
            Ok(self.sum)
        }
    }

    fn explode(&mut self) {
        self.sum = 0;
        panic!("boom");
    }

    fn here(&self) -> i64 {
        self.here
    }

    fn positive(&self) -> Result<i64, String> {
        if self.sum > 0 {
            Ok(self.sum)
        } else {
            Err("none".to_owned())
        }
    }

    fn large(&mut self, bytes: usize) -> String {
        self.sum = -1;
        "x".repeat(bytes)
    }

    fn deepen(&mut self, levels: u32) {
        for _ in 0..levels {
            self.tree = Some(Box::new(Tree {
                below: self.tree.take(),
            }));
        }
    }

    async fn later(&mut self) -> i64 {
        self.sum += 1;
        std::future::pending().await
    }
}

/// A node that no method of these tests asks for anything.
struct Still;

impl Caller for Still {
    fn open_handle(&self) -> HandleId {
        HandleId(0)
    }

    fn release_handle(&self, _: HandleId) {}

    fn invoke(&self, _: Invocation) -> BoxFuture<'static, Completion> {
        Box::pin(std::future::pending())
    }

    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn random(&self) -> u64 {
        0
    }
}

/// Servants of these kinds, on a node that makes no calls.
pub(crate) fn host(register: impl FnOnce(&mut KindTable), limits: ServantLimits) -> Servants {
    let mut kinds = KindTable::default();
    register(&mut kinds);
    Servants::new(Arc::new(kinds), Arc::new(Still), limits)
}

fn servants(limits: ServantLimits) -> Servants {
    DECODED.set(0);
    host(|kinds| kinds.register::<Tally>().unwrap(), limits)
}

fn state(sum: i64) -> Bytes {
    encode_state(&Tally {
        sum,
        tree: None,
        here: 0,
    })
    .unwrap()
}

fn sum(state: &Bytes) -> i64 {
    decode_state::<Tally>(state).unwrap().sum
}

fn call<T: Wire>(name: &str, argument: Option<T>) -> ExecutionCall {
    let known: &'static Method = Tally::METHODS
        .iter()
        .find(|method| method.name == name)
        .unwrap();
    let mut arguments = Encoder::new(known);
    if let (Some(name), Some(value)) = (known.arguments.first(), argument) {
        arguments.value(passer::<T>(), name, &value);
    }
    ExecutionCall {
        method: known.id,
        codec: Codec::Cbor,
        arguments: arguments.finish().unwrap(),
        budget: Duration::from_secs(1),
        caller: CALLER,
        chain: CallChain::default(),
    }
}

fn add(amount: i64) -> ExecutionCall {
    call("add", Some(amount))
}

fn plain(name: &str) -> ExecutionCall {
    call::<()>(name, None)
}

fn execution(object: u128, round: u32, state: &Bytes, calls: Vec<ExecutionCall>) -> Execution {
    let ballot = Ballot { round, member: 0 };
    let key = ExecutionKey {
        epoch: Epoch::default(),
        ballot,
        base: Version(1),
        attempt: 1,
    };
    let (object, kind, state) = (ObjectId(object), Arc::from("Tally"), state.clone());
    Execution {
        object,
        kind,
        key,
        state,
        mode: ExecutionMode::Batch,
        calls,
    }
}

fn run(servants: &mut Servants, execution: Execution) -> Vec<Ran> {
    let key = execution.key;
    let Executed {
        ran, key: answered, ..
    } = servants.run_sync(execution, &Catching);
    assert_eq!(key, answered);
    ran
}

fn number(ran: &Ran) -> i64 {
    let Ran::Returned { result, .. } = ran else {
        panic!("{ran:?}")
    };
    ciborium::from_reader(&result[..]).unwrap()
}

fn shipped(ran: &Ran) -> Bytes {
    let Ran::Returned {
        state: Some(state), ..
    } = ran
    else {
        panic!("{ran:?}")
    };
    state.clone()
}

#[test]
fn a_failed_call_goes_back_to_the_state_after_the_previous_success() {
    let mut servants = servants(ServantLimits::default());
    let calls = vec![
        add(1),
        add(10),
        call("add_strictly", Some(-500i64)),
        add(100),
        plain("explode"),
        add(1000),
    ];
    let ran = run(&mut servants, execution(1, 1, &state(0), calls));
    assert_eq!(sum(&shipped(&ran[0])), 1);
    assert_eq!(sum(&shipped(&ran[1])), 11);
    assert!(matches!(&ran[2], Ran::Failed(Failure::Returned(_))));
    assert_eq!(sum(&shipped(&ran[3])), 111);
    assert_eq!(ran[4], Ran::Failed(Failure::Panicked("boom".to_owned())));
    assert_eq!(sum(&shipped(&ran[5])), 1111);
}

#[test]
fn what_was_not_run_leaves_the_servant_alone() {
    let mut servants = servants(ServantLimits::default());
    let unknown = ExecutionCall {
        method: MethodId::of("explain"),
        ..add(1)
    };
    let malformed = ExecutionCall {
        arguments: Bytes::from_static(b"\x01"),
        ..add(1)
    };
    let late = ExecutionCall {
        budget: Duration::ZERO,
        ..add(1)
    };
    let calls = vec![add(1), unknown, malformed, late, plain("here")];
    let ran = run(&mut servants, execution(1, 1, &state(0), calls));
    assert!(matches!(&ran[1], Ran::Refused(Cause::UnknownMethod { .. })));
    assert!(matches!(&ran[2], Ran::Refused(Cause::Arguments(_))));
    assert_eq!(ran[3], Ran::Refused(Cause::Deadline));
    assert_eq!(number(&ran[4]), 1);
    assert_eq!(DECODED.get(), 1);
}

#[test]
fn a_servant_is_used_again_only_for_the_state_that_it_is() {
    let mut servants = servants(ServantLimits::default());
    let first = run(&mut servants, execution(1, 1, &state(0), vec![add(5)]));
    let after = shipped(&first[0]);
    let decoded = |servants: &mut Servants, execution| {
        let before = DECODED.get();
        run(servants, execution);
        DECODED.get() - before
    };
    let read = || vec![plain("here")];
    assert_eq!(
        decoded(&mut servants, execution(1, 1, &after, read())),
        0,
        "the same bytes"
    );
    let copied = Bytes::copy_from_slice(&after);
    assert_eq!(
        decoded(&mut servants, execution(1, 1, &copied, read())),
        0,
        "equal bytes"
    );
    assert_eq!(
        decoded(&mut servants, execution(1, 2, &after, read())),
        1,
        "another ballot"
    );
    assert_eq!(
        decoded(&mut servants, execution(1, 2, &state(4), read())),
        1,
        "another state"
    );
    assert_eq!(
        decoded(&mut servants, execution(2, 2, &state(4), read())),
        1,
        "another object"
    );
    let mut other_epoch = execution(2, 2, &state(4), read());
    other_epoch.key.epoch.number = 9;
    assert_eq!(decoded(&mut servants, other_epoch), 1, "another epoch");
}

#[test]
fn a_write_whose_result_was_dropped_does_not_live_on_in_the_servant() {
    let mut servants = servants(ServantLimits::default());
    let committed = state(0);
    run(&mut servants, execution(1, 1, &committed, vec![add(5)]));
    let again = run(&mut servants, execution(1, 1, &committed, vec![add(1)]));
    assert_eq!(
        number(&again[0]),
        1,
        "it starts from the state that it was given"
    );
}

#[test]
fn a_snapshot_is_thrown_away() {
    let mut servants = servants(ServantLimits::default());
    let mut snapshot = execution(1, 1, &state(3), vec![plain("positive"), add(1)]);
    snapshot.mode = ExecutionMode::Snapshot;
    let ran = run(&mut servants, snapshot);
    assert_eq!(number(&ran[0]), 3);
    assert!(
        matches!(&ran[1], Ran::Refused(_)),
        "nothing is written on a snapshot"
    );
    assert!(servants.is_empty());
}

#[test]
fn a_read_that_says_no_costs_no_decoding() {
    let mut servants = servants(ServantLimits::default());
    let calls = vec![plain("positive"), plain("here")];
    let ran = run(&mut servants, execution(1, 1, &state(0), calls));
    assert!(matches!(&ran[0], Ran::Failed(Failure::Returned(_))));
    assert_eq!(DECODED.get(), 1);
}

#[test]
fn a_result_beyond_the_limit_undoes_its_write() {
    let mut servants = servants(ServantLimits::default());
    let calls = vec![call("large", Some(2usize << 20)), add(1)];
    let ran = run(&mut servants, execution(1, 1, &state(0), calls));
    assert!(matches!(&ran[0], Ran::Refused(Cause::TooLarge { .. })));
    assert_eq!(number(&ran[1]), 1);
}

#[test]
fn a_state_that_could_not_be_decoded_again_is_not_kept() {
    let mut servants = servants(ServantLimits::default());
    let calls = vec![
        call("deepen", Some(63u32)),
        call("deepen", Some(1u32)),
        add(1),
    ];
    let ran = run(&mut servants, execution(1, 1, &state(0), calls));
    let deepest = shipped(&ran[0]);
    assert!(decode_state::<Tally>(&deepest).is_ok());
    assert!(
        matches!(&ran[1], Ran::Refused(Cause::BadState { .. })),
        "{:?}",
        ran[1]
    );
    assert_eq!(number(&ran[2]), 1);
}

#[test]
fn an_undecodable_state_is_a_cause_and_not_a_panic() {
    let mut servants = servants(ServantLimits::default());
    let garbage = Bytes::from_static(b"\x82\x01");
    let ran = run(&mut servants, execution(1, 1, &garbage, vec![add(1)]));
    let Ran::Refused(cause) = &ran[0] else {
        panic!("{ran:?}")
    };
    assert!(
        cause.to_string().contains("not one of the kind `Tally`"),
        "{cause}"
    );
}

#[test]
fn an_unknown_kind_is_refused() {
    let mut servants = servants(ServantLimits::default());
    let mut unknown = execution(1, 1, &state(0), vec![add(1)]);
    unknown.kind = Arc::from("Abacus");
    let ran = run(&mut servants, unknown);
    assert_eq!(ran, [Ran::Refused(Cause::UnknownKind("Abacus".to_owned()))]);
}

#[test]
fn an_async_method_without_a_future_fails_and_is_undone() {
    let mut servants = servants(ServantLimits::default());
    let started = servants.start(execution(1, 1, &state(0), vec![plain("later")]));
    assert!(!started.is_synchronous());
    let executed = servants.finish(started.run_sync(&Catching));
    assert!(matches!(
        &executed.ran[0],
        Ran::Failed(Failure::Panicked(_))
    ));
    let ran = run(&mut servants, execution(1, 1, &state(0), vec![add(1)]));
    assert_eq!(number(&ran[0]), 1);
}

#[test]
fn the_cache_keeps_to_its_limits() {
    let by_count = ServantLimits {
        count: 3,
        bytes: usize::MAX,
    };
    let mut servants = servants(by_count);
    for object in 0..10 {
        run(
            &mut servants,
            execution(object, 1, &state(1), vec![plain("here")]),
        );
    }
    assert_eq!(servants.len(), 3);
    let before = DECODED.get();
    run(
        &mut servants,
        execution(9, 1, &state(1), vec![plain("here")]),
    );
    assert_eq!(DECODED.get(), before, "the last one used is kept");
    servants.forget(ObjectId(9));
    assert_eq!(servants.len(), 2);
}

#[test]
fn the_cache_is_limited_in_bytes_too() {
    let size = state(1).len();
    let mut servants = servants(ServantLimits {
        count: 100,
        bytes: 2 * size,
    });
    for object in 0..10 {
        run(
            &mut servants,
            execution(object, 1, &state(1), vec![plain("here")]),
        );
    }
    assert_eq!(servants.len(), 2);
}
