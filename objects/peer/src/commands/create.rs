//! `peer create`: makes an object of a kind that some host knows.

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::options::Global;
use crate::stdout::say;
use crate::{client, output};

pub(crate) async fn run(
    global: &Global,
    kind: &str,
    name: Option<&str>,
    state: Option<&str>,
) -> Exit {
    let state: Value = match state.map(serde_json::from_str).transpose() {
        Ok(state) => state.unwrap_or_else(|| json!({})),
        Err(error) => {
            eprintln!("the initial state is not JSON: {error}");
            return Exit::Usage;
        }
    };
    let node = match client::join(global).await {
        Ok(node) => node,
        Err(exit) => return exit,
    };
    let created = node.create_json(kind, name, state, global.timeout()).await;
    let exit = match created {
        Ok(reference) => {
            let replicas = reference
                .configuration
                .as_ref()
                .map_or(0, |set| set.members.len());
            if global.json {
                output::json(&json!({
                    "id": reference.id.to_string(), "kind": kind, "name": name,
                    "replicas": replicas,
                }));
            } else {
                say!("{kind} {} {}", reference.id, name.unwrap_or_default());
                say!("{}", survives(replicas));
            }
            Exit::Success
        }
        Err(error) => output::error(global.json, &error),
    };
    node.shutdown().await.ok();
    exit
}

/// What a replica set of this size survives, in words.
pub(crate) fn survives(replicas: usize) -> String {
    match replicas {
        0 | 1 => "1 replica: losing its host stops the object; it grows to three as hosts join \
                  (after a loss, `peer recover` restores it from a learner, if there was one)"
            .to_owned(),
        2 => "2 replicas: losing either host stops the object until `peer recover`".to_owned(),
        n => format!(
            "{n} replicas: goes on after losing {} of them at once",
            (n - 1) / 2
        ),
    }
}
