//! Failure detection: probing the watched members, with the help of others.

use alloc::vec::Vec;

use rand::RngExt;

use super::probe::{Answered, Overdue};
use super::{Cx, Membership};
use crate::id::ProcessId;
use crate::interface::{Outbox, Timer};
use crate::machine::LinkDown;
use crate::member::MemberState;
use crate::message::{MembershipEvent, Message};
use crate::time::{Duration, Instant};

impl Membership {
    /// The probe timer fired: probes every watched member that was silent for half a period.
    /// Half, as the answer to the last probe came just after the last round.
    pub fn on_probe_round<O: Outbox>(&mut self, cx: &mut Cx<'_, O>) {
        let period = self.config.probe_period;
        self.check_lateness(cx.now, self.schedule.round_expected);
        self.schedule.round_expected = Some(cx.now + period);
        cx.out.set_timer(Timer::ProbeRound, period);
        if self.own.is_none() {
            return;
        }
        let watched: Vec<ProcessId> = self.watched().copied().collect();
        for target in watched {
            let heard = cx.links.last_heard(&target);
            let doubtful = self.probes.conclude(cx.now, &target, heard);
            if doubtful || heard.is_none_or(|at| cx.now.since(at) >= period / 2) {
                self.probe(cx, target);
                self.probe_judged(cx, target);
            }
            if self.probes.is_failing(&target) {
                self.suspect(cx, target, false);
            }
        }
    }

    /// The tick timer is set and expected at this time.
    pub fn expect_tick(&mut self, at: Instant) {
        self.schedule.tick_expected = Some(at);
    }

    /// Looks after everything with a deadline.
    pub fn on_tick<O: Outbox>(&mut self, cx: &mut Cx<'_, O>) {
        let expected = self.schedule.tick_expected.take();
        self.check_lateness(cx.now, expected);
        for overdue in self
            .probes
            .overdue(cx.now, |process| cx.links.last_heard(process))
        {
            match overdue {
                Overdue::Direct(target) => self.probe_indirectly(cx, target),
                Overdue::Indirect(target) => self.suspect(cx, target, false),
                Overdue::Relayed { requester, nonce } => {
                    cx.out.send(
                        requester,
                        Message::ProbeReport {
                            nonce,
                            reached: false,
                        },
                    );
                }
            }
        }
        self.refute_late(cx);
        self.say_delayed_doubts(cx.now);
        for peer in self.news.due_relays(cx.now) {
            let entry = self
                .table
                .get(&peer)
                .filter(|entry| entry.is_living() && !entry.gossiped);
            if let Some(entry) = entry {
                self.news
                    .push(MembershipEvent::Alive(entry.signed.clone()), peer);
            }
        }
        self.judge(cx);
    }

    /// Somebody asks whether this node is there, and may tell it that it is suspected.
    pub fn on_probe<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        from: ProcessId,
        nonce: u64,
        suspected: Option<u64>,
    ) {
        cx.out.send(from, Message::Ack { nonce });
        if let Some(sequence) = suspected {
            self.refute(cx, sequence);
            let entries = self.own_entry();
            if !entries.is_empty() {
                cx.out.send(
                    from,
                    Message::Records {
                        entries,
                        want: Vec::new(),
                    },
                );
            }
        }
    }

    /// A probe was answered.
    pub fn on_ack<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, from: ProcessId, nonce: u64) {
        match self.probes.answer(cx.now, &from, nonce) {
            Answered::Watched => self.health.improve(),
            Answered::Relayed { requester, nonce } => {
                cx.out.send(
                    requester,
                    Message::ProbeReport {
                        nonce,
                        reached: true,
                    },
                );
            }
            Answered::Late => {}
        }
    }

    /// Another member cannot reach `target` and asks this one to try.
    pub fn on_probe_request<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        from: ProcessId,
        nonce: u64,
        target: ProcessId,
    ) {
        if self.table.living_process(&target).is_none() || target == self.me {
            return;
        }
        match self.probes.relay(cx.now, from, nonce, target) {
            Some(nonce) => cx.out.send(
                target,
                Message::Probe {
                    nonce,
                    suspected: None,
                },
            ),
            None => cx.out.send(
                from,
                Message::ProbeReport {
                    nonce,
                    reached: false,
                },
            ),
        }
    }

    /// A helper reports on an indirect probe.
    pub fn on_probe_report<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, nonce: u64, reached: bool) {
        if let Some(target) = self.probes.report(nonce, reached) {
            self.suspect(cx, target, false);
        }
    }

    /// Something arrived from `process`: our own doubt about it is settled, unless it is that
    /// what arrives is late again and again.
    pub fn on_heard<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, process: &ProcessId) {
        if !self.suspicions.has_vote(process, &self.me) {
            return;
        }
        // The next probe tells it. To answer each message of it with another would go on for ever.
        if self.probes.is_failing(process) {
            return;
        }
        self.tell_suspected(cx, *process);
        if self.suspicions.withdraw(process, &self.me) {
            self.clear(process);
        }
    }

    /// A link is down, or one could not be made.
    pub fn on_link_down<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        process: ProcessId,
        reason: LinkDown,
    ) {
        match reason {
            LinkDown::Refused => {
                self.probes.cancel(&process);
                self.probes.hasten(cx.now, &process);
                self.suspect(cx, process, true);
            }
            LinkDown::Unreachable => {
                self.probe(cx, process);
                self.probes.hasten(cx.now, &process);
            }
            LinkDown::Closed => {}
        }
    }

    /// Starts a direct probe of a watched member, unless one is under way.
    pub(super) fn probe<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, target: ProcessId) {
        let linked = cx.links.is_up(&target);
        let Some(nonce) = self.probes.start(cx.now, &target, linked, self.health) else {
            return;
        };
        let suspected = self.suspicions.sequence(&target);
        self.counters.probes_sent += 1;
        cx.out.send(target, Message::Probe { nonce, suspected });
    }

    /// Probes a watched member beside a probe that is under way for long already, to know
    /// whether it answers in time.
    fn probe_judged<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, target: ProcessId) {
        if let Some(nonce) = self.probes.start_judged(cx.now, &target) {
            let suspected = self.suspicions.sequence(&target);
            self.counters.probes_sent += 1;
            cx.out.send(target, Message::Probe { nonce, suspected });
        }
    }

    /// A direct probe failed: asks others to try, if there are any.
    fn probe_indirectly<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, target: ProcessId) {
        self.counters.probes_missed += 1;
        self.health.worsen();
        let mut helpers: Vec<ProcessId> = cx
            .links
            .iter()
            .filter(|process| **process != target && self.is_sound(process))
            .copied()
            .collect();
        let wanted = self.config.indirect_probes.min(helpers.len());
        for place in 0..wanted {
            let other = self.rng.random_range(place..helpers.len());
            helpers.swap(place, other);
        }
        helpers.truncate(wanted);
        let nonce = self.probes.ask(cx.now, &target, helpers.len(), self.health);
        match nonce {
            Some(nonce) if !helpers.is_empty() => {
                for helper in helpers {
                    self.counters.indirect_probes_sent += 1;
                    cx.out.send(helper, Message::ProbeRequest { nonce, target });
                }
            }
            _ => {
                self.probes.cancel(&target);
                self.suspect(cx, target, false);
            }
        }
    }

    fn is_sound(&self, process: &ProcessId) -> bool {
        let entry = self.table.living_process(process);
        entry.is_some_and(|entry| entry.member.state == MemberState::Alive)
    }

    /// A timer later than allowed says that this node itself was slow or stopped: it trusts its
    /// own deadlines less, and gives back the time that it lost.
    fn check_lateness(&mut self, now: Instant, expected: Option<Instant>) {
        let late: Duration = expected.map_or(Duration::ZERO, |expected| now.since(expected));
        if late > self.config.late_timer {
            self.health.worsen();
            self.probes.postpone(late);
            self.suspicions.postpone(late);
        }
    }
}
