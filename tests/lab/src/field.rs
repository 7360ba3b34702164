//! The processes of a run and the network between them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use simulations::seed::{Dice, Seed};

use crate::control::Process;
use crate::faults::Happened;
use crate::hosts::Hosts;
use crate::run::LOOK;
use crate::switch::Switch;
use crate::task::{Answer, Place, Role, Task, Thing};

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Replicas of each object.
const FACTOR: usize = 3;
/// The host of the client that no fault touches.
pub(crate) const HOME: usize = 0;

/// Everything of one run.
pub(crate) struct Field {
    pub(crate) control: Process,
    /// By host, from 1 on; `None` while it is down.
    pub(crate) peers: Vec<Option<Process>>,
    pub(crate) things: Vec<Thing>,
    pub(crate) faults: Vec<Happened>,
    pub(crate) violations: Vec<String>,
    pub(crate) histories: Vec<PathBuf>,
    pub(crate) dice: Dice,
    pub(crate) switch: Switch,
    site: Site,
    working: bool,
}

/// What it takes to start a process.
struct Site {
    hosts: Hosts,
    program: PathBuf,
    folder: PathBuf,
    cluster: String,
    seed: Seed,
    lives: u64,
}

impl Site {
    async fn start(
        &mut self,
        host: usize,
        through: &[String],
        client: bool,
    ) -> Result<Process, String> {
        self.lives += 1;
        let number = self.lives;
        let history = self.folder.join(format!("life-{number}-host-{host}.jsonl"));
        let mut command = self.hosts.command(host, &self.program);
        let seed = self.seed.child("life").nth(number).value();
        command
            .args(["live", "--cluster", &self.cluster])
            .args(["--number", &number.to_string()])
            .args(["--seed", &seed.to_string()])
            .args(["--listen", &format!("{}:0", Hosts::address(host))])
            .arg("--history")
            .arg(&history);
        for peer in through {
            command.args(["--peer", peer]);
        }
        if client {
            command.arg("--client");
        }
        Process::start(command, host, history).await
    }
}

impl Field {
    /// Starts a peer on every host but the first, and a client there.
    ///
    /// # Errors
    /// In words, if they do not start and meet.
    pub(crate) async fn start(
        hosts: Hosts,
        switch: Switch,
        program: &Path,
        folder: &Path,
        seed: Seed,
    ) -> Result<Self, String> {
        let mut site = Site {
            cluster: format!("lab-{}", std::process::id()),
            program: program.to_owned(),
            folder: folder.to_owned(),
            seed,
            lives: 0,
            hosts,
        };
        let mut peers: Vec<Option<Process>> = Vec::new();
        for host in HOME + 1..switch.ports() {
            let through = addresses(&peers);
            peers.push(Some(site.start(host, &through, false).await?));
        }
        let control = site.start(HOME, &addresses(&peers), true).await?;
        let histories = peers.iter().flatten().map(|peer| peer.history.clone());
        let field = Self {
            histories: histories.collect(),
            control,
            peers,
            things: Vec::new(),
            faults: Vec::new(),
            violations: Vec::new(),
            dice: seed.child("faults").dice(),
            switch,
            site,
            working: false,
        };
        let deadline = Instant::now() + PATIENCE;
        while let Err(problem) = field.views_agree().await {
            if Instant::now() >= deadline {
                return Err(format!("the peers do not meet: {problem}"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(field)
    }

    /// Makes the objects.
    ///
    /// # Errors
    /// In words, if they cannot be made.
    pub(crate) async fn create(&mut self, roles: Vec<Role>) -> Result<(), String> {
        match self.control.ask(&Task::Create(roles), PATIENCE).await {
            Some(Answer::Things(things)) => self.things = things,
            other => return Err(format!("the objects were not made: {other:?}")),
        }
        Ok(())
    }

    /// All peers begin to call.
    pub(crate) async fn work_everywhere(&mut self) {
        self.working = true;
        let task = Task::Work(self.things.clone());
        for peer in self.living() {
            peer.ask(&task, PATIENCE).await;
        }
    }

    /// All peers end their calls.
    pub(crate) async fn rest_everywhere(&mut self) {
        self.working = false;
        for peer in self.living() {
            if peer.ask(&Task::Rest, PATIENCE).await.is_none() {
                eprintln!("{} does not rest", peer.name);
            }
        }
    }

    pub(crate) fn living(&self) -> impl Iterator<Item = &Process> {
        self.peers.iter().flatten()
    }

    /// A peer starts on a host that has none.
    ///
    /// # Errors
    /// In words, if it does not start.
    pub(crate) async fn revive(&mut self, host: usize) -> Result<(), String> {
        let through = addresses(&self.peers);
        let peer = self.site.start(host, &through, false).await?;
        self.histories.push(peer.history.clone());
        if self.working {
            peer.ask(&Task::Work(self.things.clone()), PATIENCE).await;
        }
        self.peers[host - 1] = Some(peer);
        Ok(())
    }

    /// Where the objects are, as far as the client is told.
    pub(crate) async fn places(&self) -> Vec<Option<Place>> {
        let task = Task::Places(self.things.clone());
        match self.control.ask(&task, PATIENCE).await {
            Some(Answer::Places(places)) => places,
            _ => Vec::new(),
        }
    }

    /// Waits until every object has all its replicas on living peers.
    pub(crate) async fn whole_again(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let places = self.places().await;
            let lives = |name: &String| self.living().any(|peer| peer.name == *name);
            let whole = |place: &Option<Place>| {
                place.as_ref().is_some_and(|place| {
                    place.members.len() == FACTOR && place.members.iter().all(lives)
                })
            };
            let broken = places.iter().filter(|place| !whole(place)).count();
            if places.len() == self.things.len() && broken == 0 {
                return;
            }
            if Instant::now() >= deadline {
                let words = format!("repairs_end: {broken} objects are not whole again");
                self.violations.push(words);
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether every view shows exactly the peers that live.
    ///
    /// # Errors
    /// Whose does not.
    pub(crate) async fn views_agree(&self) -> Result<(), String> {
        let mut wanted: Vec<&str> = self.living().map(|peer| peer.name.as_str()).collect();
        wanted.sort_unstable();
        for process in self.living().chain([&self.control]) {
            let Some(Answer::Members(mut seen)) = process.ask(&Task::Members, PATIENCE).await
            else {
                return Err(format!("{} does not answer", process.name));
            };
            seen.sort_unstable();
            if seen != wanted {
                let name = &process.name;
                return Err(format!("{name} sees {seen:?}, there are {wanted:?}"));
            }
        }
        Ok(())
    }
}

fn addresses(peers: &[Option<Process>]) -> Vec<String> {
    let living = peers.iter().flatten();
    living.map(|peer| peer.address.clone()).collect()
}
