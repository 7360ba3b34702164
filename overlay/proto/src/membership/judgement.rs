//! Doubts about silent members: who doubts whom, who is told, who is declared dead.

use super::{Cx, Membership};
use crate::id::ProcessId;
use crate::interface::{Outbox, Role};
use crate::member::MemberState;
use crate::message::{MembershipEvent, Message};
use crate::time::Instant;

impl Membership {
    /// An observer doubts a process. Whether that was news.
    pub(super) fn on_suspect<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        process: ProcessId,
        sequence: u64,
        observer: ProcessId,
        refused: bool,
    ) -> bool {
        if process == self.me {
            self.refute(cx, sequence);
            return false;
        }
        let entry = self.table.living_process(&process);
        if observer == self.me
            || entry.is_none_or(|entry| sequence < entry.sequence)
            || self.table.living_process(&observer).is_none()
        {
            return false;
        }
        let first = !self.suspicions.contains(&process);
        let news = self.suspicions.vote(cx.now, process, observer, refused);
        self.suspicions.concerns(&process, sequence);
        if first {
            self.doubt(cx, process);
        }
        news
    }

    /// `from` knows that enough observers declared `process` dead, of which this node heard
    /// nothing: gossip was lost, or the two were apart. The process gets the time of a
    /// suspicion to say that it lives, which after a partition it will.
    pub(super) fn on_claimed_dead<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        process: ProcessId,
        sequence: u64,
        from: ProcessId,
    ) {
        let recent = self.config.probe_period * 2;
        let heard = cx.links.last_heard(&process);
        if heard.is_some_and(|at| cx.now.since(at) < recent) {
            let nonce = self.probes.nonce();
            cx.out.send(
                process,
                Message::Probe {
                    nonce,
                    suspected: Some(sequence),
                },
            );
            return;
        }
        let first = !self.suspicions.contains(&process);
        self.suspicions.certify(cx.now, process, from);
        self.suspicions.concerns(&process, sequence);
        if first {
            self.doubt(cx, process);
            let (observer, refused) = (self.me, false);
            let event = MembershipEvent::Suspect {
                process,
                sequence,
                observer,
                refused,
            };
            self.news.push(event, process.peer);
        }
    }

    /// A newer record of a process in the view arrived. Whether nobody doubts it any more: a
    /// record that is no newer than the doubt was only late.
    pub(super) fn settle_doubt(
        &mut self,
        now: Instant,
        process: &ProcessId,
        sequence: u64,
    ) -> bool {
        if self
            .suspicions
            .sequence(process)
            .is_some_and(|doubted| sequence <= doubted)
        {
            return false;
        }
        if self.suspicions.has_vote(process, &self.me) {
            self.probes.refuted(now, process);
            self.health.worsen();
        }
        self.suspicions.close(process);
        true
    }

    /// Says the doubts that were delayed, and that others did not say meanwhile.
    pub(super) fn say_delayed_doubts(&mut self, now: Instant) {
        for (peer, event) in self.news.due_doubts(now) {
            let MembershipEvent::Suspect { process, .. } = &event else {
                continue;
            };
            if self.suspicions.lacks_votes(process, self.table.living()) {
                self.news.push(event, peer);
            }
        }
    }

    /// Doubts `process` and says so. If its connection was refused, so were those of all others
    /// that are linked with it: those that watch it speak first.
    pub(super) fn suspect<O: Outbox>(
        &mut self,
        cx: &mut Cx<'_, O>,
        process: ProcessId,
        refused: bool,
    ) {
        let Some(entry) = self.table.living_process(&process) else {
            return;
        };
        let quiet = self.probes.muted(cx.now, &process) || self.probes.mostly_failing();
        if process == self.me || self.role == Role::Client || self.own.is_none() || quiet {
            return;
        }
        let sequence = entry.sequence;
        let first = !self.suspicions.contains(&process);
        let news = self.suspicions.vote(cx.now, process, self.me, refused);
        self.suspicions.concerns(&process, sequence);
        let after = self.config.suspicion_min * self.config.suspicion_max_factor;
        if self.probes.repeat_doubt(cx.now, &process, after) || news {
            self.counters.suspicions += u64::from(news);
            let observer = self.me;
            let event = MembershipEvent::Suspect {
                process,
                sequence,
                observer,
                refused,
            };
            if refused && !self.probes.watches(&process) {
                let delay = self.config.doubt_delay;
                let due = cx.now + delay + self.random_part(delay);
                let limit = self.config.relays_max;
                self.news.delay_doubt(event, process.peer, due, limit);
            } else {
                self.news.push(event, process.peer);
            }
        }
        if first {
            self.doubt(cx, process);
        }
    }

    /// `process` is in doubt from now on: the view says so, and the process hears of it on
    /// the shortest way. Whoever watches it looks at once, which brings further votes early.
    fn doubt<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, process: ProcessId) {
        self.table.update(&process.peer, |entry| {
            entry.member.state = MemberState::Suspect;
        });
        self.view_moved();
        if self.probes.watches(&process) {
            self.probe(cx, process);
        } else {
            self.tell_suspected(cx, process);
        }
    }

    pub(super) fn tell_suspected<O: Outbox>(&mut self, cx: &mut Cx<'_, O>, process: ProcessId) {
        let suspected = self.suspicions.sequence(&process);
        if suspected.is_some() && cx.links.is_up(&process) {
            let nonce = self.probes.nonce();
            cx.out.send(process, Message::Probe { nonce, suspected });
        }
    }

    /// Declares dead whoever is due.
    pub(super) fn judge<O: Outbox>(&mut self, cx: &mut Cx<'_, O>) {
        if self.suspicions.is_empty() {
            return;
        }
        let verdicts = self.suspicions.decide(cx.now, self.table.living());
        self.counters.storms += u64::from(verdicts.storm);
        self.ask_about(cx, &verdicts.ask);
        for process in verdicts.acquitted {
            self.suspicions.close(&process);
            self.clear(&process);
        }
        for process in verdicts.dead {
            self.counters.deaths_declared += 1;
            let sequence = self.suspicions.sequence(&process).unwrap_or_default();
            self.suspicions.close(&process);
            self.depart(cx, process, MemberState::Dead, sequence, cx.now);
        }
    }

    pub(super) fn clear(&mut self, process: &ProcessId) {
        if self.table.living_process(process).is_some() {
            self.table.update(&process.peer, |entry| {
                entry.member.state = MemberState::Alive;
            });
            self.view_moved();
        }
    }
}
