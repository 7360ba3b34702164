//! `peer recover`: an operator's way out of a lost majority.

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
    match node.recover_names().await {
        Ok(true) if !global.json => say!("the directory of names is restored"),
        Ok(_) => {}
        Err(error) => return output::error(global.json, &error),
    }
    let target = match node.resolve(object).await {
        Ok(target) => target,
        Err(error) => return output::error(global.json, &error),
    };
    let exit = match node.recover(&target).await {
        Ok((reference, version)) => {
            let holder = reference
                .configuration
                .as_ref()
                .and_then(|set| set.process(0))
                .map_or_else(String::new, |process| process.peer.to_string());
            if global.json {
                output::json(&json!({
                    "id": reference.id.to_string(), "version": version.0, "holder": holder,
                }));
            } else {
                say!(
                    "{} goes on at {holder} from version {}",
                    reference.id,
                    version.0
                );
                say!("calls that only lost replicas knew are lost");
            }
            Exit::Success
        }
        Err(error) => output::error(global.json, &error),
    };
    node.shutdown().await.ok();
    exit
}
