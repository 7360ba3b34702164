//! Trials: a program's own kinds, their real code, in the simulated world, under faults.
//!
//! A trial makes objects, lets clients call them while hosts crash, freeze, leave and are cut
//! off, heals everything, and then checks what was promised (nothing acknowledged is missing,
//! nothing was done twice, calls of one handle are in order, no read was stale) and what the
//! program itself demands. It is an ordinary test, of a few milliseconds a seed:
//!
//! ```
//! use objects_macros::shared;
//! use objects_proto::outcome::Cause;
//! use objects_proto::reference::Ref;
//! use serde::{Deserialize, Serialize};
//! use simulations::trial::{Client, Trial};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Counter {
//!     count: u64,
//! }
//!
//! #[shared(crate = objects_proto)] // plain `#[shared]` with the crate `objects`
//! impl Counter {
//!     fn increment(&mut self, by: u64) -> u64 {
//!         self.count += by;
//!         self.count
//!     }
//!     fn count(&self) -> u64 {
//!         self.count
//!     }
//! }
//!
//! async fn set_up(client: Client) -> Result<Ref<Counter>, Cause> {
//!     let counter = client.create(Counter { count: 0 }).await?;
//!     Ok(Ref::from(&counter))
//! }
//!
//! async fn count(client: Client, counter: Ref<Counter>) {
//!     let counter = client.get(counter);
//!     let _may_fail_while_hosts_do = counter.increment(2).await;
//! }
//!
//! async fn even(client: Client, counter: Ref<Counter>) -> Result<(), String> {
//!     match client.get(counter).count().await {
//!         Ok(count) if count % 2 == 0 => Ok(()),
//!         other => Err(format!("{other:?}")),
//!     }
//! }
//!
//! Trial::new("counter", set_up)
//!     .host::<Counter>()
//!     .clients(3, count)
//!     .invariant("the count is even", even)
//!     .seeds(0..5)
//!     .check();
//! ```
//!
//! Everything is drawn from the seed, so a failure happens again: the report names the seed, and
//! `PYDO_SEED=n` in the environment runs that one alone and prints its last events. That holds
//! as long as methods and clients take time and randomness from their [`Context`] and [`Client`],
//! and nothing from outside (iterating a `HashMap` is outside).
//!
//! [`Context`]: objects_proto::context::Context

mod client;
mod judge;
mod ledger;
mod life;
mod marks;
mod methods;
mod program;
mod world;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use objects_proto::kinds_table::KindTable;
use objects_proto::object::MEMBERS_MAX;
use objects_proto::objects::Objects;
use objects_proto::register::Mutation;
use objects_proto::shared::SharedObject;
use overlay_proto::Duration;

pub use self::client::Client;
use self::judge::INVARIANTS_TIMEOUT;
use self::life::{Done, Stage};
use self::program::{Program, Setup, Work};
use self::world::{AUDIT_AFTER, Alarm, TrialWorld};

use crate::faults::Fault;
use crate::report::{EVENTS_KEPT, Report};
use crate::scenario::Scenario;
use crate::seed::Seed;
use crate::world::World;

/// When the setup begins: the peers have seen each other by then.
const SETUP_AT: Duration = Duration::from_secs(3);
/// Nodes that only call.
const CLIENTS: u32 = 2;
/// Seeds that are run unless a trial says otherwise.
const SEEDS: Range<u64> = 0..50;
/// In the environment: the one seed to run.
const SEED_VARIABLE: &str = "PYDO_SEED";

/// A program's own objects under faults. `S` is what the setup gives the clients: mostly
/// references.
#[must_use = "a trial does nothing until it is checked"]
pub struct Trial<S> {
    name: String,
    scenario: Scenario,
    peers: Option<u32>,
    factor: u8,
    seeds: Range<u64>,
    mutation: Option<Mutation>,
    kinds: KindTable,
    setup: Setup,
    clients: Vec<Work>,
    invariants: Vec<(String, Work)>,
    stage: PhantomData<fn() -> S>,
}

impl<S: Clone + Send + Sync + 'static> Trial<S> {
    /// A trial under the scenario `objects`: five to seven peers, one of them disturbed at a
    /// time, everything drawn. `setup` makes the objects before the first fault; where its
    /// process dies it is begun again elsewhere. An error of it fails the trial.
    pub fn new<F, E>(name: &str, setup: impl Fn(Client) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<S, E>> + Send + 'static,
        E: Display,
    {
        let setup: Setup = Box::new(move |client| {
            let made = setup(client);
            Box::pin(async move {
                let made = made.await.map_err(|error| error.to_string());
                Done::Ready(made.map(|stage| Arc::new(stage) as Stage))
            })
        });
        Self {
            name: name.to_owned(),
            scenario: Scenario::named("objects").unwrap_or_else(|error| panic!("{error}")),
            peers: None,
            factor: 3,
            seeds: SEEDS,
            mutation: None,
            kinds: KindTable::default(),
            setup,
            clients: Vec::new(),
            invariants: Vec::new(),
            stage: PhantomData,
        }
    }

    /// Hosts a kind on all peers but two, which only call.
    ///
    /// # Panics
    /// If another kind has its name, or there are too many kinds.
    pub fn host<K: SharedObject>(mut self) -> Self {
        let registered = self.kinds.register::<K>();
        registered.unwrap_or_else(|error| panic!("{error}"));
        self
    }

    /// `count` clients. Each runs `round` again and again, with pauses of some 300 ms, on one
    /// process or another, until a while after the heal. Calls may fail meanwhile; a round must
    /// end by itself. Where its process dies it ends there.
    pub fn clients<F>(
        mut self,
        count: usize,
        round: impl Fn(Client, S) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let work: Work = Arc::new(move |client, stage| {
            let round = staged::<S>(&stage).map(|stage| round(client, stage));
            Box::pin(async move {
                if let Some(round) = round {
                    round.await;
                }
                Done::Worked
            })
        });
        self.clients.extend(vec![work; count]);
        self
    }

    /// Something that must hold when everything was healed and the clients have ended. It is
    /// checked once a run, on one process, within 30 s; not in runs in which an object lost the
    /// majority of its replicas at one time.
    pub fn invariant<F, E>(
        mut self,
        name: &str,
        holds: impl Fn(Client, S) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let work: Work = Arc::new(move |client, stage| {
            let holds = staged::<S>(&stage).map(|stage| holds(client, stage));
            Box::pin(async move {
                Done::Checked(match holds {
                    Some(holds) => holds.await.map_err(|error| error.to_string()),
                    None => Err("nothing was set up".to_owned()),
                })
            })
        });
        self.invariants.push((name.to_owned(), work));
        self
    }

    /// Another scenario: one of [`Scenario::named`], or [`Scenario::parse`]d. Of its workload
    /// nothing is used.
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.scenario = scenario;
        self
    }

    /// So many peers, two of which only call. By default the scenario draws their number.
    pub fn peers(mut self, peers: u32) -> Self {
        self.peers = Some(peers);
        self
    }

    /// Replicas of each object, 1 to [`MEMBERS_MAX`]; 3 by default.
    pub fn factor(mut self, factor: u8) -> Self {
        self.factor = factor.clamp(1, MEMBERS_MAX as u8);
        self
    }

    /// The seeds to run: 0 to 49 by default.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Breaks a rule of the replication on purpose, to show that the trial would notice.
    pub fn broken(mut self, rule: Mutation) -> Self {
        self.mutation = Some(rule);
        self
    }

    /// Runs all seeds, one after the other. What they counted, added up.
    ///
    /// # Panics
    /// With the report of the first run in which a promise or an invariant was broken; or if
    /// there is an invariant and no run in which it could be judged.
    pub fn check(self) -> BTreeMap<&'static str, u64> {
        let seeds = match std::env::var(SEED_VARIABLE).map(|text| text.parse::<u64>()) {
            Ok(Ok(seed)) => seed..seed.saturating_add(1),
            Ok(Err(_)) => panic!("{SEED_VARIABLE} is not a number"),
            Err(_) => self.seeds.clone(),
        };
        let alone = seeds.end - seeds.start == 1;
        let trial = self.erased();
        let mut totals = BTreeMap::new();
        for seed in seeds {
            let report = trial.run(seed, 0);
            if report.failure.is_some() || alone {
                let report = trial.run(seed, EVENTS_KEPT);
                assert!(report.failure.is_none(), "\n{report}");
                println!("{report}");
            }
            for (name, count) in report.counters {
                *totals.entry(name).or_default() += count;
            }
        }
        let judged = totals.contains_key("invariants judged");
        let demanded = !trial.program.invariants.is_empty();
        assert!(
            judged || !demanded || alone,
            "objects lost their majority in every run: nothing was judged ({totals:?})"
        );
        totals
    }

    fn erased(self) -> Erased {
        let program = Program {
            kinds: Arc::new(self.kinds),
            factor: self.factor,
            mutation: self.mutation,
            setup: self.setup,
            clients: self.clients,
            invariants: self.invariants,
        };
        Erased {
            name: self.name,
            scenario: self.scenario,
            peers: self.peers,
            program: Arc::new(program),
        }
    }
}

fn staged<S: Clone + 'static>(stage: &Stage) -> Option<S> {
    stage.downcast_ref::<S>().cloned()
}

/// A trial whose types are erased.
struct Erased {
    name: String,
    scenario: Scenario,
    peers: Option<u32>,
    program: Arc<Program>,
}

impl Erased {
    fn run(&self, seed: u64, keep: usize) -> Report {
        let again = format!("{SEED_VARIABLE}={seed}, and the same test");
        let world = self.world(Seed::new(seed).child(&self.name), keep);
        Report::of(&self.name, seed, &world.kernel, again)
    }

    fn world(&self, seed: Seed, keep: usize) -> World<Objects, TrialWorld> {
        let drawn = || self.scenario.draw_nodes(seed);
        let nodes = self.peers.unwrap_or_else(drawn);
        let plan = self.scenario.fault_plan(seed, nodes);
        let hosts = nodes.saturating_sub(CLIENTS).max(1);
        let environment = TrialWorld::new(self.program.clone(), hosts, seed);
        let mut world = World::new(nodes, plan.conditions, seed, keep, environment);
        for node in 0..nodes {
            world.fault(&Fault::Start(node));
        }
        world.kernel.alarm(SETUP_AT, Alarm::Setup);
        for number in 0..self.program.clients.len() {
            world.kernel.alarm(SETUP_AT, Alarm::Round(number));
        }
        world.schedule(&plan);
        let healed = self.scenario.heal_at() + Duration::from_secs(self.scenario.heal_seconds);
        // A violation stays in the kernel, where the report finds it.
        let _violation = world.run_until(healed + AUDIT_AFTER + INVARIANTS_TIMEOUT);
        world
    }
}
