//! `peer delete`: the object goes first, its name after it.

use serde_json::json;

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
    let exit = match node.delete(&target).await {
        Ok(()) => {
            if global.json {
                output::json(&json!({ "deleted": target.id.to_string() }));
            } else {
                say!("deleted {}", target.id);
            }
            Exit::Success
        }
        Err(error) => output::error(global.json, &error),
    };
    node.shutdown().await.ok();
    exit
}
