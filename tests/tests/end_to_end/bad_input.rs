//! Calls that do not fit: each has a clear, typed error, and the object stays as it was.

use std::time::Duration;

use objects::kinds::Counter;
use objects::proto::arguments::ARGUMENTS_BYTES_MAX;
use objects::{CallError, Cause, Error, Node, RawRef, Ref, STATE_BYTES_MAX, shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fixture::{PATIENCE, builder, fresh_name, start};

/// Deeper than anything that is decoded.
const DEPTH: usize = 1_000;

/// As deep as one likes.
#[derive(Serialize, Deserialize)]
struct Tree(Vec<Tree>);

impl Tree {
    fn of(depth: usize) -> Self {
        (0..depth).fold(Self(Vec::new()), |inner, _| Self(vec![inner]))
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Target {
    count: u64,
    text: String,
}

#[shared]
impl Target {
    fn add(&mut self, by: u64) -> u64 {
        self.count += by;
        self.count
    }

    fn climb(&mut self, tree: Tree) -> usize {
        self.count += 1_000;
        tree.0.len()
    }

    fn swallow(&mut self, text: String) -> usize {
        self.count += 1_000;
        text.len()
    }

    fn grow(&mut self, bytes: usize) {
        self.count += 1_000;
        self.text = "x".repeat(bytes);
    }

    fn produce(&mut self, bytes: usize) -> String {
        self.count += 1_000;
        "x".repeat(bytes)
    }
}

/// What a program of another version takes `Target` for.
#[derive(Default, Serialize, Deserialize)]
struct NewerTarget {
    count: u64,
}

#[shared(name = "Target")]
impl NewerTarget {
    fn add(&mut self, by: u64, twice: bool) -> u64 {
        self.count += if twice { 2 * by } else { by };
        self.count
    }

    fn subtract(&mut self, by: u64) -> u64 {
        self.count -= by;
        self.count
    }
}

/// A kind that nobody hosts.
#[derive(Default, Serialize, Deserialize)]
struct Homeless {
    count: u64,
}

#[shared]
impl Homeless {
    fn count(&self) -> u64 {
        self.count
    }
}

/// Three hosts, an object, and a reference to it.
async fn target() -> (Vec<Node>, TargetProxy, RawRef) {
    let nodes = start(3, |builder| builder.host::<Target>()).await;
    let target = nodes[0].create(Target::default()).await.expect("created");
    assert_eq!(target.add(7).await, Ok(7));
    let raw = Ref::from(&target).raw().clone();
    (nodes, target, raw)
}

/// Why a call did not run.
fn cause<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, CallError<E>>) -> Cause {
    match result {
        Err(CallError::NotExecuted(cause)) => cause,
        other => panic!("{other:?}"),
    }
}

fn deep_json() -> Value {
    (0..DEPTH).fold(json!([]), |inner, _| Value::Array(vec![inner]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_knows_is_named() {
    let (nodes, target, raw) = target().await;
    let node = &nodes[1];

    let unknown = node
        .create_json("Nonsense", None, json!({}), PATIENCE)
        .await;
    assert!(
        matches!(&unknown, Err(Error::UnknownKind(kind)) if kind == "Nonsense"),
        "{unknown:?}"
    );
    let homeless = node.create(Homeless::default()).await.map(drop);
    println!("a kind that nobody hosts: {homeless:?}");
    let unhosted = Error::NotExecuted(Cause::UnknownKind("Homeless".to_owned()));
    let homeless = homeless.expect_err("nobody can hold it");
    assert_eq!(homeless.to_string(), unhosted.to_string());
    let counter = node.get(Ref::<Counter>::from_raw(RawRef {
        kind: "Counter".into(),
        ..raw.clone()
    }));
    let wrong = cause(counter.increment(1).await);
    println!("a reference of another kind: {wrong}");
    assert!(
        matches!(wrong, Cause::WrongKind { .. } | Cause::UnknownKind(_)),
        "{wrong}"
    );

    let typed = node.get(Ref::<NewerTarget>::from_raw(raw.clone()));
    for unknown in [
        cause(typed.subtract(1).await),
        cause(node.call_json(&raw, "explode", &[], PATIENCE).await),
    ] {
        println!("an unknown method: {unknown}");
        assert!(
            matches!(&unknown, Cause::UnknownMethod { kind, .. } if kind == "Target"),
            "{unknown}"
        );
    }
    assert_eq!(target.add(0).await, Ok(7), "the object is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_that_do_not_fit_are_named() {
    let (nodes, target, raw) = target().await;
    let node = &nodes[1];
    let typed = node.get(Ref::<NewerTarget>::from_raw(raw.clone()));
    let by_json = |arguments: Vec<Value>| {
        let raw = &raw;
        async move { cause(node.call_json(raw, "add", &arguments, PATIENCE).await) }
    };
    let causes = [
        ("wrong", by_json(vec![json!("one")]).await),
        ("negative", by_json(vec![json!(-1)]).await),
        ("missing", by_json(vec![]).await),
        ("surplus", by_json(vec![json!(1), json!(2)]).await),
        ("surplus by name", cause(typed.add(1, true).await)),
        (
            "deep JSON",
            cause(
                node.call_json(&raw, "climb", &[deep_json()], PATIENCE)
                    .await,
            ),
        ),
        ("deep CBOR", cause(target.climb(Tree::of(DEPTH)).await)),
    ];
    for (what, cause) in causes {
        println!("{what}: {cause}");
        assert!(matches!(cause, Cause::Arguments(_)), "{what}: {cause:?}");
    }
    assert_eq!(target.add(0).await, Ok(7), "the object is as it was");
}

/// A command line can make an object of a state that its kind cannot read: its calls say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_that_do_not_fit_are_named() {
    let (nodes, target, _) = target().await;
    let node = &nodes[1];
    for (what, state) in [
        ("a deep state", json!({ "count": 0, "text": deep_json() })),
        (
            "a state of other types",
            json!({ "count": "many", "text": "" }),
        ),
        ("a state without a field", json!({ "count": 1 })),
    ] {
        let refused = match node.create_json("Target", None, state, PATIENCE).await {
            Err(Error::NotExecuted(cause)) => cause,
            Err(error) => panic!("{error:?}"),
            Ok(made) => cause(node.get(Ref::<Target>::from_raw(made)).add(1).await),
        };
        println!("{what}: {refused}");
        assert!(
            matches!(&refused, Cause::BadState { kind, .. } if kind == "Target"),
            "{what}: {refused:?}"
        );
    }
    assert_eq!(target.add(0).await, Ok(7), "the object is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused() {
    let (nodes, target, raw) = target().await;
    let large = "x".repeat(ARGUMENTS_BYTES_MAX + 1);
    let state = Target {
        count: 0,
        text: "x".repeat(STATE_BYTES_MAX),
    };
    let state = match nodes[0].create(state).await.map(drop) {
        Err(Error::NotExecuted(cause)) => cause,
        other => panic!("{other:?}"),
    };
    let remote = nodes[1].get(Ref::<Target>::from_raw(raw));
    for (what, cause) in [
        ("arguments", cause(target.swallow(large).await)),
        ("a first state", state),
        (
            "a grown state",
            cause(remote.grow(STATE_BYTES_MAX + 1).await),
        ),
        ("a result", cause(remote.produce(2 * 1024 * 1024).await)),
    ] {
        println!("{what}: {cause}");
        assert!(matches!(cause, Cause::TooLarge { .. }), "{what}: {cause:?}");
    }
    assert_eq!(target.add(0).await, Ok(7), "the object is as it was");
    let fits = target.swallow("x".repeat(ARGUMENTS_BYTES_MAX / 2)).await;
    assert_eq!(
        fits,
        Ok(ARGUMENTS_BYTES_MAX / 2),
        "what fits still goes through"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_of_another_cluster_reaches_nothing() {
    let (nodes, target, raw) = target().await;
    let stranger = builder(&fresh_name())
        .client()
        .peer(&nodes[0].addresses()[0])
        .start()
        .await
        .expect("the node starts");
    let call = stranger.get(Ref::<Target>::from_raw(raw)).add(1);
    let refused = cause(call.timeout(Duration::from_secs(2)).await);
    println!("from another cluster: {refused}");
    assert_eq!(stranger.members().len(), 0);
    assert_eq!(target.add(0).await, Ok(7), "the object is as it was");
}
