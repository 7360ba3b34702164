//! Founding: how the members of an unfounded overlay agree on one cluster, and what happens
//! when two clusters meet.
//!
//! Agreement cannot be had among members that do not know each other, only waited for: a node
//! that needs a cluster listens for a while, then asks the living member with the smallest
//! peer id to found one. Young clusters that meet merge.

use alloc::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cluster::ClusterRecord;
use crate::config::FoundingConfig;
use crate::id::{ClusterId, PeerId, ProcessId};
use crate::interface::{Event, Outbox, Role};
use crate::message::Message;
use crate::tables::Table;
use crate::time::Instant;

/// Processes that wait for an answer of ours.
const ASKERS_MAX: usize = 64;
/// Foreign clusters that were reported and are not reported again.
const CONFLICTS_MAX: usize = 16;
/// Members that did not found in time and are remembered for it; after that all are asked again.
const PASSED_MAX: usize = 1024;

/// What a node knows of its cluster, and how it comes to one.
#[derive(Debug)]
pub struct Founding {
    config: FoundingConfig,
    me: ProcessId,
    rng: ChaCha8Rng,
    cluster: Option<ClusterRecord>,
    news: Option<ClusterRecord>,
    registry_answered: bool,
    /// When discovery began.
    began_at: Option<Instant>,
    discovered_at: Instant,
    need: Option<Need>,
    askers: BTreeSet<ProcessId>,
    conflicts: VecDeque<ClusterId>,
}

#[derive(Debug)]
struct Need {
    since: Instant,
    /// Who was asked to found, and until when its answer is awaited.
    asked: Option<(ProcessId, Instant)>,
    passed: BTreeSet<PeerId>,
}

impl Need {
    /// `silent` did not found in time.
    fn pass(&mut self, silent: PeerId) {
        if self.passed.len() >= PASSED_MAX {
            self.passed.clear();
        }
        self.passed.insert(silent);
    }
}

/// What founding must know of the rest of the machine.
#[derive(Debug)]
pub struct Surroundings {
    /// Whether this node may found.
    pub role: Role,
    /// Introduced peers wait to be reached.
    pub introductions_open: bool,
    /// The time, in Unix milliseconds.
    pub unix_ms: u64,
}

impl Founding {
    /// Knows no cluster and needs none yet.
    #[must_use]
    pub fn new(config: FoundingConfig, me: ProcessId, seed: u64) -> Self {
        Self {
            config,
            me,
            rng: ChaCha8Rng::seed_from_u64(seed),
            cluster: None,
            news: None,
            registry_answered: false,
            began_at: None,
            discovered_at: Instant::ZERO,
            need: None,
            askers: BTreeSet::new(),
            conflicts: VecDeque::new(),
        }
    }

    /// The cluster, if known.
    #[must_use]
    pub fn cluster(&self) -> Option<&ClusterRecord> {
        self.cluster.as_ref()
    }

    /// Its id and the version of its root hint.
    #[must_use]
    pub fn version(&self) -> Option<(ClusterId, u64)> {
        self.cluster
            .as_ref()
            .map(|cluster| (cluster.id, cluster.root_version))
    }

    /// How full its tables are.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        let passed = self.need.as_ref().map_or(0, |need| need.passed.len());
        [
            Table::new("founding.askers", self.askers.len(), ASKERS_MAX),
            Table::new("founding.conflicts", self.conflicts.len(), CONFLICTS_MAX),
            Table::new("founding.passed", passed, PASSED_MAX),
        ]
        .into_iter()
    }

    /// A record to gossip, once.
    pub fn take_news(&mut self) -> Option<ClusterRecord> {
        self.news.take()
    }

    /// Whether a deadline is pending.
    #[must_use]
    pub fn pending(&self) -> bool {
        self.need.is_some()
    }

    /// Discovery brought something, or began.
    pub fn discovered(&mut self, now: Instant) {
        self.began_at.get_or_insert(now);
        self.discovered_at = now;
    }

    /// A configured registry answered.
    pub fn registry_answered(&mut self) {
        self.registry_answered = true;
    }

    /// The layer above needs a cluster.
    pub fn need(&mut self, now: Instant, out: &mut impl Outbox) {
        match &self.cluster {
            Some(cluster) => out.emit(Event::Cluster(cluster.clone())),
            None => self.begin(now),
        }
    }

    /// A linked process asks for the cluster.
    pub fn on_request(&mut self, now: Instant, from: ProcessId, out: &mut impl Outbox) {
        match &self.cluster {
            Some(cluster) => out.send(from, Message::Cluster(cluster.clone())),
            None => {
                if self.askers.len() < ASKERS_MAX {
                    self.askers.insert(from);
                }
                self.begin(now);
            }
        }
    }

    /// Another knows of this version of a cluster: if it is not the one known here, asks for
    /// it or corrects the other.
    pub fn compare(
        &mut self,
        from: ProcessId,
        theirs: Option<(ClusterId, u64)>,
        out: &mut impl Outbox,
    ) {
        match (&self.cluster, theirs) {
            (Some(ours), None) => out.send(from, Message::Cluster(ours.clone())),
            (Some(ours), Some((id, version))) if ours.id == id => {
                if ours.root_version > version {
                    out.send(from, Message::Cluster(ours.clone()));
                } else if ours.root_version < version {
                    out.send(from, Message::ClusterRequest);
                }
            }
            (Some(_), Some((id, _))) if self.conflicts.contains(&id) => {}
            (_, Some(_)) => out.send(from, Message::ClusterRequest),
            (None, None) => {}
        }
    }

    /// A record arrived, from a link if `from` is given, else by gossip, from a registry or
    /// from the layer above.
    pub fn learn(&mut self, theirs: ClusterRecord, from: Option<ProcessId>, out: &mut impl Outbox) {
        if !theirs.within_limits() {
            return;
        }
        let Some(ours) = &self.cluster else {
            self.adopt(theirs, out);
            return;
        };
        if ours.id == theirs.id {
            if theirs.root_version > ours.root_version {
                self.adopt(theirs, out);
            }
            return;
        }
        let apart_ms = u128::from(ours.founded_at_ms.abs_diff(theirs.founded_at_ms));
        if apart_ms > self.config.merge_window.as_millis() {
            self.report_conflict(theirs, out);
        } else if theirs.wins_over(ours) {
            let lost = ours.clone();
            out.emit(Event::ClusterMerged {
                lost,
                won: theirs.clone(),
            });
            self.adopt(theirs, out);
        } else if let Some(from) = from {
            out.send(from, Message::Cluster(ours.clone()));
        } else {
            self.news = Some(ours.clone());
        }
    }

    /// Founds or asks, when it is time to. `living` are the members in the view, sorted by
    /// peer.
    pub fn tick(
        &mut self,
        now: Instant,
        around: &Surroundings,
        living: impl Iterator<Item = ProcessId>,
        out: &mut impl Outbox,
    ) {
        if !self.is_time(now, around) {
            return;
        }
        let Some(need) = &mut self.need else { return };
        match need.asked {
            Some((_, until)) if now < until => return,
            Some((silent, _)) => need.pass(silent.peer),
            None => {}
        }
        need.asked = None;
        let mut candidates = living.filter(|process| !need.passed.contains(&process.peer));
        match candidates.next() {
            Some(chosen) if chosen == self.me && around.role == Role::Member => {
                self.found(around.unix_ms, out);
            }
            Some(chosen) => {
                need.asked = Some((chosen, now + self.config.patience));
                out.send(chosen, Message::ClusterRequest);
            }
            None => need.passed.clear(),
        }
    }

    fn begin(&mut self, now: Instant) {
        self.need.get_or_insert_with(|| Need {
            since: now,
            asked: None,
            passed: BTreeSet::new(),
        });
    }

    fn is_time(&self, now: Instant, around: &Surroundings) -> bool {
        let Some(need) = &self.need else { return false };
        let quiet = now.since(self.discovered_at) >= self.config.quiet;
        let began_at = self.began_at.unwrap_or(need.since);
        let settled = if self.config.registry_configured {
            // One that has not answered since discovery began is not waited for once more.
            self.registry_answered || (quiet && now.since(began_at) >= self.config.wait_max)
        } else {
            quiet
        };
        let waited = now.since(need.since) >= self.config.wait_max;
        waited || (settled && !around.introductions_open)
    }

    fn found(&mut self, unix_ms: u64, out: &mut impl Outbox) {
        let cluster = ClusterRecord {
            id: ClusterId(self.rng.random()),
            founder: self.me,
            founded_at_ms: unix_ms,
            root_version: 0,
            root: Bytes::new(),
        };
        self.adopt(cluster, out);
    }

    fn adopt(&mut self, cluster: ClusterRecord, out: &mut impl Outbox) {
        self.need = None;
        for asker in core::mem::take(&mut self.askers) {
            out.send(asker, Message::Cluster(cluster.clone()));
        }
        self.conflicts.retain(|id| *id != cluster.id);
        self.news = Some(cluster.clone());
        self.cluster = Some(cluster.clone());
        out.emit(Event::Cluster(cluster));
    }

    fn report_conflict(&mut self, theirs: ClusterRecord, out: &mut impl Outbox) {
        let Some(ours) = &self.cluster else { return };
        if self.conflicts.contains(&theirs.id) {
            return;
        }
        if self.conflicts.len() >= CONFLICTS_MAX {
            self.conflicts.pop_front();
        }
        self.conflicts.push_back(theirs.id);
        out.emit(Event::ClusterConflict {
            ours: ours.clone(),
            theirs,
        });
    }
}

#[cfg(test)]
mod tests;
