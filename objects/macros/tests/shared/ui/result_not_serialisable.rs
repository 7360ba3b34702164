use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

struct Opaque;

#[shared(crate = objects_proto)]
impl Counter {
    fn look(&self) -> Opaque {
        Opaque
    }
}

fn main() {}
