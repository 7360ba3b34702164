//! Making, confirming and losing links.
//!
//! Exactly one link per pair of peers comes out of any order of events, because every hello is
//! decided by the side that receives it: a peer that has a hello of its own out refuses the
//! hello of a larger peer id, and one that has a link refuses a hello whose sender did not know
//! of that link yet. A sender that knew of it has lost it, so it is replaced.

use std::sync::Arc;

use futures::AsyncReadExt;
use libp2p::Multiaddr;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, Stream};
use overlay_proto::{Command, Input, LinkDown, PeerId, ProcessId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::peering::{Attempt, BUSY_PAUSE, BUSY_TRIES, Connection, Peering, REDIAL_PAUSE, REDIALS};
use super::{Driver, Due, TaskResult};
use crate::identity::to_libp2p;
use crate::link::handler::Purpose;
use crate::link::hello::{self, Answer, Hello, HelloError, Introduction};
use crate::link::reader::{Before, LinkInput, Reader};
use crate::link::table::Wanted;
use crate::link::wire::{Link, LinkId, LinkParts};
use crate::link::writer::write_frames;
use crate::metrics::count;

impl Driver {
    /// Frames wait for a link, or a link needs its bulk stream.
    pub(super) fn on_wanted(&mut self, wanted: Wanted) {
        match wanted {
            Wanted::Link(process) => self.ensure_link(process.peer),
            Wanted::Bulk(peer, link) => {
                let found = self
                    .shared
                    .links
                    .get(&peer)
                    .filter(|found| found.id == link);
                if let Some(name) = to_libp2p(&peer)
                    && let Some(link) = found
                {
                    let streams = &mut self.swarm.behaviour_mut().streams;
                    streams.open(name, link.connection, Purpose::Bulk);
                }
            }
        }
    }

    /// The machine wants a link with a peer.
    pub(super) fn dial_for_machine(&mut self, peer: PeerId, addresses: &[String]) {
        let peering = self.peers.entry(peer).or_default();
        peering.asked = true;
        peering.learn(addresses);
        self.ensure_link(peer);
    }

    /// A request wants a link with a peer.
    pub(super) fn connect(&mut self, peer: PeerId, linked: oneshot::Sender<Option<ProcessId>>) {
        if let Some(link) = self.shared.links.get(&peer) {
            let _ = linked.send(Some(link.process));
            return;
        }
        self.linked.entry(peer).or_default().push(linked);
        self.ensure_link(peer);
    }

    /// Somebody may listen there; who, its handshake will tell.
    pub(super) fn try_address(&mut self, address: Multiaddr) {
        let options = DialOpts::unknown_peer_id()
            .address(address)
            .allocate_new_port()
            .build();
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%error, "cannot dial an address");
        }
    }

    /// Makes a link with a peer, unless there is one or one in the making.
    fn ensure_link(&mut self, peer: PeerId) {
        if let Some(link) = self.shared.links.get(&peer) {
            return self.confirmed(peer, link.process);
        }
        let known = self
            .machine
            .view()
            .peer(&peer)
            .map(|member| member.record.clone());
        let peering = self.peers.entry(peer).or_default();
        if peering.attempt.is_some() {
            return;
        }
        if peering.addresses.is_empty()
            && let Some(record) = known
        {
            peering.learn(&record.addresses);
        }
        match peering.connections.first().map(|connection| connection.id) {
            Some(connection) => self.open_link(peer, connection),
            None => self.dial(peer),
        }
    }

    fn dial(&mut self, peer: PeerId) {
        let Some(name) = to_libp2p(&peer) else {
            return self.failed(peer, LinkDown::Unreachable);
        };
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        let options = DialOpts::peer_id(name).condition(PeerCondition::Always);
        let options = if peering.addresses.is_empty() {
            options.allocate_new_port().build()
        } else {
            options
                .addresses(peering.addresses.clone())
                .allocate_new_port()
                .build()
        };
        peering.attempt = Some(Attempt::Dialling(options.connection_id()));
        peering.dialled = Some(Instant::now());
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%peer, %error, "cannot dial");
            self.failed(peer, LinkDown::Unreachable);
        }
    }

    fn open_link(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(name) = to_libp2p(&peer) else { return };
        let peering = self.peers.entry(peer).or_default();
        peering.attempt = Some(Attempt::Opening(connection));
        self.swarm
            .behaviour_mut()
            .streams
            .open(name, connection, Purpose::Link);
    }

    /// A connection is up. Who dialled it opens the link stream.
    pub(super) fn on_connected(&mut self, peer: PeerId, connection: Connection) {
        let (id, dialled) = (connection.id, connection.dialled.is_some());
        let peering = self.peers.entry(peer).or_default();
        peering.connections.push(connection);
        let busy = match peering.attempt {
            None | Some(Attempt::Paused) => false,
            Some(Attempt::Dialling(dialling)) => dialling != id && !dialled,
            Some(Attempt::Opening(_) | Attempt::Offered(..)) => true,
        };
        match self.shared.links.get(&peer) {
            Some(_) if dialled => drop(self.swarm.close_connection(id)),
            None if dialled && !busy => self.open_link(peer, id),
            _ => {}
        }
    }

    /// A connection is gone. Readers and hellos on it notice by themselves; a stream that was
    /// being opened does not.
    pub(super) fn on_disconnected(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        peering.connections.retain(|known| known.id != connection);
        if peering.attempt == Some(Attempt::Opening(connection)) {
            self.failed_half_way(peer);
        }
        self.forget_if_idle(peer);
    }

    pub(super) fn forget_if_idle(&mut self, peer: PeerId) {
        let idle = self.peers.get(&peer).is_some_and(Peering::is_idle);
        if idle && self.shared.links.get(&peer).is_none() && !self.shared.links.is_waited_for(&peer)
        {
            self.peers.remove(&peer);
        }
    }

    /// A link stream that this side asked for is open: say hello.
    pub(super) fn on_link_opened(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        stream: Stream,
    ) {
        let nonce = rand::random();
        let from = self.introduction();
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        if peering.attempt != Some(Attempt::Opening(connection)) {
            return;
        }
        peering.attempt = Some(Attempt::Offered(connection, nonce));
        let hello = Hello {
            from,
            nonce,
            last: peering.last_nonce,
        };
        let results = self.results_in.clone();
        self.shared.tasks.spawn(async move {
            let result = hello::offer(stream, hello).await;
            drop(
                results
                    .send(TaskResult::Offered {
                        peer,
                        connection,
                        nonce,
                        result,
                    })
                    .await,
            );
        });
    }

    fn introduction(&self) -> Introduction {
        Introduction {
            version: hello::VERSION,
            cluster: self.shared.cluster_name.as_str().to_owned(),
            process: self.shared.process,
            addresses: self.announced_addresses(),
        }
    }

    /// No link stream could be opened on a connection.
    pub(super) fn on_link_refused(&mut self, peer: PeerId, connection: ConnectionId) {
        let attempt = self.peers.get(&peer).and_then(|peering| peering.attempt);
        if attempt == Some(Attempt::Opening(connection)) {
            self.note_stranger(peer, connection);
            self.failed(peer, LinkDown::Unreachable);
        }
    }

    pub(super) fn on_result(&mut self, result: TaskResult) {
        match result {
            TaskResult::Offered {
                peer,
                connection,
                nonce,
                result,
            } => {
                self.on_answer(peer, connection, nonce, result);
            }
            TaskResult::Received {
                peer,
                connection,
                stream,
                hello,
            } => {
                self.on_hello(peer, connection, stream, *hello);
            }
            TaskResult::Bulk {
                peer,
                nonce,
                stream,
            } => {
                let link = self
                    .shared
                    .links
                    .get(&peer)
                    .filter(|link| link.nonce == nonce);
                if link.is_none_or(|link| link.bulk_in.try_send(stream).is_err()) {
                    tracing::debug!(%peer, "a bulk stream belongs to no link");
                }
            }
        }
    }

    fn on_answer(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        nonce: u64,
        result: Result<(Stream, Answer), HelloError>,
    ) {
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        let current = peering.attempt == Some(Attempt::Offered(connection, nonce));
        if current {
            peering.attempt = None;
        }
        match result {
            Ok((stream, Answer::Welcome(from))) if from.process.peer == peer => {
                self.confirm(connection, nonce, from, stream, Vec::new());
            }
            Ok((_, Answer::Busy)) if current => self.pause(peer),
            Ok((_, Answer::Busy)) => {}
            Ok(_) | Err(HelloError::Malformed) => {
                self.note_stranger(peer, connection);
                self.failed(peer, LinkDown::Unreachable);
            }
            Err(error) => {
                tracing::debug!(%peer, %error, "no answer to a hello");
                if error.is_unknown_protocol() {
                    self.note_stranger(peer, connection);
                    self.failed(peer, LinkDown::Unreachable);
                } else {
                    self.swarm.close_connection(connection);
                    self.failed_half_way(peer);
                }
            }
        }
    }

    /// The other side has or makes another link: it will come up, or this one is tried again.
    fn pause(&mut self, peer: PeerId) {
        if self.shared.links.get(&peer).is_some() {
            return;
        }
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        peering.tries += 1;
        if peering.tries > BUSY_TRIES {
            return self.failed(peer, LinkDown::Unreachable);
        }
        peering.attempt = Some(Attempt::Paused);
        self.timers.set(Due::Retry(peer), BUSY_PAUSE);
    }

    /// A new dial of a broken link was accepted and then cut, as a dying process may do whose
    /// sockets close one after the other: the next one will tell.
    pub(super) fn failed_half_way(&mut self, peer: PeerId) {
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        peering.tries += 1;
        if peering.lost.is_none() || peering.tries > REDIALS {
            return self.failed(peer, LinkDown::Unreachable);
        }
        peering.attempt = Some(Attempt::Paused);
        self.timers.set(Due::Retry(peer), REDIAL_PAUSE);
    }

    pub(super) fn retry(&mut self, peer: PeerId) {
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        if peering.attempt == Some(Attempt::Paused) {
            peering.attempt = None;
            if self.shared.links.get(&peer).is_none() {
                self.ensure_link(peer);
            }
        }
    }

    /// A hello arrived: decide.
    fn on_hello(&mut self, peer: PeerId, connection: ConnectionId, stream: Stream, hello: Hello) {
        let known = self
            .peers
            .get(&peer)
            .is_some_and(|p| p.connection(connection).is_some());
        let stranger = hello.from.process.peer != peer
            || hello.from.version != hello::VERSION
            || hello.from.cluster != self.shared.cluster_name.as_str();
        let answer = if stranger {
            Answer::Stranger
        } else if !known || self.is_busy(peer, &hello) {
            Answer::Busy
        } else {
            Answer::Welcome(self.introduction())
        };
        match answer {
            Answer::Welcome(_) => {
                let message = hello::message(&answer);
                self.confirm(connection, hello.nonce, hello.from, stream, message);
            }
            refusal => self.shared.tasks.spawn(hello::refuse(stream, refusal)),
        }
    }

    fn is_busy(&self, peer: PeerId, hello: &Hello) -> bool {
        if let Some(link) = self.shared.links.get(&peer) {
            return link.process == hello.from.process && hello.last != Some(link.nonce);
        }
        let attempt = self.peers.get(&peer).and_then(|peering| peering.attempt);
        let offered = matches!(attempt, Some(Attempt::Offered(..)));
        offered && self.shared.process.peer < peer
    }

    /// A link is agreed on: put it in place and start its tasks.
    fn confirm(
        &mut self,
        connection: ConnectionId,
        nonce: u64,
        from: Introduction,
        stream: Stream,
        prefix: Vec<u8>,
    ) {
        let process = from.process;
        let peer = process.peer;
        let peering = self.peers.entry(peer).or_default();
        peering.learn(&from.addresses);
        peering.last_nonce = Some(nonce);
        peering.tries = 0;
        let dialled = peering
            .connection(connection)
            .and_then(|known| known.dialled.clone());
        let lost = peering.lost.take();
        if !matches!(peering.attempt, Some(Attempt::Offered(..))) {
            peering.attempt = None;
        }
        let surplus: Vec<ConnectionId> = (peering.connections.iter())
            .filter(|known| known.id != connection && known.dialled.is_some())
            .map(|known| known.id)
            .collect();
        for connection in surplus {
            self.swarm.close_connection(connection);
        }
        let id = LinkId(self.next_link);
        self.next_link += 1;
        let (link, bulk_streams) = Link::new(LinkParts {
            id,
            nonce,
            process,
            connection,
            dialled,
        });
        let link = Arc::new(link);
        let replaced = self.shared.links.install(link.clone());
        let before = self.end_before(lost, replaced, process);
        if let Some(before) = &before {
            self.link_down_below(before.process, before.reason, true);
        }
        tracing::debug!(%process, "link up");
        count(&self.shared.counts.links_opened);
        self.feed(Input::LinkUp(process));
        self.confirmed(peer, process);
        self.start(link, before, stream, bulk_streams, prefix);
    }

    /// The end of the link before a new one, if it is not told yet.
    fn end_before(
        &mut self,
        lost: Option<ProcessId>,
        replaced: Option<Arc<Link>>,
        process: ProcessId,
    ) -> Option<Before> {
        let reason = |old: ProcessId| {
            if old == process {
                LinkDown::Closed
            } else {
                LinkDown::Refused
            }
        };
        if let Some(replaced) = replaced {
            replaced.abandon();
            let (process, ended) = (replaced.process, Some(replaced.ended.subscribe()));
            return Some(Before {
                process,
                reason: reason(process),
                ended,
            });
        }
        lost.map(|lost| Before {
            process: lost,
            reason: reason(lost),
            ended: None,
        })
    }

    fn start(
        &self,
        link: Arc<Link>,
        before: Option<Before>,
        stream: Stream,
        bulk_streams: tokio::sync::mpsc::Receiver<Stream>,
        prefix: Vec<u8>,
    ) {
        let (read_half, write_half) = stream.split();
        let reader = Reader {
            link: link.clone(),
            before,
            handler: self.shared.handler.clone(),
            services: self.shared.services.clone(),
            inputs: self.inputs.link_inputs.clone(),
        };
        self.shared.tasks.spawn(reader.run(read_half, bulk_streams));
        self.shared.tasks.spawn(async move {
            if let Err(error) = write_frames(write_half, &link.queue, &prefix).await {
                tracing::debug!(process = %link.process, %error, "cannot write");
                link.abandon();
            }
        });
    }

    /// A link with a peer is there: nobody waits for another incarnation, or for a dial.
    fn confirmed(&mut self, peer: PeerId, process: ProcessId) {
        if let Some(peering) = self.peers.get_mut(&peer) {
            peering.asked = false;
        }
        for gone in self.shared.links.give_up(&peer, Some(process)) {
            self.link_down(gone, LinkDown::Refused, false);
        }
        for linked in self.linked.remove(&peer).unwrap_or_default() {
            let _ = linked.send(Some(process));
        }
    }

    /// No link could be made: everybody who waits for one is told.
    pub(super) fn failed(&mut self, peer: PeerId, reason: LinkDown) {
        if self.shared.links.get(&peer).is_some() {
            return;
        }
        let Some(peering) = self.peers.get_mut(&peer) else {
            return;
        };
        peering.attempt = None;
        peering.tries = 0;
        let lost = peering.lost.take();
        let asked = std::mem::take(&mut peering.asked);
        let waiting = self.shared.links.give_up(&peer, None);
        for process in lost
            .into_iter()
            .chain(waiting.into_iter().filter(|p| Some(*p) != lost))
        {
            self.link_down(process, reason, Some(process) == lost);
        }
        for linked in self.linked.remove(&peer).unwrap_or_default() {
            let _ = linked.send(None);
        }
        if asked {
            self.command(Command::DialFailed { peer, reason });
        }
        self.forget_if_idle(peer);
    }

    pub(super) fn on_link_input(&mut self, input: LinkInput) {
        match input {
            LinkInput::Control {
                link,
                from,
                message,
            } => {
                let current = self
                    .shared
                    .links
                    .get(&from.peer)
                    .is_some_and(|l| l.id == link);
                if current {
                    self.feed(Input::Received {
                        from,
                        message: *message,
                    });
                }
            }
            LinkInput::Ended { link, process, bye } => self.on_link_ended(link, process, bye),
        }
    }

    fn on_link_ended(&mut self, id: LinkId, process: ProcessId, bye: bool) {
        let peer = process.peer;
        let Some(link) = self.shared.links.remove(&peer, id) else {
            return;
        };
        count(&self.shared.counts.links_lost);
        self.count_traffic(&link);
        let closing = link.is_closing();
        if bye || closing {
            if closing {
                self.swarm.close_connection(link.connection);
            }
            self.link_down(process, LinkDown::Closed, true);
            if self.shared.links.is_waited_for(&peer) {
                self.ensure_link(peer);
            }
            return self.forget_if_idle(peer);
        }
        self.swarm.close_connection(link.connection);
        let peering = self.peers.entry(peer).or_default();
        peering.lost = Some(process);
        peering
            .connections
            .retain(|known| known.id != link.connection);
        if let Some(dialled) = &link.dialled {
            peering.addresses.retain(|address| address != dialled);
            peering.addresses.insert(0, dialled.clone());
        }
        if peering.attempt.is_none() {
            self.dial(peer);
        }
    }

    /// The machine does not need a link any more.
    pub(super) fn close_link(&mut self, process: ProcessId) {
        if let Some(link) = self
            .shared
            .links
            .get(&process.peer)
            .filter(|l| l.process == process)
        {
            link.close();
        }
    }
}
