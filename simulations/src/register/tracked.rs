//! One object of the register scenario: its calls, its replica sets, and whether it may be lost.

use objects_proto::object::ObjectId;
use objects_proto::reference::RawRef;
use overlay_proto::Instant;

use super::journal::{KIND, LEASED, Operation, Output, STALE, WEAK};
use super::state::Journal;
use super::workload;
use crate::invariants::configurations_chain::Chain;
use crate::invariants::losses_reported::Losses;
use crate::oracle::{Anomaly, CallId, Class, History};
use crate::seed::Dice;
use crate::sets::ReplicaSets;
use crate::witness;

/// One object.
#[derive(Debug)]
pub struct Tracked {
    /// Its kind.
    pub kind: &'static str,
    /// What it begins as.
    pub initial: Journal,
    /// The first process that is to join it dies before it does.
    pub loses_newcomer: bool,
    /// The reference that its creation gave.
    pub reference: Option<RawRef>,
    /// Nobody calls it before this.
    pub quiet_until: Instant,
    /// All calls on it.
    pub history: History<Operation, Output>,
    /// What became of its calls, in weak mode.
    pub losses: Losses,
    /// Its replica sets.
    pub sets: ReplicaSets,
    /// How they follow from each other.
    pub chain: Chain,
    /// The log that the final read saw.
    pub log: Option<Vec<CallId>>,
}

impl Tracked {
    /// An object of this kind that is yet to be made.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        Self {
            kind,
            initial: Journal::default(),
            loses_newcomer: false,
            reference: None,
            quiet_until: Instant::ZERO,
            history: History::default(),
            losses: Losses::default(),
            sets: ReplicaSets::default(),
            chain: Chain::default(),
            log: None,
        }
    }

    /// The object, to be made of this journal.
    #[must_use]
    pub fn beginning_as(self, initial: Journal) -> Self {
        Self { initial, ..self }
    }

    /// Whether this is the object with this id.
    #[must_use]
    pub fn is(&self, object: &ObjectId) -> bool {
        let reference = self.reference.as_ref();
        reference.is_some_and(|reference| reference.id == *object)
    }

    /// Whether the object may be gone: in strong mode with a majority of its replicas, in weak
    /// mode also with the only holders of the line that goes on.
    #[must_use]
    pub fn may_be_lost(&self) -> bool {
        self.sets.majority_lost() || self.kind == WEAK && self.sets.newest_lost()
    }

    /// Checks everything that clients were promised.
    ///
    /// # Errors
    /// The first promise found broken.
    pub fn check(&self) -> Result<(), Anomaly> {
        let Some(log) = &self.log else { return Ok(()) };
        if self.kind == WEAK {
            let ran_in_several = |call| self.losses.ran_in_several(call);
            return self.history.check_line(log, ran_in_several);
        }
        self.history.check_effects(log)?;
        if self.kind != STALE {
            return witness::check(&self.initial, &self.history, log);
        }
        self.reads_are_of_the_past(log)?;
        let writes = self.history.only(|call| call.write);
        witness::check(&self.initial, &writes, log)
    }

    /// A read that may be stale shows what the object once was.
    fn reads_are_of_the_past(&self, log: &[CallId]) -> Result<(), Anomaly> {
        let reads = self.history.calls().filter(|call| !call.write);
        for call in reads {
            if let Some(Class::Ok(Output::Log(seen))) = call.end.as_ref().map(|end| &end.class)
                && !log.starts_with(seen)
            {
                let detail = format!("read {} returned {seen:?} of {log:?}", call.id);
                return Err(Anomaly::new("results_of_the_model", detail));
            }
        }
        Ok(())
    }

    /// The first call made at `from` or later that ended neither done nor refused by the method
    /// itself.
    #[must_use]
    pub fn unserved(&self, from: Instant) -> Option<String> {
        let calls = self.history.calls().filter(|call| call.invoked >= from);
        let mut unserved = calls.filter(|call| {
            call.end
                .as_ref()
                .is_some_and(|end| !matches!(end.class, Class::Ok(_) | Class::Failed))
        });
        unserved.next().map(|call| format!("{call:?}"))
    }
}

/// Objects of all kinds, two and two alike, and of several sizes.
pub(super) fn of_all_kinds(dice: &mut Dice, sizes: &mut Dice, count: usize) -> Vec<Tracked> {
    let mut kind = || match dice.below(20) {
        0..=5 => KIND,
        6..=12 => LEASED,
        13..=14 => STALE,
        _ => WEAK,
    };
    let pairs = (0..count.div_ceil(2)).flat_map(|_| [kind(); 2]);
    let made = |kind| Tracked::new(kind).beginning_as(workload::journal(sizes));
    pairs.take(count).map(made).collect()
}
