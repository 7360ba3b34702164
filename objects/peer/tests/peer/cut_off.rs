//! A primary that is frozen or cut off, one way or both: it acknowledges nothing, another one
//! takes over within [`TAKEOVER_MAX`], and once it is back it neither answers from its old state
//! nor writes it over the new one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use objects::RawRef;
use peer::Recorded;
use peer::processes::Process;

use crate::far_client::{Ended, FarClient, Task};
use crate::fixture::{PATIENCE, fresh_name, until};
use crate::ns::Namespaces;

/// Promised from the fault until a call is acknowledged again (p99 of the faults of one run,
/// which are so few that it is the longest).
const TAKEOVER_MAX: Duration = Duration::from_secs(3);
/// Deadline of a call that cannot be acknowledged, and how late its end may be.
const MINORITY: Duration = Duration::from_millis(1_500);
const LATE: Duration = Duration::from_millis(500);
const PEERS: usize = 4;
const ROUNDS: usize = 4;

/// What happens to a primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// SIGSTOP.
    Frozen,
    /// Packets in both directions are lost.
    CutOff,
    /// What it sends is lost; it hears the others.
    Mute,
    /// What is sent to it is lost; the others hear it.
    Deaf,
    /// The other peers and it are cut off from each other; a client reaches all of them.
    CutOffFromPeers,
}

const FAULTS: [Fault; 5] = [
    Fault::Frozen,
    Fault::CutOff,
    Fault::Mute,
    Fault::Deaf,
    Fault::CutOffFromPeers,
];

/// The namespace of the bridge, where the client lives that no fault touches.
const HOME: usize = 0;

/// Peers in namespaces 1 to [`PEERS`], a client beside each, and one at home.
struct Field {
    hosts: Namespaces,
    peers: Vec<Process>,
    clients: Vec<FarClient>,
    tally: RawRef,
    numbers: AtomicU64,
    /// Every call that was made on the tally, by client and number.
    log: BTreeMap<(u32, u64), Ended>,
}

impl Field {
    async fn make() -> Option<Self> {
        let hosts = Namespaces::make(PEERS + 1, true)?;
        let cluster = fresh_name();
        let mut peers: Vec<Process> = Vec::new();
        for index in 1..=PEERS {
            let listen = format!("{}:0", hosts.address(index));
            let mut run = vec!["run", "--no-mdns", "--no-local", "--cluster", &cluster];
            run.extend(["--listen", &listen]);
            if let Some(first) = peers.first() {
                run.extend(["--peer", &first.address]);
            }
            let peer = hosts.peer(index, &run).await;
            peers.push(peer);
        }
        let addresses: Vec<String> = peers.iter().map(|peer| peer.address.clone()).collect();
        let clients: Vec<_> = (0..=PEERS)
            .map(|index| FarClient::start(&hosts, index, &cluster, &addresses))
            .collect();
        let mut field = Self {
            hosts,
            peers,
            clients,
            tally: RawRef::bare(objects::ObjectId(0), ""),
            numbers: AtomicU64::new(0),
            log: BTreeMap::new(),
        };
        for peer in 0..PEERS {
            field.whole_again(peer).await;
        }
        let made = field.clients[HOME].tell(Task::CreateTally).await;
        field.tally = made.referred();
        Some(field)
    }

    /// The namespace of the object's primary.
    async fn primary(&self, object: &RawRef) -> usize {
        let primary = self.clients[HOME].tell(Task::Primary(object.clone())).await;
        let primary = primary.returned();
        let peer = self.peers.iter().position(|peer| primary == peer.peer);
        peer.expect("a peer of ours") + 1
    }

    /// A lock with its primary in this namespace.
    async fn lock_at(&self, place: usize) -> RawRef {
        for _ in 0..2 * PEERS {
            let made = self.clients[HOME].tell(Task::CreateLock).await;
            let lock = made.referred();
            if self.primary(&lock).await == place {
                return lock;
            }
        }
        panic!("objects are dealt to all peers in turn");
    }

    /// Begins a fault of the peer in namespace `at`, or ends it.
    async fn fault(&self, fault: Fault, at: usize, begins: bool) {
        let change = |from, to| match begins {
            true => self.hosts.cut(from, to),
            false => self.hosts.mend(from, to),
        };
        let others = self.hosts.others(at);
        match fault {
            Fault::Frozen => {
                let signal = if begins { "STOP" } else { "CONT" };
                self.peers[at - 1].signal(signal).await;
            }
            Fault::CutOff => others.for_each(|other| {
                change(at, other);
                change(other, at);
            }),
            Fault::Mute => others.for_each(|other| change(at, other)),
            Fault::Deaf => others.for_each(|other| change(other, at)),
            Fault::CutOffFromPeers => others.filter(|other| *other != HOME).for_each(|other| {
                change(at, other);
                change(other, at);
            }),
        }
    }

    /// Records the next number as one of a client's.
    async fn record(&self, client: usize, within: Duration) -> ((u32, u64), Ended) {
        let (id, ms) = (client as u32, within.as_millis() as u64);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let task = Task::Record(self.tally.clone(), id, number, ms);
        ((id, number), self.clients[client].tell(task).await)
    }

    /// Waits until the peer answers all others: the cluster can bear the next fault.
    async fn whole_again(&self, peer: usize) {
        let others = || (0..PEERS).filter(|other| *other != peer);
        until("answers of a peer to the others", async || {
            let asked = others().map(|other| {
                let (asked, about) = (&self.peers[other].peer, &self.peers[peer].peer);
                self.clients[HOME].tell(Task::IsSilent(asked.clone(), about.clone()))
            });
            let silent = futures::future::join_all(asked).await;
            silent.into_iter().all(|silent| silent.returned() == false)
        })
        .await;
    }

    async fn recorded(&self, client: usize) -> Recorded {
        let task = Task::Recorded(self.tally.clone(), PATIENCE.as_millis() as u64);
        let recorded = self.clients[client].tell(task).await.returned();
        serde_json::from_value(recorded).expect("a tally")
    }

    /// Everything acknowledged so far is in what a client read.
    fn assert_fresh(&self, read: &Recorded) {
        let acknowledged = self
            .log
            .iter()
            .filter(|(_, ended)| matches!(ended, Ended::Returned(_)));
        for ((client, number), _) in acknowledged {
            assert!(
                read.contains(*client, *number),
                "stale: no {client}/{number}"
            );
        }
    }
}

impl Field {
    /// A write that must be acknowledged.
    async fn write(&mut self, client: usize) {
        let (id, ended) = self.record(client, PATIENCE).await;
        assert!(matches!(ended, Ended::Returned(_)), "{id:?}: {ended:?}");
        self.log.insert(id, ended);
    }

    /// One fault of the tally's primary, and its end. How long the tally and a lock that the
    /// same peer was the primary of were without service.
    async fn round(&mut self, fault: Fault) -> [Duration; 2] {
        let at = self.primary(&self.tally).await;
        let lock = self.lock_at(at).await;
        let patience = PATIENCE.as_millis() as u64;
        let acquire = |owner: &str| Task::Acquire(lock.clone(), owner.to_owned(), patience);
        let held = self.clients[at].tell(acquire("ann")).await.returned();
        let token = held.as_u64().expect("a token");
        self.write(at).await;
        self.write(HOME).await;

        let began = Instant::now();
        self.fault(fault, at, true).await;
        let far = async { (self.record(HOME, PATIENCE).await, began.elapsed()) };
        let freed = async {
            let task = Task::Release(lock.clone(), "ann".to_owned(), token, patience);
            (self.clients[HOME].tell(task).await, began.elapsed())
        };
        let near = async {
            if fault == Fault::Frozen {
                return None;
            }
            let sent = Instant::now();
            Some((self.record(at, MINORITY).await, sent.elapsed()))
        };
        let (((id, ended), took), (freed, lock_took), near) = tokio::join!(far, freed, near);
        assert!(matches!(ended, Ended::Returned(_)), "{fault:?}: {ended:?}");
        assert_eq!(freed.returned(), true, "{fault:?}: ann held the lock");
        self.log.insert(id, ended);
        if let Some(((id, ended), took)) = near {
            assert_minority(fault, &ended, took);
            self.log.insert(id, ended);
        }
        self.write(HOME).await;

        let back = self.fault(fault, at, false);
        let taken = self.clients[at].tell(acquire("bob"));
        let (read, taken, ()) = tokio::join!(self.recorded(at), taken, back);
        self.assert_fresh(&read);
        assert_eq!(taken.returned(), token + 1, "{fault:?}: a stale lock");
        self.assert_fresh(&self.recorded(at).await);
        self.whole_again(at - 1).await;
        [took, lock_took]
    }

    /// Every call took effect once at most, and as its caller was told.
    async fn judge(&self) {
        let recorded = self.recorded(HOME).await;
        assert_eq!(recorded.duplicates, 0, "{recorded:?}");
        let mut took_effect = 0;
        for (id, ended) in &self.log {
            let found = recorded.contains(id.0, id.1);
            took_effect += u64::from(found);
            match ended {
                Ended::Returned(_) | Ended::Executed => assert!(found, "lost: {id:?}"),
                Ended::NotExecuted(_) | Ended::Failed(_) => assert!(!found, "{id:?}: {ended:?}"),
                Ended::Indeterminate(_) => {}
            }
        }
        assert_eq!(recorded.count, took_effect, "{recorded:?}");
    }
}

/// A call to a primary without its backups ends in time and says why.
fn assert_minority(fault: Fault, ended: &Ended, took: Duration) {
    let cause = match ended {
        Ended::NotExecuted(cause) | Ended::Indeterminate(cause) => cause,
        other => panic!("{fault:?}: a minority acknowledged: {other:?}"),
    };
    assert!(cause.contains("quorum"), "{fault:?}: {ended:?}");
    assert!(took < MINORITY + LATE, "{fault:?}: ended after {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_takes_over_and_nothing_stale_comes_back() {
    let Some(mut field) = Field::make().await else {
        return;
    };
    let mut longest = Duration::ZERO;
    for round in 0..ROUNDS {
        for fault in FAULTS {
            let [tally, lock] = field.round(fault).await;
            println!("round {round}, {fault:?}: served again after {tally:?}, the lock {lock:?}");
            longest = longest.max(tally).max(lock);
        }
    }
    field.judge().await;
    println!(
        "{} faults, without service for {longest:?} at most",
        ROUNDS * FAULTS.len()
    );
    assert!(longest <= TAKEOVER_MAX, "without service for {longest:?}");
}
