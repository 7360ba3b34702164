//! Plain data that says which object is meant and where it was last seen.

use alloc::string::String;
use alloc::sync::Arc;
use core::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::object::{Configuration, ObjectId};

/// A reference without its type: the id decides, the rest are hints.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RawRef {
    /// Which object.
    pub id: ObjectId,
    /// The name of its kind.
    #[serde(with = "shared_str")]
    pub kind: Arc<str>,
    /// The replica set when the reference was made; `None` if only the id is known.
    #[serde(with = "shared_configuration")]
    pub configuration: Option<Arc<Configuration>>,
}

impl RawRef {
    /// A reference to an object of which only id and kind are known: the directory is asked.
    #[must_use]
    pub fn bare(id: ObjectId, kind: &str) -> Self {
        Self {
            id,
            kind: Arc::from(kind),
            configuration: None,
        }
    }

    /// The same reference without the hint where the object is.
    #[must_use]
    pub fn stripped(&self) -> Self {
        Self {
            id: self.id,
            kind: self.kind.clone(),
            configuration: None,
        }
    }

    /// The kind's name.
    #[must_use]
    pub fn kind_name(&self) -> String {
        String::from(&*self.kind)
    }
}

/// A reference to an object of kind `K`: plain data for fields, arguments and results.
///
/// Bind it with `node.get(reference)`, or inside a method with `cx.get(reference)`.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Ref<K: ?Sized> {
    raw: RawRef,
    #[serde(skip)]
    kind: PhantomData<fn() -> K>,
}

impl<K: ?Sized> Ref<K> {
    /// A typed reference; the kind is checked when a call arrives at the object.
    #[must_use]
    pub const fn from_raw(raw: RawRef) -> Self {
        Self {
            raw,
            kind: PhantomData,
        }
    }

    /// The untyped reference.
    #[must_use]
    pub const fn raw(&self) -> &RawRef {
        &self.raw
    }

    /// The untyped reference.
    #[must_use]
    pub fn into_raw(self) -> RawRef {
        self.raw
    }

    /// The object's id.
    #[must_use]
    pub const fn id(&self) -> ObjectId {
        self.raw.id
    }
}

impl AsRef<Self> for RawRef {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<K: ?Sized> AsRef<RawRef> for Ref<K> {
    fn as_ref(&self) -> &RawRef {
        &self.raw
    }
}

impl<K: ?Sized> Clone for Ref<K> {
    fn clone(&self) -> Self {
        Self::from_raw(self.raw.clone())
    }
}

impl<K: ?Sized> PartialEq for Ref<K> {
    /// Two references are equal when they name one object, wherever it was last seen.
    fn eq(&self, other: &Self) -> bool {
        self.raw.id == other.raw.id
    }
}

impl<K: ?Sized> Eq for Ref<K> {}

impl<K: ?Sized> core::fmt::Debug for Ref<K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Ref<{}>({})", self.raw.kind, self.raw.id)
    }
}

/// An `Arc<str>` as a plain string.
mod shared_str {
    use alloc::string::String;
    use alloc::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &str, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Arc<str>, D::Error> {
        Ok(Arc::from(String::deserialize(input)?))
    }
}

/// An optional `Arc<Configuration>` as an optional configuration.
mod shared_configuration {
    use alloc::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::object::Configuration;

    pub(super) fn serialize<S: Serializer>(
        configuration: &Option<Arc<Configuration>>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        configuration.as_deref().serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Option<Arc<Configuration>>, D::Error> {
        Ok(Option::<Configuration>::deserialize(input)?.map(Arc::new))
    }
}
