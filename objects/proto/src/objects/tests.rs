//! Stories of a small cluster: what a user relies on when hosts come, go, crash and freeze.

mod asking;
mod audits;
mod chaos;
mod cluster;
mod executor;
mod failover;
mod flood;
mod growth;
mod handover;
mod leases;
mod nested;
mod noise;
mod placing;
mod rebalancing;
mod resting;
mod serving;
mod storm;
