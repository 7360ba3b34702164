use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[shared(crate = objects_proto)]
impl Counter {
    fn new() -> Self {
        Self { count: 0 }
    }

    fn count(&self) -> u64 {
        self.count
    }
}

fn main() {}
