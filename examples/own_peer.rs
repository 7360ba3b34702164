//! A peer binary with a kind of its own: the whole command line in three lines.
//!
//! ```sh
//! cargo run -p examples --example own_peer -- run
//! cargo run -p examples --example own_peer -- create Cart --name mine '{"items": []}'
//! cargo run -p examples --example own_peer -- call mine add apple
//! ```

use objects::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Cart {
    items: Vec<String>,
}

#[shared]
impl Cart {
    fn add(&mut self, item: &str) -> usize {
        self.items.push(item.to_owned());
        self.items.len()
    }

    fn items(&self) -> Vec<String> {
        self.items.clone()
    }
}

fn main() -> std::process::ExitCode {
    peer::main(|node| node.host::<Cart>())
}
