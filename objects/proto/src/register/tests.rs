//! Registers of several processes in memory, a bag of messages, and clients that retry.

mod client;
mod random;
mod stories;
mod stories_expiry;
mod stories_floor;
mod stories_leases;
mod stories_moving;
mod stories_shipping;
mod stories_weak;
mod story;
mod world;
