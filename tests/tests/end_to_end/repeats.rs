//! The frames of calls, repeated byte for byte as a network or a caller in doubt may repeat them:
//! each call runs once and answers the same, whoever is primary meanwhile.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use objects::proto::execution::{CallChain, Codec};
use objects::proto::frame;
use objects::proto::message::{Ask, CallRequest, Message, Position, Refusal, Reply, Request};
use objects::proto::object::MethodId;
use objects::proto::outcome::{Failure, Outcome};
use objects::proto::session::SessionId;
use objects::{Node, ProcessId, RawRef, Ref, Version, shared};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::fixture::{PATIENCE, Process, Scratch, builder, fresh_name, see, soon, until};

/// The cluster, a file for what ran, and the address of a host.
const PLACE: &str = "PYDO_TEST_REPEATS";
/// Where a method says that it runs.
const RUNS: &str = "PYDO_TEST_REPEATS_RUNS";
const HOSTS: usize = 6;
/// Primaries that are killed: afterwards nobody is left who was there at the beginning.
const KILLS: u64 = 3;
/// How often one frame is sent at once.
const REPEATS: usize = 10;
/// How long an answer may take before the frame is sent elsewhere.
const ANSWER: Duration = Duration::from_secs(1);

#[derive(Default, Serialize, Deserialize)]
struct Purse {
    balance: u64,
}

#[shared]
impl Purse {
    fn earn(&mut self, amount: u64) -> u64 {
        ran("earn");
        self.balance += amount;
        self.balance
    }

    fn spend(&mut self, amount: u64) -> Result<u64, String> {
        ran("spend");
        let left = self.balance.checked_sub(amount);
        self.balance = left.ok_or_else(|| format!("only {} left", self.balance))?;
        Ok(self.balance)
    }

    fn lose(&mut self) {
        ran("lose");
        self.balance = 0;
        panic!("the purse is lost");
    }

    fn balance(&self) -> u64 {
        self.balance
    }
}

/// Notes that a method ran, which a failed one cannot do in the object.
fn ran(method: &str) {
    if let Ok(path) = std::env::var(RUNS) {
        let file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path);
        writeln!(file.expect("a file"), "{method}").expect("written");
    }
}

/// The other processes: hosts.
#[test]
fn host() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    let (cluster, through) = place.split_once(' ').expect("a cluster and an address");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut builder = builder(cluster).host::<Purse>();
        if !through.is_empty() {
            builder = builder.peer(through);
        }
        let node = builder.start().await.expect("starts");
        println!("\nnode {} {}", node.id(), node.addresses()[0]);
        std::future::pending::<()>().await;
    });
}

/// Says to peers what a peer says, and hears what they answer.
struct Speaker {
    node: overlay::Node,
    client: Node,
    purse: RawRef,
    heard: mpsc::UnboundedReceiver<Message>,
    /// Every answer to a call so far, which all later ones must equal.
    answers: BTreeMap<u64, (Outcome, Version)>,
}

struct Ears(mpsc::UnboundedSender<Message>);

impl overlay::FrameHandler for Ears {
    fn frames(&self, _: ProcessId, frames: &mut Vec<Bytes>) {
        for frame in frames.drain(..) {
            let message = frame::decode(Bytes::copy_from_slice(&frame)).expect("a message");
            let _nobody_listens = self.0.send(message);
        }
    }
}

impl Speaker {
    async fn primary(&self) -> Option<ProcessId> {
        let found = self.client.inspect(&self.purse).await.ok()?;
        found.configuration.process(found.ballot.member)
    }

    /// Whether the set is whole without this process, and its number.
    async fn whole_without(&self, gone: ProcessId) -> Option<u64> {
        let found = self.client.inspect(&self.purse).await.ok()?;
        let set = found.configuration;
        let whole = set.members.len() == 3 && set.processes().all(|process| process != gone);
        whole.then_some(set.epoch.number)
    }

    /// Sends a frame so many times at once and waits for the answer to its request.
    async fn send(&mut self, to: ProcessId, frame: &Bytes, times: usize, id: u64) -> Option<Reply> {
        for _ in 0..times {
            let sent = self.node.outbound().send(to, frame.clone());
            sent.expect("frames are taken");
        }
        let answer = async {
            loop {
                let message = self.heard.recv().await.expect("the node runs");
                match message {
                    Message::Reply { id: of, reply } if of == id => return reply,
                    Message::Reply { id: of, reply } => self.answers.compare(of, &reply),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(ANSWER, answer).await.ok()
    }

    /// Sends a frame to whoever is primary until its call has ended; how it ended.
    async fn call(&mut self, frame: &Bytes, times: usize, id: u64) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "no answer to {id}");
            let Some(primary) = self.primary().await else {
                continue;
            };
            match self.send(primary, frame, times, id).await {
                Some(Reply::Refused(Refusal::Elsewhere(_))) | None => {}
                Some(reply) => {
                    self.answers.compare(id, &reply);
                    return self.answers[&id].0.clone();
                }
            }
        }
    }
}

trait Answers {
    /// The first answer to a request is kept; later ones must be the same.
    fn compare(&mut self, id: u64, reply: &Reply);
}

impl Answers for BTreeMap<u64, (Outcome, Version)> {
    fn compare(&mut self, id: u64, reply: &Reply) {
        match reply {
            Reply::Done { outcome, witness } => {
                let version = witness.expect("it ran").version;
                let first = self.entry(id).or_insert_with(|| (outcome.clone(), version));
                assert_eq!(*first, (outcome.clone(), version), "the answer to {id}");
            }
            Reply::Refused(Refusal::Elsewhere(_)) | Reply::Session(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn request(purse: &RawRef, id: u64, ask: Ask) -> Bytes {
    let request = Request {
        id,
        object: purse.id,
        kind: MethodId::of(&purse.kind),
        attempt: 0,
        budget: PATIENCE,
        ask,
    };
    frame::encode(&Message::Request(request)).expect("a frame")
}

/// The frame of a session's call.
fn call(purse: &RawRef, session: SessionId, number: u64, method: &str, arguments: &str) -> Bytes {
    let call = CallRequest {
        method: MethodId::of(method),
        write: true,
        codec: Codec::Json,
        position: Position::Numbered {
            session,
            number,
            predecessor: number - 1,
            floor: 1,
        },
        chain: CallChain::default(),
        arguments: Bytes::copy_from_slice(arguments.as_bytes()),
    };
    request(purse, number, Ask::Call(call))
}

/// Hosts in processes of their own, by what they are called.
fn start_hosts(cluster: &str, runs: &str) -> (BTreeMap<String, Process>, String) {
    let (mut hosts, mut first) = (BTreeMap::new(), String::new());
    for _ in 0..HOSTS {
        let variables = [
            (PLACE, format!("{cluster} {first}")),
            (RUNS, runs.to_owned()),
        ];
        let mut host = Process::start_with("repeats::host", variables);
        let told = host.told("node ");
        let (id, address) = told.split_once(' ').expect("an id and an address");
        if first.is_empty() {
            first = address.to_owned();
        }
        hosts.insert(id.to_owned(), host);
    }
    (hosts, first)
}

async fn speaker(cluster: &str, address: &str) -> Speaker {
    let client = builder(cluster).client().peer(address).start().await;
    let client = client.expect("the client starts");
    see(&client, HOSTS).await;
    let purse = client.create(Purse::default()).await.expect("created");
    let (told, heard) = mpsc::unbounded_channel();
    let node = overlay::Node::builder()
        .ignore_environment()
        .client()
        .cluster(cluster)
        .listen("127.0.0.1:0")
        .mdns(false)
        .runtime_folder(false)
        .peer(address)
        .frames(Arc::new(Ears(told)));
    let node = node.start().await.expect("the node starts");
    let seen = async {
        node.watch()
            .until(|view| view.hosts().count() == HOSTS)
            .await
    };
    soon("the hosts in the view", seen).await.expect("runs");
    Speaker {
        node,
        client,
        purse: Ref::from(&purse).raw().clone(),
        heard,
        answers: BTreeMap::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_frames_run_once_and_answer_the_same() {
    let (folder, cluster) = (Scratch::new(), fresh_name());
    let runs = folder.0.join("runs").to_string_lossy().into_owned();
    let (mut hosts, address) = start_hosts(&cluster, &runs);
    let mut speaker = speaker(&cluster, &address).await;
    let purse = speaker.purse.clone();

    let open = request(&purse, u64::MAX, Ask::OpenSession);
    let primary = speaker.primary().await.expect("a primary");
    let opened = speaker.send(primary, &open, 1, u64::MAX).await;
    let Some(Reply::Session(session)) = opened else {
        panic!("{opened:?}");
    };
    let calls = [
        ("earn", "[5]"),
        ("spend", "[7]"),
        ("lose", "[]"),
        ("spend", "[2]"),
    ];
    let frames: Vec<(u64, Bytes)> = (1..)
        .zip(calls)
        .map(|(number, (method, arguments))| {
            (number, call(&purse, session, number, method, arguments))
        })
        .collect();
    let mut outcomes = Vec::new();
    for (id, frame) in &frames {
        outcomes.push(speaker.call(frame, REPEATS, *id).await);
    }
    println!("{outcomes:?}");
    assert_eq!(outcomes[0], Outcome::Returned("5".into()));
    let poor = Failure::Returned("\"only 5 left\"".into());
    assert_eq!(outcomes[1], Outcome::Failed(poor));
    assert!(
        matches!(&outcomes[2], Outcome::Failed(Failure::Panicked(why)) if why.contains("lost"))
    );
    assert_eq!(outcomes[3], Outcome::Returned("3".into()));

    let mut sets = Vec::new();
    for _ in 0..KILLS {
        let primary = speaker.primary().await.expect("a primary");
        hosts.remove(&primary.to_string()).expect("a host of ours");
        for (id, frame) in &frames {
            speaker.call(frame, REPEATS, *id).await;
        }
        assert_ne!(speaker.primary().await, Some(primary), "another took over");
        let mut set = None;
        until("a whole set", async || {
            set = speaker.whole_without(primary).await;
            set.is_some()
        })
        .await;
        sets.extend(set);
        for (id, frame) in &frames {
            speaker.call(frame, REPEATS, *id).await;
        }
    }
    assert!(sets.is_sorted_by(|a, b| a < b), "{sets:?}");
    assert_eq!(sets.len() as u64, KILLS, "the set changed each time");

    let ran = std::fs::read_to_string(&runs).expect("what ran");
    let ran: Vec<&str> = ran.lines().collect();
    assert_eq!(ran, ["earn", "spend", "lose", "spend"], "each ran once");
    let proxy = speaker.client.get(Ref::<Purse>::from_raw(purse));
    assert_eq!(proxy.balance().await, Ok(3));
    println!("sets {sets:?}, ran {ran:?}");
}
