use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

struct Opaque;

#[shared(crate = objects_proto)]
impl Counter {
    fn add(&mut self, by: u64, with: Opaque) {
        let _ = with;
        self.count += by;
    }
}

fn main() {}
