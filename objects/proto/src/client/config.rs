//! Parameters of the proxy side, with where their defaults come from.

use overlay_proto::Duration;

/// Parameters of one [`Client`](super::Client).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// A call unanswered for this long makes the client ask the other members where the
    /// primary is, and complain about the one it asked (design review 2.2: 300 ms).
    pub patience: Duration,
    /// Pause after the first round of asking where a primary is, while it is known to be gone.
    pub search_pause_min: Duration,
    /// Longest pause between such rounds while a takeover may be on its way: whoever took over
    /// is found within it.
    pub search_pause_takeover: Duration,
    /// A search counts as one for a takeover on its way for so long (design: failover in 3 s).
    pub takeover_max: Duration,
    /// Longest pause between later rounds.
    pub search_pause_max: Duration,
    /// The oldest call of a handle is sent again to a primary that is alive but has left it
    /// unanswered for this long.
    pub probe_after: Duration,
    /// First pause before calls are sent again after repeated refusals; doubles.
    pub retry_pause_min: Duration,
    /// Longest such pause.
    pub retry_pause_max: Duration,
    /// A call that a weak object's primary refuses because it heard nobody is sent again for so
    /// long: the first one makes it ask whether somebody is there again.
    pub isolated_patience: Duration,
    /// Shortest time between two lookups of one object in the directory.
    pub lookup_pause: Duration,
    /// Shortest time between two rounds of one object through all hosts of the view.
    pub view_round_pause: Duration,
    /// Shortest time between two rounds of any objects through all hosts of the view.
    pub view_rounds_apart: Duration,
    /// Views of more hosts are not asked as a whole.
    pub view_round_hosts: usize,
    /// An object that nobody asked knows, nor the directory, does not exist after this long.
    pub not_found_after: Duration,
    /// The host is told to be done this much before the caller's deadline, so that its answer
    /// still arrives; at most a tenth of what is left.
    pub reply_margin: Duration,
    /// A handle that made no call for so long goes on under another session: the object may have
    /// closed its own. Less than the [`session_idle`](crate::config::Timings::session_idle) of
    /// the hosts; if not, a first call after a rest may end as `Indeterminate(SessionExpired)`.
    pub session_rest: Duration,
    /// How long a delivery of an outbox call may take before it is reported as indeterminate.
    pub outbox_timeout: Duration,
    /// Open calls of one handle on one object (design: 1,024).
    pub calls_per_handle: usize,
    /// Open calls of this process.
    pub calls: usize,
    /// Objects without an open call whose place is remembered.
    pub places: usize,
    /// Replica sets that are remembered per object as candidates.
    pub candidates: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            patience: Duration::from_millis(300),
            search_pause_min: Duration::from_millis(100),
            search_pause_takeover: Duration::from_millis(300),
            takeover_max: Duration::from_secs(3),
            search_pause_max: Duration::from_secs(1),
            probe_after: Duration::from_secs(1),
            retry_pause_min: Duration::from_millis(25),
            retry_pause_max: Duration::from_millis(500),
            isolated_patience: Duration::from_secs(1),
            lookup_pause: Duration::from_millis(500),
            view_round_pause: Duration::from_secs(5),
            view_rounds_apart: Duration::from_millis(100),
            view_round_hosts: 100,
            not_found_after: Duration::from_secs(2),
            reply_margin: Duration::from_millis(100),
            session_rest: Duration::from_secs(300),
            outbox_timeout: Duration::from_secs(10),
            calls_per_handle: 1_024,
            calls: 65_536,
            places: 65_536,
            candidates: 8,
        }
    }
}
