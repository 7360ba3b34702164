//! Looking after links: which members to dial, which links to close.

use alloc::string::String;
use alloc::vec::Vec;

use rand::Rng;

use super::Overlay;
use super::inputs::TIMER_EARLY_MAX;
use crate::id::{PeerId, ProcessId};
use crate::interface::{Event, Outbox, Role, Timer};
use crate::member::SignedRecord;
use crate::membership::Cx;
use crate::time::Instant;

/// Introduced peers dialled at one look.
const CONTACTS_AT_ONCE: usize = 4;

impl Overlay {
    /// Records from a registry, the cache or the local network: checked, and dialled at once as
    /// far as links are wanted.
    pub(super) fn introduce(
        &mut self,
        now: Instant,
        records: &[SignedRecord],
        out: &mut impl Outbox,
    ) {
        let mut news = false;
        for signed in records.iter().take(self.config.connections.contacts_max) {
            let Ok(record) = signed.claim() else {
                self.membership.counters_mut().refused += 1;
                continue;
            };
            let peer = record.process.peer;
            let member = self
                .membership
                .entry(&peer)
                .is_some_and(|entry| entry.is_living());
            if peer != self.process.peer && !member && !self.links.has_peer(&peer) {
                if self.membership.verifies(signed, &peer) {
                    news |= self.contacts.add(record);
                } else {
                    self.membership.counters_mut().refused += 1;
                }
            }
        }
        if news {
            self.founding.discovered(now);
            self.dial_contacts(now, out);
            self.hasten_upkeep(now, out);
        }
    }

    /// Dials the watched members that have no link.
    pub(super) fn link_watched(&mut self, now: Instant, out: &mut impl Outbox) {
        let links = self.links.changes();
        if self.watched_linked == Some(links) {
            return;
        }
        let unlinked: Vec<PeerId> = self
            .membership
            .watched()
            .map(|process| process.peer)
            .filter(|peer| !self.links.has_peer(peer))
            .collect();
        self.watched_linked = unlinked.is_empty().then_some(links);
        for peer in unlinked {
            self.dial_member(now, &peer, out);
        }
    }

    /// Everything without a deadline of its own. A probe round does it, and the upkeep timer
    /// between two rounds while something is missing.
    pub(super) fn upkeep(&mut self, now: Instant, out: &mut impl Outbox) {
        // Also one whose timer is late, or fired too early to count.
        self.upkeep_at = self.upkeep_at.filter(|at| *at > now + TIMER_EARLY_MAX);
        let cx = &mut Cx {
            now,
            links: &self.links,
            out,
        };
        self.membership.upkeep(cx);
        self.membership.sync_if_due(cx, self.founding.version());
        self.look_after_links(now, out);
        self.plan_upkeep(now, out);
    }

    /// Sets the upkeep timer if something is due, or missing, before the next probe round.
    pub(super) fn plan_upkeep(&mut self, now: Instant, out: &mut impl Outbox) {
        let links = self.links.changes();
        let is_complete = self.watched_linked == Some(links)
            && self.degree_met == Some((self.membership.linked_lost(), links))
            && self.contacts.is_empty();
        if !is_complete {
            self.hasten_upkeep(now, out);
        } else if let Some(sync_at) = self.membership.sync_before_round() {
            self.upkeep_by(now, sync_at.max(now), out);
        }
    }

    /// Something may be missing: looks after it within the upkeep period.
    pub(super) fn hasten_upkeep(&mut self, now: Instant, out: &mut impl Outbox) {
        self.upkeep_by(now, now + self.config.connections.upkeep_period, out);
    }

    fn upkeep_by(&mut self, now: Instant, at: Instant, out: &mut impl Outbox) {
        if self.upkeep_at.is_none_or(|set| at < set) {
            self.upkeep_at = Some(at);
            out.set_timer(Timer::Upkeep, at.since(now));
        }
    }

    /// Gives up old dials, makes missing links, reaches for the dead, closes surplus links.
    fn look_after_links(&mut self, now: Instant, out: &mut impl Outbox) {
        self.dials.expire(now);
        self.link_watched(now, out);
        self.dial_contacts(now, out);
        self.fill_degree(now, out);
        if let Some(peer) = self
            .membership
            .to_heal(now)
            .map(|entry| entry.process().peer)
        {
            self.dial_member(now, &peer, out);
        }
        let keep = |process: &ProcessId| self.membership.watches(process);
        for process in self.links.surplus(now, &self.config.connections, keep) {
            self.membership.counters_mut().links_closed += 1;
            out.emit(Event::Close(process));
        }
    }

    /// Dials introduced peers. Those that are members meanwhile need no introduction; the
    /// others are dialled whether links are needed or not, as they may be of another part.
    fn dial_contacts(&mut self, now: Instant, out: &mut impl Outbox) {
        if self.contacts.is_empty() {
            return;
        }
        let start = self.random_peer();
        let candidates: Vec<(PeerId, Vec<String>)> = self
            .contacts
            .iter_from(start)
            .map(|(peer, addresses)| (*peer, addresses.to_vec()))
            .collect();
        let mut dialled = 0;
        for (peer, addresses) in candidates {
            let member = self
                .membership
                .entry(&peer)
                .is_some_and(|entry| entry.is_living());
            if member || self.links.has_peer(&peer) {
                self.contacts.remove(&peer);
            } else if dialled < CONTACTS_AT_ONCE && self.dials.start(now, peer, None) {
                dialled += 1;
                self.membership.counters_mut().dials += 1;
                out.emit(Event::Dial { peer, addresses });
            }
        }
    }

    /// Dials one more random member while there are fewer links than wanted.
    fn fill_degree(&mut self, now: Instant, out: &mut impl Outbox) {
        let seen = (self.membership.linked_lost(), self.links.changes());
        if self.degree_met == Some(seen) {
            return;
        }
        let config = &self.config.connections;
        let wanted = match self.role {
            Role::Member => config.degree,
            Role::Client => config.client_degree,
        };
        let linked = self
            .links
            .iter()
            .filter(|process| self.membership.is_living(process))
            .take(wanted);
        let linked = linked.count();
        if linked >= wanted {
            self.degree_met = Some(seen);
        }
        if linked + self.dials.pending() >= wanted {
            return;
        }
        let (links, dials) = (&self.links, &self.dials);
        let candidate = self.membership.random_living(|entry| {
            let peer = &entry.process().peer;
            !links.has_peer(peer) && !dials.is_pending(peer)
        });
        if let Some(peer) = candidate.map(|entry| entry.process().peer) {
            self.dial_member(now, &peer, out);
        }
    }

    fn dial_member(&mut self, now: Instant, peer: &PeerId, out: &mut impl Outbox) {
        let Some(entry) = self.membership.entry(peer) else {
            return;
        };
        let addresses = entry.member.record.addresses.clone();
        let member = entry.is_living().then(|| entry.process());
        if !self.links.has_peer(peer) && self.dials.start(now, *peer, member) {
            self.membership.counters_mut().dials += 1;
            out.emit(Event::Dial {
                peer: *peer,
                addresses,
            });
        }
    }

    fn random_peer(&mut self) -> PeerId {
        let mut id = [0; 32];
        self.rng.fill_bytes(&mut id);
        PeerId(id)
    }
}
