//! A few processes that hold one object, as a model: its states and what may happen in them.

use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use objects_proto::register::Mutation;
use stateright::{Model, Property};

use crate::history::{History, NEVER_LOST, NO_STALE_READ, ONE_EFFECT, ONE_VALUE, SAME_ANSWER};
use crate::host::{CALLER, Event, HOSTS, Host, MEMBERS, Step, Steps, print_of};
use crate::requests;
use crate::sent::Sent;

/// How often what may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    /// Calls that append, each through a handle of its own. At most two.
    pub(crate) writes: u8,
    /// Reads.
    pub(crate) reads: u8,
    /// Candidacies.
    pub(crate) takeovers: u8,
    /// Changes of the replica set: the last member gives way to a newcomer.
    pub(crate) changes: u8,
    /// Processes that die, and with them all they remembered.
    pub(crate) crashes: u8,
}

impl Bounds {
    /// Nothing happens.
    pub(crate) const NOTHING: Self = Self {
        writes: 0,
        reads: 0,
        takeovers: 0,
        changes: 0,
        crashes: 0,
    };
}

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// One of the register's.
    Register(Mutation),
    /// A process that died comes back as the same replica.
    Amnesia,
}

/// The model.
pub(crate) struct Cluster {
    bounds: Bounds,
    amnesia: bool,
    steps: Steps,
}

/// A state of the cluster.
#[derive(Clone)]
pub(crate) struct State {
    hosts: [Arc<Host>; HOSTS],
    prints: [u64; HOSTS],
    sent: Sent,
    spent: Bounds,
    history: History,
}

impl Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("hosts", &self.hosts)
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.prints == other.prints
            && self.sent == other.sent
            && self.spent == other.spent
            && self.history == other.history
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.prints.hash(state);
        self.sent.hash(state);
        self.spent.hash(state);
        self.history.hash(state);
    }
}

/// Something that may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// An event at a process.
    At(usize, Event),
    /// A process dies.
    Crash(usize),
}

impl Cluster {
    /// A cluster whose object has just been made.
    pub(crate) fn new(bounds: Bounds, broken: Option<Broken>) -> Self {
        let mutation = match broken {
            Some(Broken::Register(mutation)) => Some(mutation),
            _ => None,
        };
        Self {
            bounds,
            amnesia: broken == Some(Broken::Amnesia),
            steps: Steps::new(mutation),
        }
    }

    /// The state after an event; `None` if nothing is different.
    fn after(&self, state: &State, index: usize, event: Event) -> Option<State> {
        let host = (&*state.hosts[index], state.prints[index]);
        let step = self.steps.step(index, host, event)?;
        let mut next = state.clone();
        next.hosts[index] = step.host.clone();
        next.prints[index] = step.print;
        let mut news = step.print != state.prints[index];
        if event == Event::Read {
            next.history.begin_read();
        }
        for number in &step.sent {
            news |= next.sent.insert(*number);
        }
        for told in &step.told {
            news |= next.history.learn(told);
        }
        if !news {
            return None;
        }
        self.forget_settled(&mut next);
        (next != *state).then_some(next)
    }

    /// Drops the messages that would change nothing if they arrived: they never will, for the
    /// ballots, versions and epochs of whoever gets them only grow. Without them, states that
    /// behave alike are alike.
    fn forget_settled(&self, state: &mut State) {
        let settled: Vec<usize> = state
            .sent
            .iter()
            .filter(|number| self.is_settled(state, *number))
            .collect();
        for number in settled {
            state.sent.remove(number);
        }
        state.sent.trim();
    }

    fn is_settled(&self, state: &State, number: usize) -> bool {
        let Some((to, is_answer)) = self.steps.receiver(number) else {
            return true;
        };
        let host = &state.hosts[to];
        if host.dead {
            return true;
        }
        if !is_answer && !host.knows_object() {
            return false;
        }
        match self.arrival(state, to, number) {
            None => true,
            Some(step) => {
                step.print == state.prints[to]
                    && step.told.iter().all(|told| state.history.knows(told))
                    && step
                        .sent
                        .iter()
                        .all(|sent| state.sent.contains(*sent) || self.is_deaf_to(state, *sent))
            }
        }
    }

    /// Whether an answer means nothing to whom it is sent.
    fn is_deaf_to(&self, state: &State, number: usize) -> bool {
        self.steps.receiver(number).is_some_and(|(to, is_answer)| {
            is_answer && (state.hosts[to].dead || self.arrival(state, to, number).is_none())
        })
    }

    fn arrival(&self, state: &State, to: usize, number: usize) -> Option<Arc<Step>> {
        let host = (&*state.hosts[to], state.prints[to]);
        self.steps.step(to, host, Event::Deliver(number))
    }

    fn crash(&self, state: &State, index: usize) -> State {
        let mut next = state.clone();
        let host = Host::crashed(self.amnesia);
        next.prints[index] = print_of(&host);
        next.hosts[index] = Arc::new(host);
        next.spent.crashes += 1;
        self.forget_settled(&mut next);
        next
    }

    fn replica_events(&self, state: &State, index: usize, events: &mut Vec<Event>) {
        let (bounds, spent) = (&self.bounds, &state.spent);
        let Some(replica) = &state.hosts[index].replica else {
            return;
        };
        if !replica.is_primary() {
            if spent.takeovers < bounds.takeovers && replica.is_installed_member() {
                events.push(Event::Stand);
            }
            return;
        }
        events.extend((1..=bounds.writes).map(Event::Write));
        if spent.reads < bounds.reads {
            events.push(Event::Read);
        }
        if spent.changes < bounds.changes {
            events.push(Event::AddLearner);
            events.push(Event::Propose);
        }
    }
}

impl Model for Cluster {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let host = Arc::new(Host::default());
        let print = print_of(&host);
        let mut state = State {
            hosts: [host.clone(), host.clone(), host.clone(), host],
            prints: [print; HOSTS],
            sent: Sent::default(),
            spent: Bounds::NOTHING,
            history: History::default(),
        };
        for member in 0..MEMBERS {
            let number = self.steps.number(CALLER, member, requests::creation());
            let made = self.after(&state, member, Event::Deliver(number));
            state = made.unwrap_or(state);
        }
        state.sent = Sent::default();
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.history.broken.is_some() {
            return;
        }
        for number in state.sent.iter() {
            if let Some((to, _)) = self.steps.receiver(number) {
                actions.push(Action::At(to, Event::Deliver(number)));
            }
        }
        let mut events = Vec::new();
        for (index, host) in state.hosts.iter().enumerate() {
            if state.spent.crashes < self.bounds.crashes && host.replica.is_some() {
                actions.push(Action::Crash(index));
            }
            self.replica_events(state, index, &mut events);
            actions.extend(events.drain(..).map(|event| Action::At(index, event)));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        match action {
            Action::At(index, event) => {
                let mut next = self.after(state, index, event)?;
                next.spent.reads += u8::from(event == Event::Read);
                next.spent.takeovers += u8::from(event == Event::Stand);
                next.spent.changes += u8::from(event == Event::Propose);
                Some(next)
            }
            Action::Crash(index) => Some(self.crash(state, index)),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_VALUE, |_, state: &State| holds(state, ONE_VALUE)),
            Property::always(ONE_EFFECT, |_, state: &State| holds(state, ONE_EFFECT)),
            Property::always(NEVER_LOST, |_, state: &State| holds(state, NEVER_LOST)),
            Property::always(NO_STALE_READ, |_, state: &State| {
                holds(state, NO_STALE_READ)
            }),
            Property::always(SAME_ANSWER, |_, state: &State| holds(state, SAME_ANSWER)),
        ]
    }
}

fn holds(state: &State, promise: &'static str) -> bool {
    state.history.broken != Some(promise)
}
