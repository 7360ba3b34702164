//! How nodes find each other, and which ones do not.

use std::sync::Arc;
use std::time::Duration;

use overlay::{Node, OverlayEvent};

use crate::fixture::{Scratch, address, builder, sees, soon};

#[tokio::test]
async fn two_nodes_meet_by_a_given_address() {
    let a = builder().label("zone", "east").start().await.unwrap();
    let mut events = a.events();
    let b = builder().peer(address(&a)).start().await.unwrap();
    sees(&a, &[&a, &b]).await;
    sees(&b, &[&a, &b]).await;
    let view = b.view();
    let record = &view.peer(&a.id()).unwrap().record;
    assert_eq!(record.label("zone"), Some("east"));
    assert_eq!(record.addresses, a.addresses());
    let joined = soon(async {
        while let Some(event) = events.next().await {
            if event == OverlayEvent::Joined(b.process()) {
                return true;
            }
        }
        false
    });
    assert!(joined.await);
}

#[tokio::test]
async fn a_third_node_is_introduced_to_all() {
    let a = builder().start().await.unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    let c = builder().peer(address(&b)).start().await.unwrap();
    for node in [&a, &b, &c] {
        sees(node, &[&a, &b, &c]).await;
    }
    let gone = c.process();
    c.shutdown().await;
    for node in [&a, &b] {
        soon(node.watch().until(|view| view.process(&gone).is_none()))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_client_sees_the_members_and_they_do_not_see_it() {
    let a = builder().start().await.unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    sees(&a, &[&a, &b]).await;
    let client = Node::builder()
        .ignore_environment()
        .cluster("test")
        .mdns(false)
        .runtime_folder(false)
        .client()
        .peer(address(&a))
        .start()
        .await
        .unwrap();
    let both = |view: &overlay::MembershipView| {
        view.process(&a.process()).is_some() && view.process(&b.process()).is_some()
    };
    soon(client.watch().until(both)).await.unwrap();
    assert!(a.view().peer(&client.id()).is_none());
    assert!(client.addresses().is_empty());
}

#[tokio::test]
async fn processes_of_one_machine_meet_by_the_runtime_folder() {
    let folder = Scratch::new();
    let a = builder()
        .runtime_folder_at(&folder.0)
        .start()
        .await
        .unwrap();
    let b = builder()
        .runtime_folder_at(&folder.0)
        .start()
        .await
        .unwrap();
    sees(&a, &[&a, &b]).await;
    sees(&b, &[&a, &b]).await;
    a.shutdown().await;
    b.shutdown().await;
    let left: Vec<_> = std::fs::read_dir(folder.0.join("test")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn peers_are_remembered_on_disk() {
    let (data, config) = (Scratch::new(), {
        let mut config = overlay::OverlayConfig::default();
        Arc::make_mut(&mut config.membership).remember_period = Duration::from_millis(50);
        config
    });
    let a = builder().start().await.unwrap();
    let b = builder()
        .data_dir(&data.0)
        .config(config)
        .peer(address(&a))
        .start()
        .await
        .unwrap();
    sees(&b, &[&a, &b]).await;
    let id = b.id();
    soon(async {
        while !data.0.join("peers-0").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    b.shutdown().await;
    let again = builder().data_dir(&data.0).start().await.unwrap();
    assert_eq!(again.id(), id);
    sees(&again, &[&a, &again]).await;
}

#[tokio::test]
async fn two_nodes_of_one_data_directory_never_share_an_identity() {
    let data = Scratch::new();
    let a = builder().data_dir(&data.0).start().await.unwrap();
    let b = builder()
        .data_dir(&data.0)
        .peer(address(&a))
        .start()
        .await
        .unwrap();
    assert_ne!(a.id(), b.id());
    sees(&a, &[&a, &b]).await;
    let first = a.id();
    a.shutdown().await;
    let again = builder()
        .data_dir(&data.0)
        .peer(address(&b))
        .start()
        .await
        .unwrap();
    assert_eq!(again.id(), first);
    sees(&b, &[&again, &b]).await;
}

#[tokio::test]
async fn clusters_stay_apart() {
    let a = builder().start().await.unwrap();
    let stranger = builder()
        .cluster("other")
        .peer(address(&a))
        .start()
        .await
        .unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    sees(&a, &[&a, &b]).await;
    soon(async {
        while stranger.metrics().strangers == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(a.view().peer(&stranger.id()).is_none());
    assert!(stranger.view().peer(&a.id()).is_none());
    assert_eq!(stranger.metrics().links_opened, 0);
}

#[tokio::test]
async fn wrong_settings_are_explained() {
    let error = builder()
        .cluster("a/b")
        .start()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("a/b"), "{error}");
    let error = builder()
        .peer("nonsense")
        .start()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("nonsense"), "{error}");
    let error = builder()
        .listen("192.0.2.1:1")
        .start()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("192.0.2.1"), "{error}");
}
