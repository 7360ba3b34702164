//! One object's record at this process and everything that it reacts to.

use alloc::boxed::Box;

use overlay_proto::{Instant, ProcessId};

use crate::execution::CallChain;
use crate::message::Status;
use crate::object::{Ballot, ObjectId};
use crate::register::candidate::{Candidate, Retry};
use crate::register::finish::Finish;
use crate::register::member_set::MemberSet;
use crate::register::overtaken::Overtaken;
use crate::register::primary::{Phase, Primary};
use crate::register::record::Record;
use crate::register::replay::Replay;
use crate::register::rest::Resting;
use crate::register::{Effects, Env};

/// A call that waits in a primary's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingCall {
    /// Its chain: its own id, its root, what it holds.
    pub chain: CallChain,
    /// Who sent it.
    pub from: ProcessId,
    /// Since when it waits.
    pub since: Instant,
}

/// The call that an object is executing alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its chain.
    pub chain: CallChain,
    /// Since when it runs.
    pub since: Instant,
}

/// What a primary knows of a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerStatus {
    /// The stamp of its membership, once it has answered.
    pub stamp: Option<u64>,
    /// It holds the newest chosen version, or stores every version a little later.
    pub follows: bool,
    /// When it last answered.
    pub heard: Option<Instant>,
}

/// Why a change of the replica set was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Not the confirmed primary. One that never made a round has begun one: propose again.
    #[error("not the primary")]
    NotPrimary,
    /// A change, or the deletion, is under way.
    #[error("a change is under way")]
    Busy,
    /// Not the next epoch, no members, too many, or one of them twice.
    #[error("not a next replica set")]
    Malformed,
    /// A member of the next set is not in step, or was not in step after a halt.
    #[error("a member of the next set is not in step")]
    NotInSync,
}

/// One object's record at this process, and what this process is to the object.
#[derive(Clone, Debug)]
pub struct Replica {
    pub(super) object: ObjectId,
    pub(super) record: Record,
    pub(super) role: Role,
    /// A chosen seal that this process sees through.
    pub(super) finish: Option<Box<Finish>>,
    /// Where a weak object went on, until its value is here.
    pub(super) overtaken: Option<Box<Overtaken>>,
    /// Since when a backup holds a value that is sealed or deleted.
    pub(super) sealed_since: Option<Box<Instant>>,
    /// The primary of the promised ballot has itself been heard under it.
    pub(super) heard_primary: bool,
    /// Candidacies without a success or a reason from outside.
    pub(super) tries: u8,
    /// A step whose calls are being run here.
    pub(super) replay: Option<Box<Replay>>,
    /// Members that install nothing of this epoch any more.
    pub(super) forgotten: MemberSet,
    /// Executions started here.
    pub(super) attempts: u64,
    /// Retired or dropped: nothing happens any more.
    pub(super) ended: bool,
}

/// What a process is to an object.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// It stores and promises.
    Backup(Option<Retry>),
    /// It asks for promises.
    Candidate(Box<Candidate>),
    /// It executes and ships.
    Primary(Box<Primary>),
    /// It is primary of an idle object.
    Resting(Resting),
}

impl Default for Role {
    fn default() -> Self {
        Self::Backup(None)
    }
}

impl Replica {
    pub(super) const fn new(object: ObjectId, record: Record) -> Self {
        Self {
            object,
            record,
            role: Role::Backup(None),
            finish: None,
            overtaken: None,
            sealed_since: None,
            heard_primary: false,
            tries: 0,
            replay: None,
            forgotten: MemberSet::EMPTY,
            attempts: 0,
            ended: false,
        }
    }

    /// The process was stopped: what waits in queues is stale and dropped unanswered.
    pub fn on_stopped(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        match &mut self.role {
            Role::Backup(_) | Role::Resting(_) => {}
            Role::Candidate(candidate) => candidate.waiting.clear(),
            Role::Primary(primary) => {
                primary.queue.drain();
            }
        }
        self.drive(env, fx);
    }

    /// A link with a peer of this object came up (`true`) or went down.
    pub fn on_link(&mut self, env: &mut Env<'_>, process: ProcessId, up: bool, fx: &mut Effects) {
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        let Some(peer) = primary.peers.get_mut(&process) else {
            return;
        };
        if up {
            peer.unanswered = 0;
            peer.due = env.now;
            peer.awaited = peer.vote.is_none() && peer.stored.is_some();
        } else {
            peer.awaited = false;
        }
        if up && primary.weak.is_some() {
            self.ask_whether_primary(process, fx);
        }
        self.tick(env, fx);
    }

    /// Re-sends, retries, expires. To be called each tick while [`Self::wants_tick`].
    pub fn tick(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        if self.ended {
            return;
        }
        match &self.role {
            Role::Backup(_) => self.tick_backup(env, fx),
            Role::Candidate(_) => self.tick_candidate(env, fx),
            Role::Resting(_) => {}
            Role::Primary(_) => {
                self.give_up_learners(env.now);
                self.ship_unshipped(env, fx);
                self.resend(env, fx);
                self.expire(env.now, fx);
                self.drive(env, fx);
            }
        }
        self.tick_finish(env, fx);
    }

    /// Whether anything here waits for time to pass.
    #[must_use]
    pub fn wants_tick(&self) -> bool {
        if self.ended {
            return false;
        }
        let waits = match &self.role {
            Role::Backup(retry) => retry.is_some() || self.sealed_since.is_some(),
            Role::Candidate(_) => true,
            Role::Resting(_) => false,
            Role::Primary(primary) => {
                matches!(primary.phase, Phase::Round(_))
                    || primary.proposal.is_some()
                    || !primary.queue.is_empty()
                    || primary.weak.as_ref().is_some_and(|weak| weak.waits())
                    || self.has_laggards()
            }
        };
        waits || (self.finish.is_some() && !self.is_primary())
    }

    /// Gives up the asynchronous call that is being executed, so that a change need not wait
    /// for it: its result will be dropped, and its caller asks again.
    pub fn interrupt(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        if !matches!(&primary.phase, Phase::Executing(running) if running.alone) {
            return;
        }
        if let Phase::Executing(running) = core::mem::replace(&mut primary.phase, Phase::Idle) {
            for planned in running.batch.into_iter().rev() {
                let mut item = planned.item;
                item.started = true;
                primary.queue.put_back(item);
            }
        }
        self.drive(env, fx);
    }

    /// An outbox call has come to a definite end.
    pub fn complete_outbox(&mut self, env: &mut Env<'_>, number: u64, fx: &mut Effects) {
        let Role::Primary(primary) = &mut self.role else {
            return;
        };
        primary.outbox_done.insert(number);
        self.drive(env, fx);
    }

    /// Remembers since when the value on record waits for its end.
    pub(super) fn note_status(&mut self, env: &Env<'_>) {
        match self.record.status().filter(|_| self.record.index.is_some()) {
            None | Some(Status::Live) => self.sealed_since = None,
            Some(_) if self.sealed_since.is_none() => self.sealed_since = Some(Box::new(env.now)),
            Some(_) => {}
        }
    }

    /// Whether the record's epoch, ballots and role fit together.
    ///
    /// # Panics
    /// If they do not: a bug. For tests and simulations.
    pub fn check_invariants(&self) {
        let record = &self.record;
        let held = record.accepted.as_ref();
        let epoch = record.epoch();
        if let Some(held) = held {
            assert!(
                held.ballot <= record.promised,
                "accepted beyond the promise"
            );
            if let Status::Sealed { next, .. } = &held.value.status {
                assert!(next.epoch > epoch, "sealed into an older epoch");
            }
        }
        let mine = |ballot: Ballot| Some(ballot.member) == record.index;
        match &self.role {
            Role::Backup(_) => {}
            Role::Resting(_) => {
                assert!(mine(record.promised), "a ballot of another member");
                assert!(held.is_some_and(|held| held.ballot == record.promised));
            }
            Role::Candidate(candidate) => {
                assert_eq!(candidate.ballot, record.promised, "a candidate's promise");
                assert!(mine(candidate.ballot), "a ballot of another member");
                assert!(held.is_some(), "a candidate without a value");
            }
            Role::Primary(primary) => {
                assert_eq!(primary.ballot, record.promised, "a primary's promise");
                assert!(mine(primary.ballot), "a ballot of another member");
                let held = held.map(|held| (held.ballot, held.version));
                assert!(
                    held.is_some_and(|(ballot, version)| {
                        ballot == primary.ballot && primary.chosen <= version
                    }),
                    "a primary without its value"
                );
                for peer in primary.peers.values() {
                    assert!(
                        peer.stored <= held.map(|held| held.1),
                        "stored, not shipped"
                    );
                }
            }
        }
        if let Some(finish) = &self.finish {
            let fits = epoch == finish.old_epoch() || epoch == finish.next.epoch;
            assert!(fits, "finishing a change of another epoch");
        }
    }
}
