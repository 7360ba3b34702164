//! Many nodes in one process.

use std::sync::Arc;
use std::time::Duration;

use overlay::{Node, OverlayConfig};

use crate::fixture::{address, builder, soon};

const NODES: usize = 30;

/// Short periods, so that a test need not wait.
pub(crate) fn hasty() -> OverlayConfig {
    let mut config = OverlayConfig::default();
    let membership = Arc::make_mut(&mut config.membership);
    membership.probe_period = Duration::from_millis(500);
    membership.probe_timeout_max = Duration::from_millis(500);
    membership.suspicion_min = Duration::from_millis(500);
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_among_thirty_is_known_to_all() {
    let mut nodes: Vec<Node> = Vec::new();
    for n in 0..NODES {
        let mut builder = builder().config(hasty());
        if n > 0 {
            builder = builder.peer(address(&nodes[n / 2]));
        }
        nodes.push(builder.start().await.unwrap());
    }
    for node in &nodes {
        soon(node.watch().until(|view| view.len() == NODES))
            .await
            .unwrap();
    }
    let published: u64 = nodes
        .iter()
        .map(|node| node.metrics().overlay.gossip_received)
        .sum();
    assert!(published > 0, "joins travel by gossip");
    let gone = nodes.pop().unwrap();
    let process = gone.process();
    drop(gone);
    for node in &nodes {
        soon(node.watch().until(|view| view.process(&process).is_none()))
            .await
            .unwrap();
    }
    for node in &nodes {
        assert_eq!(
            node.view().len(),
            NODES - 1,
            "nobody else was taken for dead"
        );
    }
}
