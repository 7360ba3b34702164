//! Stories of whole overlays in a small world: links with latency, gossip that may get lost,
//! processes that crash, freeze and come back.

mod evidence;
mod flood;
mod hostile;
mod noise;
mod second_opinion;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::interface::{Announcement, LostCause};
use crate::machine::Output;
use crate::member::{Keys, MemberState};
use crate::message::{GossipBatch, MembershipEvent};
use crate::plain_keys::PlainKeys;
use crate::time::Duration;
use crate::{
    ClusterRecord, Command, Event, Incarnation, Input, Instant, LinkDown, Machine, Message,
    Overlay, OverlayConfig, ProcessId, Role, Timer,
};

const LATENCY: Duration = Duration::from_millis(5);
/// No single input of these stories makes a machine do more.
const OUTPUTS_MAX: usize = 200;
const GOSSIP: Duration = Duration::from_millis(40);

type In = Input<Command, Message, Timer>;

struct Node {
    overlay: Overlay,
    role: Role,
    up: bool,
    frozen: bool,
    side: u8,
    events: Vec<(Instant, Event)>,
}

/// A world without randomness of its own.
struct World {
    now: Instant,
    queue: BTreeMap<(Instant, u64), (ProcessId, In)>,
    order: u64,
    nodes: BTreeMap<ProcessId, Node>,
    links: BTreeSet<(ProcessId, ProcessId)>,
    gossip_works: bool,
    /// Its connections stand still for 2.4 seconds of three.
    stalling: Option<ProcessId>,
    sent: u64,
    /// What was sent and published, if it is recorded.
    recorded: Option<Recorded>,
}

#[derive(Default)]
struct Recorded {
    messages: Vec<Message>,
    batches: Vec<GossipBatch>,
}

fn process(number: u64, incarnation: u64) -> ProcessId {
    let peer = PlainKeys::numbered(number).peer();
    ProcessId {
        peer,
        incarnation: Incarnation(incarnation),
    }
}

impl World {
    fn new() -> Self {
        Self {
            now: Instant::from_micros(1_000_000),
            queue: BTreeMap::new(),
            order: 0,
            nodes: BTreeMap::new(),
            links: BTreeSet::new(),
            gossip_works: true,
            stalling: None,
            sent: 0,
            recorded: None,
        }
    }

    /// Starts a process; a member is introduced to `contact`.
    fn start(
        &mut self,
        number: u64,
        incarnation: u64,
        role: Role,
        contact: Option<ProcessId>,
    ) -> ProcessId {
        self.start_with(OverlayConfig::default(), number, incarnation, role, contact)
    }

    fn start_with(
        &mut self,
        config: OverlayConfig,
        number: u64,
        incarnation: u64,
        role: Role,
        contact: Option<ProcessId>,
    ) -> ProcessId {
        let me = process(number, incarnation);
        let keys = Box::new(PlainKeys(me.peer));
        let overlay = Overlay::new(config, keys, me, role, number * 1000 + incarnation);
        let node = Node {
            overlay,
            role,
            up: true,
            frozen: false,
            side: 0,
            events: Vec::new(),
        };
        self.nodes.insert(me, node);
        self.input(me, Input::Command(Command::Announce(content(number))));
        if let Some(contact) = contact {
            self.introduce(me, contact);
        }
        me
    }

    fn introduce(&mut self, to: ProcessId, contact: ProcessId) {
        let record = self.nodes[&contact].overlay.own_record().unwrap();
        self.input(to, Input::Command(Command::Introduce(vec![record])));
    }

    /// `count` members, each introduced to the first one.
    fn cluster(&mut self, count: u64) -> Vec<ProcessId> {
        let first = self.start(0, 1, Role::Member, None);
        let mut all = vec![first];
        all.extend((1..count).map(|number| self.start(number, 1, Role::Member, Some(first))));
        self.run(Duration::from_secs(20));
        for process in &all {
            assert_eq!(self.view(*process).len(), all.len(), "{process} sees all");
        }
        all
    }

    fn input(&mut self, to: ProcessId, input: In) {
        let mut outputs = Vec::new();
        let node = self.nodes.get_mut(&to).unwrap();
        node.overlay.handle(self.now, input, &mut outputs);
        assert!(outputs.len() <= OUTPUTS_MAX, "{} outputs", outputs.len());
        for table in node.overlay.tables() {
            assert!(table.holds(), "{table:?}");
        }
        outputs
            .into_iter()
            .for_each(|output| self.output(to, output));
    }

    fn later(&mut self, after: Duration, to: ProcessId, input: In) {
        self.order += 1;
        self.queue
            .insert((self.now + after, self.order), (to, input));
    }

    fn output(&mut self, from: ProcessId, output: Output<Message, Timer, Event>) {
        match output {
            Output::Send { to, message } => {
                let encoded = message.encode();
                let message = Message::decode(&encoded).unwrap();
                self.sent += encoded.len() as u64;
                if let Some(recorded) = &mut self.recorded {
                    recorded.messages.push(message.clone());
                }
                if !self.connected(from, to) {
                    self.dial(from, to);
                }
                if self.connected(from, to) {
                    let after = self.delay(LATENCY, from, to);
                    self.later(after, to, Input::Received { from, message });
                }
            }
            Output::SetTimer { timer, after } => self.later(after, from, Input::TimerFired(timer)),
            Output::Emit(event) => self.event(from, event),
        }
    }

    fn event(&mut self, from: ProcessId, event: Event) {
        if let (Event::Publish(bytes), Some(recorded)) = (&event, &mut self.recorded) {
            recorded.batches.push(GossipBatch::decode(bytes).unwrap());
        }
        match &event {
            Event::Publish(bytes) if self.gossip_works => {
                let side = self.nodes[&from].side;
                let others: Vec<ProcessId> = self
                    .nodes
                    .iter()
                    .filter(|(to, node)| **to != from && node.up && node.side == side)
                    .filter(|(_, node)| node.role == Role::Member)
                    .filter(|(to, _)| self.links.iter().any(|(a, _)| a == *to))
                    .map(|(to, _)| *to)
                    .collect();
                for to in others {
                    let after = self.delay(GOSSIP, from, to);
                    self.later(after, to, Input::Command(Command::Gossip(bytes.clone())));
                }
            }
            Event::Dial { peer, .. } => {
                let newest = self.nodes.keys().rfind(|p| p.peer == *peer).copied();
                let up = self
                    .nodes
                    .iter()
                    .find(|(p, node)| p.peer == *peer && node.up);
                let Some(to) = up.map(|(process, _)| *process).or(newest) else {
                    let (peer, reason) = (*peer, LinkDown::Unreachable);
                    let failed = Command::DialFailed { peer, reason };
                    return self.later(LATENCY, from, Input::Command(failed));
                };
                if !self.reachable(from, to) || !self.nodes[&to].up {
                    let reason = self.failure(from, to);
                    let peer = *peer;
                    let failed = Command::DialFailed { peer, reason };
                    self.later(LATENCY, from, Input::Command(failed));
                } else {
                    self.dial(from, to);
                }
            }
            Event::Close(process) => self.cut(from, *process, LinkDown::Closed),
            _ => {}
        }
        let now = self.now;
        self.nodes.get_mut(&from).unwrap().events.push((now, event));
    }

    /// How long something takes from one process to another, which usually takes so long.
    fn delay(&self, usual: Duration, from: ProcessId, to: ProcessId) -> Duration {
        let phase = Duration::from_micros(self.now.as_micros() % 3_000_000);
        let stalled = self.stalling.is_some_and(|one| one == from || one == to);
        if stalled && phase < Duration::from_millis(2_400) {
            Duration::from_secs(3).saturating_sub(phase) + usual
        } else {
            usual
        }
    }

    fn reachable(&self, from: ProcessId, to: ProcessId) -> bool {
        let (Some(a), Some(b)) = (self.nodes.get(&from), self.nodes.get(&to)) else {
            return false;
        };
        a.side == b.side
    }

    fn failure(&self, from: ProcessId, to: ProcessId) -> LinkDown {
        if self.reachable(from, to) {
            LinkDown::Refused
        } else {
            LinkDown::Unreachable
        }
    }

    fn connected(&self, a: ProcessId, b: ProcessId) -> bool {
        self.links.contains(&(a, b))
    }

    fn dial(&mut self, from: ProcessId, to: ProcessId) {
        if self.connected(from, to) {
            return;
        }
        if !self.reachable(from, to) || !self.nodes[&to].up {
            let reason = self.failure(from, to);
            self.later(
                LATENCY,
                from,
                Input::LinkDown {
                    process: to,
                    reason,
                },
            );
            return;
        }
        self.links.insert((from, to));
        self.links.insert((to, from));
        self.later(LATENCY, from, Input::LinkUp(to));
        self.later(LATENCY, to, Input::LinkUp(from));
    }

    fn cut(&mut self, a: ProcessId, b: ProcessId, reason: LinkDown) {
        if self.links.remove(&(a, b)) {
            self.links.remove(&(b, a));
            self.later(LATENCY, a, Input::LinkDown { process: b, reason });
            self.later(LATENCY, b, Input::LinkDown { process: a, reason });
        }
    }

    fn kill(&mut self, process: ProcessId) {
        self.nodes.get_mut(&process).unwrap().up = false;
        let peers: Vec<_> = self
            .links
            .iter()
            .filter(|(a, _)| *a == process)
            .map(|l| l.1)
            .collect();
        peers
            .into_iter()
            .for_each(|peer| self.cut(process, peer, LinkDown::Refused));
    }

    /// Splits the world; links across break without a word.
    fn split(&mut self, away: &[ProcessId]) {
        away.iter()
            .for_each(|process| self.nodes.get_mut(process).unwrap().side = 1);
        let links: Vec<_> = self.links.iter().copied().collect();
        for (a, b) in links {
            if !self.reachable(a, b) {
                self.cut(a, b, LinkDown::Unreachable);
            }
        }
    }

    fn heal(&mut self) {
        self.nodes.values_mut().for_each(|node| node.side = 0);
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((&key, _)) = self.queue.first_key_value() {
            if key.0 > end {
                break;
            }
            let (to, input) = self.queue.remove(&key).unwrap();
            self.now = self.now.max(key.0);
            let node = &self.nodes[&to];
            if node.frozen {
                self.later(Duration::from_millis(100), to, input);
            } else if node.up {
                let lost = match &input {
                    Input::Received { from, .. } => !self.connected(to, *from),
                    _ => false,
                };
                if !lost {
                    self.input(to, input);
                }
            }
        }
        self.now = end;
    }

    fn view(&self, process: ProcessId) -> crate::view::MembershipView {
        self.nodes[&process].overlay.view()
    }

    fn events(&self, process: ProcessId) -> impl Iterator<Item = &Event> {
        self.nodes[&process].events.iter().map(|(_, event)| event)
    }

    /// When `process` lost `other`, and why.
    fn loss(&self, process: ProcessId, other: ProcessId) -> Option<(Instant, LostCause)> {
        self.nodes[&process]
            .events
            .iter()
            .find_map(|(at, event)| match event {
                Event::Lost { process, cause } if *process == other => Some((*at, *cause)),
                _ => None,
            })
    }

    fn losses(&self, process: ProcessId) -> usize {
        self.events(process)
            .filter(|event| matches!(event, Event::Lost { .. }))
            .count()
    }

    fn last_cluster(&self, process: ProcessId) -> Option<&ClusterRecord> {
        self.nodes[&process].overlay.cluster()
    }
}

fn content(number: u64) -> Announcement {
    Announcement {
        addresses: vec![format!("/memory/{number}")],
        ..Announcement::default()
    }
}

#[test]
fn members_introduced_to_one_of_them_find_all_the_others() {
    let mut world = World::new();
    let all = world.cluster(30);
    for process in &all {
        assert_eq!(world.losses(*process), 0, "{process} lost nobody");
        let joined = world
            .events(*process)
            .filter(|e| matches!(e, Event::Joined(_)))
            .count();
        assert_eq!(joined, all.len() - 1);
    }
}

#[test]
fn a_late_joiner_is_known_everywhere_within_a_second_or_so() {
    let mut world = World::new();
    let all = world.cluster(20);
    let late = world.start(100, 1, Role::Member, Some(all[7]));
    world.run(Duration::from_secs(2));
    assert_eq!(world.view(late).len(), 21);
    for process in &all {
        assert!(
            world.view(*process).process(&late).is_some(),
            "{process} knows the joiner"
        );
    }
}

#[test]
fn a_killed_process_is_lost_everywhere_within_half_a_second() {
    let mut world = World::new();
    let all = world.cluster(20);
    let (killed, at) = (all[3], world.now);
    world.kill(killed);
    world.run(Duration::from_secs(5));
    for process in all.iter().filter(|process| **process != killed) {
        let (when, cause) = world.loss(*process, killed).expect("lost");
        assert_eq!(cause, LostCause::Dead);
        assert!(
            when.since(at) < Duration::from_millis(500),
            "{:?}",
            when.since(at)
        );
        assert_eq!(world.losses(*process), 1);
    }
}

#[test]
fn a_frozen_process_is_lost_within_five_seconds_and_returns_when_it_thaws() {
    let mut world = World::new();
    let all = world.cluster(20);
    let (frozen, at) = (all[5], world.now);
    world.nodes.get_mut(&frozen).unwrap().frozen = true;
    world.run(Duration::from_secs(8));
    for process in all.iter().filter(|process| **process != frozen) {
        let (when, _) = world.loss(*process, frozen).expect("lost");
        assert!(
            when.since(at) < Duration::from_secs(5),
            "{:?}",
            when.since(at)
        );
        assert_eq!(world.losses(*process), 1, "{process} lost nobody else");
    }
    world.nodes.get_mut(&frozen).unwrap().frozen = false;
    world.run(Duration::from_secs(15));
    for process in &all {
        let view = world.view(*process);
        let member = view.process(&frozen).expect("back");
        assert_eq!(member.state, MemberState::Alive);
        assert_eq!(world.view(*process).len(), all.len(), "{process} sees all");
    }
    assert!(world.nodes[&frozen].overlay.counters().refutations >= 1);
}

#[test]
fn two_and_three_members_notice_a_kill() {
    for count in [2, 3] {
        let mut world = World::new();
        let all = world.cluster(count);
        world.kill(all[0]);
        world.run(Duration::from_secs(1));
        for process in &all[1..] {
            assert_eq!(world.view(*process).len(), all.len() - 1, "of {count}");
        }
    }
}

#[test]
fn two_and_three_members_notice_a_freeze() {
    for count in [2, 3] {
        let mut world = World::new();
        let all = world.cluster(count);
        world.nodes.get_mut(&all[0]).unwrap().frozen = true;
        world.run(Duration::from_secs(7));
        for process in &all[1..] {
            assert_eq!(world.view(*process).len(), all.len() - 1, "of {count}");
        }
    }
}

#[test]
fn a_clean_leave_is_no_death() {
    let mut world = World::new();
    let all = world.cluster(10);
    world.input(all[2], Input::Command(Command::Leave));
    world.run(Duration::from_millis(300));
    assert!(
        world
            .events(all[2])
            .any(|event| matches!(event, Event::Left))
    );
    world.kill(all[2]);
    world.run(Duration::from_secs(3));
    for process in all.iter().filter(|process| **process != all[2]) {
        assert_eq!(
            world.loss(*process, all[2]).map(|(_, cause)| cause),
            Some(LostCause::Left)
        );
    }
}

#[test]
fn a_record_that_arrives_after_its_owners_goodbye_changes_nothing() {
    let mut world = World::new();
    let all = world.cluster(3);
    let record = |world: &World| world.nodes[&all[2]].overlay.own_record().unwrap();
    let before = record(&world).claim().unwrap().sequence;
    world.nodes.get_mut(&all[0]).unwrap().frozen = true;
    let changed = Announcement {
        load: 7,
        ..content(2)
    };
    world.input(all[2], Input::Command(Command::Announce(changed)));
    let late = record(&world);
    assert!(late.claim().unwrap().sequence > before);
    let sequence = late.claim().unwrap().sequence;
    let goodbye = Input::Received {
        from: all[2],
        message: Message::Goodbye { sequence },
    };
    world.input(all[0], goodbye);
    let events = vec![MembershipEvent::Alive(late)];
    let late = GossipBatch {
        events,
        cluster: None,
    }
    .encode();
    world.input(all[0], Input::Command(Command::Gossip(late)));
    assert_eq!(
        world.loss(all[0], all[2]).map(|(_, cause)| cause),
        Some(LostCause::Left)
    );
    let joined = world
        .events(all[0])
        .filter(|event| **event == Event::Joined(all[2]));
    assert_eq!(joined.count(), 1, "it does not come back");
}

#[test]
fn a_restarted_peer_replaces_its_old_process() {
    let mut world = World::new();
    let all = world.cluster(10);
    world.kill(all[4]);
    let again = world.start(4, 2, Role::Member, Some(all[0]));
    world.run(Duration::from_secs(5));
    for process in all.iter().filter(|process| **process != all[4]) {
        assert!(world.loss(*process, all[4]).is_some());
        assert!(
            world.view(*process).process(&again).is_some(),
            "{process} knows the new one"
        );
        assert_eq!(world.view(*process).len(), 10);
    }
}

#[test]
fn a_restarted_peer_whose_clock_went_back_is_believed_too() {
    let mut world = World::new();
    let config = OverlayConfig {
        epoch_unix_ms: 1_000_000_000,
        ..OverlayConfig::default()
    };
    let first = world.start(0, 1, Role::Member, None);
    let old = world.start_with(config, 1, 1, Role::Member, Some(first));
    let third = world.start(2, 1, Role::Member, Some(first));
    world.run(Duration::from_secs(5));
    world.kill(old);
    let again = world.start(1, 2, Role::Member, Some(first));
    world.run(Duration::from_secs(5));
    for process in [first, third] {
        assert!(
            world.view(process).process(&again).is_some(),
            "{process} knows the new one"
        );
    }
}

#[test]
fn without_gossip_anti_entropy_still_brings_the_news() {
    let mut world = World::new();
    let all = world.cluster(16);
    world.gossip_works = false;
    let late = world.start(100, 1, Role::Member, Some(all[7]));
    world.run(Duration::from_secs(60));
    for process in &all {
        assert!(
            world.view(*process).process(&late).is_some(),
            "{process} knows the joiner"
        );
    }
    let by_sync: u64 = all
        .iter()
        .map(|p| world.nodes[p].overlay.counters().joins_by_sync)
        .sum();
    assert!(by_sync > 0);
}

#[test]
fn a_storm_declares_nobody_at_first() {
    let mut world = World::new();
    let all = world.cluster(12);
    let away = &all[..6];
    world.split(away);
    world.run(Duration::from_secs(20));
    for process in &all {
        assert_eq!(world.losses(*process), 0, "{process} lost nobody");
        assert!(
            world
                .view(*process)
                .members()
                .iter()
                .any(|m| m.state == MemberState::Suspect)
        );
    }
    world.run(Duration::from_secs(30));
    for process in &all {
        assert_eq!(world.view(*process).len(), 6, "patience ends");
    }
}

#[test]
fn two_halves_find_each_other_again_within_a_minute() {
    let mut world = World::new();
    let all = world.cluster(20);
    world.split(&all[..10]);
    world.run(Duration::from_secs(120));
    assert!(all.iter().all(|process| world.view(*process).len() == 10));
    world.heal();
    world.run(Duration::from_secs(60));
    for process in &all {
        assert_eq!(world.view(*process).len(), 20, "{process} sees all");
        let view = world.view(*process);
        let mut alive = view.iter();
        assert!(alive.all(|member| member.state == MemberState::Alive));
    }
}

#[test]
fn an_idle_cluster_is_quiet_and_keeps_few_links() {
    let mut world = World::new();
    let all = world.cluster(60);
    world.run(Duration::from_secs(60));
    let (published, sent) = (published(&world), world.sent);
    world.run(Duration::from_secs(100));
    assert_eq!(
        self::published(&world),
        published,
        "no gossip when nothing changes"
    );
    let rate = (world.sent - sent) / 100 / all.len() as u64;
    assert!(rate < 250, "{rate} bytes of payload per second and node");
    let links = world.links.len() / all.len();
    assert!((8..=16).contains(&links), "{links} links per node");
    assert_eq!(
        all.iter()
            .map(|process| world.losses(*process))
            .sum::<usize>(),
        0
    );
}

fn published(world: &World) -> u64 {
    world
        .nodes
        .values()
        .map(|node| node.overlay.counters().gossip_published)
        .sum()
}

#[test]
fn a_client_sees_the_members_and_no_member_sees_it() {
    let mut world = World::new();
    let all = world.cluster(8);
    let client = world.start(100, 1, Role::Client, Some(all[1]));
    world.run(Duration::from_secs(4));
    assert_eq!(world.view(client).len(), 8);
    let published = published(&world);
    world.kill(all[5]);
    world.kill(client);
    world.run(Duration::from_secs(4));
    let client = world.start(101, 1, Role::Client, Some(all[2]));
    world.run(Duration::from_secs(4));
    assert_eq!(world.view(client).len(), 7);
    for process in all.iter().filter(|process| **process != all[5]) {
        assert_eq!(world.view(*process).len(), 7);
        assert_eq!(world.losses(*process), 1, "{process} lost the member only");
    }
    assert!(
        self::published(&world) > published,
        "the death of the member was gossiped"
    );
}

#[test]
fn a_client_whose_only_contact_dies_knows_who_joined_just_before() {
    for moment in 0..20 {
        let mut world = World::new();
        let contact = world.start(0, 1, Role::Member, None);
        let client = world.start(100, 1, Role::Client, Some(contact));
        world.run(Duration::from_millis(4_000 + 100 * moment));
        let late = [1, 2].map(|number| world.start(number, 1, Role::Member, Some(contact)));
        world.run(Duration::from_millis(200));
        world.kill(contact);
        world.run(Duration::from_millis(100));
        for process in late {
            let known = world.view(client).process(&process).is_some();
            assert!(known, "the client knows {process} at moment {moment}");
        }
        world.run(Duration::from_secs(5));
        assert_eq!(world.view(client).len(), 2, "it heard of the death, too");
    }
}

#[test]
fn in_a_large_view_clients_pull() {
    let mut world = World::new();
    let all = world.cluster(OverlayConfig::default().membership.clients_told as u64);
    let client = world.start(100, 1, Role::Client, Some(all[1]));
    world.run(Duration::from_secs(4));
    let late = world.start(200, 1, Role::Member, Some(all[1]));
    world.run(Duration::from_millis(100));
    assert!(world.view(all[1]).process(&late).is_some());
    assert!(world.view(client).process(&late).is_none());
    world.run(Duration::from_secs(4));
    assert!(world.view(client).process(&late).is_some());
}

#[test]
fn one_cluster_is_founded_however_many_need_it() {
    let mut world = World::new();
    let first = world.start(0, 1, Role::Member, None);
    let all: Vec<_> = (1..10)
        .map(|n| world.start(n, 1, Role::Member, Some(first)))
        .collect();
    for process in &all {
        world.input(*process, Input::Command(Command::NeedCluster));
    }
    world.run(Duration::from_secs(6));
    let cluster = world.last_cluster(first).expect("founded").clone();
    for process in &all {
        assert_eq!(world.last_cluster(*process), Some(&cluster));
        let told = world
            .events(*process)
            .filter(|event| matches!(event, Event::Cluster(_)));
        assert_eq!(told.count(), 1, "{process}");
    }
    assert!(!world.nodes.values().any(|node| {
        node.events
            .iter()
            .any(|(_, event)| matches!(event, Event::ClusterMerged { .. }))
    }));
}

#[test]
fn members_that_have_been_up_get_a_cluster_at_once() {
    for registry_configured in [false, true] {
        let mut config = OverlayConfig::default();
        config.founding.registry_configured = registry_configured;
        let mut world = World::new();
        let start = |world: &mut World, number, contact| {
            world.start_with(config.clone(), number, 1, Role::Member, contact)
        };
        let first = start(&mut world, 0, None);
        let others: Vec<_> = (1..5)
            .map(|number| start(&mut world, number, Some(first)))
            .collect();
        world.run(Duration::from_secs(20));
        world.input(others[3], Input::Command(Command::NeedCluster));
        world.run(Duration::from_secs(1));
        let cluster = world.last_cluster(others[3]).expect("founded").clone();
        assert_eq!(world.last_cluster(first), Some(&cluster));
    }
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = || {
        let mut world = World::new();
        let all = world.cluster(12);
        world.kill(all[3]);
        world.run(Duration::from_secs(30));
        let counters: Vec<_> = world
            .nodes
            .values()
            .map(|n| *n.overlay.counters())
            .collect();
        (world.sent, world.order, counters)
    };
    assert_eq!(run(), run());
}
