//! Registries: being one, using one, using a peer in its place.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use overlay::proto::Instant;
use overlay::proto::registry::{Answer, Call, Leases, LeasesConfig, Request};
use overlay::registry::{CallError, RegistryServer, call, serve};
use overlay::{Identity, Limits};

use crate::fixture::{address, builder, sees, soon};

/// Asks about the cluster of these tests.
async fn ask(place: &str, request: Request) -> Result<Answer, CallError> {
    call(place, "test", request).await
}

/// A registry with the usual state.
async fn registry(listen: &str) -> (RegistryServer, Arc<Mutex<Leases>>) {
    let leases = Arc::new(Mutex::new(Leases::new(LeasesConfig::default(), 1)));
    let (state, keys) = (leases.clone(), Identity::generate());
    let answer = move |origin: std::net::IpAddr, call: Call| {
        let mut leases = state.lock().unwrap();
        leases.answer(Instant::ZERO, &origin.to_string(), &call.request, &keys)
    };
    let server = serve(&[listen.to_owned()], Limits::default(), answer)
        .await
        .unwrap();
    (server, leases)
}

#[tokio::test]
async fn nodes_meet_by_a_registry_and_need_it_no_more() {
    let (server, leases) = registry("127.0.0.1:0").await;
    let place = server.addresses()[0].clone();
    let a = builder().registry(&place).start().await.unwrap();
    let b = builder().registry(&place).start().await.unwrap();
    sees(&a, &[&a, &b]).await;
    sees(&b, &[&a, &b]).await;
    assert!(a.metrics().registry_calls >= 1);
    let listed = ask(&place, Request::List { limit: 10 }).await.unwrap();
    let Answer::List { records, .. } = listed else {
        panic!("{listed:?}")
    };
    assert_eq!(records.len(), 2);
    b.shutdown().await;
    assert_eq!(
        leases.lock().unwrap().len(),
        1,
        "a node that leaves is forgotten"
    );
    server.shutdown().await;
    let c = builder()
        .registry(&place)
        .peer(address(&a))
        .start()
        .await
        .unwrap();
    sees(&c, &[&a, &c]).await;
}

#[tokio::test]
async fn several_registries_are_a_union() {
    let (first, _) = registry("127.0.0.1:0").await;
    let (second, _) = registry("127.0.0.1:0").await;
    let (one, two) = (first.addresses()[0].clone(), second.addresses()[0].clone());
    let a = builder().registry(&one).start().await.unwrap();
    let b = builder().registry(&two).start().await.unwrap();
    let c = builder()
        .registry(&one)
        .registry(&two)
        .start()
        .await
        .unwrap();
    for node in [&a, &b, &c] {
        sees(node, &[&a, &b, &c]).await;
    }
}

#[tokio::test]
async fn a_peer_answers_in_a_registrys_place() {
    let a = builder().start().await.unwrap();
    let b = builder().registry(address(&a)).start().await.unwrap();
    sees(&a, &[&a, &b]).await;
    let listed = ask(&address(&a), Request::List { limit: 10 })
        .await
        .unwrap();
    let Answer::List { records, .. } = listed else {
        panic!("{listed:?}")
    };
    assert_eq!(records.len(), 2);
}

#[tokio::test]
async fn a_call_in_vain_says_why() {
    let request = Request::List { limit: 1 };
    assert!(matches!(
        ask("nonsense", request.clone()).await,
        Err(CallError::Address(_))
    ));
    let gone = {
        let (server, _) = registry("127.0.0.1:0").await;
        let place = server.addresses()[0].clone();
        server.shutdown().await;
        place
    };
    let refused = soon(ask(&gone, request.clone())).await;
    assert!(
        matches!(refused, Err(CallError::Unreachable { .. })),
        "{refused:?}"
    );
    let before = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    soon(async {
        while tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
            > before
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
