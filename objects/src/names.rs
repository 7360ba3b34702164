//! The directory of names: a shared object itself, hosted by every host.

use std::collections::BTreeMap;
use std::ops::Bound;

use objects_proto::object::ObjectId;
use objects_proto::reference::RawRef;
use serde::{Deserialize, Serialize};

use crate::shared;

/// Longest name of an object, bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Most names in one answer of a listing.
pub(crate) const LISTING_MAX: u32 = 500;

/// Names of objects. Binding is a compare-and-set, so a name has one object at most.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Names {
    names: BTreeMap<String, RawRef>,
}

/// Why a name was not bound.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unbound {
    /// It belongs to another object.
    Taken(RawRef),
    /// Empty, or longer than [`NAME_BYTES_MAX`].
    BadName,
}

/// One name and its object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    /// The name.
    pub name: String,
    /// The object, with the place that it had when it was named.
    pub reference: RawRef,
}

#[shared(name = "pydo.Names")]
impl Names {
    /// Gives `name` to an object, unless another one has it. Repeating it changes nothing.
    pub(crate) fn bind(&mut self, name: &str, reference: RawRef) -> Result<(), Unbound> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Unbound::BadName);
        }
        match self.names.get(name) {
            Some(bound) if bound.id != reference.id => Err(Unbound::Taken(bound.clone())),
            Some(_) => Ok(()),
            None => {
                self.names.insert(name.to_owned(), reference);
                Ok(())
            }
        }
    }

    /// The object with this name.
    pub(crate) fn lookup(&self, name: &str) -> Option<RawRef> {
        self.names.get(name).cloned()
    }

    /// Whether the object has a name.
    pub(crate) fn is_named(&self, object: ObjectId) -> bool {
        self.names.values().any(|bound| bound.id == object)
    }

    /// Takes every name of the object away.
    pub(crate) fn unbind(&mut self, object: ObjectId) {
        self.names.retain(|_, bound| bound.id != object);
    }

    /// Names with this prefix behind `after`, in order, at most [`LISTING_MAX`].
    pub(crate) fn list(&self, prefix: &str, after: Option<String>, limit: u32) -> Vec<Named> {
        let start = match after {
            Some(after) if after.as_str() >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix.to_owned()),
        };
        self.names
            .range((start, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .take(limit.min(LISTING_MAX) as usize)
            .map(|(name, reference)| Named {
                name: name.clone(),
                reference: reference.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(id: u128) -> RawRef {
        RawRef::bare(ObjectId(id), "Counter")
    }

    #[test]
    fn a_name_has_one_object() {
        let mut names = Names::default();
        assert_eq!(names.bind("hits", object(1)), Ok(()));
        assert_eq!(
            names.bind("hits", object(1)),
            Ok(()),
            "a repeat changes nothing"
        );
        assert_eq!(
            names.bind("hits", object(2)),
            Err(Unbound::Taken(object(1)))
        );
        names.unbind(ObjectId(1));
        assert_eq!(names.bind("hits", object(2)), Ok(()));
        assert!(names.is_named(ObjectId(2)) && !names.is_named(ObjectId(1)));
    }

    #[test]
    fn names_that_cannot_be_kept_are_refused() {
        let mut names = Names::default();
        for name in ["", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert_eq!(names.bind(name, object(1)), Err(Unbound::BadName));
        }
    }

    #[test]
    fn listings_come_in_pages() {
        let mut names = Names::default();
        for (name, id) in [("a", 1), ("b", 2), ("c", 3), ("other", 4)] {
            names.bind(name, object(id)).unwrap();
        }
        let page = names.list("", None, 2);
        let after = page.last().map(|named| named.name.clone());
        assert_eq!(after.as_deref(), Some("b"));
        let named = |name: &str, id| Named {
            name: name.into(),
            reference: object(id),
        };
        assert_eq!(names.list("", after, 2), [named("c", 3), named("other", 4)]);
        assert_eq!(names.list("o", Some("a".into()), 2), [named("other", 4)]);
        assert_eq!(names.list("o", Some("other".into()), 2), []);
    }
}
