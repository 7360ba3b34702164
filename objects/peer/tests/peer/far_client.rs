//! A client in a process of its own, in a namespace: this test executable once more, told by
//! lines what to do.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use objects::kinds::{Lock, LockProxy};
use objects::proto::frame;
use objects::proto::message::Message;
use objects::{CallError, Node, ProcessId, RawRef, Ref};
use peer::{Tally, TallyProxy};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin};
use tokio::sync::{broadcast, oneshot};

use crate::fixture::client_at;
use crate::ns::Namespaces;

/// The cluster, where to listen, and addresses of peers.
const PLACE: &str = "PYDO_TEST_FAR_CLIENT";
/// Longest wait for a verdict on silence.
const VERDICT: Duration = Duration::from_secs(1);
/// Verdicts that wait to be read.
const VERDICTS_MAX: usize = 64;

/// What a far client is told to do, within so many milliseconds if it is a call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    CreateTally,
    CreateLock,
    /// The object's primary, as its peer id.
    Primary(RawRef),
    Record(RawRef, u32, u64, u64),
    Recorded(RawRef, u64),
    Acquire(RawRef, String, u64),
    Release(RawRef, String, u64, u64),
    /// Whether the second peer is silent for the first one, by the peers' own protocol.
    IsSilent(String, String),
}

/// How a task ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ended {
    Returned(Value),
    Failed(String),
    NotExecuted(String),
    Executed,
    Indeterminate(String),
}

impl Ended {
    /// What was returned; fails the test if nothing was.
    pub(crate) fn returned(self) -> Value {
        match self {
            Self::Returned(value) => value,
            other => panic!("{other:?}"),
        }
    }

    /// The reference that was returned.
    pub(crate) fn referred(self) -> RawRef {
        let text = self.returned();
        serde_json::from_str(text.as_str().expect("text")).expect("a reference")
    }

    /// As text, because a JSON value does not hold numbers of 128 bits.
    fn reference(made: &RawRef) -> Self {
        Self::Returned(json!(serde_json::to_string(made).expect("JSON")))
    }

    fn of<T: Serialize, E: std::fmt::Debug>(result: Result<T, CallError<E>>) -> Self {
        match result {
            Ok(value) => Self::Returned(json!(value)),
            Err(CallError::Failed(failure)) => Self::Failed(failure.to_string()),
            Err(CallError::NotExecuted(cause)) => Self::NotExecuted(cause.to_string()),
            Err(CallError::Executed) => Self::Executed,
            Err(CallError::Indeterminate(cause)) => Self::Indeterminate(cause.to_string()),
        }
    }
}

/// The other process, as the test sees it.
pub(crate) struct FarClient {
    _child: Child,
    tasks: tokio::sync::Mutex<(u64, ChildStdin)>,
    waiting: Waiting,
}

type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Ended>>>>;

impl FarClient {
    pub(crate) fn start(hosts: &Namespaces, at: usize, cluster: &str, peers: &[String]) -> Self {
        let own = std::env::current_exe().expect("this executable has a path");
        let mut command = hosts.command(at, &own.to_string_lossy());
        let place = [&[cluster.to_owned(), hosts.address(at)], peers].concat();
        let mut child = command
            .args(["--exact", "far_client::serve", "--nocapture"])
            .env(PLACE, place.join(" "))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("this executable starts");
        let waiting = Waiting::default();
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let answered = waiting.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok((id, ended)) = serde_json::from_str::<(u64, Ended)>(&line) else {
                    continue;
                };
                let waiter = answered.lock().expect("not poisoned").remove(&id);
                waiter.map(|waiter| waiter.send(ended));
            }
            answered.lock().expect("not poisoned").clear();
        });
        let tasks = tokio::sync::Mutex::new((0, child.stdin.take().expect("piped")));
        Self {
            _child: child,
            tasks,
            waiting,
        }
    }

    /// Has it do something, beside whatever else it does.
    pub(crate) async fn tell(&self, task: Task) -> Ended {
        let (sender, ended) = oneshot::channel();
        {
            let mut tasks = self.tasks.lock().await;
            tasks.0 += 1;
            let id = tasks.0;
            self.waiting
                .lock()
                .expect("not poisoned")
                .insert(id, sender);
            let line = serde_json::to_string(&(id, task)).expect("JSON") + "\n";
            tasks.1.write_all(line.as_bytes()).await.expect("it runs");
        }
        ended.await.expect("it runs")
    }
}

/// The other process: does what it is told until its input ends.
#[test]
fn serve() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    std::panic::set_hook(Box::new(|problem| {
        eprintln!("a far client: {problem}");
        std::process::exit(101);
    }));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let place: Vec<String> = place.split(' ').map(str::to_owned).collect();
    let [cluster, address, peers @ ..] = &place[..] else {
        panic!("{place:?}");
    };
    let listen = format!("{address}:0");
    let served = runtime.block_on(async {
        Arc::new(Served {
            node: client_at(cluster, &listen, peers).await,
            asker: Asker::start(cluster, &listen, peers).await,
            tallies: Mutex::default(),
            locks: Mutex::default(),
        })
    });
    for line in std::io::stdin().lines() {
        let line = line.expect("text");
        let (id, task): (u64, Task) = serde_json::from_str(&line).expect("a task");
        let served = served.clone();
        runtime.spawn(async move {
            let ended = served.run(task).await;
            let answer = serde_json::to_string(&(id, ended)).expect("JSON");
            println!("\n{answer}");
        });
    }
}

/// One handle per object, as a program has: a clone would be another one.
struct Served {
    node: Node,
    asker: Asker,
    tallies: Mutex<BTreeMap<u128, Arc<TallyProxy>>>,
    locks: Mutex<BTreeMap<u128, Arc<LockProxy>>>,
}

impl Served {
    async fn run(&self, task: Task) -> Ended {
        match task {
            Task::CreateTally => {
                let made = self.node.create(Tally::default()).await.expect("created");
                Ended::reference(Ref::from(&made).raw())
            }
            Task::CreateLock => {
                let made = self.node.create(Lock::default()).await.expect("created");
                Ended::reference(Ref::from(&made).raw())
            }
            Task::Primary(object) => {
                let found = self.node.inspect(&object).await.expect("described");
                let primary = found.configuration.process(found.ballot.member);
                Ended::Returned(json!(primary.expect("a primary").peer.to_string()))
            }
            Task::Record(object, client, number, ms) => {
                let call = self.tally(object).record(client, number);
                Ended::of(call.timeout(Duration::from_millis(ms)).await)
            }
            Task::Recorded(object, ms) => {
                let call = self.tally(object).recorded();
                Ended::of(call.timeout(Duration::from_millis(ms)).await)
            }
            Task::Acquire(object, owner, ms) => {
                let call = self.lock(object).acquire(&owner, None);
                Ended::of(call.timeout(Duration::from_millis(ms)).await)
            }
            Task::Release(object, owner, token, ms) => {
                let call = self.lock(object).release(&owner, token);
                Ended::of(call.timeout(Duration::from_millis(ms)).await)
            }
            Task::IsSilent(peer, suspect) => {
                let members = self.node.members();
                let named = |name: &str| {
                    let mut processes = members.hosts().map(|member| member.record.process);
                    processes.find(|process| process.peer.to_string() == name)
                };
                let silent = match (named(&peer), named(&suspect)) {
                    (Some(peer), Some(suspect)) => self.asker.is_silent(peer, suspect).await,
                    _ => true,
                };
                Ended::Returned(json!(silent))
            }
        }
    }

    fn tally(&self, object: RawRef) -> Arc<TallyProxy> {
        let mut tallies = self.tallies.lock().expect("not poisoned");
        let made = || Arc::new(self.node.get(Ref::<Tally>::from_raw(object.clone())));
        tallies.entry(object.id.0).or_insert_with(made).clone()
    }

    fn lock(&self, object: RawRef) -> Arc<LockProxy> {
        let mut locks = self.locks.lock().expect("not poisoned");
        let made = || Arc::new(self.node.get(Ref::<Lock>::from_raw(object.clone())));
        locks.entry(object.id.0).or_insert_with(made).clone()
    }
}

/// Asks peers what they think of each other.
struct Asker {
    node: overlay::Node,
    verdicts: broadcast::Sender<(ProcessId, ProcessId, bool)>,
}

struct Verdicts(broadcast::Sender<(ProcessId, ProcessId, bool)>);

impl overlay::FrameHandler for Verdicts {
    fn frames(&self, from: ProcessId, frames: &mut Vec<bytes::Bytes>) {
        for frame in frames.drain(..) {
            if let Ok(Message::Silence { suspect, silent }) = frame::decode(frame) {
                let _nobody_waits = self.0.send((from, suspect, silent));
            }
        }
    }
}

impl Asker {
    async fn start(cluster: &str, listen: &str, peers: &[String]) -> Self {
        let verdicts = broadcast::Sender::new(VERDICTS_MAX);
        let mut builder = overlay::Node::builder()
            .ignore_environment()
            .client()
            .cluster(cluster)
            .listen(listen)
            .mdns(false)
            .runtime_folder(false)
            .frames(Arc::new(Verdicts(verdicts.clone())));
        for peer in peers {
            builder = builder.peer(peer);
        }
        let node = builder.start().await.expect("starts");
        Self { node, verdicts }
    }

    /// No answer counts as silence: of one of the two.
    async fn is_silent(&self, peer: ProcessId, suspect: ProcessId) -> bool {
        let mut verdicts = self.verdicts.subscribe();
        let question = frame::encode(&Message::AskSilence { suspect }).expect("a frame");
        let asked = self.node.outbound().send(peer, question);
        let answer = async {
            while let Ok((from, about, silent)) = verdicts.recv().await {
                if (from, about) == (peer, suspect) {
                    return silent;
                }
            }
            true
        };
        asked.is_err() || tokio::time::timeout(VERDICT, answer).await.unwrap_or(true)
    }
}
