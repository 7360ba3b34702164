//! Random worlds: loss, repetition, disorder, freezes, one crash, takeovers and moves; then a
//! calm end in which everything that was acknowledged must be there.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::println;

use super::client::{Client, History};
use super::world::{World, configuration, index_of, process};
use crate::reads::Reads;
use crate::register::{Mutation, Note};

const HOSTS: usize = 7;
const MEMBERS: usize = 3;
const UNSERVED: &str = "nobody serves the object in the end";
const SEEDS: u64 = 2_000;
const STEPS: u32 = 1_000;

/// What a run reached: rare shapes must be among it.
#[derive(Default)]
struct Reached {
    acknowledged: usize,
    reads: usize,
    takeovers: usize,
    moves: usize,
    disjoint: usize,
    thawed: usize,
    lease_reads: u64,
    put_off: u64,
    forgotten: usize,
    sleepers: usize,
}

struct Run {
    world: World,
    clients: Vec<Client>,
    history: History,
    loss: u32,
    crashed: bool,
    /// It hears callers, and no other host.
    isolated: Option<usize>,
    disjoint: usize,
    thawed: usize,
    /// Its hosts forget what they left.
    forgets: bool,
    forgotten: usize,
    /// Where the object is on its way to then.
    goal: Vec<usize>,
}

impl Run {
    fn new(seed: u64, mutation: Option<Mutation>) -> Self {
        let mut world = World::new(seed, HOSTS);
        world.mutation = mutation;
        if seed.is_multiple_of(2) {
            world.reads = Reads::Lease;
        }
        let clients: Vec<Client> = (0..3).map(Client::new).collect();
        world.create(&[0, 1, 2], clients[0].me());
        // The creator has heard from everybody when the story begins.
        while !world.bag.is_empty() {
            let envelope = world.bag.remove(0);
            world.deliver(envelope);
        }
        let loss = [0, 50, 200][(seed % 3) as usize];
        Self {
            world,
            clients,
            history: History::default(),
            loss,
            crashed: false,
            isolated: None,
            disjoint: 0,
            thawed: 0,
            forgets: seed % 2 == 1,
            forgotten: 0,
            goal: Vec::new(),
        }
    }

    fn step(&mut self) -> Result<(), String> {
        match self.world.below(100) {
            0..60 => {
                for _ in 0..6 {
                    self.deliver_one()?;
                }
            }
            60..72 => {
                let host = self.world.below(HOSTS as u32) as usize;
                if !self.world.hosts[host].frozen {
                    self.world.execute(host);
                }
            }
            72..84 => {
                let client = self.world.below(3) as usize;
                self.clients[client].begin(&mut self.world, &self.history);
            }
            86..89 if self.forgets => self.wander(),
            84..89 => {
                let client = self.world.below(3) as usize;
                self.clients[client].retry(&mut self.world);
            }
            89..95 => {
                let millis = 25 << self.world.below(5);
                self.world.pass(millis);
            }
            95 => {
                self.isolated = match self.isolated {
                    Some(_) => None,
                    None => Some(self.world.below(HOSTS as u32) as usize),
                };
            }
            96 => {
                let host = self.world.below(HOSTS as u32) as usize;
                if !self.world.hosts[host].frozen {
                    self.world
                        .at(host, |replica, env, fx| replica.stand(env, fx));
                }
            }
            97 => {
                let next = self.some_set();
                self.move_to(&next);
            }
            98 if self.forgets && self.world.chance(600) => {}
            98 => match self.world.hosts.iter().position(|host| host.frozen) {
                Some(host) => {
                    self.world.hosts[host].frozen = false;
                    self.thawed += 1;
                    if self.forgets {
                        self.world
                            .at(host, |replica, env, fx| replica.stand(env, fx));
                    }
                }
                None => {
                    let host = self.world.below(HOSTS as u32) as usize;
                    self.world.hosts[host].frozen = true;
                }
            },
            _ => {
                if !self.crashed && self.world.chance(100) {
                    self.crashed = true;
                    let host = self.world.below(HOSTS as u32) as usize;
                    self.world.hosts[host].alive = false;
                    self.world.hosts[host].replica = None;
                }
            }
        }
        self.world.violation.take().map_or(Ok(()), Err)
    }

    fn deliver_one(&mut self) -> Result<(), String> {
        if self.world.bag.is_empty() {
            return Ok(());
        }
        let near = (self.world.bag.len() as u32).min(8);
        let place = if self.world.chance(50) {
            self.world.below(self.world.bag.len() as u32)
        } else {
            self.world.below(near)
        } as usize;
        let to = index_of(self.world.bag[place].to);
        if self.world.hosts.get(to).is_some_and(|host| host.frozen) {
            let envelope = self.world.bag.remove(place);
            self.world.bag.push(envelope);
            return Ok(());
        }
        let envelope = if self.world.chance(30) {
            self.world.bag[place].clone()
        } else {
            self.world.bag.remove(place)
        };
        let from = index_of(envelope.from);
        let between = from < HOSTS && to < HOSTS;
        let cut = between && self.isolated.is_some_and(|host| host == from || host == to);
        if cut || self.world.chance(self.loss) {
            return Ok(());
        }
        if let Some((to, id, reply)) = self.world.deliver(envelope)
            && let Some(client) = self.clients.iter_mut().find(|client| client.me() == to)
        {
            client.answered(&mut self.world, &mut self.history, id, reply)?;
        }
        Ok(())
    }

    /// The object goes from one set to the next without a pause, and hosts forget at once where
    /// it was.
    fn wander(&mut self) {
        for host in 0..HOSTS {
            if !self.world.hosts[host].frozen {
                self.forgotten += usize::from(self.world.forget(host));
            }
        }
        let goal = core::mem::take(&mut self.goal);
        let asleep = |member: &usize| self.world.hosts[*member].frozen;
        self.goal = if goal.is_empty() || goal.iter().any(asleep) || self.move_to(&goal) {
            self.some_set()
        } else {
            goal
        };
    }

    /// Some three hosts, or one.
    fn some_set(&mut self) -> Vec<usize> {
        let shift = self.world.below(HOSTS as u32) as usize;
        // Alone only once nobody will crash any more.
        let size = if self.crashed && self.world.chance(100) {
            1
        } else {
            MEMBERS
        };
        (0..size).map(|place| (shift + place) % HOSTS).collect()
    }

    /// An active primary adds learners for, or seals the object into, these hosts. Whether it
    /// sealed.
    fn move_to(&mut self, next: &[usize]) -> bool {
        let active = self.world.active();
        if active.is_empty() {
            return false;
        }
        let primary = active[self.world.below(active.len() as u32) as usize];
        if next.iter().any(|member| !self.world.hosts[*member].alive) {
            return false;
        }
        let first = self.world.below(next.len() as u32) as u8;
        let moved = self.world.at(primary, |replica, env, fx| {
            let (old, now) = (replica.configuration().clone(), env.now);
            for member in next {
                replica.add_learner(env, process(*member), fx);
            }
            let stamped: Vec<(usize, u64)> = next
                .iter()
                .map(|member| {
                    let status = replica.peer_status(process(*member), now);
                    (*member, status.and_then(|status| status.stamp).unwrap_or(1))
                })
                .collect();
            let number = old.epoch.number + 1;
            let proposal = configuration(number, &stamped);
            let disjoint = next
                .iter()
                .all(|member| old.index_of(&process(*member)).is_none());
            let proposed = replica.propose(env, proposal, first, fx);
            proposed.is_ok().then_some(disjoint)
        });
        let moved = moved.flatten();
        self.disjoint += usize::from(moved == Some(true));
        moved.is_some()
    }

    /// Everything is delivered from now on; somebody must serve again.
    fn calm(&mut self) -> Result<(), String> {
        self.loss = 0;
        self.isolated = None;
        for host in &mut self.world.hosts {
            host.frozen = false;
        }
        for round in 0..400 {
            for _ in 0..3_000 {
                if self.world.bag.is_empty() {
                    break;
                }
                self.deliver_one()?;
            }
            for host in 0..HOSTS {
                while !self.world.hosts[host].executions.is_empty() {
                    self.world.execute(host);
                }
            }
            self.world.pass(100);
            if self.clients.iter().all(Client::is_idle) && round > 3 {
                return self.last_read();
            }
            if round % 5 == 4 {
                for client in &mut self.clients {
                    client.retry(&mut self.world);
                }
            }
            if round % 20 == 19 && self.world.active().is_empty() {
                let host = self.world.below(HOSTS as u32) as usize;
                self.world
                    .at(host, |replica, env, fx| replica.stand(env, fx));
            }
        }
        self.last_read()
    }

    fn last_read(&mut self) -> Result<(), String> {
        let before = self.history.reads;
        for round in 0..600 {
            self.clients[0].retry(&mut self.world);
            self.clients[0].begin_read(&mut self.world, &self.history);
            while !self.world.bag.is_empty() {
                self.deliver_one()?;
                for host in 0..HOSTS {
                    self.world.execute(host);
                }
            }
            if self.history.reads > before && self.history.is_read_whole() {
                return self.history.check();
            }
            self.world.pass(100);
            if round % 10 == 9 && self.world.active().is_empty() {
                let host = self.world.below(HOSTS as u32) as usize;
                self.world
                    .at(host, |replica, env, fx| replica.stand(env, fx));
            }
        }
        Err(UNSERVED.to_string())
    }

    fn count(&self, reached: &mut Reached) {
        reached.acknowledged += self.history.acknowledged;
        reached.reads += self.history.reads;
        reached.disjoint += self.disjoint;
        reached.thawed += self.thawed;
        for host in &self.world.hosts {
            reached.lease_reads += host.leases.answered;
            reached.put_off += host.leases.delayed;
        }
        reached.forgotten += self.forgotten;
        for note in self.world.hosts.iter().flat_map(|host| &host.notes) {
            match note {
                Note::Active(crate::register::Activation::TookOver(_)) => reached.takeovers += 1,
                Note::Reconfigured(_) => reached.moves += 1,
                Note::Outlived(_) => reached.sleepers += 1,
                _ => {}
            }
        }
    }
}

fn run(seed: u64, mutation: Option<Mutation>, reached: &mut Reached) -> Result<(), String> {
    let mut run = Run::new(seed, mutation);
    for _ in 0..STEPS {
        run.step()?;
    }
    run.calm()?;
    run.count(reached);
    Ok(())
}

#[test]
fn nothing_acknowledged_is_lost_nothing_runs_twice_and_no_read_is_stale() {
    let mut reached = Reached::default();
    for seed in 0..SEEDS {
        if let Err(violation) = run(seed, None, &mut reached) {
            panic!("seed {seed}: {violation}");
        }
    }
    println!(
        "{} writes, {} reads ({} under leases), {} takeovers ({} put off), {} moves \
         ({} disjoint), {} thaws, {} forgotten, {} sleepers that outlived it",
        reached.acknowledged,
        reached.reads,
        reached.lease_reads,
        reached.takeovers,
        reached.put_off,
        reached.moves,
        reached.disjoint,
        reached.thawed,
        reached.forgotten,
        reached.sleepers,
    );
    assert!(reached.acknowledged > SEEDS as usize * 10);
    assert!(reached.reads > SEEDS as usize * 5);
    assert!(reached.takeovers > SEEDS as usize / 2);
    assert!(reached.lease_reads > SEEDS / 2);
    assert!(reached.put_off > SEEDS / 100);
    assert!(reached.moves > SEEDS as usize / 2);
    assert!(reached.disjoint > SEEDS as usize / 20);
    assert!(reached.forgotten > SEEDS as usize / 20);
    assert!(reached.sleepers > 0);
}

fn is_caught(mutation: Mutation) {
    let mut reached = Reached::default();
    let caught = (0..SEEDS)
        .filter_map(|seed| run(seed, Some(mutation), &mut reached).err())
        .find(|violation| violation != UNSERVED);
    assert!(caught.is_some(), "{mutation:?} was not noticed");
}

#[test]
fn a_quorum_of_one_vote_less_is_caught() {
    is_caught(Mutation::QuorumOneLess);
}

#[test]
fn failures_that_are_not_shipped_are_caught() {
    is_caught(Mutation::FailuresUnshipped);
}

#[test]
fn repetitions_that_run_again_are_caught() {
    is_caught(Mutation::RepeatsRun);
}

#[test]
fn memberships_entered_below_the_install_floor_are_caught() {
    is_caught(Mutation::FloorIgnored);
}
