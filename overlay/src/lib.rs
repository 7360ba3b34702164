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
pub mod limits;
mod link;
mod metrics;
mod node;
mod peer_cache;
mod records;
pub mod registry;
mod request;
mod runtime_folder;
mod shared;
mod swarm;
mod tasks;
mod topic;
mod watching;

pub use overlay_proto as proto;
pub use overlay_proto::{
    Announcement, ClusterId, ClusterRecord, Incarnation, LinkDown, LostCause, OverlayConfig,
    PeerId, ProcessId, Role,
};

pub use builder::{Builder, DEFAULT_CLUSTER, StartError};
pub use cluster_name::{ClusterName, ClusterNameError};
pub use data_dir::DataDirError;
pub use handler::{FrameHandler, OverlayEvent};
pub use identity::Identity;
pub use limits::Limits;
pub use link::{Outbound, SendError};
pub use metrics::Metrics;
pub use node::{ConnectError, Node};
pub use overlay_proto::view::{Member, MembershipView};
pub use request::RequestError;
pub use topic::{Received, Subscription, TopicError, TopicMessage};
pub use watching::{Candidates, Closed, Events, ViewWatch};
