//! Start and end: nothing is left behind.

use std::time::Duration;

use tokio::runtime::Handle;

use crate::fixture::{address, builder, sees, soon};

/// Waits until the runtime has so many tasks again.
async fn tasks_return_to(count: usize) {
    soon(async {
        while Handle::current().metrics().num_alive_tasks() > count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn no_task_outlives_a_shutdown() {
    let before = Handle::current().metrics().num_alive_tasks();
    let a = builder().start().await.unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    let c = builder().peer(address(&a)).start().await.unwrap();
    sees(&c, &[&a, &b, &c]).await;
    assert!(Handle::current().metrics().num_alive_tasks() > before);
    for node in [a, b, c] {
        node.shutdown().await;
    }
    tasks_return_to(before).await;
}

#[tokio::test]
async fn no_task_outlives_a_drop() {
    let before = Handle::current().metrics().num_alive_tasks();
    let a = builder().start().await.unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    sees(&b, &[&a, &b]).await;
    drop((a, b));
    tasks_return_to(before).await;
}

#[tokio::test]
async fn nothing_is_left_of_a_failed_start() {
    let before = Handle::current().metrics().num_alive_tasks();
    assert!(builder().peer("nonsense").start().await.is_err());
    assert!(builder().listen("192.0.2.1:1").start().await.is_err());
    tasks_return_to(before).await;
}

#[test]
fn a_node_needs_a_runtime() {
    let start = builder().start();
    let mut start = std::pin::pin!(start);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let outcome = start.as_mut().poll(&mut context);
    let std::task::Poll::Ready(Err(error)) = outcome else {
        panic!("it started or waits")
    };
    assert!(error.to_string().contains("tokio"), "{error}");
}
