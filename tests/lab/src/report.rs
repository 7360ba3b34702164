//! What came of a run.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::field::Field;
use crate::figures::{Failover, p99};
use crate::run::Options;

/// Promised from the loss of a primary until a call is served again, milliseconds.
const FAILOVER_MAX_MS: f64 = 3_000.0;
/// So many failovers are listed.
const SLOWEST: usize = 5;
/// With fewer faults than one in so many seconds, a run proves little.
const SECONDS_PER_FAULT_MAX: u64 = 6;

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the faults were drawn from.
    pub seed: u64,
    /// How long faults happened.
    pub seconds: u64,
    /// Peers.
    pub peers: u8,
    /// How often each fault happened.
    pub faults: BTreeMap<&'static str, u64>,
    /// All faults.
    pub faults_total: u64,
    /// Calls that were checked.
    pub ops: u64,
    /// How calls ended.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Time without service after SIGKILL of a primary, 99 of 100, milliseconds.
    pub failover_kill_p99_ms: Option<f64>,
    /// The same after SIGSTOP.
    pub failover_stop_p99_ms: Option<f64>,
    /// Kills and stops of primaries that were measured.
    pub failovers: usize,
    /// The slowest of them.
    pub slowest: Vec<Failover>,
    /// Frames forwarded.
    pub frames: u64,
    /// Those of them that overtook an earlier one.
    pub frames_reordered: u64,
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// Where the histories are, if they stay.
    pub histories: Option<String>,
}

impl Report {
    pub(crate) fn of(options: &Options, field: &Field) -> Self {
        let mut faults = BTreeMap::new();
        for happened in &field.faults {
            *faults.entry(happened.fault.name()).or_default() += 1;
        }
        let (frames, frames_reordered) = field.switch.counted();
        Self {
            seed: 0,
            seconds: options.seconds,
            peers: options.peers,
            faults,
            faults_total: field.faults.len() as u64,
            ops: 0,
            outcomes: BTreeMap::new(),
            failover_kill_p99_ms: None,
            failover_stop_p99_ms: None,
            failovers: 0,
            slowest: Vec::new(),
            frames,
            frames_reordered,
            violations: field.violations.clone(),
            histories: None,
        }
    }

    /// Takes the times after kills and after stops, the slowest first.
    pub(crate) fn failovers(&mut self, kills: &[Failover], stops: &[Failover]) {
        let times = |of: &[Failover]| of.iter().map(|one| one.took_ms).collect::<Vec<f64>>();
        self.failover_kill_p99_ms = p99(&times(kills));
        self.failover_stop_p99_ms = p99(&times(stops));
        self.failovers = kills.len() + stops.len();
        self.slowest = [kills, stops].concat();
        self.slowest.sort_by(|a, b| b.took_ms.total_cmp(&a.took_ms));
        self.slowest.truncate(SLOWEST);
    }

    /// Whether there were enough faults to prove anything.
    #[must_use]
    pub const fn enough_faults(&self) -> bool {
        self.faults_total * SECONDS_PER_FAULT_MAX >= self.seconds
    }

    /// Whether every promise held, and in time.
    #[must_use]
    pub fn holds(&self) -> bool {
        let in_time = |p99: Option<f64>| p99.is_none_or(|p99| p99 <= FAILOVER_MAX_MS);
        self.violations.is_empty()
            && self.enough_faults()
            && in_time(self.failover_kill_p99_ms)
            && in_time(self.failover_stop_p99_ms)
    }

    /// One line of JSON.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} peers for {} s, seed {}: {} faults {:?}",
            self.peers, self.seconds, self.seed, self.faults_total, self.faults
        )?;
        writeln!(f, "  {} calls checked {:?}", self.ops, self.outcomes)?;
        writeln!(
            f,
            "  {} frames, {} of them overtook others",
            self.frames, self.frames_reordered
        )?;
        let told = |p99: Option<f64>| p99.map_or("none".to_owned(), |ms| format!("{ms:.0} ms"));
        writeln!(
            f,
            "  without service, p99: {} after SIGKILL, {} after SIGSTOP, of {} primaries",
            told(self.failover_kill_p99_ms),
            told(self.failover_stop_p99_ms),
            self.failovers
        )?;
        for slow in &self.slowest {
            writeln!(f, "    {slow}")?;
        }
        if !self.enough_faults() {
            writeln!(f, "  TOO FEW FAULTS")?;
        }
        for violation in &self.violations {
            writeln!(f, "  VIOLATED: {violation}")?;
        }
        if let Some(folder) = &self.histories {
            writeln!(f, "  histories: {folder}")?;
        }
        if self.holds() {
            writeln!(f, "  every promise held")?;
        } else {
            writeln!(f, "  DRAW THE SAME FAULTS: lab --seed {}", self.seed)?;
        }
        Ok(())
    }
}
