//! Placeholder until the registry messages are in place.
use crate::address::Place;
use crate::shared::Shared;
use overlay_proto::Role;
use std::sync::Arc;
pub(crate) async fn keep(shared: Arc<Shared>, registry: Place, _role: Role) {
    let _ = (shared, registry);
}
