use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[shared(crate = objects_proto)]
impl Counter {
    fn costarring(&self) -> u64 {
        self.count
    }

    fn liquid(&self) -> u64 {
        self.count
    }
}

fn main() {}
