#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod address;
mod behaviour;
mod builder;
mod cluster_name;
mod command;
mod data_dir;
mod discovery;
mod driver;
mod handler;
mod identity;
mod limit;
mod link;
mod metrics;
mod node;
mod peer_cache;
mod records;
pub mod registry;
mod request;
mod runtime_folder;
mod shared;
mod start_error;
mod swarm;
mod tasks;
mod topic;
mod watching;

pub use overlay_proto as proto;
pub use overlay_proto::{
    Announcement, ClusterId, ClusterRecord, Incarnation, LinkDown, LostCause, OverlayConfig,
    PeerId, ProcessId, Role,
};

pub use builder::{Builder, DEFAULT_CLUSTER};
pub use cluster_name::{ClusterName, ClusterNameError};
pub use data_dir::DataDirError;
pub use handler::{FrameHandler, OverlayEvent};
pub use identity::Identity;
pub use limit::Limits;
pub use link::{Outbound, SendError};
pub use metrics::Metrics;
pub use node::{ConnectError, Node};
pub use overlay_proto::view::{Member, MembershipView};
pub use request::RequestError;
pub use start_error::StartError;
pub use topic::{Received, Subscription, TopicError, TopicMessage};
pub use watching::{Candidates, Closed, Events, ViewWatch};

/// Every limit on what others can make a node hold, in one list. The ones of [`Limits`] can be
/// changed by the embedding program.
pub mod limits {
    pub use crate::behaviour::{DIRECTORY_RECORD_TTL, TOPIC_MESSAGE_BYTES_MAX, TOPICS_MAX};
    pub use crate::cluster_name::CLUSTER_NAME_BYTES_MAX;
    pub use crate::data_dir::SLOTS_MAX;
    pub use crate::driver::DIRECTORY_QUERIES_MAX;
    pub use crate::link::frame::{FRAME_BYTES_MAX, SMALL_FRAME_BYTES_MAX};
    pub use crate::link::queue::{QUEUE_BYTES_MAX, QUEUE_FRAMES_MAX};
    pub use crate::link::table::{WAITING_BYTES_MAX, WAITING_FRAMES_MAX, WAITING_PROCESSES_MAX};
    pub use crate::records::{
        RECORD_KEY_BYTES_MAX, RECORD_KEY_BYTES_MIN, RECORD_VALUE_BYTES_MAX, RECORDS_BYTES_MAX,
        RECORDS_MAX,
    };
    pub use crate::registry::CALLS_MAX;
    pub use crate::request::{OPEN_REQUESTS_MAX, SERVED_REQUESTS_MAX, SERVICE_NAME_BYTES_MAX};
    pub use crate::shared::EVENTS_MAX;
    pub use crate::topic::{SUBSCRIPTION_MESSAGES_MAX, TOPIC_NAME_BYTES_MAX};
}
