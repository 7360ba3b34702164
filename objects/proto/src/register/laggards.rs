//! Members and learners that do not have the newest version.

use overlay_proto::ProcessId;

use crate::register::{Env, Replica, Role};

/// How often a member that is behind is sent the value while nothing else happens.
pub(crate) const LAGGARD_SENDS: u32 = 5;

/// How many unanswered sends a peer begins with: one out of reach is not worth further ones, until
/// it is back.
pub(crate) fn given_up(env: &Env<'_>, process: &ProcessId) -> u32 {
    if env.reach.misses(process) {
        LAGGARD_SENDS
    } else {
        0
    }
}

impl Replica {
    /// Whether this primary has newer versions than this member or learner is known to have.
    pub(crate) fn lags(&self, process: &ProcessId) -> bool {
        let head = self.record.newest().1;
        match &self.role {
            Role::Primary(primary) => {
                let peer = primary.peers.get(process);
                peer.is_some_and(|peer| peer.stored < Some(head))
            }
            Role::Resting(resting) => {
                let index = self.record.configuration.index_of(process);
                index.is_some_and(|index| resting.misses(index))
            }
            Role::Backup(_) | Role::Candidate(_) => false,
        }
    }

    /// Whether a member or learner is behind and worth another send.
    pub(super) fn has_laggards(&self) -> bool {
        let Role::Primary(primary) = &self.role else {
            return false;
        };
        let head = self.record.newest().1;
        primary.confirmed
            && primary
                .peers
                .values()
                .any(|peer| peer.stored < Some(head) && peer.unanswered < LAGGARD_SENDS)
    }
}
