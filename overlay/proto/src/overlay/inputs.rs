//! What each kind of input does.

use rand::RngExt;

use super::{LIST_MAX, Overlay, Phase};
use crate::founding::Surroundings;
use crate::id::{PeerId, ProcessId};
use crate::interface::{Command, Event, Outbox, Timer};
use crate::machine::LinkDown;
use crate::membership::Cx;
use crate::message::{GossipBatch, Message};
use crate::time::{Duration, Instant};

/// A timer may be early by less than this: drivers count in milliseconds.
pub(super) const TIMER_EARLY_MAX: Duration = Duration::from_millis(2);

impl Overlay {
    pub(super) fn on_command(&mut self, now: Instant, command: Command, out: &mut impl Outbox) {
        let unix_ms = self.unix_ms(now);
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        match command {
            Command::Announce(content) => self.membership.announce(cx, content, unix_ms),
            Command::Gossip(bytes) => match GossipBatch::decode(&bytes) {
                Ok(batch) => self.on_gossip(now, &batch, out),
                Err(_) => self.membership.counters_mut().refused += 1,
            },
            Command::News(batch) => self.on_gossip(now, &batch, out),
            Command::Introduce(records) => self.introduce(now, &records, out),
            Command::RegistryAnswered { cluster } => {
                self.founding.registry_answered();
                if let Some(cluster) = cluster {
                    self.founding.learn(cluster, None, out);
                }
            }
            Command::NeedCluster => self.founding.need(now, out),
            Command::UpdateCluster(cluster) => self.founding.learn(cluster, None, out),
            Command::LinkUsed(process) => self.links.used(now, &process),
            Command::Heard(process) => {
                self.links.heard(now, &process, false);
                let cx = &mut Cx {
                    now,
                    links: &self.links,
                    out,
                };
                self.membership.on_heard(cx, &process);
            }
            Command::DialFailed { peer, reason } => self.on_dial_failed(now, peer, reason, out),
            Command::Leave => {
                self.phase = Phase::Leaving;
                self.membership.leave(cx);
            }
        }
    }

    fn on_gossip(&mut self, now: Instant, batch: &GossipBatch, out: &mut impl Outbox) {
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        self.membership.on_gossip(cx, batch);
        if let Some(cluster) = &batch.cluster {
            self.founding.learn(cluster.clone(), None, out);
        }
    }

    /// Whether a message is a reason to keep its link.
    fn is_use(&self, from: &ProcessId, message: &Message) -> bool {
        match message {
            Message::Probe { .. } => true,
            // It answers a probe: the link is kept for that already.
            Message::Ack { .. } => false,
            _ => !self.membership.is_living(from),
        }
    }

    pub(super) fn on_message(
        &mut self,
        now: Instant,
        from: ProcessId,
        message: Message,
        out: &mut impl Outbox,
    ) {
        let is_use = self.is_use(&from, &message);
        self.links.heard(now, &from, is_use);
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        let membership = &mut self.membership;
        membership.on_heard(cx, &from);
        match message {
            Message::Greeting {
                record,
                digest,
                cluster,
            } => {
                membership.on_greeting(cx, from, record.as_ref(), digest);
                self.contacts.remove(&from.peer);
                self.ungreeted.remove(&from);
                if let Some(cluster) = cluster {
                    self.founding.learn(cluster, Some(from), out);
                }
            }
            Message::Probe { nonce, suspected } => {
                membership.on_probe(cx, from, nonce, suspected);
            }
            Message::Ack { nonce } => membership.on_ack(cx, from, nonce),
            Message::ProbeRequest { nonce, target } => {
                membership.on_probe_request(cx, from, nonce, target);
            }
            Message::ProbeReport { nonce, reached } => {
                membership.on_probe_report(cx, nonce, reached);
            }
            Message::Sync { digest, cluster } => {
                membership.compare(cx, from, digest);
                self.founding.compare(from, cluster, out);
            }
            Message::Buckets { hashes } => membership.on_buckets(cx, from, &hashes),
            Message::Summary { buckets, entries } => {
                membership.on_summary(cx, from, &buckets, entries);
            }
            Message::Records { entries, want } => {
                membership.on_records(cx, from, entries, &want);
                self.plan_upkeep(now, out);
            }
            Message::GetList { limit } => {
                let records = self.list(usize::try_from(limit.min(LIST_MAX)).unwrap_or_default());
                let cluster = self.founding.cluster().cloned();
                out.send(from, Message::List { records, cluster });
            }
            Message::List { records, cluster } => {
                self.introduce(now, &records, out);
                if let Some(cluster) = cluster {
                    self.founding.learn(cluster, Some(from), out);
                }
            }
            Message::ClusterRequest => self.founding.on_request(now, from, out),
            Message::Cluster(cluster) => self.founding.learn(cluster, Some(from), out),
            Message::Goodbye { sequence } => {
                membership.on_left(cx, from, sequence);
            }
        }
    }

    pub(super) fn on_timer(&mut self, now: Instant, timer: Timer, out: &mut impl Outbox) {
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        match timer {
            Timer::ProbeRound => {
                self.membership.on_probe_round(cx);
                self.upkeep(now, out);
            }
            Timer::Upkeep => {
                if self.upkeep_at.is_some_and(|at| at <= now + TIMER_EARLY_MAX) {
                    self.upkeep(now, out);
                }
            }
            Timer::Tick => {
                if self.tick_at.is_some_and(|at| now + TIMER_EARLY_MAX < at) {
                    return;
                }
                self.tick_at = None;
                self.membership.on_tick(cx);
                if !self.founding.pending() {
                    return;
                }
                let around = Surroundings {
                    role: self.role,
                    introductions_open: self.introductions_open(),
                    unix_ms: self.unix_ms(now),
                };
                let living = self.membership.living_processes();
                self.founding.tick(now, &around, living, out);
            }
            Timer::Flush => self.membership.flush(cx),
            Timer::LeaveDone => {
                if self.phase == Phase::Leaving {
                    self.phase = Phase::Left;
                    out.emit(Event::Left);
                }
            }
        }
    }

    pub(super) fn on_link_up(&mut self, now: Instant, process: ProcessId, out: &mut impl Outbox) {
        if !self.links.up(now, process) {
            out.emit(Event::Close(process));
            return;
        }
        self.dials.succeeded(&process.peer);
        self.ungreeted.insert(process);
        self.founding.discovered(now);
        let greeting = Message::Greeting {
            record: self.membership.own_record(),
            digest: self.membership.digest(),
            cluster: self.founding.cluster().cloned(),
        };
        out.send(process, greeting);
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        self.membership.on_link_up(cx, process);
    }

    pub(super) fn on_link_down(
        &mut self,
        now: Instant,
        process: ProcessId,
        reason: LinkDown,
        out: &mut impl Outbox,
    ) {
        self.ungreeted.remove(&process);
        let was_up = self.links.down(&process);
        if !was_up || reason != LinkDown::Closed {
            let jitter = self.rng.random();
            self.dials.failed(now, process.peer, jitter);
        }
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        self.membership.on_link_down(cx, process, reason);
        self.hasten_upkeep(now, out);
    }

    fn on_dial_failed(
        &mut self,
        now: Instant,
        peer: PeerId,
        reason: LinkDown,
        out: &mut impl Outbox,
    ) {
        let jitter = self.rng.random();
        let member = self.dials.failed(now, peer, jitter);
        self.contacts.failed(&peer);
        self.hasten_upkeep(now, out);
        if let Some(process) = member.filter(|process| !self.links.is_up(process)) {
            let cx = &mut Cx {
                now,
                links: &self.links,
                out,
            };
            self.membership.on_link_down(cx, process, reason);
        }
    }
}
