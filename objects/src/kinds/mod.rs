//! Kinds that are useful before anybody writes one: a counter, a map, a lock.

mod counter;
mod lock;
mod map;

pub use counter::{Counter, CounterProxy};
pub use lock::{Held, Holder, Lock, LockProxy};
pub use map::{KEYS_MAX, Map, MapProxy};
