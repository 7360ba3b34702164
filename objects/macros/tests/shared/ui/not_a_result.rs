use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

struct Result(u64);

#[shared(crate = objects_proto)]
impl Counter {
    fn count(&self) -> Result {
        Result(self.count)
    }
}

fn main() {}
