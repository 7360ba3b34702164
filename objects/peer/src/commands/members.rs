//! `peer members`: the membership view of the peer that answered.

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
    let view = node.members();
    if global.json {
        let members: Vec<Value> = view
            .members()
            .iter()
            .map(|member| {
                let record = &member.record;
                let kinds: Vec<&str> = record.kinds.iter().map(|kind| &*kind.name).collect();
                json!({
                    "peer": record.process.peer.to_string(),
                    "incarnation": record.process.incarnation.to_string(),
                    "state": format!("{:?}", member.state).to_lowercase(),
                    "leaving": record.leaving,
                    "addresses": record.addresses,
                    "kinds": kinds,
                    "replicas": record.load,
                })
            })
            .collect();
        output::json(&json!({ "members": members }));
    } else {
        say!(
            "{:<10} {:<8} {:>8}  {:<32} kinds",
            "peer",
            "state",
            "replicas",
            "address"
        );
        for member in view.members() {
            let record = &member.record;
            let state = if record.leaving { "leaving" } else { "alive" };
            let address = record.addresses.first().map_or("-", String::as_str);
            let kinds: Vec<&str> = record
                .kinds
                .iter()
                .map(|kind| &*kind.name)
                .filter(|name| !name.starts_with("pydo."))
                .collect();
            say!(
                "{:<10} {state:<8} {:>8}  {address:<32} {}",
                record.process.peer.to_string(),
                record.load,
                kinds.join(", ")
            );
        }
        let hosts = view.hosts().count();
        say!("{hosts} hosts: {}", advice(hosts));
    }
    node.shutdown().await.ok();
    Exit::Success
}

fn advice(hosts: usize) -> &'static str {
    match hosts {
        0 => "nothing can be hosted",
        1 => "losing it loses its objects; start two more for safety",
        2 => "objects have one voting replica and one learner; start a third for safety",
        _ => "new objects get three replicas and survive the loss of one",
    }
}
