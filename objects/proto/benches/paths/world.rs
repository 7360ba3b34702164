//! Machines in one process, joined by frames: what a call costs besides the network.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use objects_macros::shared;
use objects_proto::caller::{BoxFuture, Caller, Completion, HandleId, Invocation};
use objects_proto::config::ObjectsConfig;
use objects_proto::execution::Codec;
use objects_proto::frame;
use objects_proto::guard::PanicGuard;
use objects_proto::kinds_table::KindTable;
use objects_proto::machine::{Command, Creation, Event, Ticket, Timer};
use objects_proto::message::Message;
use objects_proto::mode::Mode;
use objects_proto::object::MethodId;
use objects_proto::objects::Objects;
use objects_proto::outcome::Outcome;
use objects_proto::reference::RawRef;
use objects_proto::servant::{ServantLimits, Servants};
use overlay_proto::member::{HostedKind, MemberRecord, MemberState};
use overlay_proto::view::{Member, MembershipView};
use overlay_proto::{Duration, Incarnation, Input, Instant, Machine, Output, PeerId, ProcessId};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[shared(crate = objects_proto)]
impl Counter {
    fn increment(&mut self, by: u64) -> u64 {
        self.count += by;
        self.count
    }
}

type MachineOutput = Output<Message, Timer, Event>;

struct Node {
    process: ProcessId,
    machine: Objects,
    servants: Servants,
}

/// A client, which is the first node, and hosts.
pub(crate) struct World {
    now: Instant,
    nodes: Vec<Node>,
    frames: VecDeque<(usize, usize, Bytes)>,
    /// Every frame that was sent, if they are kept.
    pub(crate) sent: Option<Vec<Bytes>>,
    tickets: u64,
    ended: u64,
    made: Option<RawRef>,
    outputs: Vec<MachineOutput>,
}

impl World {
    pub(crate) fn new(hosts: u8) -> Self {
        let mut world = Self {
            now: Instant::from_micros(1_000_000),
            nodes: (0..=hosts).map(node).collect(),
            frames: VecDeque::new(),
            sent: None,
            tickets: 0,
            ended: 0,
            made: None,
            outputs: Vec::new(),
        };
        let members = world.nodes[1..].iter().map(member).collect();
        let view = MembershipView::new(1, members);
        for index in 0..world.nodes.len() {
            world.input(index, Input::Command(Command::View(view.clone())));
        }
        world
    }

    /// Makes a counter on all hosts.
    pub(crate) fn create(&mut self) -> RawRef {
        self.tickets += 1;
        let creation = Creation {
            kind: "Counter".into(),
            kind_version: 1,
            mode: Mode::Strong,
            state: objects_proto::kinds_table::encode_state(&Counter::default()).expect("a state"),
            factor: u8::try_from(self.nodes.len() - 1).expect("few hosts"),
            id: None,
            members: None,
            handle: HandleId(self.tickets),
            timeout: Duration::from_secs(10),
        };
        let ticket = Ticket(self.tickets);
        self.input(0, Input::Command(Command::Create { ticket, creation }));
        self.deliver();
        self.made.take().expect("an object was made")
    }

    /// Increments a counter through the handle that made it.
    pub(crate) fn increment(&mut self, target: &RawRef, handle: u64) {
        self.begin(target, handle);
        self.deliver();
    }

    /// Sends a call and delivers nothing yet.
    pub(crate) fn begin(&mut self, target: &RawRef, handle: u64) {
        self.tickets += 1;
        let invocation = Invocation {
            handle: HandleId(handle),
            target: target.clone(),
            method: MethodId::of("increment"),
            write: true,
            codec: Codec::Cbor,
            arguments: Bytes::from_static(b"\x01\x02by\x00\x00\x00\x01\x01"),
            timeout: Duration::from_secs(10),
            one_way: false,
            parent: None,
        };
        let ticket = Ticket(self.tickets);
        self.input(0, Input::Command(Command::Invoke { ticket, invocation }));
    }

    /// Calls that have ended.
    pub(crate) const fn ended(&self) -> u64 {
        self.ended
    }

    /// Delivers frames until there are none.
    pub(crate) fn deliver(&mut self) {
        while let Some((from, to, frame)) = self.frames.pop_front() {
            let message = frame::decode(frame).expect("a message");
            let from = self.nodes[from].process;
            self.now = self.now + Duration::from_micros(10);
            self.input(to, Input::Received { from, message });
        }
    }

    fn input(&mut self, index: usize, input: Input<Command, Message, Timer>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        let node = &mut self.nodes[index];
        node.machine.handle(self.now, input, &mut outputs);
        for output in outputs.drain(..) {
            self.carry_out(index, output);
        }
        if outputs.capacity() > self.outputs.capacity() {
            self.outputs = outputs;
        }
    }

    fn carry_out(&mut self, index: usize, output: MachineOutput) {
        match output {
            Output::Send { to, message } => {
                let to = self.nodes.iter().position(|node| node.process == to);
                let frame = frame::encode(&message).expect("a frame");
                if let Some(sent) = &mut self.sent {
                    sent.push(frame.clone());
                }
                self.frames
                    .push_back((index, to.expect("a known process"), frame));
            }
            Output::Emit(Event::Execute(execution)) => {
                let servants = &mut self.nodes[index].servants;
                let executed = servants.run_sync(execution, &NoGuard);
                self.input(index, Input::Command(Command::Executed(executed)));
            }
            Output::Emit(Event::Created { result, .. }) => {
                self.made = Some(result.expect("an object"));
            }
            Output::Emit(Event::Completed { completion, .. }) => {
                let outcome = completion.outcome;
                assert!(matches!(outcome, Outcome::Returned(_)), "{outcome:?}");
                self.ended += 1;
            }
            Output::Emit(_) | Output::SetTimer { .. } => {}
        }
    }
}

fn node(number: u8) -> Node {
    let process = ProcessId {
        peer: PeerId([number; 32]),
        incarnation: Incarnation(1),
    };
    let mut kinds = KindTable::default();
    kinds.register::<Counter>().expect("a kind");
    let kinds = Arc::new(kinds);
    let config = ObjectsConfig::default();
    Node {
        process,
        machine: Objects::new(config, process, kinds.clone(), u64::from(number)),
        servants: Servants::new(kinds, Arc::new(Nobody), ServantLimits::default()),
    }
}

fn member(node: &Node) -> Member {
    let kind = HostedKind {
        name: "Counter".into(),
        version: 1,
        weak: false,
        methods: Vec::new(),
    };
    let record = MemberRecord {
        process: node.process,
        sequence: 1,
        addresses: Vec::new(),
        kinds: vec![kind],
        capacity: 1_000_000,
        load: 0,
        primaries: 0,
        labels: Vec::new(),
        leaving: false,
        stamp: 1,
    };
    Member {
        record: Arc::new(record),
        state: MemberState::Alive,
    }
}

struct NoGuard;

impl PanicGuard for NoGuard {
    fn run(&self, step: &mut dyn FnMut()) -> Result<(), String> {
        step();
        Ok(())
    }
}

/// The methods that are measured call nobody.
struct Nobody;

impl Caller for Nobody {
    fn open_handle(&self) -> HandleId {
        HandleId(0)
    }

    fn release_handle(&self, _: HandleId) {}

    fn invoke(&self, _: Invocation) -> BoxFuture<'static, Completion> {
        Box::pin(std::future::pending())
    }

    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn random(&self) -> u64 {
        0
    }
}
