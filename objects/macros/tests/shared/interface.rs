//! What `#[shared]` makes of names, options and unusual blocks.

use objects_macros::shared;
use objects_proto::kinds_table::{KindError, KindTable};
use objects_proto::mode::Mode;
use objects_proto::object::MethodId;
use objects_proto::proxy::Proxy;
use objects_proto::reads::Reads;
use objects_proto::register::Methods;
use objects_proto::shared::SharedObject;
use serde::{Deserialize, Serialize};

use crate::world::World;

#[derive(Serialize, Deserialize, Default)]
struct Awkward {
    words: Vec<String>,
}

#[shared(
    crate = objects_proto,
    name = "test.Awkward",
    version = 3,
    reads = "lease",
    get(words: Vec<String>,)
)]
impl Awkward {
    const GREETING: &'static str = "hello";

    fn id(&self) -> u64 {
        1
    }

    fn clone(&self) -> u64 {
        2
    }

    fn timeout(&self) -> u64 {
        3
    }

    fn r#match(&mut self, r#type: &str) -> bool {
        self.words.push(r#type.to_owned());
        true
    }

    fn handle(&self, args: u8, cx: u8, drop: u8) -> u8 {
        args + cx + drop
    }

    fn dispatch(&self, arguments: u8, codec: u8, encoder: u8, method: u8) -> u8 {
        arguments + codec + encoder + method
    }

    fn reference(&self, mut value: u8) -> u8 {
        value += 1;
        value
    }

    fn merged(&self, other: Self) -> Awkward {
        let words = self.words.iter().cloned().chain(other.words).collect();
        Self { words }
    }

    fn greeting(&self) -> &'static str {
        Self::GREETING
    }

    #[cfg(any())]
    fn absent(&self) -> NoSuchType {}

    #[cfg(test)]
    fn present(&self) -> Option<u8> {
        None
    }

    #[local]
    fn without_self() -> u64 {
        17
    }

    #[local]
    fn generic<T: Default>(&self) -> T {
        T::default()
    }
}

impl Awkward {
    fn elsewhere(&self) -> usize {
        self.words.len()
    }
}

/// Kinds may be enums, and public.
#[derive(Serialize, Deserialize)]
pub enum Light {
    Off,
    On { level: u8 },
}

#[shared(crate = objects_proto, mode = "weak")]
impl Light {
    /// Sets the level; 0 turns it off.
    pub fn set(&mut self, level: u8) {
        *self = if level == 0 {
            Self::Off
        } else {
            Self::On { level }
        };
    }

    /// The level; 0 if it is off.
    pub fn level(&self) -> u8 {
        match self {
            Self::Off => 0,
            Self::On { level } => *level,
        }
    }
}

mod inner {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub struct Light;

    #[shared(crate = objects_proto)]
    impl Light {}
}

#[test]
fn methods_of_any_name_work() {
    let world = World::new(|kinds| kinds.register::<Awkward>().unwrap());
    let proxy = world.create(&Awkward::default());
    world.block_on(async {
        assert_eq!(proxy.id().await, Ok(1));
        assert_eq!(proxy.clone().await, Ok(2));
        assert_eq!(proxy.timeout().await, Ok(3));
        assert_eq!(proxy.r#match("type").await, Ok(true));
        assert_eq!(proxy.handle(1, 2, 3).await, Ok(6));
        assert_eq!(proxy.dispatch(1, 2, 3, 4).await, Ok(10));
        assert_eq!(proxy.reference(4).await, Ok(5));
        assert_eq!(proxy.words().await.unwrap(), ["type"]);
        assert_eq!(proxy.greeting().await.unwrap(), "hello");
        let other = Awkward {
            words: vec!["more".to_owned()],
        };
        assert_eq!(proxy.merged(other).await.unwrap().words, ["type", "more"]);
    });
    let another = Clone::clone(&proxy);
    assert_eq!(Proxy::reference(&another), Proxy::reference(&proxy));
    assert_eq!(world.state(&Proxy::reference(&proxy)).elsewhere(), 1);
    assert_eq!(
        Awkward::without_self() + Awkward::default().generic::<u64>(),
        17
    );
}

#[test]
fn the_table_of_methods_says_what_is_remote() {
    assert_eq!((Awkward::KIND, Awkward::VERSION), ("test.Awkward", 3));
    let names: Vec<_> = Awkward::METHODS.iter().map(|method| method.name).collect();
    let expected = [
        "id",
        "clone",
        "timeout",
        "match",
        "handle",
        "dispatch",
        "reference",
        "merged",
        "greeting",
        "present",
        "words",
    ];
    assert_eq!(names, expected);
    for method in Awkward::METHODS {
        assert_eq!(method.id, MethodId::of(method.name));
        assert_eq!(method.write, method.name == "match", "{}", method.name);
        assert!(!method.asynchronous);
    }
    assert_eq!(Awkward::METHODS[3].arguments, ["type"]);
    assert_eq!(Awkward::METHODS[4].arguments, ["args", "cx", "drop"]);
}

#[test]
fn a_kind_is_named_after_its_type_unless_told_otherwise() {
    assert_eq!((Light::KIND, Light::VERSION), ("Light", 1));
    let mut kinds = KindTable::default();
    kinds.register::<Light>().unwrap();
    kinds.register::<Awkward>().unwrap();
    assert_eq!(
        kinds.register::<inner::Light>(),
        Err(KindError::NameTaken("Light"))
    );
    let mode = |name| kinds.get(name).map(|kind| kind.mode());
    assert_eq!(mode("Light"), Some(Mode::Weak));
    assert_eq!(mode("test.Awkward"), Some(Mode::Strong));
    let reads = |name| kinds.get(name).map(|kind| kind.reads());
    assert_eq!(reads("Light"), Some(Reads::Quorum));
    assert_eq!(reads("test.Awkward"), Some(Reads::Lease));
    let hosted = kinds.hosted();
    let hosted: Vec<_> = hosted
        .iter()
        .map(|kind| (kind.name.as_str(), kind.version))
        .collect();
    assert_eq!(hosted, [("Light", 1), ("test.Awkward", 3)]);
    assert_eq!(kinds.hosted()[0].methods, ["set", "level"]);
    let method = |kind, version, name| kinds.method(kind, version, MethodId::of(name));
    assert_eq!(
        method("Light", 1, "set").map(|found| found.write),
        Some(true)
    );
    assert!(method("Light", 1, "explode").is_none());
    assert!(method("Light", 2, "set").is_none() && !kinds.hosts("Light", 2));
    assert!(method("Lamp", 1, "set").is_none());
}

#[test]
fn an_enum_is_a_kind_too() {
    let world = World::new(|kinds| kinds.register::<Light>().unwrap());
    let proxy = world.create(&Light::Off);
    world.block_on(async {
        proxy.set(7).await.unwrap();
        assert_eq!(proxy.level().await, Ok(7));
    });
}
