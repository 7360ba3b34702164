//! An object that lost the race for its name is deleted: in the end nobody can use it.
//!
//! Source: design review 1.17, install, then compare-and-set, and the loser deletes its own.

use objects_proto::object::ObjectId;
use objects_proto::outcome::Cause;

/// The invariant's name in reports.
pub const NAME: &str = "no_orphans";

/// Why an object without a name may be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// Its creator ended before it could delete it.
    CreatorEnded,
    /// Its creator's caller was told that it may have the name, and which object it is.
    CallerTold,
    /// A majority of its replicas was lost at one time: nothing can delete it.
    MajorityLost,
}

/// What is left of an object without a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// It is deleted, but so many processes that did not hear of that still hold a copy.
    Copies(usize),
    /// The object itself, for this reason.
    Object(Excuse),
}

/// What is left of an object without a name that this many processes hold; `end` is what an
/// operator is told who asks for it.
///
/// # Errors
/// In words, if it is alive without an excuse.
pub fn check<T>(
    object: ObjectId,
    holders: usize,
    end: Option<&Result<T, Cause>>,
    excuse: Option<Excuse>,
) -> Result<Left, String> {
    match (holders, end, excuse) {
        (0, _, _) => Ok(Left::Nothing),
        (_, Some(Err(Cause::Deleted)), _) => Ok(Left::Copies(holders)),
        (_, _, Some(excuse)) => Ok(Left::Object(excuse)),
        (_, end, None) => {
            let told = end.map(|end| end.as_ref().map(|_| ()));
            Err(format!(
                "{object:?} has no name, its creator lives, {holders} processes hold it, and an \
                 inspection ends with {told:?}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orphan_needs_an_excuse() {
        let (object, alive, deleted) = (ObjectId(1), Ok(()), Err::<(), _>(Cause::Deleted));
        let excuse = Some(Excuse::CreatorEnded);
        assert_eq!(check(object, 0, Some(&alive), None), Ok(Left::Nothing));
        assert_eq!(check(object, 2, Some(&deleted), None), Ok(Left::Copies(2)));
        let excused = Ok(Left::Object(Excuse::CreatorEnded));
        assert_eq!(check(object, 2, Some(&alive), excuse), excused);
        assert!(check(object, 1, Some(&alive), None).is_err());
        assert!(check::<()>(object, 1, None, None).is_err());
        let silent = Err(Cause::NoQuorum);
        assert!(check::<()>(object, 1, Some(&silent), None).is_err());
    }
}
