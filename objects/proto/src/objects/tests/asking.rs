//! What a story does through the nodes of its cluster, and what it finds out about them.

use alloc::string::ToString;
use alloc::vec::Vec;

use overlay_proto::{Duration, Input, ProcessId};

use super::cluster::{Cluster, KIND, State, number, read};
use super::executor::Numbers;
use crate::caller::{Completion, HandleId, Invocation};
use crate::execution::Codec;
use crate::machine::{Command, Creation, Event, Ticket};
use crate::object::{MethodId, ObjectId};
use crate::outcome::Outcome;
use crate::reference::RawRef;

impl Cluster {
    pub(super) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    pub(super) fn command(&mut self, node: usize, command: Command) {
        self.input(node, Input::Command(command));
    }

    /// Begins to make a number on this node; see [`created`](Self::created).
    pub(super) fn begin_create(&mut self, node: usize, initial: u64) -> (Ticket, HandleId) {
        let ticket = self.ticket();
        let handle = HandleId(ticket.0);
        let creation = self.creation(handle, initial);
        self.command(node, Command::Create { ticket, creation });
        (ticket, handle)
    }

    /// Makes a number under a given id, on these nodes or where it is dealt.
    pub(super) fn create_as(&mut self, node: usize, id: ObjectId, members: Option<&[usize]>) {
        let ticket = self.begin_create_as(node, id, members);
        self.run_until("an object is made", |c| c.created(node, ticket).is_some());
    }

    pub(super) fn begin_create_as(
        &mut self,
        node: usize,
        id: ObjectId,
        members: Option<&[usize]>,
    ) -> Ticket {
        let ticket = self.ticket();
        let process = |one: &usize| self.nodes[*one].process;
        let creation = Creation {
            id: Some(id),
            members: members.map(|members| members.iter().map(process).collect()),
            ..self.creation(HandleId(ticket.0), 0)
        };
        self.command(node, Command::Create { ticket, creation });
        ticket
    }

    fn creation(&self, handle: HandleId, initial: u64) -> Creation {
        Creation {
            kind: KIND.to_string(),
            kind_version: 1,
            mode: self.mode,
            state: number(initial),
            factor: 3,
            id: None,
            members: None,
            handle,
            timeout: Duration::from_secs(10),
        }
    }

    /// Makes a number and waits for it.
    pub(super) fn create(&mut self, node: usize, initial: u64) -> (RawRef, HandleId) {
        let (ticket, handle) = self.begin_create(node, initial);
        self.run_until("an object is made", |c| c.created(node, ticket).is_some());
        let reference = self.created(node, ticket).unwrap();
        self.references.insert(reference.id, reference.clone());
        (reference, handle)
    }

    pub(super) fn created(&self, node: usize, ticket: Ticket) -> Option<RawRef> {
        self.nodes[node]
            .events
            .iter()
            .find_map(|event| match event {
                Event::Created { ticket: t, result } if *t == ticket => {
                    Some(result.clone().expect("the object is made"))
                }
                _ => None,
            })
    }

    pub(super) fn invocation(&self, target: &RawRef, method: &str, argument: u64) -> Invocation {
        Invocation {
            handle: HandleId(1 << 40),
            target: target.clone(),
            method: MethodId::of(method),
            write: Numbers::is_write(method),
            codec: Codec::Cbor,
            arguments: number(argument),
            timeout: Duration::from_secs(10),
            one_way: false,
            parent: None,
        }
    }

    pub(super) fn invoke(&mut self, node: usize, invocation: Invocation) -> Ticket {
        let ticket = self.ticket();
        self.command(node, Command::Invoke { ticket, invocation });
        ticket
    }

    pub(super) fn completion(&self, node: usize, ticket: Ticket) -> Option<Completion> {
        let events = self.nodes[node].events.iter();
        events.rev().find_map(|event| match event {
            Event::Completed {
                ticket: t,
                completion,
            } if *t == ticket => Some(completion.clone()),
            _ => None,
        })
    }

    pub(super) fn wait(&mut self, node: usize, ticket: Ticket) -> Outcome {
        self.run_until("the call ends", |c| c.completion(node, ticket).is_some());
        self.completion(node, ticket).unwrap().outcome
    }

    /// Calls through `handle` and waits for the result, a number.
    pub(super) fn call(
        &mut self,
        node: usize,
        handle: HandleId,
        (target, method, argument): (&RawRef, &str, u64),
    ) -> Result<u64, Outcome> {
        let mut invocation = self.invocation(target, method, argument);
        invocation.handle = handle;
        let ticket = self.invoke(node, invocation);
        match self.wait(node, ticket) {
            Outcome::Returned(bytes) => Ok(read(&bytes)),
            other => Err(other),
        }
    }

    /// Where the primary of this object is, as the living replicas see it.
    pub(super) fn primary(&self, object: ObjectId) -> Option<usize> {
        let newest = self
            .living()
            .filter_map(|node| Some((node, self.nodes[node].machine.replica(&object)?)))
            .filter(|(_, replica)| replica.is_primary())
            .max_by_key(|(_, replica)| {
                let ballot = replica.value().map(|(ballot, _, _)| ballot);
                (replica.configuration().epoch, ballot)
            });
        newest.map(|(node, _)| node)
    }

    /// Deletes an object, and waits until that is done.
    pub(super) fn delete(&mut self, node: usize, target: &RawRef) {
        let ticket = self.ticket();
        let delete = Command::Delete {
            ticket,
            target: target.clone(),
            timeout: Duration::from_secs(5),
        };
        self.command(node, delete);
        assert!(matches!(self.wait(node, ticket), Outcome::Returned(_)));
    }

    /// The members of the object's set, as its primary has it.
    pub(super) fn members(&self, object: ObjectId) -> Vec<usize> {
        let Some(primary) = self.primary(object) else {
            return Vec::new();
        };
        let replica = self.nodes[primary].machine.replica(&object).unwrap();
        let processes = replica.configuration().processes();
        processes.map(|process| self.index(process)).collect()
    }

    /// The newest state that the living replicas hold.
    pub(super) fn state(&self, object: ObjectId) -> Option<u64> {
        let node = self.primary(object)?;
        let replica = self.nodes[node].machine.replica(&object)?;
        replica.value().map(|(_, _, value)| read(&value.state))
    }

    pub(super) fn living(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].state == State::Running)
    }

    pub(super) fn index(&self, process: ProcessId) -> usize {
        self.find(process).unwrap()
    }

    pub(super) fn find(&self, process: ProcessId) -> Option<usize> {
        let mut nodes = self.nodes.iter();
        nodes.position(|node| node.process == process)
    }

    pub(super) fn count(&self, node: usize, of: impl Fn(&Event) -> bool) -> usize {
        self.nodes[node].events.iter().filter(|e| of(e)).count()
    }
}
