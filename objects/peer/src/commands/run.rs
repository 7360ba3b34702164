//! `peer run`: a peer that hosts objects until it is told to stop.

use std::collections::BTreeSet;

use objects::{Builder, Event, MembershipView, Node, ProcessId};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::options::{Global, RunArgs};
use crate::stdout::mention;
use crate::{client, demo, output};

pub(crate) async fn run(
    global: &Global,
    args: &RunArgs,
    kinds: impl FnOnce(Builder) -> Builder,
) -> Exit {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        eprintln!("cannot listen for signals");
        return Exit::NotExecuted;
    };
    let node = match start(global, args, kinds).await {
        Ok(node) => node,
        Err(exit) => return exit,
    };
    announce(global, &node);
    let (mut events, mut watch) = (node.events(), node.watch());
    let mut known = Known::default();
    known.report(global, &node, &node.members());
    let mut takeovers = Takeovers::default();
    let mut second = tokio::time::interval(std::time::Duration::from_secs(1));
    loop {
        tokio::select! {
            () = stopped(&mut terminate, &mut interrupt) => break,
            _ = second.tick() => {
                takeovers.sum_up(global);
                if args.metrics {
                    print_metrics(&node);
                }
            }
            Ok(view) = watch.changed() => known.report(global, &node, &view),
            event = events.next() => match event {
                // Told from the view, which also has those that were there before.
                Some(Event::Joined(_)) => {}
                Some(Event::TookOver { .. }) if takeovers.are_many() => {}
                Some(event) => report(global, &event),
                None => return Exit::NotExecuted,
            },
        }
    }
    if !global.json {
        mention!("handing over; a second signal stops at once");
    }
    tokio::select! {
        () = stopped(&mut terminate, &mut interrupt) => Exit::Indeterminate,
        ended = node.shutdown() => match ended {
            Ok(()) => Exit::Success,
            Err(error) => output::error(global.json, &error),
        },
    }
}

async fn start(
    global: &Global,
    args: &RunArgs,
    kinds: impl FnOnce(Builder) -> Builder,
) -> Result<Node, Exit> {
    let mut builder = client::builder(global);
    for address in &args.listen {
        builder = builder.listen(address);
    }
    if let Some(folder) = &args.data_dir {
        builder = builder.data_dir(folder);
    }
    for label in &args.labels {
        let Some((key, value)) = label.split_once('=') else {
            eprintln!("a label is key=value, not `{label}`");
            return Err(Exit::Usage);
        };
        builder = builder.label(key, value);
    }
    let builder = kinds(
        builder
            .host::<objects::kinds::Counter>()
            .host::<objects::kinds::Map>()
            .host::<objects::kinds::Lock>()
            .host::<demo::Tally>(),
    );
    builder
        .start()
        .await
        .map_err(|error| output::error(global.json, &error))
}

fn announce(global: &Global, node: &Node) {
    let addresses = node.addresses();
    if global.json {
        mention!(
            "{}",
            json!({
                "event": "started", "peer": node.id().peer.to_string(), "addresses": addresses,
            })
        );
    } else {
        mention!(
            "peer {} listens on {}",
            node.id().peer,
            addresses.join(", ")
        );
        mention!("hosting; try `peer create Counter --name hits` and `peer call hits increment 1`");
    }
}

/// The others in the view, as far as they were reported.
#[derive(Default)]
struct Known(BTreeSet<ProcessId>);

impl Known {
    fn report(&mut self, global: &Global, node: &Node, view: &MembershipView) {
        self.0.retain(|process| view.process(process).is_some());
        for member in view.members() {
            let process = member.record.process;
            if process != node.id() && self.0.insert(process) {
                report(global, &Event::Joined(process));
            }
        }
    }
}

/// What this peer took over within a second: each is told, unless they are very many.
#[derive(Default)]
struct Takeovers(usize);

impl Takeovers {
    /// Takeovers that are told one by one in a second.
    const TOLD: usize = 20;

    /// Counts one more. Whether it is left to the sum.
    const fn are_many(&mut self) -> bool {
        self.0 += 1;
        self.0 > Self::TOLD
    }

    /// Tells how many more there were; another second begins.
    fn sum_up(&mut self, global: &Global) {
        let more = std::mem::take(&mut self.0).saturating_sub(Self::TOLD);
        if more == 0 {
            return;
        }
        if global.json {
            mention!("{}", json!({ "event": "took_over_more", "detail": more }));
        } else {
            mention!("took over {more} more objects");
        }
    }
}

fn report(global: &Global, event: &Event) {
    if global.json {
        let (name, detail) = match event {
            Event::Joined(process) => ("joined", json!(process.peer.to_string())),
            Event::Lost { process, .. } => ("lost", json!(process.peer.to_string())),
            Event::TookOver {
                object,
                kind,
                after,
                ..
            } => (
                "took_over",
                json!({ "object": object.to_string(), "kind": kind, "ms": after.as_millis() }),
            ),
            other => ("other", json!(other.to_string())),
        };
        mention!("{}", json!({ "event": name, "detail": detail }));
    } else {
        mention!("{event}");
    }
}

fn print_metrics(node: &Node) {
    let metrics = node.metrics();
    mention!(
        "{}",
        json!({
            "event": "metrics",
            "gossip_events": metrics.overlay.overlay.gossip_events_received,
            "registry_calls_after_join": metrics.overlay.registry_calls_after_join,
            "publications": metrics.publications,
            "messages_sent": metrics.messages_sent,
        })
    );
}

async fn stopped(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
