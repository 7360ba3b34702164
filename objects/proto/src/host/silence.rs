//! Finding out that a primary is gone: per process, never per object, and only after a hint.
//!
//! A doubted process is pinged; when it leaves its pings unanswered it is *silent here*. That
//! alone decides nothing: a backup stands for primary only if a majority of the replica set
//! says so too (pre-vote), and even then only a majority of promises makes it one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use overlay_proto::{Duration, Instant, ProcessId, Table};

use crate::config::{Limits, Timings};
use crate::host::effects::Effects;
use crate::message::Message;
use crate::object::ObjectId;

/// The doubted processes.
#[derive(Debug)]
pub(crate) struct Silence {
    watches: BTreeMap<ProcessId, Watch>,
    next_nonce: u64,
    ping_timeout: Duration,
    pings: u8,
    age: Duration,
    watches_max: usize,
    askers_max: usize,
}

#[derive(Debug)]
struct Watch {
    since: Instant,
    sent: u8,
    due: Instant,
    silent: Option<Instant>,
    asked: Option<Instant>,
    round: StandingRound,
    confirmed: BTreeSet<ProcessId>,
    denied: BTreeSet<ProcessId>,
    askers: BTreeSet<ProcessId>,
}

/// How far a host is with its replicas of a silent primary's objects. It stands for some at a time,
/// in the order of their ids: first for those whose first backup it is, and so on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StandingRound {
    /// How often all were looked at: members whose turn is later are left out.
    pub(crate) number: u32,
    /// The object that was looked at last.
    pub(crate) after: Option<ObjectId>,
    /// The object whose members were asked last whether they miss the primary, too.
    pub(crate) asked: Option<ObjectId>,
    /// When the host last went on with them.
    pub(crate) at: Option<Instant>,
}

/// A process found silent here, as the takeover rule needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding<'a> {
    /// When it was first doubted.
    pub(crate) since: Instant,
    /// When its silence was certain here.
    pub(crate) silent: Instant,
    /// Others that said that it is silent for them too.
    pub(crate) confirmed: &'a BTreeSet<ProcessId>,
    /// Others that said that they hear it.
    pub(crate) denied: &'a BTreeSet<ProcessId>,
}

impl Silence {
    /// Nobody doubted.
    #[must_use]
    pub(crate) fn new(timings: &Timings, limits: &Limits) -> Self {
        Self {
            watches: BTreeMap::new(),
            next_nonce: 0,
            ping_timeout: timings.ping_timeout,
            pings: timings.pings.max(1),
            age: timings.silence_age,
            watches_max: limits.watches,
            askers_max: limits.askers,
        }
    }

    /// How full its tables are.
    pub(crate) fn tables(&self) -> [Table; 4] {
        let most = |of: fn(&Watch) -> usize| self.watches.values().map(of).max().unwrap_or(0);
        let max = self.askers_max;
        [
            Table::new("watches", self.watches.len(), self.watches_max),
            Table::new("watches.askers", most(|watch| watch.askers.len()), max),
            Table::new(
                "watches.confirmed",
                most(|watch| watch.confirmed.len()),
                max,
            ),
            Table::new("watches.denied", most(|watch| watch.denied.len()), max),
        ]
    }

    /// Whether anything waits for time to pass.
    #[must_use]
    pub(crate) fn waits(&self) -> bool {
        !self.watches.is_empty()
    }

    /// Begins to ping a process, unless that is under way.
    pub(crate) fn doubt(&mut self, now: Instant, process: ProcessId, fx: &mut Effects) {
        if self.open(now, process) {
            self.ping(now, process, fx);
        }
    }

    /// The process refused its dial: it is silent without a ping. Returns whether that is new.
    pub(crate) fn refused(&mut self, now: Instant, process: ProcessId, fx: &mut Effects) -> bool {
        self.open(now, process);
        self.conclude(now, process, fx)
    }

    /// Something arrived from the process: it is not silent.
    pub(crate) fn heard(&mut self, process: ProcessId, fx: &mut Effects) {
        let Some(watch) = self.watches.remove(&process) else {
            return;
        };
        for asker in watch.askers {
            fx.send(asker, verdict(process, false));
        }
    }

    /// Forgets all doubts: what was measured is not to be relied on.
    pub(crate) fn clear(&mut self) {
        self.watches.clear();
    }

    /// Whether the process is doubted.
    #[must_use]
    pub(crate) fn watches(&self, process: &ProcessId) -> bool {
        self.watches.contains_key(process)
    }

    /// Another member asks. It is answered once this process has checked for itself.
    pub(crate) fn asked(
        &mut self,
        now: Instant,
        from: ProcessId,
        suspect: ProcessId,
        fx: &mut Effects,
    ) {
        self.doubt(now, suspect, fx);
        let Some(watch) = self.watches.get_mut(&suspect) else {
            return;
        };
        if watch.silent.is_some() {
            fx.send(from, verdict(suspect, true));
        } else if watch.askers.len() < self.askers_max {
            watch.askers.insert(from);
        }
    }

    /// Another member's answer. Returns whether it is news about a watched process.
    pub(crate) fn answered(&mut self, from: ProcessId, suspect: ProcessId, silent: bool) -> bool {
        let Some(watch) = self.watches.get_mut(&suspect) else {
            return false;
        };
        if !silent {
            if watch.denied.len() < self.askers_max {
                watch.denied.insert(from);
            }
            return watch.confirmed.remove(&from);
        }
        watch.denied.remove(&from);
        let news = watch.confirmed.len() < self.askers_max && watch.confirmed.insert(from);
        if news {
            watch.round = StandingRound {
                asked: watch.round.asked,
                at: watch.round.at,
                ..StandingRound::default()
            };
        }
        news
    }

    /// Moves on what is due. Returns the processes that became silent here.
    pub(crate) fn tick(&mut self, now: Instant, fx: &mut Effects) -> Vec<ProcessId> {
        let mut found = Vec::new();
        let due: Vec<ProcessId> = self
            .watches
            .iter()
            .filter(|(_, watch)| watch.due <= now)
            .map(|(process, _)| *process)
            .collect();
        for process in due {
            let Some(watch) = self.watches.get(&process) else {
                continue;
            };
            if watch.silent.is_some() {
                self.watches.remove(&process);
            } else if watch.sent < self.pings {
                self.ping(now, process, fx);
            } else if self.conclude(now, process, fx) {
                found.push(process);
            }
        }
        found
    }

    /// What is known of a process that is silent here.
    #[must_use]
    pub(crate) fn finding(&self, process: &ProcessId) -> Option<Finding<'_>> {
        let watch = self.watches.get(process)?;
        Some(Finding {
            since: watch.since,
            silent: watch.silent?,
            confirmed: &watch.confirmed,
            denied: &watch.denied,
        })
    }

    /// How far this host is with the objects of a silent primary.
    pub(crate) fn round(&self, primary: &ProcessId) -> StandingRound {
        let watch = self.watches.get(primary);
        watch.map_or_else(Default::default, |watch| watch.round)
    }

    /// This host came so far.
    pub(crate) fn set_round(&mut self, primary: &ProcessId, round: StandingRound) {
        if let Some(watch) = self.watches.get_mut(primary) {
            watch.round = round;
        }
    }

    /// The processes that are silent here.
    #[must_use]
    pub(crate) fn silent(&self) -> Vec<ProcessId> {
        self.watches
            .iter()
            .filter(|(_, watch)| watch.silent.is_some())
            .map(|(process, _)| *process)
            .collect()
    }

    /// Whether the other members are to be asked about a process that is silent here: once,
    /// and again when `every` has passed.
    pub(crate) fn should_ask(
        &mut self,
        now: Instant,
        process: &ProcessId,
        every: Duration,
    ) -> bool {
        let Some(watch) = self.watches.get_mut(process) else {
            return false;
        };
        let due = watch.asked.is_none_or(|last| now.since(last) >= every);
        if due && watch.silent.is_some() {
            watch.asked = Some(now);
        }
        due && watch.silent.is_some()
    }

    fn open(&mut self, now: Instant, process: ProcessId) -> bool {
        if self.watches.contains_key(&process) || self.watches.len() >= self.watches_max {
            return false;
        }
        let watch = Watch {
            since: now,
            sent: 0,
            due: now,
            silent: None,
            asked: None,
            round: StandingRound::default(),
            confirmed: BTreeSet::new(),
            denied: BTreeSet::new(),
            askers: BTreeSet::new(),
        };
        self.watches.insert(process, watch);
        true
    }

    fn ping(&mut self, now: Instant, process: ProcessId, fx: &mut Effects) {
        self.next_nonce = self.next_nonce.wrapping_add(1);
        let nonce = self.next_nonce;
        if let Some(watch) = self.watches.get_mut(&process) {
            watch.sent = watch.sent.saturating_add(1);
            watch.due = now + self.ping_timeout;
            fx.send(process, Message::Ping { nonce });
        }
    }

    fn conclude(&mut self, now: Instant, process: ProcessId, fx: &mut Effects) -> bool {
        let age = self.age;
        let Some(watch) = self.watches.get_mut(&process) else {
            return false;
        };
        if watch.silent.is_some() {
            return false;
        }
        watch.silent = Some(now);
        watch.due = now + age;
        for asker in core::mem::take(&mut watch.askers) {
            fx.send(asker, verdict(process, true));
        }
        true
    }
}

fn verdict(suspect: ProcessId, silent: bool) -> Message {
    Message::Silence { suspect, silent }
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn process(number: u8) -> ProcessId {
        ProcessId {
            peer: PeerId([number; 32]),
            incarnation: Incarnation(1),
        }
    }

    fn silence() -> Silence {
        Silence::new(&Timings::default(), &Limits::default())
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn pings(fx: &Effects) -> usize {
        let ping = |(_, message): &&(_, Message)| matches!(message, Message::Ping { .. });
        fx.sends.iter().filter(ping).count()
    }

    #[test]
    fn two_unanswered_pings_make_a_process_silent() {
        let (mut silence, mut fx) = (silence(), Effects::default());
        silence.doubt(at(0), process(1), &mut fx);
        assert_eq!(pings(&fx), 1);
        assert!(silence.tick(at(299), &mut fx).is_empty());
        assert!(silence.tick(at(300), &mut fx).is_empty());
        assert_eq!(pings(&fx), 2);
        assert_eq!(silence.tick(at(600), &mut fx), [process(1)]);
        let finding = silence.finding(&process(1)).unwrap();
        assert_eq!((finding.since, finding.silent), (at(0), at(600)));
    }

    #[test]
    fn any_message_clears_the_doubt_and_answers_who_asked() {
        let (mut silence, mut fx) = (silence(), Effects::default());
        silence.asked(at(0), process(2), process(1), &mut fx);
        silence.heard(process(1), &mut fx);
        assert!(!silence.waits());
        let answer = (process(2), verdict(process(1), false));
        assert_eq!(fx.sends.last(), Some(&answer));
    }

    #[test]
    fn a_refused_dial_needs_no_ping_and_answers_who_asked() {
        let (mut silence, mut fx) = (silence(), Effects::default());
        assert!(silence.refused(at(0), process(1), &mut fx));
        assert!(!silence.refused(at(1), process(1), &mut fx));
        assert_eq!(pings(&fx), 0);
        silence.asked(at(2), process(2), process(1), &mut fx);
        assert_eq!(fx.sends, [(process(2), verdict(process(1), true))]);
    }

    #[test]
    fn a_finding_grows_old() {
        let (mut silence, mut fx) = (silence(), Effects::default());
        silence.refused(at(0), process(1), &mut fx);
        assert!(silence.finding(&process(1)).is_some());
        silence.tick(at(5_000), &mut fx);
        assert!(silence.finding(&process(1)).is_none() && !silence.waits());
    }

    #[test]
    fn others_confirm_and_take_back() {
        let (mut silence, mut fx) = (silence(), Effects::default());
        assert!(!silence.answered(process(2), process(1), true), "not asked");
        silence.refused(at(0), process(1), &mut fx);
        assert!(silence.answered(process(2), process(1), true));
        assert_eq!(silence.finding(&process(1)).unwrap().confirmed.len(), 1);
        assert!(silence.answered(process(2), process(1), false));
        assert!(silence.finding(&process(1)).unwrap().confirmed.is_empty());
    }

    #[test]
    fn the_number_of_doubted_processes_is_bounded() {
        let limits = Limits {
            watches: 2,
            ..Limits::default()
        };
        let mut silence = Silence::new(&Timings::default(), &limits);
        let mut fx = Effects::default();
        for number in 1..=5 {
            silence.doubt(at(0), process(number), &mut fx);
        }
        assert_eq!(pings(&fx), 2);
    }
}
