//! What must hold in every run: one property per file, with its source.

pub mod acknowledged_never_lost;
pub mod caps_hold;
pub mod configurations_chain;
pub mod durable_before_visible;
pub mod incarnation_monotonic;
pub mod leases_respected;
pub mod left_stays_left;
pub mod losses_reported;
pub mod names_unique;
pub mod no_live_member_buried;
pub mod no_orphans;
pub mod no_stale_read;
pub mod one_effect_per_call;
pub mod one_writer_per_epoch;
pub mod order_per_handle;
pub mod view_converges;
