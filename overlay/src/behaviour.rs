//! The protocols of a node, composed for libp2p.

use std::num::NonZeroUsize;
use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::gossipsub::{self, MessageAuthenticity, TopicHash, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::kad;
use libp2p::swarm::NetworkBehaviour;
use overlay_proto::Role;

use crate::cluster_name::ClusterName;
use crate::limit::Limits;
use crate::link::behaviour::Streams;
use crate::link::handler::Protocols;
use crate::records::{RECORD_VALUE_BYTES_MAX, Records};

/// Longest message of a user topic, bytes.
pub const TOPIC_MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Most topics that a peer may subscribe to.
pub const TOPICS_MAX: usize = 128;
/// Longest gossip packet; the decoder holds it against its whole read buffer, hence the room.
const GOSSIP_PACKET_BYTES_MAX: usize = 2 * TOPIC_MESSAGE_BYTES_MAX;
/// Longest control part of a gossip packet. All ids of a topic go into one packet; beyond the
/// receiver's limit it closes the stream, and after the fifth time gossip is dead on that link.
const GOSSIP_CONTROL_BYTES_MAX: usize = 256 * 1024;
/// Peers that a directory record is written to.
pub(crate) const DIRECTORY_REPLICAS: usize = 5;
const DIRECTORY_FACTOR: NonZeroUsize = NonZeroUsize::new(DIRECTORY_REPLICAS).unwrap();
/// Longest wait for one answer during a lookup.
const DIRECTORY_STREAM_TIMEOUT: Duration = Duration::from_millis(1500);
/// Longest lookup or write.
pub(crate) const DIRECTORY_QUERY_TIMEOUT: Duration = Duration::from_secs(5);
/// Life of a directory record after its last write.
pub const DIRECTORY_RECORD_TTL: Duration = Duration::from_secs(3600);

#[cfg(feature = "mdns")]
pub(crate) type Mdns = libp2p::swarm::behaviour::toggle::Toggle<libp2p::mdns::tokio::Behaviour>;
#[cfg(not(feature = "mdns"))]
pub(crate) type Mdns = libp2p::swarm::dummy::Behaviour;

/// What a node speaks.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) streams: Streams,
    pub(crate) gossip: gossipsub::Behaviour<gossipsub::IdentityTransform, TopicFilter>,
    pub(crate) directory: kad::Behaviour<Records>,
    pub(crate) mdns: Mdns,
}

/// What the protocols depend on.
pub(crate) struct Settings<'a> {
    pub(crate) keypair: &'a Keypair,
    pub(crate) cluster: &'a ClusterName,
    pub(crate) role: Role,
    pub(crate) limits: &'a Limits,
    pub(crate) mdns: bool,
}

impl Behaviour {
    pub(crate) fn new(settings: &Settings<'_>) -> Self {
        let peer = settings.keypair.public().to_peer_id();
        Self {
            limits: connection_limits(settings.limits),
            streams: Streams::new(Protocols::node(settings.cluster)),
            gossip: gossip(settings, peer),
            directory: directory(settings, peer),
            mdns: mdns(settings.mdns, peer),
        }
    }
}

/// Limits on connections, for nodes and registries.
pub(crate) fn connection_limits(limits: &Limits) -> connection_limits::Behaviour {
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits.pending_connections))
        .with_max_pending_outgoing(Some(limits.pending_connections))
        .with_max_established(Some(limits.connections))
        .with_max_established_per_peer(Some(limits.connections_per_peer));
    connection_limits::Behaviour::new(limits)
}

/// Takes subscriptions to topics of this cluster only.
pub(crate) type TopicFilter = gossipsub::MaxCountSubscriptionFilter<ClusterTopics>;

pub(crate) struct ClusterTopics {
    prefix: String,
}

impl gossipsub::TopicSubscriptionFilter for ClusterTopics {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        topic.as_str().starts_with(&self.prefix)
    }
}

/// The topic of membership events.
pub(crate) fn membership_topic(cluster: &ClusterName) -> TopicHash {
    TopicHash::from_raw(format!("/pydo/{cluster}/membership/1"))
}

/// A topic of the application.
pub(crate) fn user_topic(cluster: &ClusterName, name: &str) -> TopicHash {
    TopicHash::from_raw(format!("/pydo/{cluster}/topic/{name}"))
}

fn gossip(
    settings: &Settings<'_>,
    peer: libp2p::PeerId,
) -> gossipsub::Behaviour<gossipsub::IdentityTransform, TopicFilter> {
    let config = gossip_config(settings.cluster)
        .build()
        .expect("the gossip parameters are constant and valid");
    gossipsub::Behaviour::new_with_subscription_filter(
        MessageAuthenticity::Author(peer),
        config,
        topic_filter(settings.cluster),
    )
    .expect("unsigned messages go with permissive validation")
}

fn topic_filter(cluster: &ClusterName) -> TopicFilter {
    gossipsub::MaxCountSubscriptionFilter {
        filter: ClusterTopics {
            prefix: format!("/pydo/{cluster}/"),
        },
        max_subscribed_topics: TOPICS_MAX,
        max_subscriptions_per_request: TOPICS_MAX,
    }
}

fn gossip_config(cluster: &ClusterName) -> gossipsub::ConfigBuilder {
    let mut config = gossipsub::ConfigBuilder::default();
    config
        .protocol_id(
            format!("/pydo/{cluster}/gossip/1"),
            gossipsub::Version::V1_1,
        )
        .heartbeat_initial_delay(Duration::from_millis(500))
        .max_transmit_size(GOSSIP_PACKET_BYTES_MAX)
        .max_control_message_size(GOSSIP_CONTROL_BYTES_MAX)
        .flood_publish(false)
        .validation_mode(ValidationMode::Permissive)
        .validate_messages()
        .message_id_fn(message_id);
    config
}

/// 16 bytes from everything that tells messages apart: FNV-1a, as ids must be short and equal
/// at all peers, not unforgeable.
fn message_id(message: &gossipsub::Message) -> gossipsub::MessageId {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let source = message
        .source
        .map(|peer| peer.to_bytes())
        .unwrap_or_default();
    let number = message.sequence_number.unwrap_or_default().to_be_bytes();
    let bytes = source
        .iter()
        .chain(&number)
        .chain(message.topic.as_str().as_bytes());
    let hash = bytes.chain(&message.data).fold(OFFSET, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
    });
    gossipsub::MessageId::from(hash.to_be_bytes().to_vec())
}

fn directory(settings: &Settings<'_>, peer: libp2p::PeerId) -> kad::Behaviour<Records> {
    let mut config = kad::Config::new(settings.cluster.protocol("kad/1"));
    config
        .set_replication_factor(DIRECTORY_FACTOR)
        .set_query_timeout(DIRECTORY_QUERY_TIMEOUT)
        .set_substreams_timeout(DIRECTORY_STREAM_TIMEOUT)
        .set_record_ttl(Some(DIRECTORY_RECORD_TTL))
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_caching(kad::Caching::Disabled)
        .set_max_packet_size(4 * RECORD_VALUE_BYTES_MAX);
    let mut directory = kad::Behaviour::with_config(peer, Records::default(), config);
    let mode = match settings.role {
        Role::Member => kad::Mode::Server,
        Role::Client => kad::Mode::Client,
    };
    directory.set_mode(Some(mode));
    directory
}

#[cfg(feature = "mdns")]
fn mdns(wanted: bool, peer: libp2p::PeerId) -> Mdns {
    use libp2p::mdns;

    let config = mdns::Config {
        query_interval: Duration::from_secs(60),
        ..Default::default()
    };
    let start = || match mdns::tokio::Behaviour::new(config, peer) {
        Ok(mdns) => Some(mdns),
        Err(error) => {
            tracing::warn!(%error, "no multicast discovery");
            None
        }
    };
    wanted.then(start).flatten().into()
}

#[cfg(not(feature = "mdns"))]
fn mdns(_: bool, _: libp2p::PeerId) -> Mdns {
    libp2p::swarm::dummy::Behaviour
}

#[cfg(test)]
mod tests;
