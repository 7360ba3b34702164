//! What becomes of names and of the objects made for them.

mod fake;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;

use self::fake::{Fake, Fate};
use super::*;

/// The first object that a node makes.
const OWN: ObjectId = ObjectId(1);
const OTHER: ObjectId = ObjectId(77);

fn other() -> RawRef {
    RawRef::bare(OTHER, "Counter")
}

fn new_object() -> NewObject {
    NewObject {
        kind: String::from("Counter"),
        kind_version: 1,
        mode: crate::mode::Mode::Strong,
        state: Bytes::new(),
        factor: 3,
        timeout: Duration::from_secs(10),
    }
}

/// The end of a future that waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn get_or_create(node: &Fake) -> Result<ObjectId, NamingError> {
    let found = now(super::get_or_create(node, "hits", new_object()))?;
    Ok(found.reference().id)
}

fn create_named(node: &Fake) -> Result<ObjectId, NamingError> {
    let made = now(super::create_named(node, "hits", new_object()))?;
    Ok(made.reference().id)
}

fn find(node: &Fake) -> Result<ObjectId, NamingError> {
    let found = now(super::find(node, "hits", "Counter"))?;
    Ok(found.reference().id)
}

#[test]
fn a_name_is_made_once_and_found_again() {
    let node = Fake::new();
    assert_eq!(find(&node), Err(NamingError::NotFound("hits".to_owned())));
    assert_eq!(get_or_create(&node), Ok(OWN));
    assert_eq!(get_or_create(&node), Ok(OWN));
    assert_eq!(find(&node), Ok(OWN));
    let exists = NamingError::AlreadyExists("hits".to_owned());
    assert_eq!(create_named(&node), Err(exists));
    assert_eq!(node.state().made.len(), 1);
    let wrong = now(super::find(&node, "hits", "Map")).unwrap_err();
    assert!(matches!(wrong, NamingError::WrongKind { .. }), "{wrong:?}");
}

#[test]
fn the_loser_of_a_race_gets_the_winners_object_and_deletes_its_own() {
    let node = Fake::new();
    node.state().rival = Some(("hits", other()));
    assert_eq!(get_or_create(&node), Ok(OTHER));
    assert!(node.state().deleted.contains(&OWN));
    let released = node.state().released;
    assert!(released > 0, "the handle of the deleted object is let go");

    let node = Fake::new();
    node.state().rival = Some(("hits", other()));
    assert!(matches!(
        create_named(&node),
        Err(NamingError::AlreadyExists(_))
    ));
    assert!(node.state().deleted.contains(&OWN) && node.state().discarded.is_empty());
}

#[test]
fn a_binding_with_an_unknown_end_is_made_again() {
    for fates in [
        vec![Fate::Lost],
        vec![Fate::Stuck],
        vec![Fate::Stuck, Fate::Lost],
    ] {
        let node = Fake::new();
        node.state().fates = fates.clone().into();
        assert_eq!(bind_own(&node), Ok(Some(OWN)), "{fates:?}");
        assert!(node.state().deleted.is_empty());
    }
    let node = Fake::new();
    node.state().fates = vec![Fate::Stuck].into();
    node.bound("hits", &other());
    assert_eq!(bind_own(&node), Ok(None));
}

/// Whether an object that exists gets the name.
fn bind_own(node: &Fake) -> Result<Option<ObjectId>, NamingError> {
    let object = RawRef::bare(OWN, "Counter");
    match now(bind(node, "hits", &object))? {
        Bound::Own => Ok(node.owners("hits")[usize::from(node.state().merged)]),
        Bound::Taken(_) => Ok(None),
        Bound::Unknown(cause) => Err(unknown("hits", &object, cause)),
    }
}

#[test]
fn an_object_that_may_have_the_name_is_left_and_the_caller_is_told() {
    for fates in [vec![Fate::Stuck; 3], vec![Fate::Lost, Fate::Refused]] {
        let node = Fake::new();
        node.state().fates = fates.into();
        let error = get_or_create(&node).unwrap_err();
        let NamingError::NameUnknown { object, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(object, OWN);
        assert!(node.state().deleted.is_empty() && node.state().discarded.is_empty());
    }
}

#[test]
fn an_object_that_certainly_has_no_name_is_deleted() {
    let node = Fake::new();
    node.state().fates = vec![Fate::Refused].into();
    let error = get_or_create(&node).unwrap_err();
    let no_quorum = CallError::NotExecuted(Cause::NoQuorum);
    assert_eq!(error, NamingError::Call(no_quorum));
    assert!(node.state().deleted.contains(&OWN));

    let node = Fake::new();
    let bad = now(super::get_or_create(&node, "", new_object())).unwrap_err();
    assert_eq!(bad, NamingError::BadName);
    assert!(node.state().deleted.contains(&OWN));
}

#[test]
fn an_object_that_cannot_be_deleted_at_once_is_deleted_in_the_background() {
    let node = Fake::new();
    node.state().rival = Some(("hits", other()));
    let late = Outcome::NotExecuted(Cause::Deadline);
    node.state().deletions = vec![Some(late.clone())].into();
    assert_eq!(get_or_create(&node), Ok(OTHER));
    assert_eq!(node.state().discarded, [OWN]);

    let own = RawRef::bare(OWN, "Counter");
    let unknown = Outcome::Indeterminate(Cause::NoQuorum);
    node.state().deletions = vec![Some(late.clone()), Some(unknown)].into();
    assert!(now(discard(&node, &own)));
    assert!(node.state().deleted.contains(&OWN));
    assert_eq!(node.state().slept, Duration::from_secs(1 + 2));

    node.state().deletions = vec![Some(late); 20].into();
    assert!(!now(discard(&node, &own)), "not for ever");
    assert!(node.state().slept > Duration::from_secs(240));
    let closed = Outcome::NotExecuted(Cause::ShuttingDown);
    node.state().deletions = vec![Some(closed)].into();
    assert!(!now(discard(&node, &own)), "the node ends");
}

#[test]
fn a_caller_that_does_not_wait_leaves_no_object_behind() {
    let node = Fake::new();
    node.state().rival = Some(("hits", other()));
    node.state().deletions = vec![None].into();
    let mut making = alloc::boxed::Box::pin(super::get_or_create(&node, "hits", new_object()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(making.as_mut().poll(&mut cx).is_pending());
    assert!(node.state().discarded.is_empty());
    drop(making);
    assert_eq!(node.state().discarded, [OWN]);
}

#[test]
fn the_name_of_a_deleted_object_is_free_again() {
    let node = Fake::new();
    node.bound("hits", &other());
    node.state().deleted.insert(OTHER);
    assert!(matches!(find(&node), Err(NamingError::NotFound(_))));
    assert_eq!(node.owners("hits")[0], None);
    node.bound("hits", &other());
    assert_eq!(get_or_create(&node), Ok(OWN));

    let node = Fake::new();
    node.bound("hits", &other());
    node.state().deleted.insert(OTHER);
    assert_eq!(create_named(&node), Ok(OWN));
}

#[test]
fn an_object_that_does_not_answer_keeps_its_name() {
    let node = Fake::new();
    node.bound("hits", &other());
    node.state().silent.insert(OTHER);
    assert_eq!(find(&node), Ok(OTHER));
    assert_eq!(get_or_create(&node), Ok(OTHER));
}

#[test]
fn a_name_bound_while_two_clusters_merge_is_bound_in_the_one_that_counts() {
    let node = Fake::new();
    node.state().fates = vec![Fate::Merged].into();
    assert_eq!(bind_own(&node), Ok(Some(OWN)));
    assert_eq!(node.owners("hits"), [Some(OWN), Some(OWN)]);
}

#[test]
fn names_move_to_the_directory_that_counts_unless_they_are_taken_there() {
    let node = Fake::new();
    for index in 0..1_001_u16 {
        node.bound(&alloc::format!("{index:04}"), &other());
    }
    let lost = now(node.names()).unwrap();
    node.state().merged = true;
    let winner = RawRef::bare(OWN, "Counter");
    let taken = node
        .state()
        .directories
        .get_mut(&fake::DIRECTORIES[1])
        .map(|names| names.bind("0500", winner));
    assert_eq!(taken, Some(Ok(())));
    let mut conflicts = Vec::new();
    now(merge(&node, &lost, |named| conflicts.push(named.name))).unwrap();
    assert_eq!(conflicts, ["0500"]);
    assert_eq!(node.owners("1000"), [Some(OTHER), Some(OTHER)]);
    assert_eq!(node.owners("0500"), [Some(OTHER), Some(OWN)]);
}

#[test]
fn unbinding_takes_every_name_away() {
    let node = Fake::new();
    node.bound("hits", &other());
    node.bound("misses", &other());
    let names = now(node.names()).unwrap();
    now(unbind(&names, OTHER)).unwrap();
    assert_eq!(node.owners("hits"), [None, None]);
    assert_eq!(now(list(&names, "")), Ok(Vec::new()));
}
