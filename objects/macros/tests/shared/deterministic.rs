//! Methods marked `#[deterministic]`: what the host knows of them, and how they are run again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use objects_macros::shared;
use objects_proto::arguments::Encoder;
use objects_proto::execution::{
    CallChain, Codec, Execution, ExecutionCall, ExecutionKey, ExecutionMode, Ran,
};
use objects_proto::kinds_table::{decode_state, encode_state};
use objects_proto::method::Method;
use objects_proto::object::{Ballot, Epoch, ObjectId, Version};
use objects_proto::outcome::Cause;
use objects_proto::servant::ServantLimits;
use objects_proto::shared::SharedObject;
use objects_proto::testing::{NotDeterministic, check_call, check_encoding};
use objects_proto::wire::passer;
use overlay_proto::Duration;
use serde::{Deserialize, Serialize};

use crate::servants::host;
use crate::world::{CALLER, Catching};

#[derive(Serialize, Deserialize)]
struct Deck {
    cards: Vec<u64>,
    owners: BTreeMap<u64, String>,
}

#[shared(crate = objects_proto)]
impl Deck {
    #[deterministic]
    fn turn(&mut self, by: u64) -> usize {
        self.cards.rotate_left(by as usize);
        self.cards.len()
    }

    fn lose(&mut self) {
        self.cards.pop();
    }
}

#[derive(Serialize, Deserialize)]
struct Heap {
    cards: HashMap<u64, String>,
}

#[shared(crate = objects_proto)]
impl Heap {
    fn count(&self) -> usize {
        self.cards.len()
    }
}

fn deck() -> Deck {
    Deck {
        cards: (0..40).collect(),
        owners: (0..40)
            .map(|card| (card, format!("owner {card}")))
            .collect(),
    }
}

fn method(name: &str) -> &'static Method {
    Deck::METHODS
        .iter()
        .find(|method| method.name == name)
        .unwrap()
}

#[test]
fn the_host_knows_which_methods_are_deterministic() {
    assert!(method("turn").deterministic);
    assert!(!method("lose").deterministic);
}

#[test]
fn only_deterministic_methods_are_run_again() {
    let mut servants = host(
        |kinds| kinds.register::<Deck>().unwrap(),
        ServantLimits::default(),
    );
    let call = |name: &str| {
        let mut arguments = Encoder::new(method(name));
        if name == "turn" {
            arguments.value(passer::<u64>(), "by", &7);
        }
        ExecutionCall {
            method: method(name).id,
            codec: Codec::Cbor,
            arguments: arguments.finish().unwrap(),
            budget: Duration::from_secs(1),
            caller: CALLER,
            chain: CallChain::default(),
        }
    };
    let mut replay = |state: &Bytes, name: &str| {
        let execution = Execution {
            object: ObjectId(1),
            kind: Arc::from("Deck"),
            key: ExecutionKey {
                epoch: Epoch::default(),
                ballot: Ballot::default(),
                base: Version(1),
                attempt: 1,
            },
            state: state.clone(),
            mode: ExecutionMode::Replay,
            calls: vec![call(name)],
        };
        servants.run_sync(execution, &Catching).ran.remove(0)
    };
    let state = encode_state(&deck()).unwrap();
    let Ran::Returned {
        state: Some(turned),
        ..
    } = replay(&state, "turn")
    else {
        panic!("a deterministic method is run again");
    };
    assert_eq!(decode_state::<Deck>(&turned).unwrap().cards[0], 7);
    let refused = replay(&turned, "lose");
    assert!(
        matches!(refused, Ran::Refused(Cause::Arguments(_))),
        "{refused:?}"
    );
}

#[test]
fn what_is_not_deterministic_is_found_before_it_runs_anywhere() {
    assert_eq!(check_encoding(&deck()), Ok(()));
    assert_eq!(check_call(&deck(), |deck| deck.turn(3)), Ok(()));
    let kind = "Heap".to_owned();
    let heap = Heap {
        cards: (0..40).map(|card| (card, String::new())).collect(),
    };
    assert_eq!(
        check_encoding(&heap),
        Err(NotDeterministic::Encoding { kind })
    );
    let counter = std::cell::Cell::new(0);
    let guess = |deck: &mut Deck| {
        counter.set(counter.get() + 1);
        deck.turn(counter.get())
    };
    let kind = "Deck".to_owned();
    assert_eq!(
        check_call(&deck(), guess),
        Err(NotDeterministic::Call { kind })
    );
}
