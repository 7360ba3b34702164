//! What must hold in every run: one property per file, with its source.

pub mod durable_before_visible;
pub mod incarnation_monotonic;
pub mod leases_respected;
pub mod left_stays_left;
pub mod losses_reported;
pub mod names_unique;
pub mod no_live_member_buried;
pub mod no_orphans;
pub mod one_writer_per_epoch;
pub mod view_converges;
