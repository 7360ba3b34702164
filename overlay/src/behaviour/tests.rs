//! Ids of messages; and the protocols as the simulator's models have them.

mod directory;
mod gossip;
mod swarms;

use super::*;

#[test]
fn equal_messages_of_different_times_have_different_ids() {
    let message = |number| gossipsub::Message {
        source: None,
        data: b"same".to_vec(),
        sequence_number: Some(number),
        topic: TopicHash::from_raw("t"),
    };
    assert_eq!(message_id(&message(1)), message_id(&message(1)));
    assert_ne!(message_id(&message(1)), message_id(&message(2)));
    assert_eq!(message_id(&message(1)).0.len(), 16);
}
