//! Confirming and losing links.
//!
//! Exactly one link per pair of peers comes out of any order of events, because every hello is
//! decided by the side that receives it: a peer that has a hello of its own out refuses the
//! hello of a larger peer id, and one that has a link refuses a hello whose sender did not know
//! of that link yet. A sender that knew of it has lost it, so it is replaced.

use std::sync::Arc;

use futures::AsyncReadExt;
use libp2p::swarm::{ConnectionId, Stream};
use overlay_proto::{Input, LinkDown, PeerId, ProcessId};
use tokio::sync::mpsc;

use super::peering::{Attempt, redial_places};
use super::reader::{Before, LinkInput, Reader};
use super::{Driver, TaskResult};
use crate::link::hello::{self, Answer, Hello, HelloError, Introduction};
use crate::link::wire::{Link, LinkId, LinkParts};
use crate::link::writer::write_frames;
use crate::metrics::count;

impl Driver {
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
                self.on_hello(peer, connection, stream, &hello);
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
                self.confirm(connection, nonce, &from, stream, Vec::new());
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

    /// A hello arrived: decide.
    fn on_hello(&mut self, peer: PeerId, connection: ConnectionId, stream: Stream, hello: &Hello) {
        let known = self
            .peers
            .get(&peer)
            .is_some_and(|p| p.connection(connection).is_some());
        let stranger = hello.from.process.peer != peer
            || hello.from.version != hello::VERSION
            || hello.from.cluster != self.shared.cluster_name.as_str();
        let answer = if stranger {
            Answer::Stranger
        } else if !known || self.is_busy(peer, hello) {
            Answer::Busy
        } else {
            Answer::Welcome(self.introduction())
        };
        match answer {
            Answer::Welcome(_) => {
                let message = hello::message(&answer);
                self.confirm(connection, hello.nonce, &hello.from, stream, message);
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
        from: &Introduction,
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
        bulk_streams: mpsc::Receiver<Stream>,
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
    pub(super) fn confirmed(&mut self, peer: PeerId, process: ProcessId) {
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
        peering.redial = redial_places(
            link.dialled.as_ref(),
            peering.connection(link.connection),
            &peering.addresses,
        );
        peering
            .connections
            .retain(|known| known.id != link.connection);
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
