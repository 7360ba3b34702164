use objects_macros::shared;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[shared(crate = objects_proto)]
impl Counter {
    fn fill(&self, into: &mut Vec<u64>) {
        into.push(self.count);
    }

    fn pair(&mut self, (left, right): (u64, u64)) {
        self.count = left + right;
    }

    fn any<T>(&mut self, by: T) {
        drop(by);
    }

    fn each(&self, of: impl Iterator<Item = u64>) -> u64 {
        of.sum()
    }

    fn forever(&self, name: &'static str) -> usize {
        name.len()
    }

    fn late(&self, by: u64, cx: &objects_proto::context::Context) -> u64 {
        drop(cx);
        by
    }

    unsafe fn risky(&self) {}
}

fn main() {}
