//! A name is one object: all who made it get the same one, and it is what the name leads to
//! afterwards.
//!
//! Source: compare-and-set on a linearizable register has one winner (Herlihy, "Wait-free
//! synchronization", TOPLAS 1991); design review 1.17, unique within a founded cluster.

use std::collections::BTreeMap;

use objects_proto::object::ObjectId;
use overlay_proto::ProcessId;

/// The invariant's name in reports.
pub const NAME: &str = "names_unique";

/// Who got which object under which name.
#[derive(Debug, Default)]
pub struct NamesUnique {
    names: BTreeMap<String, Claim>,
}

#[derive(Debug)]
struct Claim {
    object: ObjectId,
    got_by: ProcessId,
    /// Whoever was told that it alone made the object.
    made_by: Option<ProcessId>,
}

impl NamesUnique {
    /// `process` got `object` under this name; `strictly`: as the only one that made it.
    ///
    /// # Errors
    /// In words, if another object was got before, or another process made it.
    pub fn got(
        &mut self,
        name: &str,
        process: ProcessId,
        object: ObjectId,
        strictly: bool,
    ) -> Result<(), String> {
        let claim = self.names.entry(name.to_owned()).or_insert(Claim {
            object,
            got_by: process,
            made_by: None,
        });
        if claim.object != object {
            return Err(format!(
                "`{name}` is {:?} for {} and {object:?} for {process}",
                claim.object, claim.got_by
            ));
        }
        let before = claim.made_by;
        claim.made_by = before.or_else(|| strictly.then_some(process));
        match before {
            Some(before) if strictly => Err(format!(
                "`{name}` was made by {before} and by {process}, each as the only one"
            )),
            _ => Ok(()),
        }
    }

    /// The name leads to this object now, long after it was made.
    ///
    /// # Errors
    /// In words, if somebody got another one.
    pub fn resolves(&self, name: &str, now: Option<ObjectId>) -> Result<(), String> {
        match self.names.get(name) {
            Some(claim) if now != Some(claim.object) => Err(format!(
                "`{name}` is {:?} for {} and leads to {now:?}",
                claim.object, claim.got_by
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn process(n: u8) -> ProcessId {
        ProcessId {
            peer: PeerId([n; 32]),
            incarnation: Incarnation(1),
        }
    }

    #[test]
    fn catches_two_objects_two_makers_and_a_name_that_leads_elsewhere() {
        let (one, two) = (ObjectId(1), ObjectId(2));
        let mut names = NamesUnique::default();
        assert!(names.got("a", process(1), one, false).is_ok());
        assert!(names.got("a", process(2), one, true).is_ok());
        assert!(names.got("b", process(2), two, false).is_ok());
        assert!(names.got("a", process(3), one, true).is_err());
        assert!(names.got("a", process(3), two, false).is_err());
        assert!(names.resolves("a", Some(one)).is_ok());
        assert!(names.resolves("a", Some(two)).is_err());
        assert!(names.resolves("b", None).is_err());
        assert!(names.resolves("c", None).is_ok());
    }
}
