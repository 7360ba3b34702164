//! Ten seconds of bad input of every kind at once: each caller gets a clear, typed error, and the
//! node stays up and stays small.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use objects::kinds::Counter;
use objects::proto::frame;
use objects::proto::message::Message;
use objects::proto::register::QUEUE_CALLS_MAX;
use objects::{CallError, Cause, Context, Error, Node, ProcessId, RawRef, Ref, shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::fixture::{PATIENCE, Process, builder, fresh_name, see, soon};

const CLUSTER: &str = "PYDO_TEST_VICTIM";
/// How long all kinds of bad input are sent.
const DURATION: Duration = Duration::from_secs(10);
/// Strangers that connect at the same time, and longest piece of garbage from one.
const STRANGERS: usize = 8;
const PIECE_BYTES: usize = 1024 * 1024;
/// Nesting of what is sent as CBOR and as JSON: deeper than anything that is decoded.
const DEPTH: usize = 1_000;
/// Calls made at once on an object whose queue takes [`QUEUE_CALLS_MAX`].
const CROWD: usize = QUEUE_CALLS_MAX + 256;
/// What the receiver may hold more than before, in bytes and tasks.
const MEMORY_MAX: u64 = 64 * 1024 * 1024;
const TASKS_MAX: u64 = 32;

#[derive(Default, Serialize, Deserialize)]
struct Victim {
    count: u64,
}

#[shared]
impl Victim {
    fn add(&mut self, by: u64) -> u64 {
        self.count += by;
        self.count
    }

    async fn hold(&mut self, cx: &Context, millis: u64) {
        cx.sleep(Duration::from_millis(millis)).await;
    }
}

/// The other process: a host that tells its number of tasks and of refused frames, and when.
#[test]
fn victim() {
    let Ok(cluster) = std::env::var(CLUSTER) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let node = builder(&cluster).host::<Victim>().start().await;
        let node = node.expect("starts");
        println!("\nnode {}", node.addresses()[0]);
        let tasks = tokio::runtime::Handle::current().metrics();
        loop {
            let (refused, at) = (node.metrics().frames_refused, unix_ms());
            println!("state {} {refused} {at}", tasks.num_alive_tasks());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

/// Bytes of no meaning, other ones for each seed.
fn garbage(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    });
    next.take(length).collect()
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_millis() as u64
}

/// The numbers of tasks and of refused frames of the victim now, which tells them all the time.
fn state(victim: &mut Process) -> (u64, u64) {
    let now = unix_ms();
    loop {
        let line = victim.told("state ");
        let numbers = line
            .split(' ')
            .map(|number| number.parse().expect("a number"));
        if let [tasks, refused, at] = numbers.collect::<Vec<u64>>()[..]
            && at >= now
        {
            return (tasks, refused);
        }
    }
}

/// Sends garbage over plain TCP, small and large.
async fn bombard(socket: String, stranger: u64, until: Instant) -> u64 {
    let (mut sent, mut round) = (0, stranger << 32);
    while Instant::now() < until {
        round += 1;
        let Ok(mut stream) = TcpStream::connect(&socket).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let length = if round % 4 == 0 { PIECE_BYTES } else { 1_000 };
        let mut piece = garbage(round, length);
        if round % 2 == 0 {
            piece.splice(0..0, *b"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff");
        }
        let pause = Duration::from_millis(100);
        if let Ok(Ok(())) = tokio::time::timeout(pause, stream.write_all(&piece)).await {
            sent += 1;
        }
    }
    sent
}

/// A frame that is none: noise, noise behind a good beginning, good frames cut short or with one
/// byte changed, deeply nested CBOR in all forms that hold it, and some that are too long.
fn bad_frame(number: u64) -> Vec<u8> {
    let good = frame::encode(&Message::Ping { nonce: 7 }).expect("a frame");
    let turn = number as usize / 5;
    let form = (turn % 12) as u8;
    if number.is_multiple_of(2_000) {
        return vec![frame::FRAME_VERSION; frame::FRAME_BYTES_MAX + 1];
    }
    let noise = garbage(number, (number % 600) as usize);
    match number % 5 {
        0 => noise,
        1 => [&[frame::FRAME_VERSION, form], &noise[..]].concat(),
        2 => good[..turn % good.len()].to_vec(),
        3 => {
            let mut bytes = good.to_vec();
            bytes[turn % good.len()] ^= (number % 251) as u8 + 1;
            bytes
        }
        _ => [&[frame::FRAME_VERSION, form], &[0x81; DEPTH][..]].concat(),
    }
}

/// A member's garbage, over its link.
async fn flood(member: overlay::Node, victim: ProcessId, until: Instant) -> u64 {
    let (outbound, mut sent) = (member.outbound(), 0);
    while Instant::now() < until {
        if outbound.send(victim, bad_frame(sent).into()).is_ok() {
            sent += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    sent
}

/// Calls of a program that takes the object for something else.
async fn misfits(node: Node, object: RawRef, until: Instant) -> u64 {
    let deep = (0..DEPTH).fold(json!([]), |inner, _| Value::Array(vec![inner]));
    let counter = RawRef {
        kind: "Counter".into(),
        ..object.clone()
    };
    let typed = node.get(Ref::<Counter>::from_raw(counter));
    let mut made = 0;
    while Instant::now() < until {
        let call = |method, arguments: Vec<Value>| {
            let (node, object) = (&node, &object);
            async move { node.call_json(object, method, &arguments, PATIENCE).await }
        };
        let unknown = call("explode", vec![]).await;
        let Err(CallError::NotExecuted(Cause::UnknownMethod { method, .. })) = &unknown else {
            panic!("{unknown:?}");
        };
        assert_eq!(method, "explode");
        let arguments = [
            vec![json!("one")],
            vec![],
            vec![json!(1), json!(2)],
            vec![deep.clone()],
        ];
        for arguments in arguments {
            let refused = call("add", arguments).await;
            assert!(
                matches!(refused, Err(CallError::NotExecuted(Cause::Arguments(_)))),
                "{refused:?}"
            );
        }
        let kind = node
            .create_json("Nonsense", None, json!({}), PATIENCE)
            .await;
        assert!(matches!(kind, Err(Error::UnknownKind(_))), "{kind:?}");
        let kind = typed.increment(1).await;
        assert!(
            matches!(
                kind,
                Err(CallError::NotExecuted(
                    Cause::WrongKind { .. } | Cause::UnknownKind(_)
                ))
            ),
            "{kind:?}"
        );
        made += 7;
    }
    made
}

/// A peer of another cluster dials again and again.
async fn intruder(address: String, until: Instant) -> u64 {
    let stranger = overlay::Node::builder()
        .ignore_environment()
        .cluster(fresh_name())
        .listen("127.0.0.1:0")
        .mdns(false)
        .runtime_folder(false);
    let stranger = stranger.start().await.expect("starts");
    let mut dials = 0;
    while Instant::now() < until {
        stranger.try_peer(&address).await.expect("it runs");
        dials += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stranger.view().len(), 1, "it sees but itself");
    dials
}

/// More calls on one busy object than its queue takes, again and again. How many were refused,
/// and how many ran.
async fn crowd(node: Node, object: RawRef, until: Instant) -> (u64, u64) {
    let handles: Vec<_> = (0..CROWD.div_ceil(64))
        .map(|_| node.get(Ref::<Victim>::from_raw(object.clone())))
        .collect();
    let (mut refused, mut ran) = (0, 0);
    while Instant::now() < until {
        let holding = tokio::spawn(handles[0].hold(300).timeout(PATIENCE));
        let calls: Vec<_> = (0..CROWD)
            .map(|call| tokio::spawn(handles[call % handles.len()].add(1).timeout(PATIENCE)))
            .collect();
        for call in calls {
            match call.await.expect("the caller lives") {
                Ok(_) => ran += 1,
                Err(CallError::NotExecuted(Cause::Overloaded(_))) => refused += 1,
                Err(CallError::NotExecuted(Cause::OutOfOrder)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        holding.await.expect("the caller lives").expect("it ran");
    }
    (refused, ran)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_of_all_kinds_is_survived() {
    let cluster = fresh_name();
    let mut victim = Process::start("hostile::victim", CLUSTER, &cluster);
    let address = victim.told("node ");
    let client = builder(&cluster).client().peer(&address).start().await;
    let client = client.expect("starts");
    see(&client, 1).await;
    let object = client.create(Victim::default()).await.expect("created");
    assert_eq!(object.add(1).await, Ok(1));
    let raw = Ref::from(&object).raw().clone();
    let busy = client.create(Victim::default()).await.expect("created");
    let busy_raw = Ref::from(&busy).raw().clone();
    let process = client
        .members()
        .hosts()
        .next()
        .expect("the victim")
        .record
        .process;
    let member = overlay::Node::builder()
        .ignore_environment()
        .cluster(&cluster)
        .listen("127.0.0.1:0")
        .mdns(false)
        .runtime_folder(false)
        .peer(&address);
    let member = member.start().await.expect("starts");
    let known = |view: &overlay::MembershipView| view.process(&process).is_some();
    let mut watch = member.watch();
    let seen = soon("the victim in the view", watch.until(known)).await;
    seen.expect("runs");
    let (tasks, _) = state(&mut victim);
    let memory = victim.memory();

    let parts: Vec<&str> = address.split('/').collect();
    let socket = format!("{}:{}", parts[2], parts[4]);
    let end = Instant::now() + DURATION;
    let strangers: Vec<_> = (0..STRANGERS as u64)
        .map(|stranger| tokio::spawn(bombard(socket.clone(), stranger, end)))
        .collect();
    let flooding = tokio::spawn(flood(member, process, end));
    let misfitting = tokio::spawn(misfits(client.clone(), raw.clone(), end));
    let intruding = tokio::spawn(intruder(address.clone(), end));
    let crowding = tokio::spawn(crowd(client.clone(), busy_raw, end));
    let (mut pieces, frames) = (0, flooding.await.expect("it ran"));
    for stranger in strangers {
        pieces += stranger.await.expect("it ran");
    }
    let misfits = misfitting.await.expect("each has its error");
    let dials = intruding.await.expect("it stays outside");
    let (refused, ran) = crowding.await.expect("each has its error");
    println!(
        "{pieces} pieces of garbage from strangers, {frames} bad frames of a member, {dials} \
         dials from another cluster, {misfits} calls that do not fit, {refused} too many"
    );
    assert!(
        [pieces, frames, dials, misfits, refused]
            .iter()
            .all(|sent| *sent > 0)
    );

    let counts = tokio::join!(
        object.add(1).timeout(PATIENCE),
        busy.add(1).timeout(PATIENCE)
    );
    assert_eq!(
        counts,
        (Ok(2), Ok(ran + 1)),
        "it is up, and no other call ran"
    );
    assert_small(&mut victim, tasks, memory, frames / 2);
}

/// The victim refused so many frames at least, and holds little more than before.
fn assert_small(victim: &mut Process, tasks: u64, memory: u64, refused_min: u64) {
    let deadline = Instant::now() + PATIENCE;
    let (tasks_after, refused) = loop {
        let now = state(victim);
        if now.0 <= tasks + TASKS_MAX && now.1 >= refused_min || Instant::now() > deadline {
            break now;
        }
    };
    let memory_after = victim.memory();
    println!(
        "victim: tasks {tasks} then {tasks_after}, memory {memory} then {memory_after} bytes, \
         {refused} frames refused"
    );
    assert!(refused >= refused_min, "{refused} frames arrived");
    assert!(
        tasks_after <= tasks + TASKS_MAX,
        "tasks: {tasks} then {tasks_after}"
    );
    assert!(
        memory_after <= memory + MEMORY_MAX,
        "memory: {memory} then {memory_after} bytes"
    );
}
