//! `peer objects`: the names of the cluster.

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::options::Global;
use crate::stdout::say;
use crate::{client, output};

pub(crate) async fn run(global: &Global) -> Exit {
    let node = match client::join(global).await {
        Ok(node) => node,
        Err(exit) => return exit,
    };
    let exit = match node.names("").await {
        Ok(names) if global.json => {
            let objects: Vec<Value> = names
                .iter()
                .map(|(name, reference)| {
                    let id = reference.id.to_string();
                    json!({ "name": name, "kind": &*reference.kind, "id": id })
                })
                .collect();
            output::json(&json!({ "objects": objects }));
            Exit::Success
        }
        Ok(names) => {
            for (name, reference) in &names {
                say!("{:<24} {:<16} {}", name, reference.kind, reference.id);
            }
            say!("{} named objects", names.len());
            Exit::Success
        }
        Err(error) => output::error(global.json, &error),
    };
    node.shutdown().await.ok();
    exit
}
