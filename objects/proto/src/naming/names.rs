//! The directory of names: a shared object itself, hosted by every host.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;

use objects_macros::shared;
use serde::{Deserialize, Serialize};

use crate::object::ObjectId;
use crate::reference::RawRef;

/// Longest name of an object, bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Most names in one answer of a listing.
pub const LISTING_MAX: u32 = 500;

/// Names of objects. Binding is a compare-and-set, so a name has one object at most.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Names {
    names: BTreeMap<String, RawRef>,
}

/// Why a name was not bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unbound {
    /// It belongs to another object.
    Taken(RawRef),
    /// Empty, or longer than [`NAME_BYTES_MAX`].
    BadName,
}

/// One name and its object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The object, with the place that it had when it was named.
    pub reference: RawRef,
}

#[shared(crate = crate, name = "pydo.Names")]
impl Names {
    /// Gives `name` to an object, unless another one has it. Repeating it changes nothing.
    pub fn bind(&mut self, name: &str, reference: RawRef) -> Result<(), Unbound> {
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
    pub fn lookup(&self, name: &str) -> Option<RawRef> {
        self.names.get(name).cloned()
    }

    /// Whether the object has a name.
    pub fn is_named(&self, object: ObjectId) -> bool {
        self.names.values().any(|bound| bound.id == object)
    }

    /// Takes every name of the object away.
    pub fn unbind(&mut self, object: ObjectId) {
        self.names.retain(|_, bound| bound.id != object);
    }

    /// Takes a name away from an object, if it still has it: a compare-and-set, too.
    pub fn release(&mut self, name: &str, object: ObjectId) {
        if self.names.get(name).is_some_and(|bound| bound.id == object) {
            self.names.remove(name);
        }
    }

    /// Names with this prefix behind `after`, in order, at most [`LISTING_MAX`].
    pub fn list(&self, prefix: &str, after: Option<String>, limit: u32) -> Vec<Named> {
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
    fn a_name_is_taken_away_only_from_the_object_that_has_it() {
        let mut names = Names::default();
        names.bind("hits", object(1)).unwrap();
        names.release("hits", ObjectId(2));
        assert_eq!(names.lookup("hits"), Some(object(1)));
        names.release("hits", ObjectId(1));
        assert_eq!(names.lookup("hits"), None);
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
