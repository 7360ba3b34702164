//! The overlay machine: membership, connections and founding composed.

#[cfg(test)]
mod tests;
mod upkeep;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cluster::ClusterRecord;
use crate::config::OverlayConfig;
use crate::connections::{Contacts, Dials, Links};
use crate::counters::Counters;
use crate::founding::{Founding, Surroundings};
use crate::id::{PeerId, ProcessId};
use crate::interface::{Command, Event, Role, Timer};
use crate::machine::{Input, LinkDown, Machine, Sink};
use crate::member::{BoxedKeys, SignedRecord};
use crate::membership::{Cx, Membership};
use crate::message::{GossipBatch, Message};
use crate::time::Instant;
use crate::view::MembershipView;

/// Records in one answer to [`Message::GetList`].
const LIST_MAX: u32 = 64;

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
    phase: Phase,
    tick_set: bool,
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
            phase: Phase::Fresh,
            tick_set: false,
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

    /// The view as last emitted.
    #[must_use]
    pub fn view(&self) -> &MembershipView {
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

    /// The own record as others have it; none before the first announcement or from a client.
    #[must_use]
    pub fn own_record(&self) -> Option<SignedRecord> {
        self.membership.own_record()
    }

    /// Up to `limit` living members other than this node, for the answer to a `list` request.
    #[must_use]
    pub fn list(&mut self, limit: usize) -> Vec<SignedRecord> {
        self.membership.sample(limit)
    }

    fn on_command(
        &mut self,
        now: Instant,
        command: Command,
        out: &mut impl Sink<Message, Timer, Event>,
    ) {
        let unix_ms = self.unix_ms(now);
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        match command {
            Command::Announce(content) => self.membership.announce(cx, content, unix_ms),
            Command::Gossip(bytes) => match GossipBatch::decode(&bytes) {
                Ok(mut batch) => {
                    let cluster = batch.cluster.take();
                    self.membership.on_gossip(cx, batch);
                    if let Some(cluster) = cluster {
                        self.founding.learn(cluster, None, out);
                    }
                }
                Err(_) => self.membership.counters_mut().refused += 1,
            },
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
                self.links.heard(now, &process);
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

    fn on_message(
        &mut self,
        now: Instant,
        from: ProcessId,
        message: Message,
        out: &mut impl Sink<Message, Timer, Event>,
    ) {
        self.links.heard(now, &from);
        if matches!(message, Message::Probe { .. }) || !self.membership.is_living(&from) {
            self.links.used(now, &from);
        }
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
            }
            Message::GetList { limit } => {
                let limit = usize::try_from(limit.min(LIST_MAX)).unwrap_or_default();
                let records = membership.sample(limit);
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

    fn on_timer(&mut self, now: Instant, timer: Timer, out: &mut impl Sink<Message, Timer, Event>) {
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        match timer {
            Timer::ProbeRound => self.membership.on_probe_round(cx),
            Timer::Upkeep => {
                self.membership.upkeep(cx);
                self.membership.sync_if_due(cx, self.founding.version());
                self.upkeep(now, out);
                out.set_timer(Timer::Upkeep, self.config.connections.upkeep_period);
            }
            Timer::Tick => {
                self.tick_set = false;
                self.membership.on_tick(cx);
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

    fn on_link_up(
        &mut self,
        now: Instant,
        process: ProcessId,
        out: &mut impl Sink<Message, Timer, Event>,
    ) {
        self.links.up(now, process);
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

    fn on_link_down(
        &mut self,
        now: Instant,
        process: ProcessId,
        reason: LinkDown,
        out: &mut impl Sink<Message, Timer, Event>,
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
    }

    fn on_dial_failed(
        &mut self,
        now: Instant,
        peer: PeerId,
        reason: LinkDown,
        out: &mut impl Sink<Message, Timer, Event>,
    ) {
        let jitter = self.rng.random();
        self.dials.failed(now, peer, jitter);
        self.contacts.failed(&peer);
        let process = self
            .membership
            .entry(&peer)
            .map(|entry| entry.record.process);
        if let Some(process) = process.filter(|process| !self.links.is_up(process)) {
            let cx = &mut Cx {
                now,
                links: &self.links,
                out,
            };
            self.membership.on_link_down(cx, process, reason);
        }
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
    fn settle(&mut self, now: Instant, out: &mut impl Sink<Message, Timer, Event>) {
        if let Some(cluster) = self.founding.take_news() {
            self.membership.publish_cluster(cluster);
        }
        if self.membership.take_rings_changed() {
            self.link_watched(now, out);
        }
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        self.membership.settle(cx);
        if !self.tick_set && (self.membership.pending() || self.founding.pending()) {
            self.tick_set = true;
            let tick = self.config.membership.tick;
            self.membership.expect_tick(now + tick);
            out.set_timer(Timer::Tick, tick);
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
            out.set_timer(Timer::Upkeep, self.config.connections.upkeep_period);
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
