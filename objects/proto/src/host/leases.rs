//! Leases between pairs of processes: renewed while reads rest on them.

use overlay_proto::{Duration, Instant, ProcessId};

use crate::host::Host;
use crate::host::effects::Effects;
use crate::message::Message;
use crate::object::ObjectId;
use crate::register::Mutation;

impl Host {
    /// Whether reads of this object may be answered here at `now` without asking anybody.
    #[must_use]
    pub fn holds_lease(&self, now: Instant, object: &ObjectId) -> bool {
        self.replica(object).is_some_and(|replica| {
            replica.holds_lease(now, &self.world.leases, self.world.mutation)
        })
    }

    /// Whether this process has granted another one a lease on this object, so that it may not
    /// stand for its primary yet.
    pub(super) fn is_leased(&self, now: Instant, object: &ObjectId) -> bool {
        let (given, me) = (&self.world.leases.given, &self.world.me);
        self.world.mutation != Some(Mutation::GrantNotHonoured)
            && given.covered_until(now, object, me).is_some()
    }

    /// The clock may have stood still: what it measured does not count.
    pub fn on_clock_stopped(&mut self) {
        self.world.leases.held.clear();
    }

    /// A primary asks for more time. A process that is none here gets none: it could only fill
    /// the table.
    pub(super) fn on_renew_lease(
        &mut self,
        now: Instant,
        from: ProcessId,
        (number, term): (u64, Duration),
        fx: &mut Effects,
    ) {
        let generation = if self.slots.has_primary(&from) {
            self.world.leases.given.extend(now, from, term)
        } else {
            0
        };
        fx.send(from, Message::LeaseRenewed { number, generation });
    }

    pub(super) fn on_lease_renewed(
        &mut self,
        now: Instant,
        from: ProcessId,
        number: u64,
        generation: u64,
    ) {
        let held = &mut self.world.leases.held;
        match held.asked(&from, number) {
            None => {}
            Some(_) if generation == 0 => held.forget(&from),
            Some(asked) => self.world.env(now).lease_granted(from, generation, asked),
        }
    }

    pub(super) fn tick_leases(&mut self, now: Instant, fx: &mut Effects) {
        let leases = &mut self.world.leases;
        leases.given.prune(now);
        let term = leases.term;
        for (granter, number) in leases.held.due(now) {
            fx.send(granter, Message::RenewLease { number, term });
        }
    }

    /// A link is lost. That ends no grant: its holder may be alive and read.
    pub(super) fn end_grant_of(&mut self, holder: &ProcessId) {
        if self.world.mutation == Some(Mutation::LinkEndsGrant) {
            self.world.leases.given.end(holder);
        }
    }
}
