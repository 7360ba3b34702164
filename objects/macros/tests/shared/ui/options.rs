use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[shared(crate = objects_proto, replicas = 5)]
impl Counter {
    fn count(&self) -> u64 {
        self.count
    }
}

#[shared(crate = objects_proto, name = "")]
impl Counter {}

#[shared(crate = objects_proto, version = -1)]
impl Counter {}

#[shared(crate = objects_proto, reads = "fresh")]
impl Counter {}

#[shared(crate = objects_proto, mode = "strange")]
impl Counter {}

#[shared(crate = objects_proto, mode = "weak", reads = "lease")]
impl Counter {}

fn main() {}
