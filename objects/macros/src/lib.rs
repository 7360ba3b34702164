//! The `#[shared]` attribute: makes any struct a shared object.
//!
//! Modules import only leftwards in this order: `types · model · options · marks · parse · expand`.

mod expand;
mod marks;
mod model;
mod options;
mod parse;
mod types;

use proc_macro::TokenStream;

/// Makes the methods of an `impl` block callable from every peer.
///
/// ```
/// use objects_macros::shared;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Counter {
///     count: u64,
/// }
///
/// #[shared(crate = objects_proto)] // plain `#[shared]` with the crate `objects`
/// impl Counter {
///     /// Adds `by` and returns the new count.
///     fn increment(&mut self, by: u64) -> u64 {
///         self.count += by;
///         self.count
///     }
///
///     fn count(&self) -> u64 {
///         self.count
///     }
/// }
/// ```
///
/// The struct becomes a kind of shared object, and `CounterProxy` is generated: a handle on one
/// object wherever it lives, with the same methods, each of which returns a future of the result.
///
/// # What is remote
///
/// Every method with `&self` (a read) or `&mut self` (a write), plain or `async`. A method with
/// `#[local]`, and any other `impl` block, stays as it is. A method may take `cx: &Context` right
/// after `self`: callers do not see it. Arguments and results are types that serde can write and
/// read; `&str`, `&[T]` and `&T` are passed as they are and decoded on the host. A method that
/// returns a `Result` gives its callers the error as `Failed(Returned(error))`, and the object is
/// as it was before the call.
///
/// # Deterministic methods
///
/// What a write made of the object is shipped to its other replicas: the state, or of a state
/// beyond 4 KiB what is different in it. A plain write that changes much of a large state can be
/// marked `#[deterministic]`: then the call is shipped instead, wherever that is much smaller,
/// and every replica runs it for itself and compares what comes of it before it answers.
///
/// The author promises that equal states and arguments give equal states and results, byte for
/// byte: no clock, no randomness, no global state, no fields with `#[serde(skip)]`, and
/// `BTreeMap` instead of `HashMap`, which is encoded in another order by every process
/// (`objects::testing::check_encoding` finds that out). So such a method takes no context and is
/// not `async`. A method that breaks the promise harms nothing but its speed: whoever comes to
/// another result reports it (`Event::ReplayDiffered`) and gets the state. It saves bandwidth and
/// costs time on every replica, so mark methods of large objects, and only those.
///
/// # What it costs
///
/// The state is encoded after every write and copied to the other replicas: it is at most 1 MiB,
/// and a write that would make it larger is not executed. Keep states small, and make many small
/// objects rather than one large one. Fields with `#[serde(skip)]` and changes that a `&self`
/// method makes through a `Cell` or a lock are lost whenever the object moves. A plain method
/// that blocks holds up a thread that other objects need. A panic fails its call and nothing
/// else, unless the program is built with `panic = "abort"`.
///
/// # Options
///
/// - `name = "shop.Counter"`: the kind's name, the type's name by default. One name, one kind,
///   in the whole cluster.
/// - `version = 2`: raise it when older programs could not read the state any more, 1 by default.
/// - `mode = "weak"`: calls do not wait for the replicas, and a primary that dies or is cut off
///   may take some of what it answered with it. `objects::Mode` says what is promised then. By
///   default (`"strong"`) a call is answered when a majority holds what it did.
/// - `reads = "lease"`: reads are answered without a round trip between the replicas, as long as
///   the primary holds leases from a majority of them. They are as current as the usual reads if
///   no two clocks differ in rate by 1.5 % or more; a primary that dies is replaced up to 3 s
///   later. `reads = "stale"`: the primary answers what it last knew, however old that is; an
///   object that moved on without it shows its past. By default (`"quorum"`) each read asks a
///   majority.
/// - `get(count: u64, owner: String)`: a read for each of these fields, which an attribute on an
///   `impl` block cannot see for itself.
/// - `crate = path`: where the crate `objects` is, `::objects` by default.
#[proc_macro_attribute]
pub fn shared(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::shared(options.into(), &item.into()).into()
}
