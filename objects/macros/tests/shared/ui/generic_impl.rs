use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Cell<T> {
    value: T,
}

#[shared(crate = objects_proto)]
impl<T: Clone> Cell<T> {
    fn value(&self) -> T {
        self.value.clone()
    }
}

fn main() {}
