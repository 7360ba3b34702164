//! Nodes on loopback, as an embedding program sees them.

mod fixture;
mod links;
