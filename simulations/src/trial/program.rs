//! A user's program, its types erased: the closures that a trial runs.

use std::sync::Arc;

use objects_proto::caller::BoxFuture;
use objects_proto::kinds_table::KindTable;
use objects_proto::register::Mutation;

use super::client::Client;
use super::life::{Done, Stage};

/// Makes what the clients work on.
pub(super) type Setup = Box<dyn Fn(Client) -> BoxFuture<'static, Done> + Send + Sync>;
/// One round of a client, or the check of an invariant.
pub(super) type Work = Arc<dyn Fn(Client, Stage) -> BoxFuture<'static, Done> + Send + Sync>;

/// What a trial runs.
pub(super) struct Program {
    pub(super) kinds: Arc<KindTable>,
    pub(super) factor: u8,
    pub(super) mutation: Option<Mutation>,
    pub(super) setup: Setup,
    pub(super) clients: Vec<Work>,
    pub(super) invariants: Vec<(String, Work)>,
}
