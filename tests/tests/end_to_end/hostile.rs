//! Garbage from strangers and from members: the node stays up and stays small.

use std::time::{Duration, Instant};

use objects::proto::frame;
use objects::proto::message::Message;
use objects::{Ref, kinds::Counter};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::fixture::{PATIENCE, Process, builder, fresh_name, soon, until};

const CLUSTER: &str = "PYDO_TEST_VICTIM";
/// How long each kind of garbage is sent.
const DURATION: Duration = Duration::from_secs(2);
/// Strangers that connect at the same time, and longest piece of garbage from one.
const STRANGERS: usize = 8;
const PIECE_BYTES: usize = 1024 * 1024;
/// What the receiver may hold more than before, in bytes and tasks.
const MEMORY_MAX: u64 = 64 * 1024 * 1024;
const TASKS_MAX: u64 = 32;

/// The other process: a host that tells its number of tasks and refused frames when asked.
#[test]
fn victim() {
    let Ok(cluster) = std::env::var(CLUSTER) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let node = builder(&cluster)
            .host::<Counter>()
            .start()
            .await
            .expect("starts");
        let id = node.id();
        let hex = id.peer.0.map(|byte| format!("{byte:02x}")).concat();
        println!("\nnode {hex} {} {}", id.incarnation.0, node.addresses()[0]);
        let tasks = tokio::runtime::Handle::current().metrics();
        loop {
            println!(
                "state {} {}",
                tasks.num_alive_tasks(),
                node.metrics().frames_refused
            );
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

/// The last number of tasks and of refused frames that the victim told, once it has told
/// `fresh` times.
fn state(victim: &mut Process, fresh: usize) -> (u64, u64) {
    let mut told = (0, 0);
    for _ in 0..fresh {
        let line = victim.told("state ");
        let (tasks, refused) = line.split_once(' ').expect("two numbers");
        told = (
            tasks.parse().expect("a number"),
            refused.parse().expect("a number"),
        );
    }
    told
}

/// Sends garbage over plain TCP, small and large, for a while.
async fn bombard(address: String, stranger: u64, until: Instant) -> u64 {
    let (mut sent, mut round) = (0, stranger << 32);
    while Instant::now() < until {
        round += 1;
        let Ok(mut stream) = TcpStream::connect(&address).await else {
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
            sent += piece.len() as u64;
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_of_strangers_and_members_is_survived() {
    let cluster = fresh_name();
    let mut victim = Process::start("hostile::victim", CLUSTER, &cluster);
    let told = victim.told("node ");
    let [id, incarnation, address] = told.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{told}");
    };
    let byte = |at: usize| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).expect("hex");
    let process = objects::ProcessId {
        peer: objects::PeerId(std::array::from_fn(byte)),
        incarnation: overlay::Incarnation(incarnation.parse().expect("a number")),
    };
    let client = builder(&cluster)
        .client()
        .peer(address)
        .start()
        .await
        .expect("starts");
    until("the victim in the view", async || {
        client.members().hosts().count() == 1
    })
    .await;
    let counter = client.create(Counter::default()).await.expect("created");
    assert_eq!(counter.increment(1).await, Ok(1));
    let member = overlay::Node::builder()
        .ignore_environment()
        .cluster(&cluster)
        .listen("127.0.0.1:0")
        .mdns(false)
        .runtime_folder(false)
        .peer(address);
    let member = member.start().await.expect("starts");
    let known = |view: &overlay::MembershipView| view.peer(&process.peer).is_some();
    let mut watch = member.watch();
    soon("the victim in the view", watch.until(known))
        .await
        .expect("runs");
    let (tasks, _) = state(&mut victim, 3);
    let memory = victim.memory();

    let parts: Vec<&str> = address.split('/').collect();
    let socket = format!("{}:{}", parts[2], parts[4]);
    let end = Instant::now() + DURATION;
    let strangers: Vec<_> = (0..STRANGERS as u64)
        .map(|stranger| tokio::spawn(bombard(socket.clone(), stranger, end)))
        .collect();
    let mut bytes = 0;
    for stranger in strangers {
        bytes += stranger.await.expect("it ran");
    }
    println!("strangers sent {bytes} bytes of garbage");

    let frames = flood(&member, process).await;
    println!("a member sent {frames} frames of garbage");

    assert_eq!(
        counter.increment(1).timeout(PATIENCE).await,
        Ok(2),
        "the node is up"
    );
    let fresh = client.get(Ref::from(&counter));
    assert_eq!(fresh.count().await, Ok(2));
    let deadline = Instant::now() + PATIENCE;
    let (tasks_after, refused) = loop {
        let now = state(&mut victim, 1);
        if now.0 <= tasks + TASKS_MAX && now.1 > 0 || Instant::now() > deadline {
            break now;
        }
    };
    let memory_after = victim.memory();
    println!(
        "victim: tasks {tasks} then {tasks_after}, memory {memory} then {memory_after} bytes, \
         {refused} frames refused"
    );
    assert!(refused > 0, "the frames arrived");
    assert!(
        tasks_after <= tasks + TASKS_MAX,
        "tasks: {tasks} then {tasks_after}"
    );
    assert!(
        memory_after <= memory + MEMORY_MAX,
        "memory: {memory} then {memory_after} bytes"
    );
}

/// Sends frames over a link: noise, noise behind a good beginning, good frames cut short or
/// with one byte changed, and some that are very long.
async fn flood(member: &overlay::Node, victim: objects::ProcessId) -> u64 {
    let good = frame::encode(&Message::Ping { nonce: 7 }).expect("a frame");
    let outbound = member.outbound();
    let (end, mut sent) = (Instant::now() + DURATION, 0_u64);
    while Instant::now() < end {
        let length = if sent.is_multiple_of(1_000) {
            PIECE_BYTES
        } else {
            (sent % 600) as usize
        };
        let mut bytes = garbage(sent, length);
        match sent % 4 {
            0 => {}
            1 => bytes
                .splice(0..0, [frame::FRAME_VERSION, (sent / 4 % 12) as u8])
                .for_each(drop),
            2 => bytes = good[..sent as usize / 4 % good.len()].to_vec(),
            _ => {
                bytes = good.to_vec();
                let at = sent as usize / 4 % bytes.len();
                bytes[at] ^= (sent % 251) as u8 + 1;
            }
        }
        if outbound.send(victim, bytes.into()).is_ok() {
            sent += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    sent
}
