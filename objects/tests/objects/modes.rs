//! Kinds that chose other promises: reads under leases, and weak mode.

use objects::{Mode, Node, RawRef, Reads, Ref, shared};
use serde::{Deserialize, Serialize};

use crate::harness::{start, until};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Board {
    posts: u64,
}

#[shared(reads = "lease")]
impl Board {
    fn post(&mut self) -> u64 {
        self.posts += 1;
        self.posts
    }

    fn posts(&self) -> u64 {
        self.posts
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    moves: u64,
}

#[shared(mode = "weak")]
impl Cursor {
    fn advance(&mut self) -> u64 {
        self.moves += 1;
        self.moves
    }

    fn moves(&self) -> u64 {
        self.moves
    }
}

/// Drops the node that runs the object.
async fn lose_primary(nodes: &mut Vec<Node>, object: &impl AsRef<RawRef>) {
    let description = nodes[0].inspect(object).await.expect("a description");
    let primary = description.configuration.process(description.ballot.member);
    nodes.retain(|node| Some(node.id()) != primary);
}

#[tokio::test]
async fn leased_reads_are_current_before_and_after_the_primary_dies() {
    let mut nodes = start(4, |builder| builder.host::<Board>()).await;
    let made = nodes[0].create(Board::default()).await.unwrap();
    for posts in 1..=20 {
        assert_eq!(made.post().await, Ok(posts));
        assert_eq!(made.posts().await, Ok(posts));
    }
    let reference = Ref::from(&made);
    let description = nodes[0].inspect(&reference).await.unwrap();
    assert_eq!(description.reads, Reads::Lease);
    assert_eq!(description.mode, Mode::Strong);
    drop(made);
    lose_primary(&mut nodes, &reference).await;
    let board = nodes[0].get(reference);
    assert_eq!(board.posts().await, Ok(20));
    assert_eq!(board.post().await, Ok(21));
    assert_eq!(board.posts().await, Ok(21));
}

#[tokio::test]
async fn a_weak_object_goes_on_when_its_primary_dies() {
    let mut nodes = start(4, |builder| builder.host::<Cursor>()).await;
    let made = nodes[0].create(Cursor::default()).await.unwrap();
    for moves in 1..=20 {
        assert_eq!(made.advance().await, Ok(moves));
    }
    assert_eq!(made.moves().await, Ok(20));
    let reference = Ref::from(&made);
    let description = nodes[0].inspect(&reference).await.unwrap();
    assert_eq!(description.mode, Mode::Weak);
    drop(made);
    lose_primary(&mut nodes, &reference).await;
    let cursor = nodes[0].get(reference.clone());
    let moves = cursor.advance().await.expect("another one goes on");
    assert!((1..=21).contains(&moves), "{moves}");
    until("the set is whole again", || async {
        let description = nodes[0].inspect(&reference).await;
        description.is_ok_and(|one| one.configuration.members.len() == 3)
    })
    .await;
    assert_eq!(cursor.advance().await, Ok(moves + 1));
}
