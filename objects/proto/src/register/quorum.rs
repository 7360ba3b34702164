//! How many members make a majority: always of the object's own configuration.

use overlay_proto::Duration;

use crate::mutation::Mutation;
use crate::object::Configuration;
use crate::register::env::Env;
use crate::register::primary::{Peer, Primary};

/// What a broken quorum takes for lately.
const LATELY: Duration = Duration::from_secs(2);

/// How many members make a majority.
pub(crate) fn quorum(configuration: &Configuration, mutation: Option<Mutation>) -> usize {
    let majority = configuration.majority();
    if mutation == Some(Mutation::QuorumOneLess) {
        return majority.saturating_sub(1).max(1);
    }
    majority
}

/// How many members a round of this primary needs.
pub(crate) fn quorum_of_round(
    primary: &Primary,
    configuration: &Configuration,
    env: &Env<'_>,
) -> usize {
    if env.mutation == Some(Mutation::QuorumOfTheLiving) {
        let heard = |peer: &&Peer| peer.heard.is_some_and(|at| env.now.since(at) < LATELY);
        return primary.peers.values().filter(heard).count().div_ceil(2) + 1;
    }
    quorum(configuration, env.mutation)
}
