//! How full the tables of one replica are.

use overlay_proto::Table;

use crate::object::MEMBERS_MAX;
use crate::register::plan::BATCH_MAX;
use crate::register::primary::{Phase, Primary};
use crate::register::queue::QUEUE_CALLS_MAX;
use crate::register::replay::WAITING_MAX;
use crate::register::snapshots::{ANSWERS_MAX, SNAPSHOTS_MAX};
use crate::register::{Replica, Role};
use crate::value::OUTBOX_CALLS_MAX;

/// Members, and as many learners that are to replace them.
const PEERS_MAX: usize = 2 * MEMBERS_MAX;

impl Replica {
    /// How full every table is that others can fill, in the same order for each replica.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        let primary = match &self.role {
            Role::Primary(primary) => Some(&**primary),
            Role::Backup(_) | Role::Candidate(_) | Role::Resting(_) => None,
        };
        let count = |of: fn(&Primary) -> usize| primary.map_or(0, of);
        let waiting = match &self.role {
            Role::Candidate(candidate) => candidate.waiting.len(),
            Role::Backup(_) | Role::Primary(_) | Role::Resting(_) => 0,
        };
        let replays = self.replay.as_ref().map_or(0, |replay| replay.waiting());
        let peers = count(|primary| primary.peers.len());
        let snapshots = count(|primary| primary.snapshots.len());
        let answers = count(|primary| primary.answers.len());
        let round = count(answers_of_round);
        let done = count(|primary| primary.outbox_done.len());
        [
            Table::new(
                "queue",
                count(|primary| primary.queue.len()),
                QUEUE_CALLS_MAX,
            ),
            Table::new(
                "queue.ahead",
                count(|primary| primary.queue.sessions_ahead()),
                AHEAD_MAX,
            ),
            Table::new("peers", peers, PEERS_MAX),
            Table::new("snapshots", snapshots, SNAPSHOTS_MAX),
            Table::new("answers", answers, ANSWERS_MAX),
            Table::new("round.answers", round, ANSWERS_MAX + BATCH_MAX),
            Table::new("outbox_done", done, OUTBOX_CALLS_MAX),
            Table::new("candidate.waiting", waiting, QUEUE_CALLS_MAX),
            Table::new("replay.waiting", replays, WAITING_MAX),
            Table::new("forgotten", self.forgotten.len(), MEMBERS_MAX),
        ]
        .into_iter()
    }
}

/// Sessions with calls that wait, or that were taken for a batch.
const AHEAD_MAX: usize = QUEUE_CALLS_MAX + BATCH_MAX;

fn answers_of_round(primary: &Primary) -> usize {
    match &primary.phase {
        Phase::Round(round) => round.answers.len(),
        Phase::Idle | Phase::Executing(_) => 0,
    }
}
