//! Membership as the object layer sees it: views that lag, differ and are sometimes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use objects_proto::objects::Objects;
use overlay_proto::member::{HostedKind, MemberRecord, MemberState};
use overlay_proto::view::{Member, MembershipView};
use overlay_proto::{Duration, Instant, ProcessId};

use super::journal::{KIND_VERSION, KINDS, NEWER_VERSION, WEAK};
use crate::kernel::Kernel;
use crate::seed::{Dice, Seed};

/// The views of all nodes.
#[derive(Debug)]
pub struct Hints {
    /// Nodes below this number host objects; the others only call.
    hosts: u32,
    /// The host that has a newer version of all kinds.
    newer: Option<u32>,
    /// Hosts that no other one has in its view.
    shunned: BTreeSet<u32>,
    /// A host unheard of for this long is dropped.
    dead_after: Duration,
    /// How often a host is dropped for no reason, per look.
    errors: f64,
    /// When an observer last reached a process, and the stamp that it heard.
    heard: BTreeMap<(ProcessId, ProcessId), (Instant, u64)>,
    given: BTreeMap<ProcessId, Vec<(u32, ProcessId, u64)>>,
    version: u64,
    dice: Dice,
}

impl Hints {
    /// Views of `hosts` hosts.
    #[must_use]
    pub fn new(hosts: u32, seed: Seed) -> Self {
        let mut dice = seed.child("hints").dice();
        Self {
            hosts,
            newer: None,
            shunned: BTreeSet::new(),
            dead_after: Duration::from_millis(dice.between(1_500, 6_000)),
            errors: if dice.chance(0.5) {
                0.0
            } else {
                0.01 * dice.unit()
            },
            heard: BTreeMap::new(),
            given: BTreeMap::new(),
            version: 0,
            dice,
        }
    }

    /// The same of hosts of which one has a newer version of all kinds.
    #[must_use]
    pub fn with_newer(self, newer: Option<u32>) -> Self {
        Self { newer, ..self }
    }

    /// The version that a host has.
    #[must_use]
    pub fn version_of(&self, host: u32) -> u32 {
        if self.newer == Some(host) {
            NEWER_VERSION
        } else {
            KIND_VERSION
        }
    }

    /// These hosts, and no others, are left out of all views but their own.
    pub fn shun(&mut self, hosts: impl IntoIterator<Item = u32>) {
        self.shunned = hosts.into_iter().collect();
    }

    /// No wrong views from now on.
    pub fn heal(&mut self) {
        self.shunned.clear();
        self.errors = 0.0;
    }

    /// A process is gone: nothing it saw matters any more.
    pub fn ended(&mut self, process: ProcessId) {
        self.given.remove(&process);
        self.heard.retain(|(observer, _), _| *observer != process);
    }

    /// What `node` sees now, if it changed since it last looked.
    pub fn look<A>(&mut self, kernel: &Kernel<Objects, A>, node: u32) -> Option<MembershipView> {
        let observer = kernel.process(node)?;
        let now = kernel.now();
        let mut members = Vec::new();
        for host in 0..self.hosts {
            if let Some(process) = kernel.process(host)
                && (host == node || kernel.reachable(node, host))
            {
                let stamp = kernel.machine(host).map_or(0, Objects::next_stamp);
                self.heard.insert((observer, process), (now, stamp));
            }
            for process in kernel.starts(host).iter().rev().take(2) {
                let heard = self.heard.get(&(observer, *process));
                let alive = heard.filter(|(at, _)| now.since(*at) <= self.dead_after);
                let shunned = host != node && self.shunned.contains(&host);
                let wrong = *process != observer && self.dice.chance(self.errors);
                if let Some((_, stamp)) = alive
                    && !wrong
                    && !shunned
                {
                    members.push((host, *process, *stamp));
                    break;
                }
            }
        }
        if self.given.get(&observer) == Some(&members) {
            return None;
        }
        self.given.insert(observer, members.clone());
        self.version += 1;
        let members = members
            .into_iter()
            .map(|(host, process, stamp)| member(process, stamp, self.version_of(host)));
        Some(MembershipView::new(self.version, members.collect()))
    }
}

/// The journals of this version, as a host announces them.
#[must_use]
pub fn hosted_kinds(version: u32) -> Vec<HostedKind> {
    let hosted = |kind: &str| HostedKind {
        name: kind.to_owned(),
        version,
        weak: kind == WEAK,
        methods: Vec::new(),
    };
    KINDS.map(hosted).into()
}

fn member(process: ProcessId, stamp: u64, version: u32) -> Member {
    let record = MemberRecord {
        process,
        sequence: stamp,
        addresses: Vec::new(),
        kinds: hosted_kinds(version),
        capacity: 1_000,
        load: 0,
        primaries: 0,
        labels: Vec::new(),
        leaving: false,
        stamp,
    };
    Member {
        record: Arc::new(record),
        state: MemberState::Alive,
    }
}

/// The same view of hosts that host these kinds.
#[must_use]
pub fn hosting(view: &MembershipView, kinds: &[HostedKind]) -> MembershipView {
    let members = view.members().iter().map(|member| Member {
        record: Arc::new(MemberRecord {
            kinds: kinds.to_vec(),
            ..MemberRecord::clone(&member.record)
        }),
        state: member.state,
    });
    MembershipView::new(view.version, members.collect())
}
