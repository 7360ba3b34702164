//! The kinds that a host runs, their types erased.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use bytes::Bytes;
use overlay_proto::member::{HostedKind, KINDS_MAX};

use crate::arguments::Arguments;
use crate::context::Context;
use crate::depth::{STATE_DEPTH_MAX, is_shallow};
use crate::method::Method;
use crate::mode::Mode;
use crate::object::MethodId;
use crate::outcome::Cause;
use crate::reads::Reads;
use crate::register::{MethodInfo, Methods};
use crate::reply::Dispatch;
use crate::shared::SharedObject;

/// Largest encoded state, bytes. A write that would exceed it is not executed.
pub const STATE_BYTES_MAX: usize = 1024 * 1024;

/// A kind of shared object, its type erased.
pub trait Kind: Send + Sync {
    /// The kind's name.
    fn name(&self) -> &'static str;

    /// Version of its state and methods.
    fn version(&self) -> u32;

    /// Whether calls wait for a majority.
    fn mode(&self) -> Mode;

    /// How its reads are made sure to be current.
    fn reads(&self) -> Reads;

    /// Its remote methods.
    fn methods(&self) -> &'static [Method];

    /// The servant with this state.
    ///
    /// # Errors
    /// [`Cause::TooLarge`] or [`Cause::BadState`].
    fn decode(&self, state: &[u8]) -> Result<Box<dyn Servant>, Cause>;
}

/// A user's struct on its host, its type erased.
pub trait Servant: Send {
    /// Starts the method that `arguments` are for.
    fn dispatch<'a>(&'a mut self, arguments: Arguments<'_>, cx: &'a Context) -> Dispatch<'a>;

    /// The encoded state.
    ///
    /// # Errors
    /// [`Cause::TooLarge`] or [`Cause::BadState`].
    fn encode(&self) -> Result<Bytes, Cause>;
}

/// The kinds that a host runs, by name.
#[derive(Clone, Default)]
pub struct KindTable {
    kinds: BTreeMap<&'static str, Arc<dyn Kind>>,
}

/// Why a kind cannot be hosted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// Another kind of this name is hosted.
    #[error("two kinds are called `{0}`: give one another name, `#[shared(name = \"…\")]`")]
    NameTaken(&'static str),
    /// More kinds than a member may announce.
    #[error("a host runs at most {KINDS_MAX} kinds")]
    TooMany,
}

impl KindTable {
    /// Hosts a kind.
    ///
    /// # Errors
    /// [`KindError`]; the table is as it was. Registering one type twice counts as two kinds.
    pub fn register<K: SharedObject>(&mut self) -> Result<(), KindError> {
        if self.kinds.contains_key(K::KIND) {
            return Err(KindError::NameTaken(K::KIND));
        }
        if self.kinds.len() == KINDS_MAX {
            return Err(KindError::TooMany);
        }
        self.kinds
            .insert(K::KIND, Arc::new(Typed::<K>(PhantomData)));
        Ok(())
    }

    /// The kind of this name.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn Kind>> {
        self.kinds.get(kind)
    }

    /// The hosted kinds in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Kind>> {
        self.kinds.values()
    }

    /// What a member record says of the hosted kinds.
    #[must_use]
    pub fn hosted(&self) -> Vec<HostedKind> {
        let hosted = |kind: &Arc<dyn Kind>| HostedKind {
            name: kind.name().to_string(),
            version: kind.version(),
            weak: kind.mode() == Mode::Weak,
            methods: kind
                .methods()
                .iter()
                .map(|method| method.name.to_string())
                .collect(),
        };
        self.iter().map(hosted).collect()
    }
}

impl Methods for KindTable {
    fn method(&self, kind: &str, version: u32, id: MethodId) -> Option<MethodInfo> {
        let kind = self.get(kind).filter(|kind| kind.version() == version)?;
        let method = kind.methods().iter().find(|method| method.id == id)?;
        Some(MethodInfo {
            write: method.write,
            asynchronous: method.asynchronous,
            deterministic: method.deterministic,
        })
    }

    fn hosts(&self, kind: &str, version: u32) -> bool {
        self.get(kind).is_some_and(|kind| kind.version() == version)
    }

    fn reads(&self, kind: &str, version: u32) -> Reads {
        let kind = self.get(kind).filter(|kind| kind.version() == version);
        kind.map_or_else(Reads::default, |kind| kind.reads())
    }

    fn name(&self, kind: &str, version: u32, id: MethodId) -> Option<&'static str> {
        let kind = self.get(kind).filter(|kind| kind.version() == version)?;
        let method = kind.methods().iter().find(|method| method.id == id)?;
        Some(method.name)
    }
}

/// The kind's method with this id.
pub(crate) fn method_of(kind: &dyn Kind, method: MethodId) -> Result<&'static Method, Cause> {
    kind.methods()
        .iter()
        .find(|known| known.id == method)
        .ok_or_else(|| Cause::UnknownMethod {
            kind: kind.name().to_string(),
            method: format!("{:08x}", method.0),
        })
}

/// The encoded state of a new object.
///
/// # Errors
/// [`Cause::TooLarge`] or [`Cause::BadState`].
pub fn encode_state<K: SharedObject>(state: &K) -> Result<Bytes, Cause> {
    let bytes = (K::STATE.encode)(state).map_err(|problem| bad_state::<K>(&problem))?;
    within_limit(bytes.len())?;
    if !is_shallow(&bytes) {
        let text = format!("nested deeper than {STATE_DEPTH_MAX}");
        return Err(bad_state::<K>(&text));
    }
    Ok(Bytes::from(bytes))
}

/// The state of an object, for callers that have its bytes.
///
/// # Errors
/// [`Cause::TooLarge`] or [`Cause::BadState`].
pub fn decode_state<K: SharedObject>(state: &[u8]) -> Result<K, Cause> {
    within_limit(state.len())?;
    (K::STATE.decode)(state).map_err(|problem| bad_state::<K>(&problem))
}

fn within_limit(bytes: usize) -> Result<(), Cause> {
    if bytes <= STATE_BYTES_MAX {
        return Ok(());
    }
    Err(Cause::TooLarge {
        what: String::from("the object's state"),
        bytes: bytes as u64,
        limit: STATE_BYTES_MAX as u64,
    })
}

fn bad_state<K: SharedObject>(problem: &str) -> Cause {
    Cause::BadState {
        kind: K::KIND.to_string(),
        problem: problem.to_string(),
    }
}

struct Typed<K>(PhantomData<fn() -> K>);

impl<K: SharedObject> Kind for Typed<K> {
    fn name(&self) -> &'static str {
        K::KIND
    }

    fn version(&self) -> u32 {
        K::VERSION
    }

    fn mode(&self) -> Mode {
        K::MODE
    }

    fn reads(&self) -> Reads {
        K::READS
    }

    fn methods(&self) -> &'static [Method] {
        K::METHODS
    }

    fn decode(&self, state: &[u8]) -> Result<Box<dyn Servant>, Cause> {
        Ok(Box::new(Instance(decode_state::<K>(state)?)))
    }
}

struct Instance<K>(K);

impl<K: SharedObject> Servant for Instance<K> {
    fn dispatch<'a>(&'a mut self, arguments: Arguments<'_>, cx: &'a Context) -> Dispatch<'a> {
        self.0.dispatch(arguments, cx)
    }

    fn encode(&self) -> Result<Bytes, Cause> {
        encode_state(&self.0)
    }
}

impl fmt::Debug for KindTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}
