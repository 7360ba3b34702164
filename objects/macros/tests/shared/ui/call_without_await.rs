#![deny(unused_must_use)]

use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[shared(crate = objects_proto)]
impl Counter {
    fn increment(&mut self, by: u64) {
        self.count += by;
    }
}

fn forgetful(hits: &CounterProxy) {
    hits.increment(1);
}

fn main() {
    let _ = forgetful;
}
