//! The operator's side of a recovery: finds the best surviving copy of an object that lost its
//! majority and makes its holder go on alone, as a new lineage. The one exception to "only a
//! majority decides", made by a person.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use overlay_proto::view::MembershipView;
use overlay_proto::{Duration, Instant, ProcessId, Table};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::host::effects::Effects;
use crate::machine::{Event, Ticket};
use crate::message::{Copy, Description, Message, RegisterMessage, Reply, Sighting};
use crate::object::{Configuration, Epoch, Lineage, Version};
use crate::outcome::Cause;
use crate::reference::RawRef;

/// Set in the ids of these requests: those of the client part are lower.
const ID_BIT: u64 = 1 << 63;

/// The recoveries that this process was asked for.
#[derive(Debug)]
pub struct Recoveries {
    open: BTreeMap<Ticket, Recovery>,
    next_id: u64,
    wait: Duration,
    hosts_max: usize,
    limit: usize,
    rng: ChaCha8Rng,
}

#[derive(Debug)]
struct Recovery {
    target: RawRef,
    id: u64,
    until: Instant,
    /// Asked for a copy and not heard of yet.
    waiting: BTreeSet<ProcessId>,
    /// Copies by holder; those that failed to go on are taken out.
    copies: BTreeMap<ProcessId, Copy>,
    /// Every holder heard of, for the farewell.
    holders: BTreeMap<ProcessId, Epoch>,
    /// The holder that was told to go on.
    chosen: Option<ProcessId>,
}

impl Recoveries {
    /// None under way, at most `limit`; each asks at most `hosts_max` hosts for `wait`.
    #[must_use]
    pub fn new(wait: Duration, hosts_max: usize, limit: usize, seed: u64) -> Self {
        Self {
            open: BTreeMap::new(),
            next_id: 0,
            wait,
            hosts_max,
            limit,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// How full its tables are.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        let copies = self.open.values().map(|one| one.copies.len()).max();
        let copies = copies.unwrap_or_default();
        [
            Table::new("recoveries.open", self.open.len(), self.limit),
            Table::new("recoveries.copies", copies, self.hosts_max),
        ]
        .into_iter()
    }

    /// Whether anything waits for time to pass.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether a reply with this id is for a recovery.
    #[must_use]
    pub const fn owns(id: u64) -> bool {
        id & ID_BIT != 0
    }

    /// Begins to look for copies; ends in [`Event::Recovered`].
    pub fn begin(
        &mut self,
        now: Instant,
        view: &MembershipView,
        ticket: Ticket,
        target: RawRef,
        fx: &mut Effects,
    ) {
        if self.open.len() >= self.limit {
            let cause = Cause::Overloaded("the table of recoveries".into());
            fx.emit(Event::Recovered {
                ticket,
                result: Err(cause),
            });
            return;
        }
        let hinted = target.configuration.iter().flat_map(|set| set.processes());
        let hosts = view.members().iter().filter(|m| m.record.is_host());
        let asked: BTreeSet<ProcessId> = hinted
            .chain(hosts.map(|member| member.record.process))
            .take(self.hosts_max)
            .collect();
        let id = self.fresh_id();
        let object = target.id;
        for process in &asked {
            fx.send(*process, Message::Survey { id, object });
        }
        let recovery = Recovery {
            target,
            id,
            until: now + self.wait,
            waiting: asked,
            copies: BTreeMap::new(),
            holders: BTreeMap::new(),
            chosen: None,
        };
        self.open.insert(ticket, recovery);
    }

    /// Nobody waits for it any more. What was told to go on goes on.
    pub fn cancel(&mut self, ticket: Ticket) {
        self.open.remove(&ticket);
    }

    /// A survivor answered.
    pub fn on_surveyed(
        &mut self,
        now: Instant,
        from: ProcessId,
        id: u64,
        copy: Option<Copy>,
        fx: &mut Effects,
    ) {
        let Some((ticket, recovery)) = self.by_id(id) else {
            return;
        };
        if !recovery.waiting.remove(&from) {
            return;
        }
        if let Some(copy) = copy {
            recovery.holders.insert(from, copy.configuration.epoch);
            recovery.copies.insert(from, copy);
        }
        if recovery.waiting.is_empty() {
            self.choose(now, ticket, fx);
        }
    }

    /// A process cannot be reached: it has no copy to give.
    pub fn on_link_down(&mut self, now: Instant, process: ProcessId, fx: &mut Effects) {
        let tickets: Vec<Ticket> = self.open.keys().copied().collect();
        for ticket in tickets {
            let Some(recovery) = self.open.get_mut(&ticket) else {
                continue;
            };
            let was_last = recovery.waiting.remove(&process) && recovery.waiting.is_empty();
            let gave_up = recovery.chosen == Some(process);
            if was_last || gave_up {
                self.choose(now, ticket, fx);
            }
        }
    }

    /// The holder that was told to go on answered.
    pub fn on_reply(
        &mut self,
        now: Instant,
        from: ProcessId,
        id: u64,
        reply: Reply,
        fx: &mut Effects,
    ) {
        let Some((ticket, recovery)) = self.by_id(id) else {
            return;
        };
        if recovery.chosen != Some(from) {
            return;
        }
        match reply {
            Reply::Description(description) => self.succeed(ticket, description, fx),
            _ => self.choose(now, ticket, fx),
        }
    }

    /// Moves on what is due.
    pub fn tick(&mut self, now: Instant, fx: &mut Effects) {
        let due: Vec<Ticket> = self
            .open
            .iter()
            .filter(|(_, recovery)| recovery.until <= now)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in due {
            self.choose(now, ticket, fx);
        }
    }

    /// Tells the holder of the best copy to go on; the one chosen before is out.
    fn choose(&mut self, now: Instant, ticket: Ticket, fx: &mut Effects) {
        let tag = self.rng.next_u32();
        let id = self.fresh_id();
        let Some(recovery) = self.open.get_mut(&ticket) else {
            return;
        };
        recovery.waiting.clear();
        let before = recovery.chosen.take();
        before.map(|process| recovery.copies.remove(&process));
        let best = recovery.copies.iter().max_by_key(|(_, copy)| {
            let epoch = copy.configuration.epoch;
            (epoch, copy.ballot, copy.version, copy.member)
        });
        let Some((holder, copy)) = best else {
            self.open.remove(&ticket);
            fx.emit(Event::Recovered {
                ticket,
                result: Err(Cause::NotFound),
            });
            return;
        };
        let epoch = Epoch {
            lineage: Lineage {
                number: copy.configuration.epoch.lineage.number.saturating_add(1),
                tag,
            },
            number: copy.configuration.epoch.number.saturating_add(1),
        };
        let object = recovery.target.id;
        fx.send(*holder, Message::Recover { id, object, epoch });
        recovery.chosen = Some(*holder);
        recovery.id = id;
        recovery.until = now + self.wait;
    }

    fn succeed(&mut self, ticket: Ticket, description: Description, fx: &mut Effects) {
        let Some(recovery) = self.open.remove(&ticket) else {
            return;
        };
        let object = recovery.target.id;
        let configuration = description.configuration;
        let new_home = recovery.chosen;
        for (process, epoch) in recovery.holders {
            if Some(process) != new_home {
                let message = retire(epoch, &configuration);
                fx.send(process, Message::Register { object, message });
            }
        }
        let reference = RawRef {
            id: object,
            kind: description.kind.as_str().into(),
            configuration: Some(configuration.into()),
        };
        let version: Version = description.version;
        fx.emit(Event::Recovered {
            ticket,
            result: Ok((reference, version)),
        });
    }

    fn by_id(&mut self, id: u64) -> Option<(Ticket, &mut Recovery)> {
        self.open
            .iter_mut()
            .find(|(_, recovery)| recovery.id == id)
            .map(|(ticket, recovery)| (*ticket, recovery))
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id | ID_BIT
    }
}

fn retire(epoch: Epoch, configuration: &Configuration) -> RegisterMessage {
    RegisterMessage::Retire {
        epoch,
        sighting: Sighting::Member {
            configuration: configuration.clone(),
            primary: Some(0),
        },
    }
}
