//! What the demo found, for people and for machines.

use crate::stdout::say;
use serde::Serialize;

/// The demo's report: the last line of `peer demo --json`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Peer processes at the start.
    pub(crate) peers: usize,
    /// Objects created.
    pub(crate) objects: usize,
    /// Replicas of each object.
    pub(crate) replication: usize,
    /// Objects that each peer was primary of after the creation.
    pub(crate) primaries_per_peer: Vec<usize>,
    /// Calls whose acknowledgement reached a client.
    pub(crate) calls_acknowledged: usize,
    /// Calls that ended with a definite no.
    pub(crate) calls_failed: u64,
    /// Calls of which the client does not know whether they ran.
    pub(crate) indeterminate: u64,
    /// Sum of all counters at the end.
    pub(crate) counter_sum: u64,
    /// Acknowledged calls that no counter recorded.
    pub(crate) lost: u64,
    /// Calls that took effect twice.
    pub(crate) duplicated: u64,
    /// From SIGKILL to the next acknowledged call on an affected object.
    pub(crate) failover_ms: Spread,
    /// From SIGKILL until every affected object had all its replicas again, worst of the kills.
    pub(crate) replication_restored_ms: f64,
    /// From the start of the late peer's process until it was a member.
    pub(crate) joined_without_registry_ms: f64,
    /// Objects that a fresh client found through the directory alone.
    pub(crate) directory_lookups: u64,
    /// Membership events that arrived by gossip, all peers.
    pub(crate) gossip_events: u64,
    /// Calls to a registry by peers that had joined, beyond the renewal of their leases.
    pub(crate) registry_calls_after_join: u64,
    /// Every process of the story and how it ended.
    pub(crate) processes: Vec<Ended>,
    /// Texts of the first few errors that clients saw.
    pub(crate) errors: Vec<String>,
    /// Seconds from the first process to the report.
    pub(crate) elapsed_s: f64,
}

/// A process and its end.
#[derive(Debug, Serialize)]
pub(crate) struct Ended {
    /// What it was in the story.
    pub(crate) name: String,
    /// Its process id.
    pub(crate) pid: u32,
    /// The signal that ended it.
    pub(crate) signal: &'static str,
}

/// Percentiles of a sample.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) p50: f64,
    /// The 99th percentile.
    pub(crate) p99: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(mut sample: Vec<f64>) -> Self {
        sample.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (share * sample.len() as f64).ceil() as usize;
            sample
                .get(index.clamp(1, sample.len().max(1)) - 1)
                .copied()
                .unwrap_or(0.0)
        };
        Self {
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}

impl Report {
    /// Whether every promise was kept.
    pub(crate) fn is_good(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.indeterminate == 0
    }

    /// The closing table.
    pub(crate) fn print(&self) {
        let row = |what: &str, value: String| say!("  {what:<34} {value}");
        say!();
        row("peers, objects, replicas of each", {
            format!("{}, {}, {}", self.peers, self.objects, self.replication)
        });
        row(
            "primaries per peer",
            format!("{:?}", self.primaries_per_peer),
        );
        row("calls acknowledged", self.calls_acknowledged.to_string());
        row("calls failed / indeterminate", {
            format!("{} / {}", self.calls_failed, self.indeterminate)
        });
        row("sum of all counters", self.counter_sum.to_string());
        row("acknowledged calls lost", self.lost.to_string());
        row("calls that took effect twice", self.duplicated.to_string());
        let failover = &self.failover_ms;
        row("failover, ms (p50 / p99 / max)", {
            format!(
                "{:.0} / {:.0} / {:.0}",
                failover.p50, failover.p99, failover.max
            )
        });
        row(
            "replication restored after, ms",
            format!("{:.0}", self.replication_restored_ms),
        );
        row(
            "joined without a registry, ms",
            format!("{:.0}", self.joined_without_registry_ms),
        );
        row(
            "found through the directory",
            self.directory_lookups.to_string(),
        );
        row(
            "membership events by gossip",
            self.gossip_events.to_string(),
        );
        row("elapsed, s", format!("{:.1}", self.elapsed_s));
        for error in &self.errors {
            row("a client was told", error.clone());
        }
        let verdict = if self.is_good() {
            "Nothing acknowledged was lost, nothing was done twice, no client had to guess."
        } else {
            "A PROMISE WAS BROKEN: see the table."
        };
        say!("\n{verdict}");
    }
}
