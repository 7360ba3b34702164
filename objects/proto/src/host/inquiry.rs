//! What weak objects need besides: asking around whether an object went on elsewhere, and telling
//! what was lost.
//!
//! A member that reaches a minority of its set cannot know whether the others are gone or went on
//! without it. It asks the hosts in its view what they hold of the object. Whoever holds a copy of
//! a higher line, and whoever holds one of a lower line, then learns of the other.

use alloc::collections::{BTreeMap, BTreeSet};

use overlay_proto::{Duration, Instant, ProcessId, Table};

use crate::host::Host;
use crate::host::effects::Effects;
use crate::machine::Event;
use crate::message::{Copy, Message, RegisterMessage, Sighting};
use crate::mode::Lost;
use crate::object::ObjectId;
use crate::register::Mutation;

/// Shortest time between two inquiries about one object; doubled each time.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// Longest such time.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// An answer that comes later is not expected any more.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// Most objects that are asked about at a time.
const INQUIRIES_MAX: usize = 4_096;

/// Inquiries about one object whose answers are expected: the first three, one and two seconds
/// apart, or one later on.
const OPEN_PER_OBJECT: usize = 3;

/// The inquiries of one process.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    /// By id: what was asked about.
    open: BTreeMap<u64, (ObjectId, Instant)>,
    /// When an object may be asked about again, and the pause after that.
    next: BTreeMap<ObjectId, (Instant, Duration)>,
    last_id: u64,
}

impl Inquiries {
    pub(super) fn tables(&self) -> [Table; 2] {
        let cap = INQUIRIES_MAX * OPEN_PER_OBJECT;
        [
            Table::new("inquiries.open", self.open.len(), cap),
            Table::new("inquiries.next", self.next.len(), INQUIRIES_MAX),
        ]
    }

    /// A new inquiry's id, if the object may be asked about now.
    fn begin(&mut self, now: Instant, object: ObjectId) -> Option<u64> {
        self.open
            .retain(|_, (_, since)| now.since(*since) < ANSWERED_WITHIN);
        self.next
            .retain(|_, (at, pause)| now < *at + *pause + PAUSE_MAX);
        let pause = match self.next.get(&object) {
            Some((at, _)) if now < *at => return None,
            Some((_, pause)) => *pause,
            None if self.next.len() >= INQUIRIES_MAX => return None,
            None => PAUSE_MIN,
        };
        self.next
            .insert(object, (now + pause, (pause * 2).min(PAUSE_MAX)));
        self.last_id += 1;
        self.open.insert(self.last_id, (object, now));
        Some(self.last_id)
    }
}

impl Host {
    /// Asks the hosts in the view what they hold of a weak object.
    pub(super) fn inquire(&mut self, now: Instant, object: ObjectId, fx: &mut Effects) {
        let Some(replica) = self.replica(&object).filter(|one| one.is_weak()) else {
            return;
        };
        let members: BTreeSet<ProcessId> = replica.configuration().processes().collect();
        let Some(id) = self.inquiries.begin(now, object) else {
            return;
        };
        let me = self.world.me;
        let hosts = self.view.members().iter().filter(|m| m.record.is_host());
        let hosts = hosts.map(|member| member.record.process);
        let asked = members.into_iter().chain(hosts).filter(|one| *one != me);
        let asked: BTreeSet<ProcessId> = asked.take(self.config.limits.survey_hosts).collect();
        for process in asked {
            fx.send(process, Message::Survey { id, object });
        }
    }

    /// A host told what it holds: the lower one of two lines follows the higher one.
    pub fn on_inquired(
        &mut self,
        now: Instant,
        from: ProcessId,
        id: u64,
        copy: Option<Copy>,
        fx: &mut Effects,
    ) {
        let (Some((object, _)), Some(copy)) = (self.inquiries.open.get(&id), copy) else {
            return;
        };
        let object = *object;
        let Some(replica) = self.replica(&object).filter(|one| one.is_weak()) else {
            return;
        };
        let (mine, theirs) = (replica.configuration().epoch, copy.configuration.epoch);
        let sighting = replica.sighting();
        if theirs > mine {
            let sighting = Sighting::Member {
                primary: Some(copy.ballot.member),
                configuration: copy.configuration,
            };
            self.with(now, object, fx, |replica, env, out| {
                replica.on_sighting(env, &sighting, out);
            });
        } else if theirs.lineage < mine.lineage {
            let epoch = theirs;
            let message = RegisterMessage::Gone { epoch, sighting };
            fx.send(from, Message::Register { object, message });
        }
    }

    pub(super) fn tell_lost(&mut self, object: ObjectId, lost: Lost, fx: &mut Effects) {
        if self.world.mutation == Some(Mutation::LossUnreported) {
            return;
        }
        self.counters.versions_lost += lost.versions();
        fx.emit(Event::Lost { object, lost });
    }
}
