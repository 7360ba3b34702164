//! Nodes on loopback, as an embedding program sees them.

mod crowd;
mod directory;
mod fixture;
mod hostile;
mod lifecycle;
mod links;
mod meeting;
mod processes;
mod registries;
mod requests;
mod topics;
