//! Typed requests and replies.

use std::sync::Arc;
use std::time::Duration;

use overlay::limits::{FRAME_BYTES_MAX, SERVED_REQUESTS_MAX};
use overlay::{Node, PeerId, RequestError};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::fixture::{PATIENCE, address, builder, sees, soon};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    numbers: Vec<u64>,
}

async fn pair() -> (Node, Node) {
    let a = builder().start().await.unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    sees(&b, &[&a, &b]).await;
    sees(&a, &[&a, &b]).await;
    (a, b)
}

#[tokio::test]
async fn a_request_is_answered_by_the_service_of_its_name() {
    let (a, b) = pair().await;
    a.serve("sum", |_, sum: Sum| async move {
        sum.numbers.iter().sum::<u64>()
    });
    let caller = b.process();
    a.serve("who", move |from, ()| async move { from == caller });
    let sum = Sum {
        numbers: vec![1, 2, 39],
    };
    assert_eq!(b.request(a.id(), "sum", &sum, PATIENCE).await, Ok(42_u64));
    assert_eq!(b.request(a.id(), "who", &(), PATIENCE).await, Ok(true));
}

#[tokio::test]
async fn each_way_to_fail_has_its_error() {
    let (a, b) = pair().await;
    a.serve("sum", |_, sum: Sum| async move {
        sum.numbers.iter().sum::<u64>()
    });
    a.serve("never", |_, ()| std::future::pending::<()>());
    a.serve("huge", |_, ()| async { vec![0_u8; FRAME_BYTES_MAX] });
    let peer = a.id();
    let ask = |service: &'static str| {
        let b = b.clone();
        async move {
            b.request::<_, u64>(peer, service, &(), Duration::from_millis(300))
                .await
        }
    };
    assert_eq!(ask("nothing").await, Err(RequestError::UnknownService));
    assert_eq!(ask("sum").await, Err(RequestError::Decode));
    assert_eq!(ask("never").await, Err(RequestError::Timeout));
    let huge = b.request::<_, Vec<u8>>(a.id(), "huge", &(), PATIENCE).await;
    assert_eq!(huge, Err(RequestError::TooLarge));
    let large = "x".repeat(FRAME_BYTES_MAX);
    let large = b.request::<_, u64>(a.id(), "sum", &large, PATIENCE).await;
    assert_eq!(large, Err(RequestError::TooLarge));
    let nobody = b
        .request::<_, u64>(PeerId([9; 32]), "sum", &(), PATIENCE)
        .await;
    assert_eq!(nobody, Err(RequestError::NotConnected));
    let itself = b.request::<_, u64>(b.id(), "sum", &(), PATIENCE).await;
    assert_eq!(itself, Err(RequestError::NotConnected));
}

#[tokio::test]
async fn a_request_whose_server_dies_ends_at_once() {
    let (a, b) = pair().await;
    let started = Arc::new(Semaphore::new(0));
    let running = started.clone();
    a.serve("never", move |_, ()| {
        running.add_permits(1);
        std::future::pending::<()>()
    });
    let peer = a.id();
    let caller = b.clone();
    let request =
        tokio::spawn(async move { caller.request::<_, ()>(peer, "never", &(), PATIENCE).await });
    started.acquire().await.unwrap().forget();
    drop(a);
    assert_eq!(request.await.unwrap(), Err(RequestError::LinkLost));
}

#[tokio::test]
async fn more_requests_than_a_peer_serves_are_refused() {
    let (a, b) = pair().await;
    let gate = Arc::new(Semaphore::new(0));
    let started = Arc::new(Semaphore::new(0));
    let (served, running) = (gate.clone(), started.clone());
    a.serve("wait", move |_, ()| {
        let gate = served.clone();
        running.add_permits(1);
        async move { gate.acquire().await.map(drop).is_ok() }
    });
    let peer = a.id();
    let ask = || {
        let b = b.clone();
        async move { b.request::<_, bool>(peer, "wait", &(), PATIENCE).await }
    };
    let waiting: Vec<_> = (0..SERVED_REQUESTS_MAX)
        .map(|_| tokio::spawn(ask()))
        .collect();
    let all = u32::try_from(SERVED_REQUESTS_MAX).unwrap();
    soon(started.acquire_many(all)).await.unwrap().forget();
    assert_eq!(ask().await, Err(RequestError::Overloaded));
    gate.add_permits(SERVED_REQUESTS_MAX);
    for request in waiting {
        assert_eq!(request.await.unwrap(), Ok(true));
    }
}
