//! Contests: several processes make one fresh name at the same moment. What each of them was
//! told, and what became of the objects that they made.

use objects_proto::kinds_table::encode_state;
use objects_proto::machine::Creation;
use objects_proto::message::Description;
use objects_proto::naming::{Names, NamingError, NamingNode, NewObject};
use objects_proto::object::ObjectId;
use objects_proto::outcome::Cause;
use objects_proto::reference::RawRef;
use objects_proto::shared::SharedObject;
use overlay_proto::{Duration, ProcessId};

use super::jobs::{Done, Job};
use super::kinds::Counter;
use super::{Alarm, FACTOR, Naming, NamingKernel, ROOT};
use crate::invariants::names_unique;
use crate::invariants::no_orphans::Excuse;
use crate::sets::ReplicaSets;

/// Pause before something that is not possible yet is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How long making an object may take, as in production.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);

/// One fresh name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contest {
    /// Whether its creators insist on making it.
    pub(super) strictly: bool,
    /// How many begin.
    pub(super) creators: u32,
    /// The last one begins at most this much later than the first.
    pub(super) spread: Duration,
    /// Where the name led to at the end, once that is known.
    pub(super) leads_to: Option<Option<ObjectId>>,
}

/// An object that a creator made.
#[derive(Debug)]
pub(super) struct Made {
    /// For which contest.
    pub(super) contest: usize,
    /// Where it was made.
    pub(super) reference: RawRef,
    /// Its replica sets.
    pub(super) sets: ReplicaSets,
    /// Why it may be left without a name.
    pub(super) excuse: Option<Excuse>,
    /// What an operator was told who asked for it at the end.
    pub(super) end: Option<Result<Description, Cause>>,
}

impl Contest {
    /// The name.
    #[must_use]
    pub(super) fn name(number: usize) -> String {
        format!("name-{number}")
    }
}

impl Naming {
    /// The first host makes the directory of names, on itself.
    pub(super) fn found(&mut self, kernel: &mut NamingKernel) {
        let process = kernel.process(0);
        let (Some(life), Ok(state)) = (
            process.and_then(|process| self.lives.get_mut(&process)),
            encode_state(&Names::default()),
        ) else {
            kernel.alarm(RETRY, Alarm::Found);
            return;
        };
        let handle = life.node.caller().open_handle();
        life.found(Creation {
            kind: Names::KIND.to_owned(),
            kind_version: Names::VERSION,
            mode: Names::MODE,
            state,
            factor: FACTOR,
            id: Some(ROOT),
            members: process.map(|process| vec![process]),
            handle,
            timeout: CREATE_TIMEOUT,
        });
        process.into_iter().for_each(|one| self.poll(kernel, one));
    }

    /// Several processes, which are drawn now, begin to make the name.
    pub(super) fn contest(&mut self, kernel: &mut NamingKernel, number: usize) {
        let mut ready: Vec<ProcessId> = kernel
            .running()
            .filter(|node| !kernel.paused(*node))
            .filter_map(|node| kernel.process(node))
            .filter(|process| {
                let life = self.lives.get(process);
                life.is_some_and(|life| life.node.knows_root())
            })
            .collect();
        let contest = self.contests[number];
        if ready.len() < contest.creators as usize {
            kernel.alarm(RETRY, Alarm::Contest(number));
            return;
        }
        kernel.count("names contested", 1);
        self.dice.shuffle(&mut ready);
        for process in ready.into_iter().take(contest.creators as usize) {
            let after = self.dice.duration(Duration::ZERO, contest.spread);
            let contest = number;
            kernel.alarm(after, Alarm::Make { contest, process });
        }
    }

    pub(super) fn make(&mut self, kernel: &mut NamingKernel, number: usize, process: ProcessId) {
        let strictly = self.contests[number].strictly;
        let object = NewObject::of(&Counter::default(), FACTOR, CREATE_TIMEOUT);
        if let (Some(life), Ok(object)) = (self.lives.get_mut(&process), object) {
            kernel.count("creators", 1);
            life.make(number, Contest::name(number), strictly, object);
            self.poll(kernel, process);
        }
    }

    /// A job of a process has ended.
    pub(super) fn done(
        &mut self,
        kernel: &mut NamingKernel,
        process: ProcessId,
        job: Job,
        made: Option<ObjectId>,
        done: Done,
    ) {
        match (job, done) {
            (Job::Found, Done::Founded(founded)) => self.founded(kernel, founded),
            (Job::Make(contest), Done::Made(end)) => {
                self.ended(kernel, (contest, process), made, end);
            }
            (Job::Look(contest), Done::Looked(found)) => {
                kernel.note(u32::MAX, || format!("name {contest}: {found:?}"));
                self.contests[contest].leads_to = found.ok();
            }
            (Job::Inspect(object), Done::Inspected(end)) => {
                if let Some(made) = self.made.get_mut(&object) {
                    made.end = Some(end);
                }
            }
            (Job::Discard(object), Done::Discarded(gone)) => {
                kernel.count("deleted in the background", u64::from(gone));
                kernel.note(u32::MAX, || format!("{object:?} is gone: {gone}"));
            }
            (job, _) => kernel.violate("every_call_ends", format!("{job:?} ended as another")),
        }
    }

    fn founded(&mut self, kernel: &mut NamingKernel, founded: Result<RawRef, Cause>) {
        match founded {
            Ok(root) => {
                self.moved(kernel, &root);
                self.root = Some(root);
            }
            Err(_) => kernel.alarm(RETRY, Alarm::Found),
        }
    }

    /// What a creator was told.
    fn ended(
        &mut self,
        kernel: &mut NamingKernel,
        (contest, process): (usize, ProcessId),
        made: Option<ObjectId>,
        end: Result<ObjectId, NamingError>,
    ) {
        kernel.note(u32::MAX, || {
            format!("{process} ends name {contest} with {end:?}, made {made:?}")
        });
        let strictly = self.contests[contest].strictly;
        let counter = match (&end, made) {
            (Ok(object), Some(own)) if *object == own => "names won",
            (Ok(_) | Err(NamingError::AlreadyExists(_)), Some(_)) => "names lost in the race",
            (Ok(_) | Err(NamingError::AlreadyExists(_)), None) => "names found",
            (Err(NamingError::NameUnknown { .. }), _) => "names unknown to their creator",
            (Err(_), _) => "names not made",
        };
        kernel.count(counter, 1);
        match end {
            Ok(object) => {
                let name = Contest::name(contest);
                let claimed = self.unique.got(&name, process, object, strictly);
                kernel.check(names_unique::NAME, claimed);
            }
            Err(NamingError::NameUnknown { object, .. }) => {
                if let Some(left) = self.made.get_mut(&object) {
                    left.excuse = Some(Excuse::CallerTold);
                }
            }
            Err(error) if made.is_some() && !error.changed_nothing() => {
                let detail = format!("{process} made {made:?} and was told {error:?}");
                kernel.violate("every_caller_is_told", detail);
            }
            Err(_) => {}
        }
    }

    /// A creator made this object, perhaps some time ago.
    pub(super) fn created(&mut self, kernel: &NamingKernel, contest: usize, object: &RawRef) {
        if self.made.contains_key(&object.id) {
            return;
        }
        let mut sets = ReplicaSets::default();
        if let Some(configuration) = &object.configuration {
            sets.established(configuration, |process| kernel.runs(process));
        }
        let made = Made {
            contest,
            reference: object.clone(),
            sets,
            excuse: None,
            end: None,
        };
        self.made.insert(object.id, made);
    }
}
