//! Every parameter of the overlay's protocols, with where its default comes from.

use alloc::sync::Arc;

use crate::time::Duration;

/// Parameters of one overlay machine. All members of a cluster should use the same.
///
/// Parts that are looked at with every input are shared by the clones, as a simulation runs
/// thousands of machines with one configuration: change them with [`Arc::make_mut`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OverlayConfig {
    /// Unix time of [`Instant::ZERO`](crate::Instant::ZERO), milliseconds. Only orders
    /// incarnations of one peer and founders that meet; nothing breaks if it is wrong.
    pub epoch_unix_ms: u64,
    /// Failure detection and dissemination.
    pub membership: Arc<MembershipConfig>,
    /// Which links are kept.
    pub connections: Arc<ConnectionsConfig>,
    /// When a cluster is founded.
    pub founding: FoundingConfig,
    /// What the directory publishes and stores. The driver keeps the directory's state, as it
    /// owns the distributed hash table.
    pub directory: DirectoryConfig,
}

/// Failure detection, dissemination and repair of the membership view.
#[derive(Clone, Debug, PartialEq)]
pub struct MembershipConfig {
    /// Monitoring rings: each member watches its successor on each of them, at most
    /// [`RINGS_MAX`]. Rapid (Suresh et al. 2018) uses 10; 4 keep the idle cost below 0.4 kB/s.
    pub rings: usize,
    /// Time between probes of an idle edge (SWIM, Das et al. 2002: 2 s in its experiments). At
    /// 2.5 s four edges each way cost 0.38 kB/s with all envelopes.
    pub probe_period: Duration,
    /// Shortest wait for an answer to a probe.
    pub probe_timeout_min: Duration,
    /// Longest wait for an answer to a probe, before local health stretches it.
    pub probe_timeout_max: Duration,
    /// Members asked to probe on our behalf after a miss (SWIM's k, memberlist's default).
    pub indirect_probes: usize,
    /// Highest local health multiplier (Lifeguard, Dadgar et al. 2018: 8).
    pub local_health_max: u32,
    /// A timer later than this counts against our own health (Lifeguard).
    pub late_timer: Duration,
    /// Distinct observers that make a suspicion a death, fewer if fewer are left.
    pub observers: usize,
    /// Shortest life of a suspicion, reached with two confirmations (Lifeguard's shape).
    pub suspicion_min: Duration,
    /// Longest life of a suspicion as a multiple of the shortest (Lifeguard: 6).
    pub suspicion_max_factor: u32,
    /// Shortest time between two own refutations.
    pub refutation_interval: Duration,
    /// Suspects from which on a storm is assumed, whatever the size of the view.
    pub storm_suspects_min: usize,
    /// Suspects in percent of the view from which on a storm is assumed (Rapid's idea of
    /// cutting once, in a cheap form): then nobody is declared dead.
    pub storm_percent: usize,
    /// Declarations wait until no new suspect arrived for this long, to be made as one batch.
    pub hold_quiet: Duration,
    /// Declarations wait this long in all.
    pub hold_max: Duration,
    /// Before a member declares another dead it asks a linked one what it knows of it, and waits
    /// this long for the answer: gossip may have lost the refutation.
    pub second_opinion: Duration,
    /// A suspicion older than this is decided even in a storm, or a cluster that lost half of
    /// its members would never say so (guess).
    pub storm_patience: Duration,
    /// Events wait this long to travel in one gossip message.
    pub gossip_batch: Duration,
    /// News learned otherwise than by gossip is gossiped after a random part of this time,
    /// unless gossip carries it meanwhile.
    pub relay_delay: Duration,
    /// Records waiting to be gossiped so; further ones are left to anti-entropy. As many doubts
    /// may wait for `doubt_delay`.
    pub relays_max: usize,
    /// For so long after its first link a member takes what it is told for known to the others,
    /// and gossips nothing of it.
    pub newcomer: Duration,
    /// A member that does not watch a process, and whose connection it refused, says so after
    /// this time and a random part of it again, unless enough others said it before.
    pub doubt_delay: Duration,
    /// Time between anti-entropy exchanges while views agree.
    pub sync_period: Duration,
    /// Time to the next exchange after one that brought news.
    pub sync_period_busy: Duration,
    /// How long dead and departed members are part of anti-entropy.
    pub dead_synced: Duration,
    /// How long dead and departed members are remembered, to reach them again.
    pub dead_kept: Duration,
    /// Time between attempts to reach one dead member again (foca: about a minute).
    pub heal_period: Duration,
    /// How often a client pulls the view.
    pub client_refresh: Duration,
    /// Up to so many members, clients are also told at once who comes and goes: of so few, all
    /// that a client knows may die before it pulls again. In larger views it only pulls.
    pub clients_told: usize,
    /// Most members remembered, the dead ones included.
    pub members_max: usize,
    /// Time between a change of the view and its event, so that changes come in batches.
    pub view_batch: Duration,
    /// Shortest time between two events for the peer cache on disk.
    pub remember_period: Duration,
    /// Records in one event for the peer cache.
    pub remember_max: usize,
    /// Resolution of all deadlines.
    pub tick: Duration,
    /// Time for the goodbye to leave before the machine says that it may stop.
    pub leave_linger: Duration,
}

/// Most monitoring rings that may be configured.
pub const RINGS_MAX: usize = 16;

impl Default for MembershipConfig {
    fn default() -> Self {
        Self {
            rings: 4,
            probe_period: Duration::from_millis(2_500),
            probe_timeout_min: Duration::from_millis(200),
            probe_timeout_max: Duration::from_secs(1),
            indirect_probes: 3,
            local_health_max: 8,
            late_timer: Duration::from_millis(100),
            observers: 2,
            suspicion_min: Duration::from_millis(1500),
            suspicion_max_factor: 6,
            refutation_interval: Duration::from_millis(200),
            storm_suspects_min: 5,
            storm_percent: 20,
            hold_quiet: Duration::from_millis(200),
            hold_max: Duration::from_secs(1),
            second_opinion: Duration::from_millis(300),
            storm_patience: Duration::from_secs(30),
            gossip_batch: Duration::from_millis(50),
            relay_delay: Duration::from_secs(2),
            relays_max: 64,
            newcomer: Duration::from_secs(5),
            doubt_delay: Duration::from_millis(500),
            sync_period: Duration::from_secs(10),
            sync_period_busy: Duration::from_secs(1),
            dead_synced: Duration::from_secs(3600),
            dead_kept: Duration::from_secs(24 * 3600),
            heal_period: Duration::from_secs(30),
            client_refresh: Duration::from_secs(2),
            clients_told: 16,
            members_max: 20_000,
            view_batch: Duration::from_millis(50),
            remember_period: Duration::from_secs(30),
            remember_max: 64,
            tick: Duration::from_millis(100),
            leave_linger: Duration::from_millis(150),
        }
    }
}

/// Which links are made, kept and closed.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionsConfig {
    /// Links to members that are always kept up, if there are as many members.
    pub degree: usize,
    /// Links from which on idle ones that nobody needs are closed.
    pub degree_max: usize,
    /// Links from which on the least recently used ones are closed even if not idle.
    pub links_max: usize,
    /// Links that a client keeps.
    pub client_degree: usize,
    /// A link unused for this long is idle.
    pub idle: Duration,
    /// A link used within this time is never closed.
    pub recent: Duration,
    /// Dials under way at one time.
    pub dials_max: usize,
    /// A dial without an answer for this long is given up.
    pub dial_timeout: Duration,
    /// Pause after the first failed dial of a peer; doubles with each further one.
    pub backoff_min: Duration,
    /// Longest pause between dials of a peer.
    pub backoff_max: Duration,
    /// Introduced peers remembered as long as they are not yet members.
    pub contacts_max: usize,
    /// How often links are looked after while one is missing; else once per probe round.
    pub upkeep_period: Duration,
}

impl Default for ConnectionsConfig {
    fn default() -> Self {
        Self {
            degree: 8,
            degree_max: 16,
            links_max: 256,
            client_degree: 2,
            idle: Duration::from_secs(60),
            recent: Duration::from_secs(10),
            dials_max: 16,
            dial_timeout: Duration::from_secs(10),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(60),
            contacts_max: 256,
            upkeep_period: Duration::from_secs(1),
        }
    }
}

/// When a node that needs a cluster founds one.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundingConfig {
    /// Whether a registry is configured whose answer is worth waiting for.
    pub registry_configured: bool,
    /// Discovery that brought nothing for this long is quiet.
    pub quiet: Duration,
    /// Longest wait for a registry or for quiet.
    pub wait_max: Duration,
    /// How long the others wait for the one member that should found before they ask the next.
    pub patience: Duration,
    /// Clusters founded within this time of each other merge when they meet.
    pub merge_window: Duration,
}

impl Default for FoundingConfig {
    fn default() -> Self {
        Self {
            registry_configured: false,
            quiet: Duration::from_millis(1500),
            wait_max: Duration::from_secs(3),
            patience: Duration::from_secs(3),
            merge_window: Duration::from_secs(60),
        }
    }
}

/// What the directory publishes, stores and looks up.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectoryConfig {
    /// Life of a record in a store. Published again after a third of it.
    pub ttl: Duration,
    /// Objects that this node publishes.
    pub publications_max: usize,
    /// Publications started per second, so that a burst of creations does not flood the
    /// network.
    pub publications_per_second: u32,
    /// Publications that may start at once after a pause.
    pub publications_burst: u32,
    /// Publications under way at one time.
    pub publications_pending_max: usize,
    /// Pause after a failed publication.
    pub retry: Duration,
    /// Records of others that this node stores.
    pub stored_max: usize,
    /// Records of one signer that this node stores, so that one peer cannot fill it.
    pub stored_per_signer_max: usize,
    /// Records that one lookup considers.
    pub candidates_max: usize,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(30 * 60),
            publications_max: 1_000_000,
            publications_per_second: 100,
            publications_burst: 200,
            publications_pending_max: 32,
            retry: Duration::from_secs(5),
            stored_max: 262_144,
            stored_per_signer_max: 131_072,
            candidates_max: 64,
        }
    }
}
