//! `peer call`: one call by name, its arguments as JSON.

use serde_json::Value;

use crate::exit::Exit;
use crate::options::Global;
use crate::{client, output};

pub(crate) async fn run(global: &Global, object: &str, method: &str, arguments: &[String]) -> Exit {
    let node = match client::join(global).await {
        Ok(node) => node,
        Err(exit) => return exit,
    };
    let target = match node.resolve(object).await {
        Ok(target) => target,
        Err(error) => return output::error(global.json, &error),
    };
    let arguments: Vec<Value> = arguments.iter().map(|text| value_of(text)).collect();
    let ended = node
        .call_json(&target, method, &arguments, global.timeout())
        .await;
    node.shutdown().await.ok();
    output::call(global.json, ended)
}

/// JSON, or a bare word as a string: `peer call settings put color blue`.
fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
