use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[shared(crate = objects_proto)]
impl Default for Counter {
    fn default() -> Self {
        Self { count: 0 }
    }
}

fn main() {}
