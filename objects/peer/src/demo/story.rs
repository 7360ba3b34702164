//! The story, act by act.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use objects::{Node, Ref};

use super::DemoArgs;
use super::load::{Heard, Load};
use super::report::{Ended, Report, Spread};
use super::tally::Tally;
use crate::processes::Process;
use crate::stdout::say;

/// Clients that call at once.
const CLIENTS: u32 = 8;
/// Longest wait for anything that should happen in the story.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the acts share.
struct Stage {
    cluster: String,
    aloud: bool,
    began: Instant,
    registry: Process,
    peers: Vec<Process>,
    node: Node,
    objects: Vec<Ref<Tally>>,
    report: Report,
}

/// Plays the whole story.
pub(super) async fn play(args: &DemoArgs, aloud: bool) -> Result<Report, String> {
    let mut stage = Stage::open(args, aloud).await?;
    stage.create(args.objects).await?;
    let load = Load::start(&stage.node, &stage.objects, CLIENTS);
    let started = Instant::now();
    stage.pause(Duration::from_secs(2)).await;
    stage.kill_a_primary(&load, "under load").await?;
    stage.kill_a_primary(&load, "again").await?;
    stage.kill_the_registry().await;
    stage.join_without_registry().await?;
    stage.find_through_the_directory().await?;
    let rest = Duration::from_secs(u64::from(args.seconds)).saturating_sub(started.elapsed());
    stage.pause(rest).await;
    let heard = load.finish().await;
    stage.judge(heard).await?;
    Ok(stage.close().await)
}

impl Stage {
    async fn open(args: &DemoArgs, aloud: bool) -> Result<Self, String> {
        let began = Instant::now();
        let cluster = format!("demo-{}", std::process::id());
        let arguments: Vec<String> = ["registry", "--listen", "127.0.0.1:0"]
            .map(String::from)
            .to_vec();
        let registry = Process::start("registry", &arguments).await?;
        say(
            aloud,
            began,
            &format!("registry on {} (pid {})", registry.address, registry.pid),
        );
        let mut peers = Vec::new();
        for index in 0..args.peers {
            let through = ["--registry", &registry.address].map(String::from);
            let peer = start_peer(&format!("peer {index}"), &cluster, &through).await?;
            say(
                aloud,
                began,
                &format!("{} is {} (pid {})", peer.name, peer.peer, peer.pid),
            );
            peers.push(peer);
        }
        let node = client(&cluster).registry(&registry.address).start().await;
        let node = node.map_err(|error| error.to_string())?;
        let report = Report {
            peers: peers.len(),
            replication: 3,
            ..Report::default()
        };
        let stage = Self {
            cluster,
            aloud,
            began,
            registry,
            peers,
            node,
            objects: Vec::new(),
            report,
        };
        let hosts = stage.peers.len();
        wait_until("all peers in the view", || {
            stage.node.members().hosts().count() == hosts
        })
        .await?;
        stage.say(&format!("{hosts} peers know each other"));
        Ok(stage)
    }

    async fn create(&mut self, objects: u32) -> Result<(), String> {
        let started = Instant::now();
        for _ in 0..objects {
            let proxy = self.node.create(Tally::default()).await;
            self.objects
                .push(Ref::from(&proxy.map_err(|error| error.to_string())?));
        }
        let placed = self.primaries().await?;
        self.report.objects = self.objects.len();
        self.report.primaries_per_peer = self
            .peers
            .iter()
            .map(|peer| placed.get(&peer.peer).map_or(0, Vec::len))
            .collect();
        self.say(&format!(
            "{objects} objects created in {:.0} ms, each on three peers; primaries per peer {:?}",
            started.elapsed().as_secs_f64() * 1e3,
            self.report.primaries_per_peer
        ));
        Ok(())
    }

    /// The objects by their primary's peer id.
    async fn primaries(&self) -> Result<BTreeMap<String, Vec<usize>>, String> {
        let mut placed: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, reference) in self.objects.iter().enumerate() {
            let description = self.node.inspect(reference.raw()).await;
            let description = description.map_err(|error| error.to_string())?;
            let primary = description.configuration.process(description.ballot.member);
            let primary = primary.ok_or("an object without a primary")?;
            placed
                .entry(primary.peer.to_string())
                .or_default()
                .push(index);
        }
        Ok(placed)
    }

    async fn kill_a_primary(&mut self, load: &Load, when: &str) -> Result<(), String> {
        let placed = self.primaries().await?;
        let (victim, affected) = self
            .peers
            .iter()
            .enumerate()
            .filter(|(_, peer)| peer.is_running())
            .filter_map(|(index, peer)| Some((index, placed.get(&peer.peer)?)))
            .max_by_key(|(_, objects)| objects.len())
            .ok_or("no peer is primary of anything")?;
        let affected = affected.clone();
        let before = load.acknowledged();
        let peer = &mut self.peers[victim];
        let text = format!(
            "kill -9 {} ({when}): primary of {} objects, {before} calls acknowledged so far",
            peer.name,
            affected.len()
        );
        load.killed(&affected);
        let killed = Instant::now();
        peer.kill().await;
        self.say(&text);
        wait_until("all objects to answer again", || load.waiting() == 0).await?;
        self.say("  every one of them answers again, from another primary");
        let gone = self.peers[victim].peer.clone();
        self.wait_for_replicas(&gone).await?;
        let restored = killed.elapsed().as_secs_f64() * 1e3;
        self.report.replication_restored_ms = self.report.replication_restored_ms.max(restored);
        self.say(&format!(
            "  all objects are back at three replicas after {restored:.0} ms"
        ));
        Ok(())
    }

    /// Waits until every object has all its replicas, none of them on the peer that is gone.
    async fn wait_for_replicas(&self, gone: &str) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        for reference in &self.objects {
            loop {
                let description = self.node.inspect(reference.raw()).await;
                let whole = description.as_ref().is_ok_and(|description| {
                    let set = &description.configuration;
                    set.members.len() == self.report.replication
                        && set
                            .processes()
                            .all(|process| process.peer.to_string() != gone)
                });
                if whole {
                    break;
                }
                if Instant::now() > deadline {
                    return Err(format!("{} is not back at three replicas", reference.id()));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    async fn kill_the_registry(&mut self) {
        let before: u64 = self
            .running()
            .map(|peer| peer.metric("registry_calls_after_join"))
            .sum();
        self.report.registry_calls_after_join = before;
        self.registry.kill().await;
        self.say("kill -9 the registry: nobody needs it any more");
    }

    async fn join_without_registry(&mut self) -> Result<(), String> {
        let known = self
            .running()
            .map(|peer| peer.address.clone())
            .next()
            .ok_or("no peer left")?;
        let started = Instant::now();
        let name = format!("peer {}", self.peers.len());
        let through = ["--peer".to_owned(), known];
        let peer = start_peer(&name, &self.cluster, &through).await?;
        let id = peer.peer.clone();
        let node = self.node.clone();
        wait_until("the late peer in the view", || {
            node.members()
                .hosts()
                .any(|member| member.record.process.peer.to_string() == id)
        })
        .await?;
        let joined = started.elapsed().as_secs_f64() * 1e3;
        self.report.joined_without_registry_ms = joined;
        self.say(&format!(
            "{name} joins through another peer, {joined:.0} ms after its start"
        ));
        self.peers.push(peer);
        Ok(())
    }

    /// A fresh client that knows only ids: the directory must tell it where the objects are.
    async fn find_through_the_directory(&mut self) -> Result<(), String> {
        let known = self
            .running()
            .map(|peer| peer.address.clone())
            .last()
            .ok_or("no peer left")?;
        let node = client(&self.cluster).peer(&known).start().await;
        let node = node.map_err(|error| error.to_string())?;
        wait_until("the fresh client's view", || {
            node.members().hosts().count() > 0
        })
        .await?;
        for reference in self.objects.iter().take(5) {
            let proxy = node.get(Ref::<Tally>::from_raw(reference.raw().stripped()));
            proxy
                .recorded()
                .await
                .map_err(|error| format!("found by id alone: {error}"))?;
        }
        self.report.directory_lookups = node.metrics().lookup_records;
        self.say(&format!(
            "a fresh client finds objects by id alone: {} answers from the directory",
            self.report.directory_lookups
        ));
        node.shutdown().await.ok();
        Ok(())
    }

    /// Compares what the clients were told with what the objects recorded.
    async fn judge(&mut self, heard: Heard) -> Result<(), String> {
        let mut recorded = Vec::new();
        for reference in &self.objects {
            let tally = self.node.get(reference.clone()).recorded().await;
            recorded.push(tally.map_err(|error| format!("the final count: {error}"))?);
        }
        let report = &mut self.report;
        report.counter_sum = recorded.iter().map(|tally| tally.count).sum();
        report.duplicated = recorded.iter().map(|tally| tally.duplicates).sum();
        let lost = heard
            .acknowledged
            .iter()
            .filter(|(object, client, number)| !recorded[*object].contains(*client, *number));
        report.lost = lost.count() as u64;
        report.calls_acknowledged = heard.acknowledged.len();
        report.calls_failed = heard.failed;
        report.indeterminate = heard.indeterminate;
        report.errors = heard.errors;
        report.failover_ms = Spread::of(heard.failover_ms);
        Ok(())
    }

    async fn close(mut self) -> Report {
        self.report.gossip_events = self
            .peers
            .iter()
            .map(|peer| peer.metric("gossip_events"))
            .sum();
        self.say("the remaining peers hand over and leave");
        self.node.shutdown().await.ok();
        for peer in self.peers.iter_mut().filter(|peer| peer.is_running()) {
            peer.terminate().await;
        }
        let all = std::iter::once(&self.registry).chain(&self.peers);
        self.report.processes = all
            .map(|process| Ended {
                name: process.name.clone(),
                pid: process.pid,
                signal: process.ended,
            })
            .collect();
        self.report.elapsed_s = self.began.elapsed().as_secs_f64();
        self.report
    }

    fn running(&self) -> impl Iterator<Item = &Process> {
        self.peers.iter().filter(|peer| peer.is_running())
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn say(&self, text: &str) {
        say(self.aloud, self.began, text);
    }
}

fn say(aloud: bool, began: Instant, text: &str) {
    if aloud {
        say!("{:>6.1} s  {text}", began.elapsed().as_secs_f64());
    }
}

fn client(cluster: &str) -> objects::Builder {
    Node::builder()
        .client()
        .cluster(cluster)
        .listen("127.0.0.1:0")
        .mdns(false)
        .runtime_folder(false)
}

async fn start_peer(name: &str, cluster: &str, through: &[String]) -> Result<Process, String> {
    let mut arguments: Vec<String> = ["run", "--listen", "127.0.0.1:0", "--metrics"]
        .map(String::from)
        .to_vec();
    arguments.extend(["--no-mdns", "--no-local", "--cluster", cluster].map(String::from));
    arguments.extend_from_slice(through);
    Process::start(name, &arguments).await
}

async fn wait_until(what: &str, mut done: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > deadline {
            return Err(format!("waited {} s for {what}", PATIENCE.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
