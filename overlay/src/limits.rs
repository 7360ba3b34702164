//! Every limit on what others can make a node hold, in one list. The ones of [`Limits`] can be
//! changed by the embedding program.

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
pub use crate::request::{OPEN_REQUESTS_MAX, SERVED_REQUESTS_MAX, SERVICE_NAME_BYTES_MAX};
pub use crate::shared::EVENTS_MAX;
pub use crate::topic::{SUBSCRIPTION_MESSAGES_MAX, TOPIC_NAME_BYTES_MAX};

/// How much of the machine a node may use for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all. A partial mesh needs few; each costs up to 300 kB.
    pub connections: u32,
    /// Connections with one peer: more than one only while two dial each other.
    pub connections_per_peer: u32,
    /// Connections being set up, in each direction.
    pub pending_connections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_peer: 8,
            pending_connections: 256,
        }
    }
}
