//! Every parameter of the object layer's protocols, with where its default comes from.

use overlay_proto::Duration;

use crate::client::ClientConfig;
use crate::mode::WeakTimings;

/// Parameters of one object machine. Nodes of one cluster may use different ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectsConfig {
    /// Replicas of an object whose creator does not say how many: 3 survives the loss of one.
    pub factor: u8,
    /// When what.
    pub timings: Timings,
    /// How much.
    pub limits: Limits,
    /// How much at a time.
    pub pace: Pace,
    /// The proxy side.
    pub client: ClientConfig,
}

/// When what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Period of [`Timer::Tick`](crate::machine::Timer::Tick) while something waits (guess: a
    /// tenth of a tolerable failover's share).
    pub tick: Duration,
    /// Period of [`Timer::Repair`](crate::machine::Timer::Repair) while something is to be
    /// repaired.
    pub repair: Duration,
    /// A ping unanswered for this long is a miss (design review 2.2: two of 300 ms each).
    pub ping_timeout: Duration,
    /// Misses that make a process silent.
    pub pings: u8,
    /// A backup leaves each one before it this head start as a candidate.
    pub rank_delay: Duration,
    /// The other members are asked again whether they miss a silent process after this time.
    pub silence_ask: Duration,
    /// A finding that a process is silent is no longer relied on after this time.
    pub silence_age: Duration,
    /// A member that the view lost this long ago is replaced (design: churn policy).
    pub lost_after: Duration,
    /// A learner is in step if it answered within this time (design review 1.16).
    pub learner_fresh: Duration,
    /// A learner that is not in step after this time gives way to another candidate.
    pub learner_patience: Duration,
    /// A creation whose members did not answer in this time starts again with a fresh id.
    pub create_retry: Duration,
    /// A node that hands over gives up after this time.
    pub drain: Duration,
    /// Survivors are asked for their copies for this long.
    pub survey: Duration,
    /// A nested call that is queued for this long asks whether it waits for itself
    /// (design review 3.1).
    pub deadlock: Duration,
    /// Term of the leases that this node asks for as a primary of kinds with lease reads; zero
    /// for none. A dead primary of such a kind is replaced when the rest of it is over, so it is a
    /// second shorter than a failover may take. At most [`TERM_MAX`](crate::lease::TERM_MAX).
    pub lease: Duration,
    /// A lease in use is renewed this often.
    pub lease_renewal: Duration,
    /// A lease that no read rested on for so long is left to lapse.
    pub lease_idle: Duration,
    /// A session that was not used for so long is closed with the object's next version: its
    /// handle opens another one (reliability research 3.4: ten minutes).
    pub session_idle: Duration,
    /// The time assumption of awaited nested calls: none is repeated later than this after it
    /// ran (reliability research 3.4: twice the longest delivery and more).
    pub nested_kept: Duration,
    /// Weak objects.
    pub weak: WeakTimings,
    /// A tombstone is kept for this long, to show the way and to say that an object was deleted,
    /// and forgotten with a later burial; the install floor is raised above it then (Reliability
    /// research: 24 h).
    pub tombstones: Duration,
    /// A primary publishes where its object is this often, besides after each change. Half of
    /// those who keep a record are gone after 23 minutes of hard churn (reliability research 6).
    /// Six times as seldom each backup asks another member whether its set still stands.
    pub republish: Duration,
    /// First pause after an outbox delivery without a definite end; doubled up to 20 times it.
    pub outbox_retry: Duration,
}

/// How much this node takes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Replicas held.
    pub objects: usize,
    /// Objects remembered as gone or moved. Beyond that the oldest are forgotten early, and the
    /// install floor raised above them.
    pub tombstones: usize,
    /// Processes doubted at a time.
    pub watches: usize,
    /// Processes that wait for one finding about a doubted one.
    pub askers: usize,
    /// Replica sets changed at a time.
    pub repairs: usize,
    /// Replicas on their way at a time from crowded hosts to those with room; 0 for none.
    pub moves: usize,
    /// Creations under way.
    pub creations: usize,
    /// Objects that one grant covers; more are read with a round.
    pub leased: usize,
    /// Hosts asked for a surviving copy, and copies kept of an answer.
    pub survey_hosts: usize,
    /// Recoveries under way.
    pub recoveries: usize,
    /// Outbox deliveries under way.
    pub deliveries: usize,
}

/// How much is done with one input: what very many objects need goes on with the next ticks, so
/// that it does not hold up the rest. Each is at least 1, except `awake`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Primaries that do not rest while nothing is called, and those that something keeps awake.
    /// In a burst four times as many, for some seconds.
    pub awake: usize,
    /// Replicas that wait for time to pass and are looked at with one tick; more take turns.
    pub turn: usize,
    /// Objects of a silent primary that are looked at with one tick.
    pub doubted: usize,
    /// A host stands for few further objects in turn while so many have something under way: more
    /// would only fill the queues of its links.
    pub standing: usize,
    /// Objects that are looked at as soon as the view changes, or with the repair timer.
    pub scan: usize,
    /// More than those are looked at so many with one tick.
    pub scan_tick: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            awake: 16_384,
            turn: 1_024,
            doubted: 4_096,
            standing: 1_024,
            scan: 1_024,
            scan_tick: 128,
        }
    }
}

impl Default for ObjectsConfig {
    fn default() -> Self {
        Self {
            factor: 3,
            timings: Timings::default(),
            limits: Limits::default(),
            pace: Pace::default(),
            client: ClientConfig::default(),
        }
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(25),
            repair: Duration::from_millis(500),
            ping_timeout: Duration::from_millis(300),
            pings: 2,
            rank_delay: Duration::from_millis(200),
            silence_ask: Duration::from_millis(500),
            silence_age: Duration::from_secs(5),
            lost_after: Duration::from_secs(5),
            learner_fresh: Duration::from_secs(1),
            learner_patience: Duration::from_secs(5),
            create_retry: Duration::from_secs(1),
            drain: Duration::from_secs(10),
            survey: Duration::from_secs(1),
            deadlock: Duration::from_millis(100),
            lease: Duration::from_secs(2),
            lease_renewal: Duration::from_millis(600),
            lease_idle: Duration::from_secs(5),
            session_idle: Duration::from_secs(600),
            nested_kept: Duration::from_secs(600),
            weak: WeakTimings::default(),
            tombstones: Duration::from_secs(24 * 3_600),
            republish: Duration::from_secs(600),
            outbox_retry: Duration::from_millis(100),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            objects: 1_000_000,
            tombstones: 1_000_000,
            watches: 1_024,
            askers: 1_024,
            repairs: 32,
            moves: 4,
            creations: 65_536,
            leased: 65_536,
            survey_hosts: 100,
            recoveries: 64,
            deliveries: 1_024,
        }
    }
}
