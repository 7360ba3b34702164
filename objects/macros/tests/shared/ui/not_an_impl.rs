use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[shared(crate = objects_proto)]
#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

fn main() {}
