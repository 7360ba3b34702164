//! What came of a run.

use std::collections::BTreeMap;
use std::fmt;

use overlay_proto::Instant;
use serde::Serialize;

use crate::kernel::{Kernel, SimMachine, Violation};
use crate::panels;
use plot::Page;
use plot::panel::Panel;

/// Events printed with a failure.
pub const EVENTS_KEPT: usize = 60;
/// Events among which those of the object concerned are looked for.
pub const EVENTS_SEARCHED: usize = 200_000;

/// Longest event that is printed for people; JSON has all of it.
const EVENT_CHARS: usize = 400;

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// The run's seed.
    pub seed: u64,
    /// The command line that gives this run again.
    pub command: String,
    /// Number of nodes.
    pub nodes: u32,
    /// Hash of every event, in hexadecimal. Equal for equal seeds.
    pub hash: String,
    /// Number of events.
    pub events: u64,
    /// Simulated time, milliseconds.
    pub simulated_ms: u64,
    /// What the run counted.
    pub counters: BTreeMap<&'static str, u64>,
    /// The last events in words, if the run kept them.
    pub last_events: Vec<String>,
    /// What a plot shows of the run.
    #[serde(skip)]
    pub panels: Vec<Panel>,
    /// The invariant that did not hold.
    pub failure: Option<Failure>,
}

impl Report {
    /// The page of plots.
    #[must_use]
    pub fn page(&self) -> Page {
        let minutes = self.simulated_ms as f64 / 60_000.0;
        let verdict = match &self.failure {
            None => "every invariant held".to_owned(),
            Some(failure) => format!("VIOLATED: {} at {} ms", failure.invariant, failure.at_ms),
        };
        Page {
            title: format!(
                "{}, {} peers, seed {}",
                self.scenario, self.nodes, self.seed
            ),
            subtitle: format!(
                "{minutes:.1} min simulated · {} events · hash {} · {verdict}",
                self.events, self.hash
            ),
            panels: self.panels.clone(),
        }
    }

    /// Keeps the last `keep` of the events that name the object concerned, or of all if the
    /// failure names none or no event does.
    pub fn keep_concerned(&mut self, keep: usize) {
        let failure = self.failure.as_ref();
        if let Some(subject) = failure.and_then(|failure| failure.subject.as_ref()) {
            let concerned = |event: &&String| event.contains(subject);
            if self.last_events.iter().any(|event| concerned(&event)) {
                self.last_events.retain(|event| event.contains(subject));
            }
        }
        let more = self.last_events.len().saturating_sub(keep);
        self.last_events.drain(..more);
    }

    /// What came of the run of a kernel; `reproduce` gives a failure again.
    #[must_use]
    pub fn of<M: SimMachine, A>(
        scenario: &str,
        seed: u64,
        kernel: &Kernel<M, A>,
        reproduce: String,
    ) -> Self {
        let violation = kernel.violation();
        Self {
            scenario: scenario.to_owned(),
            seed,
            command: reproduce.clone(),
            nodes: kernel.node_count(),
            hash: format!("{:016x}", kernel.hash()),
            events: kernel.events(),
            simulated_ms: millis(kernel.now()),
            counters: kernel.counters(),
            last_events: kernel.last_events().map(str::to_owned).collect(),
            panels: panels::of(kernel),
            failure: violation.map(|one| Failure::new(one, reproduce)),
        }
    }
}

/// A violated invariant, and how to see it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The invariant.
    pub invariant: &'static str,
    /// When, in milliseconds of simulated time.
    pub at_ms: u64,
    /// What was seen.
    pub detail: String,
    /// The object that it is about, as the events name it. [`Report::last_events`] are of it.
    pub subject: Option<String>,
    /// A command line that gives this failure again.
    pub reproduce: String,
}

impl Failure {
    /// A violation, and the command line that leads to it.
    #[must_use]
    pub fn new(violation: &Violation, reproduce: String) -> Self {
        Self {
            invariant: violation.invariant,
            at_ms: millis(violation.at),
            detail: violation.detail.clone(),
            subject: violation
                .subject
                .clone()
                .or_else(|| named_in(&violation.detail).map(str::to_owned)),
            reproduce,
        }
    }
}

/// What some words are about: the first object that they name, else the last process.
fn named_in(words: &str) -> Option<&str> {
    if let Some(from) = words.find("ObjectId(") {
        let length = words[from..].find(')')? + 1;
        return words.get(from..from + length);
    }
    let hexadecimal =
        |part: &str| part.len() == 8 && part.bytes().all(|one| one.is_ascii_hexdigit());
    let process = |word: &&str| {
        let parts = word.split_once('.');
        parts.is_some_and(|(peer, incarnation)| hexadecimal(peer) && hexadecimal(incarnation))
    };
    let mut names = words.split(|one: char| !one.is_ascii_alphanumeric() && one != '.');
    names.rfind(process)
}

/// Milliseconds since the start of the world.
#[must_use]
pub fn millis(at: Instant) -> u64 {
    at.as_micros() / 1_000
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = self.failure.as_ref();
        match failure.and_then(|failure| failure.subject.as_ref()) {
            _ if self.last_events.is_empty() => {}
            Some(subject) => writeln!(f, "LAST EVENTS, those of {subject} if they name it:")?,
            None => writeln!(f, "LAST EVENTS:")?,
        }
        for event in &self.last_events {
            let words: String = event.chars().take(EVENT_CHARS).collect();
            let more = if words.len() < event.len() { "…" } else { "" };
            writeln!(f, "    {words}{more}")?;
        }
        writeln!(
            f,
            "{} seed {}: {} nodes, {:.1} s simulated, {} events, hash {}",
            self.scenario,
            self.seed,
            self.nodes,
            self.simulated_ms as f64 / 1_000.0,
            self.events,
            self.hash
        )?;
        for (name, count) in &self.counters {
            writeln!(f, "  {name:<36} {count:>12}")?;
        }
        match &self.failure {
            None => writeln!(f, "  every invariant held"),
            Some(failure) => write!(f, "{failure}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "VIOLATED: {} at {} ms: {}",
            self.invariant, self.at_ms, self.detail
        )?;
        if let Some(subject) = &self.subject {
            writeln!(f, "CONCERNS: {subject}")?;
        }
        writeln!(f, "REPRODUCE: {}", self.reproduce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_violation_name_what_it_is_about() {
        for (words, name) in [
            (
                "nodes 1 and 2 hold ObjectId(01ab23cd) twice, ObjectId(0)",
                "ObjectId(01ab23cd)",
            ),
            ("ProcessId(c1789af6.ce1ccbdc) is gone", "c1789af6.ce1ccbdc"),
            (
                "c1789af6.ce1ccbdc buried 3a1dd21f.d6ffb7ce, which runs",
                "3a1dd21f.d6ffb7ce",
            ),
            ("nothing at 1.5 s", ""),
        ] {
            assert_eq!(named_in(words).unwrap_or_default(), name);
        }
    }
}
