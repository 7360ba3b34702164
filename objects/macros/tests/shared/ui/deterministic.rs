use objects_macros::shared;
use objects_proto::context::Context;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Deck {
    cards: Vec<u8>,
}

#[shared(crate = objects_proto)]
impl Deck {
    #[deterministic]
    async fn wait(&mut self) {
        self.cards.clear();
    }

    #[deterministic]
    fn shuffle(&mut self, cx: &Context) {
        let by = cx.random() as usize % self.cards.len();
        self.cards.rotate_left(by);
    }

    #[deterministic]
    fn count(&self) -> usize {
        self.cards.len()
    }

    #[deterministic(always)]
    fn turn(&mut self) {
        self.cards.reverse();
    }

    #[local]
    #[deterministic]
    fn sort(&mut self) {
        self.cards.sort_unstable();
    }

    #[deterministic]
    fn deal(&mut self, cards: Vec<u8>) {
        self.cards = cards;
    }
}

fn main() {}
