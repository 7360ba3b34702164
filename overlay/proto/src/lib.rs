//! Protocol cores of the overlay: deterministic state machines without clock, socket or task.
//!
//! The `overlay` crate drives them with tokio and libp2p, the `simulations` crate in virtual
//! time. Modules import only leftwards in this order:
//! `id · hash · time · machine · codec · member · plain_keys · peer_map · entry · view · cluster ·
//! message · config · counters · interface`, then `{connections, directory, registry} ·
//! membership · founding · overlay`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod cluster;
pub mod codec;
pub mod config;
pub mod connections;
pub mod counters;
pub mod directory;
pub mod entry;
pub mod founding;
pub mod hash;
pub mod id;
pub mod interface;
pub mod machine;
pub mod member;
pub mod membership;
pub mod message;
pub mod overlay;
pub mod peer_map;
pub mod plain_keys;
pub mod registry;
pub mod tables;
pub mod time;
pub mod view;

pub use cluster::ClusterRecord;
pub use config::OverlayConfig;
pub use counters::Counters;
pub use id::{ClusterId, Incarnation, PeerId, ProcessId};
pub use interface::{Announcement, Command, Event, LostCause, Outbox, Role, Timer};
pub use machine::{Input, LinkDown, Machine, Output, Sink};
pub use message::Message;
pub use overlay::Overlay;
pub use tables::Table;
pub use time::{Duration, Instant};
