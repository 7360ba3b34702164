//! The overlay machine: membership, connections and founding composed.

mod inputs;
#[cfg(test)]
mod tests;
mod upkeep;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cluster::ClusterRecord;
use crate::config::OverlayConfig;
use crate::connections::{Contacts, Dials, Links};
use crate::counters::Counters;
use crate::founding::Founding;
use crate::id::ProcessId;
use crate::interface::{Command, Event, Outbox, Role, Timer};
use crate::machine::{Input, Machine, Sink};
use crate::member::{BoxedKeys, SignedRecord};
use crate::membership::{Cx, Membership};
use crate::message::Message;
use crate::tables::Table;
use crate::time::Instant;
use crate::view::MembershipView;

/// Records in one answer to [`Message::GetList`].
const LIST_MAX: u32 = 64;
/// Bytes of records in one answer.
const LIST_BYTES: usize = 128 * 1024;

/// One node's overlay protocols.
pub struct Overlay {
    config: OverlayConfig,
    process: ProcessId,
    role: Role,
    rng: ChaCha8Rng,
    membership: Membership,
    founding: Founding,
    links: Links,
    dials: Dials,
    contacts: Contacts,
    ungreeted: BTreeSet<ProcessId>,
    /// The losses and the links with which there were last as many links as wanted.
    degree_met: Option<(u64, u64)>,
    /// The links with which every watched member had one, unless others are watched since.
    watched_linked: Option<u64>,
    phase: Phase,
    /// When the tick timer that counts fires; others may be on their way.
    tick_at: Option<Instant>,
    /// When links are looked after before the next probe round does it, if they have to be.
    upkeep_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    Running,
    Leaving,
    Left,
}

impl Overlay {
    /// A machine for `process`, whose peer is the one of `keys`. Equal seeds and inputs give
    /// equal outputs. Its first input starts its timers.
    #[must_use]
    pub fn new(
        config: OverlayConfig,
        keys: BoxedKeys,
        process: ProcessId,
        role: Role,
        seed: u64,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (membership, founding) = (rng.next_u64(), rng.next_u64());
        Self {
            membership: Membership::new(config.membership.clone(), keys, process, role, membership),
            founding: Founding::new(config.founding.clone(), process, founding),
            links: Links::default(),
            dials: Dials::new(config.connections.clone()),
            contacts: Contacts::new(config.connections.contacts_max),
            ungreeted: BTreeSet::new(),
            degree_met: None,
            watched_linked: None,
            phase: Phase::Fresh,
            tick_at: None,
            upkeep_at: None,
            config,
            process,
            role,
            rng,
        }
    }

    /// This process.
    #[must_use]
    pub fn process(&self) -> ProcessId {
        self.process
    }

    /// What the machine counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        self.membership.counters()
    }

    /// The view as it is now; its version is that of the last one emitted.
    #[must_use]
    pub fn view(&self) -> MembershipView {
        self.membership.view()
    }

    /// The cluster, if known.
    #[must_use]
    pub fn cluster(&self) -> Option<&ClusterRecord> {
        self.founding.cluster()
    }

    /// The links that are up.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// How full every table is that others can fill.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        let links = self.links.table();
        let ungreeted = Table::new("ungreeted", self.ungreeted.len(), links.cap);
        let own = [links, ungreeted, self.dials.table(), self.contacts.table()];
        own.into_iter()
            .chain(self.founding.tables())
            .chain(self.membership.tables())
    }

    /// The own record as others have it; none before the first announcement or from a client.
    #[must_use]
    pub fn own_record(&self) -> Option<SignedRecord> {
        self.membership.own_record()
    }

    /// Up to `limit` living members, this node first, for the answer to a `list` request; fewer
    /// if their records are long.
    #[must_use]
    pub fn list(&mut self, limit: usize) -> Vec<SignedRecord> {
        let own = self.membership.own_record();
        let mut bytes = 0;
        own.into_iter()
            .chain(self.membership.sample(limit))
            .take(limit)
            .take_while(|record| {
                bytes += record.size();
                bytes <= LIST_BYTES
            })
            .collect()
    }

    /// Whether somebody was introduced, dialled or linked who has not greeted yet.
    fn introductions_open(&self) -> bool {
        self.contacts.any_untried() || self.dials.pending() > 0 || !self.ungreeted.is_empty()
    }

    fn unix_ms(&self, now: Instant) -> u64 {
        self.config
            .epoch_unix_ms
            .saturating_add(now.as_micros() / 1000)
    }

    /// After each input: whatever it made necessary.
    fn settle(&mut self, now: Instant, out: &mut impl Outbox) {
        if let Some(cluster) = self.founding.take_news() {
            self.membership.publish_cluster(cluster);
        }
        if self.membership.take_rings_changed() {
            self.watched_linked = None;
            self.link_watched(now, out);
            self.hasten_upkeep(now, out);
        }
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        self.membership.settle(cx);
        let tick = self.config.membership.tick;
        let wanted = if self.founding.pending() {
            Some(now + tick)
        } else {
            self.membership.next_tick(now)
        };
        if let Some(at) = wanted
            && self.tick_at.is_none_or(|set| at + tick <= set)
        {
            self.tick_at = Some(at);
            self.membership.expect_tick(at);
            out.set_timer(Timer::Tick, at.since(now));
        }
    }
}

impl Machine for Overlay {
    type Command = Command;
    type Message = Message;
    type Timer = Timer;
    type Event = Event;

    fn handle(
        &mut self,
        now: Instant,
        input: Input<Command, Message, Timer>,
        out: &mut impl Sink<Message, Timer, Event>,
    ) {
        if from_namesake(&input, &self.process) {
            return;
        }
        if matches!(self.phase, Phase::Leaving | Phase::Left) {
            if let Input::TimerFired(Timer::LeaveDone) = input {
                self.on_timer(now, Timer::LeaveDone, out);
            }
            return;
        }
        if self.phase == Phase::Fresh {
            self.phase = Phase::Running;
            self.founding.discovered(now);
            self.membership.start(&mut Cx {
                now,
                links: &self.links,
                out,
            });
            self.hasten_upkeep(now, out);
        }
        match input {
            Input::Command(command) => self.on_command(now, command, out),
            Input::Received { from, message } => self.on_message(now, from, message, out),
            Input::TimerFired(timer) => self.on_timer(now, timer, out),
            Input::LinkUp(process) => self.on_link_up(now, process, out),
            Input::LinkDown { process, reason } => self.on_link_down(now, process, reason, out),
        }
        self.settle(now, out);
    }
}

/// Whether a process with this node's own key is at the other end: nobody to talk to.
fn from_namesake(input: &Input<Command, Message, Timer>, me: &ProcessId) -> bool {
    match input {
        Input::Received { from: process, .. }
        | Input::LinkUp(process)
        | Input::LinkDown { process, .. } => process.peer == me.peer,
        Input::Command(_) | Input::TimerFired(_) => false,
    }
}
