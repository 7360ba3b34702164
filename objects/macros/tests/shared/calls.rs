//! What callers of a counter rely on.

use std::time::Duration;

use objects_macros::shared;
use objects_proto::call::TIMEOUT_DEFAULT;
use objects_proto::error::{CallError, MethodFailure};
use objects_proto::kinds_table::STATE_BYTES_MAX;
use objects_proto::object::Version;
use objects_proto::outcome::{Cause, Outcome};
use objects_proto::proxy::Proxy;
use objects_proto::reference::Ref;
use serde::{Deserialize, Serialize};

use crate::world::World;

#[derive(Serialize, Deserialize, Default, Debug, PartialEq)]
struct Counter {
    count: u64,
    log: Vec<String>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Refused {
    TooLittle { missing: u64 },
}

type Result<T> = std::result::Result<T, Refused>;

#[shared(crate = objects_proto)]
impl Counter {
    fn increment(&mut self, by: u64) -> u64 {
        self.count += by;
        self.count
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn note(&mut self, memo: &str, tags: &[String], times: Option<u32>) -> usize {
        for _ in 0..times.unwrap_or(1) {
            self.log.push(format!("{memo} {}", tags.join("+")));
        }
        self.log.len()
    }

    fn withdraw(&mut self, amount: u64) -> Result<u64> {
        let before = self.count;
        self.count = 0;
        self.count = before.checked_sub(amount).ok_or(Refused::TooLittle {
            missing: amount.abs_diff(before),
        })?;
        Ok(self.count)
    }

    fn break_down(&mut self) {
        self.count = 1_000_000;
        panic!("out of {}", "order");
    }

    fn grow(&mut self, bytes: usize) {
        self.log.push("x".repeat(bytes));
    }

    fn last(&self) -> &str {
        self.log.last().map_or("", String::as_str)
    }

    fn log(&self) -> &[String] {
        &self.log
    }
}

fn counter(count: u64) -> (std::sync::Arc<World>, CounterProxy) {
    let world = World::new(|kinds| kinds.register::<Counter>().unwrap());
    let proxy = world.create(&Counter {
        count,
        log: Vec::new(),
    });
    (world, proxy)
}

#[test]
fn writes_and_reads_take_effect_in_order() {
    let (world, hits) = counter(0);
    let result = world.block_on(async {
        assert_eq!(hits.increment(1).await?, 1);
        assert_eq!(
            hits.increment(2)
                .timeout(Duration::from_millis(500))
                .await?,
            3
        );
        hits.count().await
    });
    assert_eq!(result, Ok(3));
}

#[test]
fn a_caller_learns_where_in_the_history_its_call_stands() {
    let (world, hits) = counter(0);
    world.block_on(async {
        hits.increment(1).await.unwrap();
        let (result, witness) = hits.increment(1).traced().await;
        assert_eq!((result, witness.unwrap().version), (Ok(2), Version(2)));
        let (result, witness) = hits.count().traced().await;
        assert_eq!((result, witness.unwrap().version), (Ok(2), Version(2)));
    });
}

#[test]
fn borrowed_arguments_and_results_cross_as_owned_ones() {
    let (world, hits) = counter(0);
    world.block_on(async {
        let tags = vec!["a".to_owned(), "b".to_owned()];
        let memo = String::from("first");
        assert_eq!(hits.note(&memo, &tags, None).await, Ok(1));
        assert_eq!(hits.note("second", &[], Some(2)).await, Ok(3));
        assert_eq!(hits.last().await, Ok("second ".to_owned()));
        let log = hits.log().await.unwrap();
        assert_eq!(log, ["first a+b", "second ", "second "]);
    });
}

#[test]
fn a_method_that_returns_err_changes_nothing() {
    let (world, hits) = counter(70);
    let (failed, then) =
        world.block_on(async { (hits.withdraw(100).await, hits.withdraw(50).await) });
    let refused = Refused::TooLittle { missing: 30 };
    assert_eq!(
        failed,
        Err(CallError::Failed(MethodFailure::Returned(refused)))
    );
    assert_eq!(
        then,
        Ok(20),
        "it went on from the state before the failed call"
    );
}

#[test]
fn a_panic_fails_its_call_and_nothing_else() {
    let (world, hits) = counter(3);
    world.block_on(async {
        let failed = hits.break_down().await;
        let panicked = MethodFailure::Panicked("out of order".to_owned());
        assert_eq!(failed, Err(CallError::Failed(panicked)));
        assert_eq!(hits.increment(1).await, Ok(4));
    });
}

#[test]
fn a_state_beyond_the_limit_is_not_kept() {
    let (world, hits) = counter(0);
    world.block_on(async {
        let refused = hits.grow(STATE_BYTES_MAX).await.unwrap_err();
        assert!(
            matches!(refused, CallError::NotExecuted(Cause::TooLarge { .. })),
            "{refused}"
        );
        assert_eq!(hits.log().await, Ok(Vec::new()));
    });
}

#[test]
fn a_call_happens_when_it_is_polled_or_sent_and_not_before() {
    let (world, hits) = counter(0);
    drop(hits.increment(1));
    let waiting = hits.increment(10);
    assert!(world.calls().is_empty());
    hits.increment(100).send();
    assert_eq!(world.block_on(waiting), Ok(110));
    let calls = world.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls[0].one_way && !calls[1].one_way);
    assert_eq!(calls[1].timeout, TIMEOUT_DEFAULT);
}

#[test]
#[deny(unfulfilled_lint_expectations)]
fn the_compiler_minds_a_call_that_is_neither_awaited_nor_sent() {
    let (world, hits) = counter(0);
    #[expect(unused_must_use)]
    hits.increment(1);
    assert!(world.calls().is_empty());
}

#[test]
fn a_call_borrows_neither_proxy_nor_arguments() {
    let (world, hits) = counter(0);
    let call = {
        let (proxy, memo) = (hits.clone(), String::from("short-lived"));
        proxy.note(&memo, &[], None)
    };
    fn sendable<T: Send + 'static>(value: T) -> T {
        value
    }
    assert_eq!(world.block_on(sendable(call)), Ok(1));
}

#[test]
fn a_handle_is_open_from_its_first_call_until_nothing_needs_it() {
    let (world, hits) = counter(0);
    let other = hits.clone();
    let open = || world.open_handles();
    assert_eq!(open(), 0, "a proxy that makes no call has no handle");
    world.block_on(async {
        hits.increment(1).await.unwrap();
        hits.increment(1).await.unwrap();
        assert_eq!(open(), 1);
        other.increment(1).await.unwrap();
        assert_eq!(open(), 2, "a clone is another handle");
    });
    let waiting = other.increment(1);
    drop((hits, other));
    assert_eq!(open(), 1, "a call that is not made yet keeps its handle");
    assert_eq!(world.block_on(waiting), Ok(4));
    assert_eq!(open(), 0);
}

#[test]
fn arguments_that_are_too_large_are_not_sent() {
    let (world, hits) = counter(0);
    let memo = "x".repeat(2 * 1024 * 1024);
    let refused = world.block_on(hits.note(&memo, &[], None)).unwrap_err();
    assert!(matches!(
        refused,
        CallError::NotExecuted(Cause::TooLarge { .. })
    ));
    assert!(world.calls().is_empty());
}

#[test]
fn people_call_with_json_by_position_or_by_name() {
    let (world, hits) = counter(0);
    let hits = Ref::from(&hits);
    let returned = |outcome| match outcome {
        Outcome::Returned(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => format!("{other:?}"),
    };
    assert_eq!(returned(world.call_json(&hits, "increment", "[5]")), "5");
    assert_eq!(
        returned(world.call_json(&hits, "increment", r#"{"by": 2}"#)),
        "7"
    );
    let noted = world.call_json(&hits, "note", r#"{"tags": ["x"], "memo": "hi"}"#);
    assert_eq!(returned(noted), "1");
    assert_eq!(returned(world.call_json(&hits, "log", "[]")), r#"["hi x"]"#);

    let problem = |method, arguments| match world.call_json(&hits, method, arguments) {
        Outcome::NotExecuted(cause) => cause.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(
        problem("increment", "[-1]"),
        "bad arguments: `increment`: argument `by`: invalid value: integer `-1`, expected u64"
    );
    assert_eq!(
        problem("increment", "{}"),
        "bad arguments: `increment`: missing argument `by`"
    );
    assert!(problem("reset", "[]").contains("the kind `Counter` has no method"));
}

#[test]
fn a_proxy_gives_its_reference() {
    let (world, hits) = counter(9);
    let reference: Ref<Counter> = hits.reference();
    assert_eq!(reference, Ref::from(&hits));
    assert_eq!(
        world.state(&reference),
        Counter {
            count: 9,
            log: Vec::new()
        }
    );
}
