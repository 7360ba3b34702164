//! The trait that `#[shared]` implements.

use crate::arguments::Arguments;
use crate::context::Context;
use crate::method::Method;
use crate::mode::Mode;
use crate::proxy::Callable;
use crate::reads::Reads;
use crate::reply::Dispatch;
use crate::wire::StateCodec;

/// A kind of shared object: a struct, its state, and its remote methods.
///
/// Implemented by `#[shared]` on an `impl` block, not by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a shared object",
    label = "no `#[shared]` impl block",
    note = "put `#[shared]` on the `impl {Self}` block whose methods are to be remote"
)]
pub trait SharedObject: Callable + Send + 'static {
    /// The kind's name, unique among the kinds of a cluster.
    const KIND: &'static str;

    /// Version of the state and the methods: raised by the author when an older program could
    /// not read the state any more.
    const VERSION: u32;

    /// Whether its calls wait for a majority of the replicas.
    const MODE: Mode = Mode::Strong;

    /// How its reads are made sure to be current.
    const READS: Reads = Reads::Quorum;

    /// The remote methods.
    const METHODS: &'static [Method];

    /// How its state is written and read.
    const STATE: StateCodec<Self>;

    /// Starts the method that `arguments` are for. Nothing has run if they do not fit.
    fn dispatch<'a>(&'a mut self, arguments: Arguments<'_>, cx: &'a Context) -> Dispatch<'a>;
}
