//! `peer inspect`: where an object is, and why.

use objects::{Description, Mode, Reads};
use serde_json::{Value, json};

use crate::commands::create::survives;
use crate::exit::Exit;
use crate::options::Global;
use crate::stdout::say;
use crate::{client, output};

pub(crate) async fn run(global: &Global, object: &str) -> Exit {
    let node = match client::join(global).await {
        Ok(node) => node,
        Err(exit) => return exit,
    };
    let target = match node.resolve(object).await {
        Ok(target) => target,
        Err(error) => return output::error(global.json, &error),
    };
    let exit = match node.inspect(&target).await {
        Ok(description) => {
            if global.json {
                output::json(&as_json(&description));
            } else {
                print(&description);
            }
            Exit::Success
        }
        Err(error) => output::error(global.json, &error),
    };
    node.shutdown().await.ok();
    exit
}

pub(crate) fn as_json(description: &Description) -> Value {
    let members: Vec<String> = description
        .configuration
        .processes()
        .map(|process| process.peer.to_string())
        .collect();
    let learners: Vec<String> = description
        .learners
        .iter()
        .map(|process| process.peer.to_string())
        .collect();
    json!({
        "id": description.object.to_string(),
        "kind": description.kind,
        "kind_version": description.kind_version,
        "epoch": description.configuration.epoch.to_string(),
        "primary": description.configuration.process(description.ballot.member)
            .map(|process| process.peer.to_string()),
        "members": members,
        "learners": learners,
        "factor": description.factor,
        "mode": mode(description.mode),
        "reads": reads(description),
        "version": description.version.0,
        "takeovers": description.takeovers,
        "state_bytes": description.state_bytes,
        "sessions": description.sessions,
        "queued": description.queued,
        "outbox": description.outbox,
        "methods": description.methods,
    })
}

/// As `#[shared(mode = "…")]` has it.
const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Strong => "strong",
        Mode::Weak => "weak",
    }
}

/// As `#[shared(reads = "…")]` has it; in weak mode they are what the primary has.
const fn reads(description: &Description) -> &'static str {
    if matches!(description.mode, Mode::Weak) {
        return "primary";
    }
    match description.reads {
        Reads::Quorum => "quorum",
        Reads::Lease => "lease",
        Reads::Stale => "stale",
    }
}

fn print(description: &Description) {
    let set = &description.configuration;
    say!("{} {}", description.kind, description.object);
    for (index, process) in set.processes().enumerate() {
        let role = if index == usize::from(description.ballot.member) {
            "primary"
        } else {
            "backup"
        };
        say!("  {role:<8} {}", process.peer);
    }
    for process in &description.learners {
        say!("  learner  {} (holds the state, has no vote)", process.peer);
    }
    say!(
        "  epoch {} (replica sets so far), round {}",
        set.epoch,
        description.ballot.round
    );
    say!(
        "  version {} (calls executed), state {} bytes, {} sessions, {} queued",
        description.version.0,
        description.state_bytes,
        description.sessions,
        description.queued
    );
    say!(
        "  mode: {}, reads: {}",
        mode(description.mode),
        reads(description)
    );
    if description.mode == Mode::Weak {
        say!("  weak: a primary that dies or is cut off may lose calls that it answered");
    }
    say!("  methods: {}", description.methods.join(", "));
    say!("  {}", survives(set.members.len()));
    if set.members.len() < usize::from(description.factor) {
        say!(
            "  wants {} replicas and has {}: not enough hosts of this kind are known",
            description.factor,
            set.members.len()
        );
    }
}
