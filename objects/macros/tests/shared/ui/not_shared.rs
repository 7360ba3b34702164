use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

fn main() {
    let mut kinds = objects_proto::kinds_table::KindTable::default();
    let _ = kinds.register::<Counter>();
}
