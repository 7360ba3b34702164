//! More calls than an object takes: the surplus is refused, the rest runs, nothing is guessed.

use std::time::Duration;

use objects::proto::register::QUEUE_CALLS_MAX;
use objects::{CallError, Cause, Context, Ref, shared};
use serde::{Deserialize, Serialize};

use crate::fixture::{PATIENCE, start};

/// Callers beyond what the object's queue takes.
const SURPLUS: usize = 1_000;
/// Each caller is a handle of its own, with so many calls open.
const CALLS_PER_HANDLE: usize = 64;

#[derive(Default, Serialize, Deserialize)]
struct Slow {
    count: u64,
}

#[shared]
impl Slow {
    async fn hold(&mut self, cx: &Context, millis: u64) {
        cx.sleep(Duration::from_millis(millis)).await;
    }

    fn add(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn count(&self) -> u64 {
        self.count
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_mailbox_refuses() {
    let nodes = start(3, |builder| builder.host::<Slow>()).await;
    let slow = nodes[0].create(Slow::default()).await.expect("created");
    let reference = Ref::from(&slow);
    let executions = |nodes: &[objects::Node]| -> u64 {
        nodes.iter().map(|node| node.metrics().executions).sum()
    };
    let handles: Vec<_> = (0..(QUEUE_CALLS_MAX + SURPLUS).div_ceil(CALLS_PER_HANDLE))
        .map(|number| nodes[number % 3].get(reference.clone()))
        .collect();
    for handle in &handles {
        handle.add().await.expect("its session is open");
    }
    let before = executions(&nodes);
    let holding = tokio::spawn(slow.hold(2_000).timeout(PATIENCE));
    crate::fixture::until("the slow call runs", async || executions(&nodes) > before).await;

    let calls: Vec<_> = handles
        .iter()
        .flat_map(|handle| {
            (0..CALLS_PER_HANDLE).map(|_| tokio::spawn(handle.add().timeout(PATIENCE)))
        })
        .collect();
    let (made, mut counted, mut refused, mut behind) = (calls.len(), 0_u64, 0_u64, 0_u64);
    for call in calls {
        match call.await.expect("the caller lives") {
            Ok(_) => counted += 1,
            Err(CallError::NotExecuted(Cause::Overloaded(_))) => refused += 1,
            Err(CallError::NotExecuted(Cause::OutOfOrder)) => behind += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    holding.await.expect("the caller lives").expect("it ran");
    println!(
        "{made} calls on a busy object: {counted} ran, {refused} were refused as too many, \
         {behind} came behind one of those"
    );
    assert!(refused > 0, "the queue has a limit");
    assert!(counted >= QUEUE_CALLS_MAX as u64 / 2, "what was queued ran");
    let opened = handles.len() as u64;
    assert_eq!(
        slow.count().await,
        Ok(opened + counted),
        "each that ran, once"
    );
}
