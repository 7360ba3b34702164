//! Topics of the application.

use std::collections::BTreeSet;

use bytes::Bytes;
use overlay::limits::TOPIC_MESSAGE_BYTES_MAX;
use overlay::{Received, TopicError};

use crate::fixture::{PATIENCE, address, builder, sees, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_messages_reach_every_subscriber_once() {
    let a = builder().start().await.unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    let c = builder().peer(address(&a)).start().await.unwrap();
    for node in [&a, &b, &c] {
        sees(node, &[&a, &b, &c]).await;
    }
    let mut at_b = b.subscribe("news").await.unwrap();
    let mut at_c = c.subscribe("news").await.unwrap();
    let mut elsewhere = c.subscribe("other").await.unwrap();
    // Subscriptions travel by themselves: publish until the first message arrives.
    let first = async {
        loop {
            a.publish("news", "ready").await.unwrap();
            let wait = std::time::Duration::from_millis(50);
            if tokio::time::timeout(wait, async { (at_b.next().await, at_c.next().await) })
                .await
                .is_ok()
            {
                return;
            }
        }
    };
    soon(first).await;
    for n in 0..1_000_u32 {
        a.publish("news", n.to_string()).await.unwrap();
    }
    for subscription in [&mut at_b, &mut at_c] {
        let mut seen = BTreeSet::new();
        let all = async {
            while seen.len() < 1_000 {
                let Some(Received::Message(message)) = subscription.next().await else {
                    panic!("messages were lost");
                };
                assert_eq!(message.from, Some(a.id()));
                if message.data != "ready" {
                    assert!(seen.insert(message.data), "delivered twice");
                }
            }
        };
        tokio::time::timeout(PATIENCE, all)
            .await
            .expect("all messages arrive");
    }
    let silence = std::time::Duration::from_millis(50);
    assert!(
        tokio::time::timeout(silence, elsewhere.next())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn publishing_alone_is_no_error_but_too_large_is() {
    let a = builder().start().await.unwrap();
    a.publish("news", "nobody listens").await.unwrap();
    let large = Bytes::from(vec![0; TOPIC_MESSAGE_BYTES_MAX + 1]);
    assert_eq!(a.publish("news", large).await, Err(TopicError::TooLarge));
    assert_eq!(a.publish("", "x").await, Err(TopicError::Topic));
    let running = a.clone();
    a.shutdown().await;
    assert_eq!(running.publish("news", "x").await, Err(TopicError::Closed));
}
