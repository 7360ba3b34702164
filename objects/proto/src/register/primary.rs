//! The primary's side: one thing at a time, batch after batch, round after round.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;
use overlay_proto::{Duration, Instant, ProcessId};

use crate::execution::ExecutionKey;
use crate::flat_map::FlatMap;
use crate::message::{Message, Refusal, Reply, Sighting};
use crate::mode::Mode;
use crate::object::{Ballot, Version};
use crate::reads::Reads;
use crate::register::batch::Planned;
use crate::register::carried::Carried;
use crate::register::expiry::Ages;
use crate::register::laggards::given_up;
use crate::register::proposal::Proposal;
use crate::register::queue::{Addresses, CallKey, Item, Queue};
use crate::register::round::Round;
use crate::register::weak::Weak;
use crate::register::{Activation, Effects, Env, Note, Replica, Role};
use crate::session::SessionId;

/// What only a primary knows. A successor needs none of it.
#[derive(Clone, Debug)]
pub(crate) struct Primary {
    pub(crate) ballot: Ballot,
    pub(crate) how: Activation,
    /// How reads of its kind are made sure to be current.
    pub(crate) reads: Reads,
    /// In weak mode: what was answered and not shipped.
    pub(crate) weak: Option<Box<Weak>>,
    /// A majority has accepted this ballot: nobody else's older value is newer.
    pub(crate) confirmed: bool,
    /// The newest version that is known to be chosen; counts once confirmed.
    pub(crate) chosen: Version,
    /// The last outbox call whose version is known to be chosen.
    pub(crate) outbox_chosen: u64,
    pub(crate) phase: Phase,
    pub(crate) queue: Queue,
    /// The other members and the learners.
    pub(crate) peers: FlatMap<ProcessId, Peer>,
    /// Rounds begun under this ballot.
    pub(crate) rounds: u64,
    /// The last one that was a check, and when it began.
    pub(crate) checked: Option<(u64, Instant)>,
    /// While a version is on its way: the one before it and its state, if reads may run on it.
    pub(crate) before: Option<(Version, Bytes)>,
    /// Reads that run beside everything else.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Answers of such reads, waiting for a round that begins after them.
    pub(crate) answers: Vec<Answer>,
    /// Outbox calls that ended and are not yet recorded as ended.
    pub(crate) outbox_done: BTreeSet<u64>,
    pub(crate) proposal: Option<Box<Proposal>>,
    /// No proposal may halt the object before this.
    pub(crate) halt_again: Instant,
    /// When a session was last used, if since this replica became primary.
    pub(crate) used: FlatMap<SessionId, Instant>,
    pub(crate) since: Instant,
    /// How old versions are.
    pub(crate) ages: Ages,
}

/// What a primary is doing for the object.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// Nothing.
    Idle,
    /// Its batch is being executed.
    Executing(Box<Running>),
    /// Its batch, or a check, is on its way to the others.
    Round(Box<Round>),
}

/// A batch that is being executed.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) key: ExecutionKey,
    pub(crate) batch: Vec<Planned>,
    pub(crate) since: Instant,
    /// One asynchronous write, which may take long and await other objects.
    pub(crate) alone: bool,
}

/// A read that runs on a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) key: ExecutionKey,
    pub(crate) item: Item,
}

/// An answer that waits for a round.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) key: CallKey,
    pub(crate) hash: u64,
    pub(crate) to: Addresses,
    pub(crate) reply: Reply,
    /// It reveals a version that the round makes; otherwise the call may as well be sent again.
    pub(crate) write: bool,
}

impl Answer {
    pub(crate) fn send(&self, fx: &mut Effects) {
        for (process, id) in self.to.iter() {
            fx.reply(process, id, self.reply.clone());
        }
    }
}

/// Another member, or a learner, as the primary sees it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its index; `None` is a learner.
    pub(crate) vote: Option<u8>,
    /// The newest version that it is known to have stored under this ballot.
    pub(crate) stored: Option<Version>,
    /// The newest version sent to it under this ballot.
    pub(crate) sent: Option<Version>,
    pub(crate) stamp: Option<u64>,
    pub(crate) heard: Option<Instant>,
    /// The generation of its grant in which it confirmed this object under this ballot; 0 if
    /// it did not.
    pub(crate) generation: u64,
    /// It promised with the value that this primary goes on from, accepted under this ballot.
    pub(crate) keeps: Option<Ballot>,
    /// A learner whose answer the only member waits for.
    pub(crate) awaited: bool,
    /// It was last sent calls to run.
    pub(crate) replays: bool,
    /// So many steps more are sent to it without calls to run.
    pub(crate) replay_pause: u32,
    /// Sends without an answer.
    pub(crate) unanswered: u32,
    /// When the next one is due.
    pub(crate) due: Instant,
}

impl Peer {
    pub(crate) const fn new(vote: Option<u8>, now: Instant) -> Self {
        Self {
            vote,
            stored: None,
            sent: None,
            stamp: None,
            heard: None,
            generation: 0,
            keeps: None,
            awaited: false,
            replays: false,
            replay_pause: 0,
            unanswered: 0,
            due: now,
        }
    }
}

impl Primary {
    fn take_on(&mut self, carried: Carried) {
        self.queue = carried.queue;
        self.outbox_done = carried.outbox_done;
        self.used = carried.used;
        let (keepers, from) = carried.keepers;
        let members = self.peers.values_mut();
        for peer in members.filter(|one| one.vote.is_some_and(|it| keepers.contains(it))) {
            peer.keeps = Some(from);
        }
    }

    /// Whether a read may run beside what is under way.
    pub(crate) const fn reads_beside(&self) -> bool {
        match &self.phase {
            Phase::Idle => false,
            Phase::Executing(running) => running.alone,
            Phase::Round(_) => self.before.is_some(),
        }
    }
}

impl Replica {
    /// Becomes primary under the promised ballot and, unless the object is brand-new, ships its
    /// value so that a majority holds it under this ballot.
    pub(super) fn become_primary(
        &mut self,
        env: &mut Env<'_>,
        how: Activation,
        carried: Option<Carried>,
        fx: &mut Effects,
    ) {
        let Some(held) = &self.record.accepted else {
            return;
        };
        let mut primary = self.fresh_primary(env, how);
        primary.weak = (held.value.mode == Mode::Weak).then(Box::default);
        if let Some(carried) = carried {
            primary.take_on(carried);
        }
        self.role = Role::Primary(Box::new(primary));
        self.sealed_since = None;
        fx.notes.push(Note::BecamePrimary(how));
        if how != Activation::Created {
            self.confirm(env, fx);
        }
        self.drive(env, fx);
    }

    /// A primary under the promised ballot that knows no more than its record.
    pub(super) fn fresh_primary(&self, env: &Env<'_>, how: Activation) -> Primary {
        let members = self.record.configuration.processes().enumerate();
        let peers = members.filter(|(_, process)| *process != env.me);
        let peers = peers.map(|(index, process)| {
            let mut peer = Peer::new(u8::try_from(index).ok(), env.now);
            peer.unanswered = given_up(env, &process);
            (process, peer)
        });
        let held = self.record.accepted.as_ref();
        let version = held.map_or_else(Version::default, |held| held.version);
        let reads = held.map_or(Reads::Quorum, |held| {
            env.methods.reads(&held.value.kind, held.value.kind_version)
        });
        Primary {
            ballot: self.record.promised,
            how,
            weak: None,
            reads,
            confirmed: false,
            chosen: version,
            outbox_chosen: 0,
            phase: Phase::Idle,
            queue: Queue::default(),
            peers: peers.collect(),
            rounds: 0,
            checked: None,
            before: None,
            snapshots: Vec::new(),
            answers: Vec::new(),
            outbox_done: BTreeSet::new(),
            proposal: None,
            halt_again: env.now,
            used: FlatMap::default(),
            since: env.now,
            ages: Ages::new(env.now, version),
        }
    }

    /// Goes on until something has to be waited for.
    pub(super) fn drive(&mut self, env: &mut Env<'_>, fx: &mut Effects) {
        loop {
            let Role::Primary(primary) = &mut self.role else {
                return;
            };
            let moved = match &primary.phase {
                Phase::Idle => self.begin(env, fx),
                Phase::Executing(_) => false,
                Phase::Round(_) => self.try_end_round(env, fx),
            };
            if !moved || self.ended {
                return;
            }
        }
    }

    /// No longer primary or candidate: whoever waits is told where to go.
    pub(super) fn step_down(&mut self, sighting: &Sighting, fx: &mut Effects) {
        self.leave_primary_role(false, sighting, fx);
    }

    /// Steps down; with `keep`, what can wait through a change of the set is handed over.
    pub(super) fn leave_primary_role(
        &mut self,
        keep: bool,
        sighting: &Sighting,
        fx: &mut Effects,
    ) -> Option<Carried> {
        let object = self.object;
        let primary = match core::mem::take(&mut self.role) {
            Role::Backup(_) | Role::Resting(_) => return None,
            Role::Candidate(candidate) => {
                for waiting in candidate.waiting {
                    let refusal = Refusal::Elsewhere(sighting.clone());
                    fx.reply(waiting.from, waiting.request.id, Reply::Refused(refusal));
                }
                fx.notes.push(Note::SteppedDown);
                return None;
            }
            Role::Primary(primary) => *primary,
        };
        let mut queue = primary.queue;
        let turn_away = |item: &Item, fx: &mut Effects| {
            turn_away(object, item, sighting, fx);
        };
        match primary.phase {
            Phase::Idle => {}
            Phase::Executing(running) => {
                for planned in &running.batch {
                    let mut item = planned.item.clone();
                    item.started |= running.alone;
                    turn_away(&item, fx);
                }
            }
            Phase::Round(round) => {
                for answer in &round.answers {
                    redirect(object, answer, sighting, fx);
                }
            }
        }
        for answer in &primary.answers {
            redirect(object, answer, sighting, fx);
        }
        for snapshot in primary.snapshots {
            if keep && queue.has_room(0) {
                queue.push(snapshot.item);
            } else {
                turn_away(&snapshot.item, fx);
            }
        }
        if keep {
            return Some(Carried::of(queue, primary.outbox_done, primary.used));
        }
        for item in queue.drain() {
            turn_away(&item, fx);
        }
        fx.notes.push(Note::SteppedDown);
        None
    }
}

/// Tells whoever waits for a call that was not run where to go.
pub(super) fn turn_away(
    object: crate::object::ObjectId,
    item: &Item,
    sighting: &Sighting,
    fx: &mut Effects,
) {
    for (process, id) in item.to.iter() {
        if item.started {
            hint(object, process, sighting, fx);
        } else {
            let reply = match sighting {
                Sighting::Deleted => Refusal::Final(crate::outcome::Cause::Deleted),
                _ => Refusal::Elsewhere(sighting.clone()),
            };
            fx.reply(process, id, Reply::Refused(reply));
        }
    }
}

/// Tells whoever waits for an answer that will not leave where to ask again. A call that was
/// shipped may yet take effect: it is not refused.
fn redirect(
    object: crate::object::ObjectId,
    answer: &Answer,
    sighting: &Sighting,
    fx: &mut Effects,
) {
    for (process, id) in answer.to.iter() {
        if answer.write {
            hint(object, process, sighting, fx);
        } else {
            let refusal = Refusal::Elsewhere(sighting.clone());
            fx.reply(process, id, Reply::Refused(refusal));
        }
    }
}

fn hint(
    object: crate::object::ObjectId,
    process: ProcessId,
    sighting: &Sighting,
    fx: &mut Effects,
) {
    let sighting = sighting.clone();
    fx.sends.push((process, Message::Here { object, sighting }));
}

/// How long a batch or a check may go unanswered before callers are told that there is no quorum.
pub(crate) const NO_QUORUM_AFTER: Duration = Duration::from_millis(500);
