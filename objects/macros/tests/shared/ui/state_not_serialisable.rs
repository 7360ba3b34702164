use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Lamp {
    on: bool,
}

#[shared(crate = objects_proto)]
impl Lamp {
    fn switch(&mut self) {
        self.on = !self.on;
    }
}

#[derive(Deserialize)]
struct Unrelated;

fn main() {}
