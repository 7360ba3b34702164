use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[shared(crate = objects_proto)]
impl Counter {
    fn follow(&mut self, other: CounterProxy) {
        drop(other);
    }
}

fn main() {}
