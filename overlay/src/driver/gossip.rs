//! Gossip: the membership topic and the topics of the application.

use std::collections::HashMap;

use bytes::Bytes;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, TopicHash};
use overlay_proto::message::{GOSSIP_BYTES_MAX, GossipBatch};
use overlay_proto::{Command, Role};
use tokio::sync::broadcast;

use super::Driver;
use crate::behaviour::{TOPIC_MESSAGE_BYTES_MAX, user_topic};
use crate::identity::from_libp2p;
use crate::metrics::count;
use crate::topic::{SUBSCRIPTION_MESSAGES_MAX, TOPIC_NAME_BYTES_MAX, TopicError, TopicMessage};

/// The application topics with subscribers at this node.
pub(super) type Topics = HashMap<TopicHash, broadcast::Sender<TopicMessage>>;

impl Driver {
    /// Members hear of everything; clients pull.
    pub(super) fn join_membership_topic(&mut self) {
        if self.role == Role::Member {
            let topic = IdentTopic::new(self.membership_topic.as_str());
            if let Err(error) = self.swarm.behaviour_mut().gossip.subscribe(&topic) {
                tracing::error!(%error, "no membership gossip");
            }
        }
    }

    pub(super) fn publish_membership(&mut self, bytes: &[u8]) {
        let topic = self.membership_topic.clone();
        match self.swarm.behaviour_mut().gossip.publish(topic, bytes) {
            Ok(_) | Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => {}
            Err(error) => tracing::warn!(%error, "a membership event is not published"),
        }
    }

    pub(super) fn publish(&mut self, topic: &str, data: &Bytes) -> Result<(), TopicError> {
        use gossipsub::PublishError as Error;
        if data.len() > TOPIC_MESSAGE_BYTES_MAX {
            return Err(TopicError::TooLarge);
        }
        if !(1..=TOPIC_NAME_BYTES_MAX).contains(&topic.len()) {
            return Err(TopicError::Topic);
        }
        let topic = user_topic(&self.shared.cluster_name, topic);
        match self
            .swarm
            .behaviour_mut()
            .gossip
            .publish(topic, data.to_vec())
        {
            Ok(_) | Err(Error::NoPeersSubscribedToTopic | Error::Duplicate) => Ok(()),
            Err(Error::MessageTooLarge) => Err(TopicError::TooLarge),
            Err(_) => Err(TopicError::Overloaded),
        }
    }

    pub(super) fn subscribe(&mut self, name: &str) -> broadcast::Receiver<TopicMessage> {
        let topic = user_topic(&self.shared.cluster_name, name);
        if let Some(messages) = self.topics.get(&topic) {
            return messages.subscribe();
        }
        let (messages, receiver) = broadcast::channel(SUBSCRIPTION_MESSAGES_MAX);
        let subscribed = self
            .swarm
            .behaviour_mut()
            .gossip
            .subscribe(&IdentTopic::new(topic.as_str()));
        match subscribed {
            Ok(_) => drop(self.topics.insert(topic, messages)),
            Err(error) => tracing::warn!(%error, topic = name, "cannot subscribe"),
        }
        receiver
    }

    pub(super) fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            } => {
                let acceptance = self.on_message(message);
                self.swarm
                    .behaviour_mut()
                    .gossip
                    .report_message_validation_result(&message_id, &propagation_source, acceptance);
            }
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                tracing::debug!(peer = %peer_id, "a neighbour does not keep up with gossip");
            }
            _ => {}
        }
    }

    fn on_message(&mut self, message: gossipsub::Message) -> MessageAcceptance {
        if message.topic == self.membership_topic {
            let valid = message.data.len() <= GOSSIP_BYTES_MAX
                && GossipBatch::decode(&message.data).is_ok();
            if !valid {
                return MessageAcceptance::Reject;
            }
            self.command(Command::Gossip(message.data.into()));
            return MessageAcceptance::Accept;
        }
        if message.data.len() > TOPIC_MESSAGE_BYTES_MAX {
            return MessageAcceptance::Reject;
        }
        if let Some(messages) = self.topics.get(&message.topic) {
            count(&self.shared.counts.topic_messages);
            let from = message.source.as_ref().and_then(from_libp2p);
            drop(messages.send(TopicMessage {
                from,
                data: message.data.into(),
            }));
        }
        MessageAcceptance::Accept
    }

    /// Leaves the topics that nobody at this node listens to any more.
    pub(super) fn sweep_topics(&mut self) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        self.topics.retain(|topic, messages| {
            let wanted = messages.receiver_count() > 0;
            if !wanted {
                gossip.unsubscribe(&IdentTopic::new(topic.as_str()));
            }
            wanted
        });
    }
}
