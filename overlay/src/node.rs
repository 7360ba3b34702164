//! The handle of a running node.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use overlay_proto::view::MembershipView;
use overlay_proto::{Announcement, ClusterRecord, PeerId, ProcessId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use crate::address::parse_socket;
use crate::command::Request;
use crate::link::Outbound;
use crate::metrics::Metrics;
use crate::request::RequestError;
use crate::shared::Shared;
use crate::topic::{Subscription, TOPIC_NAME_BYTES_MAX, TopicError};
use crate::watching::{Candidates, Closed, Events, ViewWatch};

/// Directory candidates that wait for one lookup; further ones end it.
const CANDIDATES_MAX: usize = 32;
/// Longest wait for the goodbye to be said.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for registries to be told of the leave.
const DEREGISTER_TIMEOUT: Duration = Duration::from_millis(500);
/// Longest wait for what is queued on links to be written.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// Why an address was not dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Neither `ip:port` nor a multiaddress.
    #[error("neither ip:port nor a multiaddress")]
    Address,
    /// The node is shut down.
    #[error("the node is shut down")]
    Closed,
}

/// A running node. Cheap to clone.
///
/// [`shutdown`](Self::shutdown) leaves in order. Dropping the last clone is a crash: all tasks
/// end at once, and the others find out.
#[derive(Clone)]
pub struct Node {
    running: Arc<Running>,
}

/// Ends the node's tasks with the last handle.
struct Running {
    shared: Arc<Shared>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.links.close();
        self.shared.tasks.abort();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("process", &self.process())
            .field("cluster", &self.shared().cluster_name)
            .finish()
    }
}

impl Node {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            running: Arc::new(Running { shared }),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.running.shared
    }

    /// This peer.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.process().peer
    }

    /// This process.
    #[must_use]
    pub fn process(&self) -> ProcessId {
        self.shared().process
    }

    /// The name of the cluster.
    #[must_use]
    pub fn cluster_name(&self) -> &str {
        self.shared().cluster_name.as_str()
    }

    /// Where other peers may reach this node, as multiaddresses.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.shared().addresses.borrow().clone()
    }

    /// The members as this node sees them now.
    #[must_use]
    pub fn view(&self) -> MembershipView {
        self.shared().view.borrow().clone()
    }

    /// Watches the membership view.
    #[must_use]
    pub fn watch(&self) -> ViewWatch {
        ViewWatch::new(self.shared().view.subscribe())
    }

    /// Receives what happens in the overlay from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.shared().events.subscribe())
    }

    /// Dials an address, `ip:port` or a multiaddress, once. Who answers there is introduced.
    ///
    /// # Errors
    /// [`ConnectError`]. A peer that does not answer is no error.
    pub async fn try_peer(&self, address: &str) -> Result<(), ConnectError> {
        let address = parse_socket(address).ok_or(ConnectError::Address)?;
        self.ask(Request::Try(address))
            .await
            .map_err(|_| ConnectError::Closed)
    }

    /// Sends frames of the layer above.
    #[must_use]
    pub fn outbound(&self) -> Outbound {
        Outbound::new(self.shared().links.clone())
    }

    /// Publishes a message to everyone who subscribed to `topic`, but not to this node. Each
    /// subscriber gets it at most once, in no particular order; nobody is told who missed it.
    ///
    /// # Errors
    /// [`TopicError`]; the message is not published.
    pub async fn publish(
        &self,
        topic: impl Into<String>,
        data: impl Into<Bytes>,
    ) -> Result<(), TopicError> {
        let (taken, answer) = oneshot::channel();
        let request = Request::Publish {
            topic: topic.into(),
            data: data.into(),
            taken,
        };
        self.ask(request).await.map_err(|_| TopicError::Closed)?;
        answer.await.unwrap_or(Err(TopicError::Closed))
    }

    /// Subscribes to a topic.
    ///
    /// # Errors
    /// [`TopicError::Topic`] and [`TopicError::Closed`].
    pub async fn subscribe(&self, topic: impl Into<String>) -> Result<Subscription, TopicError> {
        let topic = topic.into();
        if !(1..=TOPIC_NAME_BYTES_MAX).contains(&topic.len()) {
            return Err(TopicError::Topic);
        }
        let (messages, answer) = oneshot::channel();
        let asked = self.ask(Request::Subscribe { topic, messages }).await;
        asked.map_err(|_| TopicError::Closed)?;
        answer
            .await
            .map(Subscription::new)
            .map_err(|_| TopicError::Closed)
    }

    /// Sends a request to the service of this name at a peer and waits for its reply. Without a
    /// link one is made.
    ///
    /// # Errors
    /// [`RequestError`], which says whether the request may have run.
    pub async fn request<Req, Rep>(
        &self,
        peer: PeerId,
        service: &str,
        request: &Req,
        timeout: Duration,
    ) -> Result<Rep, RequestError>
    where
        Req: Serialize + ?Sized,
        Rep: DeserializeOwned,
    {
        let exchange = async {
            let process = self.link(peer).await?;
            self.shared()
                .services
                .request(process, service, request)
                .await
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or(Err(RequestError::Timeout))
    }

    async fn link(&self, peer: PeerId) -> Result<ProcessId, RequestError> {
        if peer == self.id() {
            return Err(RequestError::NotConnected);
        }
        if let Some(link) = self.shared().links.get(&peer) {
            return Ok(link.process);
        }
        let (linked, answer) = oneshot::channel();
        let asked = self.ask(Request::Connect { peer, linked }).await;
        asked.map_err(|_| RequestError::NotConnected)?;
        answer
            .await
            .ok()
            .flatten()
            .ok_or(RequestError::NotConnected)
    }

    /// Serves requests to the service of this name from now on. The handler's future runs as a
    /// task of the node; at most [`SERVED_REQUESTS_MAX`](crate::limits::SERVED_REQUESTS_MAX) run
    /// at one time, further requests are refused. A handler that holds a clone of this node keeps
    /// it alive: [`shutdown`](Self::shutdown) ends it then, a drop does not.
    pub fn serve<Req, Rep, F, A>(&self, service: &str, handler: F)
    where
        Req: DeserializeOwned,
        Rep: Serialize,
        F: Fn(ProcessId, Req) -> A + Send + Sync + 'static,
        A: Future<Output = Rep> + Send + 'static,
    {
        self.shared().services.serve(service, handler);
    }

    /// Writes a directory record, key 16 to 32 bytes, at the peers closest to its key. True if
    /// at least one keeps it. It lives for
    /// [`DIRECTORY_RECORD_TTL`](crate::limits::DIRECTORY_RECORD_TTL).
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn put_record(
        &self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> Result<bool, Closed> {
        let (kept, answer) = oneshot::channel();
        self.ask(Request::PutRecord {
            key: key.into(),
            value: value.into(),
            kept,
        })
        .await?;
        answer.await.map_err(|_| Closed)
    }

    /// Looks a directory record up. Candidates come as they are found, equal ones several
    /// times; each is a hint. Dropping the result ends the lookup.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn get_record(&self, key: impl Into<Bytes>) -> Result<Candidates, Closed> {
        let (candidates, found) = mpsc::channel(CANDIDATES_MAX);
        self.ask(Request::GetRecord {
            key: key.into(),
            candidates,
        })
        .await?;
        Ok(Candidates::new(found))
    }

    /// The founded cluster, if this node knows it.
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterRecord> {
        self.shared().cluster.borrow().clone()
    }

    /// The founded cluster; found, or founded, if need be.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn need_cluster(&self) -> Result<ClusterRecord, Closed> {
        let mut cluster = self.shared().cluster.subscribe();
        if let Some(known) = cluster.borrow_and_update().clone() {
            return Ok(known);
        }
        self.ask(Request::NeedCluster).await?;
        let known = cluster
            .wait_for(Option::is_some)
            .await
            .map_err(|_| Closed)?;
        known.clone().ok_or(Closed)
    }

    /// Changes the hint of the cluster, or names a cluster known from before.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn update_cluster(&self, record: ClusterRecord) -> Result<(), Closed> {
        self.ask(Request::UpdateCluster(Box::new(record))).await
    }

    /// Says something else of this node from now on; its addresses are filled in.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn announce(&self, announcement: Announcement) -> Result<(), Closed> {
        self.ask(Request::Announce(Box::new(announcement))).await
    }

    /// Says goodbye: the others take this node out of their views. It keeps running.
    pub async fn leave(&self) {
        let mut left = self.shared().left.subscribe();
        if self.ask(Request::Leave).await.is_ok() {
            let said = left.wait_for(|left| *left);
            if tokio::time::timeout(LEAVE_TIMEOUT, said).await.is_err() {
                tracing::debug!("the goodbye was not said in time");
            }
            let mut registrations = self.shared().registrations.subscribe();
            let ended = registrations.wait_for(|count| *count == 0);
            if tokio::time::timeout(DEREGISTER_TIMEOUT, ended)
                .await
                .is_err()
            {
                tracing::debug!("not all registries were told in time");
            }
        }
    }

    /// Leaves and ends all tasks. Other clones of the handle are of no more use.
    pub async fn shutdown(self) {
        self.leave().await;
        let links = self.shared().links.close();
        links.iter().for_each(|link| link.close());
        let ended = async {
            for link in &links {
                drop(link.ended.subscribe().wait_for(|ended| *ended).await);
            }
        };
        if tokio::time::timeout(DRAIN_TIMEOUT, ended).await.is_err() {
            tracing::debug!("not all links were closed in time");
        }
        self.shared().tasks.close().await;
    }

    /// What the node counted since its start.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared().metrics()
    }

    async fn ask(&self, request: Request) -> Result<(), Closed> {
        self.shared()
            .requests
            .send(request)
            .await
            .map_err(|_| Closed)
    }
}
