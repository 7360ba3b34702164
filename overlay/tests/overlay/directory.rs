//! Directory records.

use std::sync::Arc;

use bytes::Bytes;
use overlay::limits::RECORD_VALUE_BYTES_MAX;
use overlay::{FrameHandler, Node, ProcessId};

use crate::fixture::{address, builder, sees, soon};

async fn found(node: &Node, key: &[u8]) -> Option<Bytes> {
    let mut candidates = node.get_record(key.to_vec()).await.unwrap();
    soon(candidates.next()).await
}

#[tokio::test]
async fn a_record_is_found_after_its_writer_died() {
    let a = builder().start().await.unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    let c = builder().peer(address(&a)).start().await.unwrap();
    for node in [&a, &b, &c] {
        sees(node, &[&a, &b, &c]).await;
    }
    let key = [7; 16];
    assert!(c.put_record(key.to_vec(), "here").await.unwrap());
    drop(c);
    assert_eq!(found(&a, &key).await.as_deref(), Some(&b"here"[..]));
    assert_eq!(found(&b, &key).await.as_deref(), Some(&b"here"[..]));
    assert_eq!(found(&b, &[8; 16]).await, None);
    let metrics = b.metrics();
    assert_eq!(metrics.directory_lookups, 2);
    assert!(metrics.directory_answers >= 1);
}

#[tokio::test]
async fn what_is_no_record_is_refused() {
    let a = builder().start().await.unwrap();
    assert!(!a.put_record(vec![1; 15], "short key").await.unwrap());
    let large = vec![0; RECORD_VALUE_BYTES_MAX + 1];
    assert!(!a.put_record(vec![1; 16], large).await.unwrap());
}

/// Takes no record that begins with `bad`.
struct Picky;

impl FrameHandler for Picky {
    fn frames(&self, _: ProcessId, _: &mut Vec<Bytes>) {}

    fn accept_record(&self, _: &[u8], _: Option<&[u8]>, new: &[u8]) -> bool {
        !new.starts_with(b"bad")
    }
}

#[tokio::test]
async fn the_layer_above_decides_what_is_kept() {
    let a = builder().frames(Arc::new(Picky)).start().await.unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    sees(&a, &[&a, &b]).await;
    sees(&b, &[&a, &b]).await;
    assert!(b.put_record(vec![1; 16], "good").await.unwrap());
    b.put_record(vec![2; 16], "bad").await.unwrap();
    drop(b);
    assert_eq!(found(&a, &[1; 16]).await.as_deref(), Some(&b"good"[..]));
    assert_eq!(found(&a, &[2; 16]).await, None);
}
