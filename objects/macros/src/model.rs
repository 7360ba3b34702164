//! What the attribute understood of a block.

use syn::{Attribute, Ident, Path, Type, Visibility};

use crate::types::Passing;

/// Most arguments of one remote method; equal to `objects_proto::method::ARGUMENTS_MAX`.
pub(crate) const ARGUMENTS_MAX: usize = 12;

/// A kind of shared object.
pub(crate) struct Kind {
    /// The user's type.
    pub(crate) target: Path,
    /// Its last segment.
    pub(crate) ident: Ident,
    /// The kind's name.
    pub(crate) name: String,
    /// Version of state and methods.
    pub(crate) version: u32,
    /// Whether its calls wait for a majority, if the user said so.
    pub(crate) mode: Option<Ident>,
    /// How its reads are made sure to be current, if the user said so.
    pub(crate) reads: Option<Ident>,
    /// The module with everything that generated code names.
    pub(crate) private: Path,
    /// The remote methods, getters last.
    pub(crate) methods: Vec<Method>,
}

/// A remote method.
pub(crate) struct Method {
    /// Attributes that the proxy's method takes over: documentation and deprecation.
    pub(crate) shown: Vec<Attribute>,
    /// The conditions under which it exists.
    pub(crate) conditions: Vec<Attribute>,
    /// Who may call it through the proxy.
    pub(crate) visibility: Visibility,
    /// Its name as written.
    pub(crate) ident: Ident,
    /// Its name on the wire, without `r#`.
    pub(crate) name: String,
    /// `&mut self`.
    pub(crate) write: bool,
    /// What runs on the host.
    pub(crate) body: Body,
    /// Its arguments, without `self` and context.
    pub(crate) arguments: Vec<Argument>,
    /// What it returns.
    pub(crate) returned: Returned,
}

/// What runs on the host.
pub(crate) enum Body {
    /// The user's method.
    Method {
        /// `async fn`.
        asynchronous: bool,
        /// `cx: &Context` follows `self`.
        context: bool,
        /// `#[deterministic]`.
        deterministic: bool,
    },
    /// A field is read.
    Field,
}

/// An argument of a remote method.
pub(crate) struct Argument {
    /// Its name as written.
    pub(crate) ident: Ident,
    /// Its name on the wire, without `r#`.
    pub(crate) name: String,
    /// Its type as written.
    pub(crate) declared: Type,
    /// How its value crosses the network.
    pub(crate) passing: Passing,
}

/// What a remote method returns.
pub(crate) enum Returned {
    /// A value.
    Value(Passing),
    /// A type named `Result`.
    Fallible(Type),
}

impl Method {
    /// Whether the method may wait while it runs.
    pub(crate) const fn asynchronous(&self) -> bool {
        matches!(
            self.body,
            Body::Method {
                asynchronous: true,
                ..
            }
        )
    }

    /// Whether a backup may run it again instead of being sent what it made.
    pub(crate) const fn deterministic(&self) -> bool {
        matches!(
            self.body,
            Body::Method {
                deterministic: true,
                ..
            }
        )
    }

    /// The method's id, the FNV-1a hash of its name, as `MethodId::of` computes it.
    pub(crate) fn id(&self) -> u32 {
        self.name.bytes().fold(0x811c_9dc5, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
    }
}
