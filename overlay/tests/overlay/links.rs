//! Links: frames, their order, their end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use overlay::limits::{FRAME_BYTES_MAX, SMALL_FRAME_BYTES_MAX};
use overlay::{Incarnation, LinkDown, Node, ProcessId, SendError};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::fixture::{Record, Told, address, builder, soon};

/// Two linked nodes and what they were told.
async fn pair() -> ((Node, Record), (Node, Record)) {
    let (handler, mut a_record) = Record::new();
    let a = builder().frames(handler).start().await.unwrap();
    let (handler, mut b_record) = Record::new();
    let b = builder()
        .frames(handler)
        .peer(address(&a))
        .start()
        .await
        .unwrap();
    assert_eq!(a_record.next().await, Told::Up(b.process()));
    assert_eq!(b_record.next().await, Told::Up(a.process()));
    ((a, a_record), (b, b_record))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_arrive_in_order_in_both_directions() {
    let ((a, mut a_record), (b, mut b_record)) = pair().await;
    for n in 0..5_000_u32 {
        a.outbound()
            .send(b.process(), n.to_be_bytes().to_vec().into())
            .unwrap();
        b.outbound()
            .send(a.process(), n.to_be_bytes().to_vec().into())
            .unwrap();
    }
    for n in 0..5_000_u32 {
        let frame = Bytes::from(n.to_be_bytes().to_vec());
        assert_eq!(
            b_record.next().await,
            Told::Frame(a.process(), frame.clone())
        );
        assert_eq!(a_record.next().await, Told::Frame(b.process(), frame));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_frames_arrive_whole_and_in_order_among_themselves() {
    let ((a, _a_record), (b, mut b_record)) = pair().await;
    let sizes = [SMALL_FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX, 1_000_000];
    for (n, size) in sizes.into_iter().enumerate() {
        let fill = u8::try_from(n).unwrap();
        a.outbound()
            .send(b.process(), vec![fill; size].into())
            .unwrap();
    }
    for (n, size) in sizes.into_iter().enumerate() {
        let Told::Frame(_, frame) = b_record.next().await else {
            panic!("not a frame")
        };
        let fill = u8::try_from(n).unwrap();
        assert!(frame.len() == size && frame.iter().all(|byte| *byte == fill));
    }
    let too_large = vec![0; FRAME_BYTES_MAX + 1].into();
    assert_eq!(
        a.outbound().send(b.process(), too_large),
        Err(SendError::TooLarge)
    );
}

#[tokio::test]
async fn a_crash_on_this_machine_is_known_at_once() {
    let ((a, mut a_record), (b, _b_record)) = pair().await;
    let gone = b.process();
    let crashed = Instant::now();
    drop(b);
    assert_eq!(a_record.next().await, Told::Down(gone, LinkDown::Refused));
    assert!(
        crashed.elapsed() < Duration::from_millis(500),
        "{:?}",
        crashed.elapsed()
    );
    drop(a);
}

#[tokio::test]
async fn a_clean_leave_is_not_mistaken_for_a_crash() {
    let ((_a, mut a_record), (b, _b_record)) = pair().await;
    let gone = b.process();
    b.shutdown().await;
    assert_eq!(a_record.next().await, Told::Down(gone, LinkDown::Closed));
}

#[tokio::test]
async fn a_frame_for_an_unknown_process_is_answered_by_link_down() {
    let ((a, mut a_record), (b, _b_record)) = pair().await;
    let nobody = ProcessId {
        peer: overlay::PeerId([7; 32]),
        incarnation: Incarnation(1),
    };
    a.outbound().send(nobody, Bytes::from_static(b"x")).unwrap();
    assert_eq!(
        a_record.next().await,
        Told::Down(nobody, LinkDown::Unreachable)
    );
    let earlier = ProcessId {
        peer: b.id(),
        incarnation: Incarnation(1),
    };
    a.outbound()
        .send(earlier, Bytes::from_static(b"x"))
        .unwrap();
    assert_eq!(
        a_record.next().await,
        Told::Down(earlier, LinkDown::Refused)
    );
    assert_eq!(
        a.outbound().send(a.process(), Bytes::new()),
        Err(SendError::ToItself)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_dial_each_other_at_once_get_one_link() {
    for _ in 0..10 {
        let (handler, mut a_record) = Record::new();
        let a = builder().frames(handler).start().await.unwrap();
        let (handler, mut b_record) = Record::new();
        let b = builder().frames(handler).start().await.unwrap();
        let (a_request, b_request) = (a.clone(), b.clone());
        a.try_peer(&address(&b)).await.unwrap();
        b.try_peer(&address(&a)).await.unwrap();
        assert_eq!(a_record.next().await, Told::Up(b_request.process()));
        assert_eq!(b_record.next().await, Told::Up(a_request.process()));
        soon(async {
            while a.metrics().connections > 1 || b.metrics().connections > 1 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        assert_eq!((a_record.try_next(), b_record.try_next()), (None, None));
        assert_eq!((a.metrics().links_opened, b.metrics().links_opened), (1, 1));
    }
}

/// What becomes of the first connection through a proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stuck {
    Nowhere,
    TowardsDialler,
    BothWays,
}

/// Copies until `stops`. Then neither end is closed: nothing more comes, and nobody is told.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<Stuck>,
    stops: impl Fn(&Stuck) -> bool,
) {
    tokio::select! {
        _ = state.wait_for(stops) => {}
        _ = tokio::io::copy(&mut from, &mut to) => {}
    }
    std::future::pending::<()>().await;
}

/// Forwards connections to `to`. The first one gets stuck as it is told, later ones do not.
async fn proxy(to: SocketAddr) -> (SocketAddr, watch::Sender<Stuck>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (told, state) = watch::channel(Stuck::Nowhere);
    tokio::spawn(async move {
        let mut first = true;
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.unwrap();
            let (from_near, to_near) = near.into_split();
            let (from_far, to_far) = far.into_split();
            let stuck = std::mem::take(&mut first);
            let back = move |state: &Stuck| stuck && *state != Stuck::Nowhere;
            let forth = move |state: &Stuck| stuck && *state == Stuck::BothWays;
            tokio::spawn(copy(from_far, to_near, state.clone(), back));
            tokio::spawn(copy(from_near, to_far, state.clone(), forth));
        }
    });
    (at, told)
}

/// Two linked nodes of which the second dialled the first through a proxy. The link gets stuck
/// while both talk; then they get another one, and hear each other.
async fn gets_stuck(how: Stuck) {
    let (handler, mut a_record) = Record::new();
    let a = builder().frames(handler).start().await.unwrap();
    let port = address(&a).rsplit('/').next().unwrap().parse().unwrap();
    let (proxy, state) = proxy(([127, 0, 0, 1], port).into()).await;
    let (handler, mut b_record) = Record::new();
    let by_proxy = format!("/ip4/127.0.0.1/tcp/{}", proxy.port());
    let b = builder().frames(handler).peer(by_proxy).start().await;
    let b = b.unwrap();
    assert_eq!(a_record.next().await, Told::Up(b.process()));
    assert_eq!(b_record.next().await, Told::Up(a.process()));
    state.send_replace(how);
    let talk = |outbound: overlay::Outbound, to| async move {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        loop {
            every.tick().await;
            outbound.send(to, Bytes::from_static(b"hello")).unwrap();
        }
    };
    let talks = [
        tokio::spawn(talk(a.outbound(), b.process())),
        tokio::spawn(talk(b.outbound(), a.process())),
    ];
    let down = Told::Down(b.process(), LinkDown::Closed);
    soon(async {
        while a_record.next().await != down {}
        while a_record.next().await != Told::Up(b.process()) {}
    })
    .await;
    talks.iter().for_each(tokio::task::JoinHandle::abort);
    let frame = Bytes::from_static(b"do you hear me");
    a.outbound().send(b.process(), frame.clone()).unwrap();
    soon(async { while b_record.next().await != Told::Frame(a.process(), frame.clone()) {} }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_works_in_one_direction_only_is_replaced() {
    gets_stuck(Stuck::TowardsDialler).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_stuck_in_both_directions_is_replaced() {
    gets_stuck(Stuck::BothWays).await;
}
