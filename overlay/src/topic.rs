//! Topics of the application: messages to everyone who subscribed.

use bytes::Bytes;
use overlay_proto::PeerId;
use tokio::sync::broadcast;

/// Messages that wait for one subscriber; older ones are dropped and counted.
pub const SUBSCRIPTION_MESSAGES_MAX: usize = 4096;
/// Longest topic name, bytes.
pub const TOPIC_NAME_BYTES_MAX: usize = 128;

/// One message of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMessage {
    /// Who published it, as the message claims: gossip carries no signature.
    pub from: Option<PeerId>,
    /// Its content.
    pub data: Bytes,
}

/// Why a message was not published, or a topic not subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// Longer than [`TOPIC_MESSAGE_BYTES_MAX`](crate::limits::TOPIC_MESSAGE_BYTES_MAX).
    #[error("the message is too large")]
    TooLarge,
    /// The topic's name is empty or too long.
    #[error("a topic name has 1 to {TOPIC_NAME_BYTES_MAX} bytes")]
    Topic,
    /// The queues of all neighbours are full.
    #[error("too many messages wait for the neighbours")]
    Overloaded,
    /// The node is shut down.
    #[error("the node is shut down")]
    Closed,
}

/// What a subscription yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Message(TopicMessage),
    /// The subscriber was too slow: so many messages are lost to it.
    Lagged(u64),
}

/// Receives the messages of one topic; ends when dropped.
#[derive(Debug)]
pub struct Subscription {
    messages: broadcast::Receiver<TopicMessage>,
}

impl Subscription {
    pub(crate) fn new(messages: broadcast::Receiver<TopicMessage>) -> Self {
        Self { messages }
    }

    /// The next message, or a notice of lost ones. None once the node is shut down.
    pub async fn next(&mut self) -> Option<Received> {
        match self.messages.recv().await {
            Ok(message) => Some(Received::Message(message)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Received::Lagged(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
