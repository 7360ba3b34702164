//! Typed requests and replies between peers, by the name of a service.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use overlay_proto::{ProcessId, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, oneshot};

use crate::link::frame::{Channel, FRAME_BYTES_MAX, Frame};
use crate::link::table::Links;
use crate::tasks::Tasks;

/// Requests that a node serves at one time; further ones are refused as overloaded.
pub const SERVED_REQUESTS_MAX: usize = 1024;
/// Own requests that wait for a reply at one time.
pub const OPEN_REQUESTS_MAX: usize = 16 * 1024;
/// Longest service name, bytes.
pub const SERVICE_NAME_BYTES_MAX: usize = 128;
/// Room for everything but the body in a request or reply.
const ENVELOPE_BYTES: usize = 512;

/// Why a request brought no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No link, and none could be made. The request did not run.
    #[error("not connected with the peer")]
    NotConnected,
    /// No reply in time. The request may have run.
    #[error("no reply in time")]
    Timeout,
    /// The link broke after the request was sent. It may have run.
    #[error("the link broke before the reply")]
    LinkLost,
    /// The peer serves nothing of this name. The request did not run.
    #[error("the peer does not serve this request")]
    UnknownService,
    /// Request or reply is longer than a frame. A too long request did not run.
    #[error("the request or its reply is too large")]
    TooLarge,
    /// Too many requests wait, here or at the peer. The request did not run.
    #[error("too many requests are open")]
    Overloaded,
    /// The peer did not understand the request, or this side the reply.
    #[error("the request or its reply does not decode")]
    Decode,
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    id: u64,
    service: String,
    body: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
struct Reply {
    id: u64,
    result: Result<Bytes, Refusal>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Refusal {
    UnknownService,
    Overloaded,
    Decode,
    TooLarge,
}

impl From<Refusal> for RequestError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownService => Self::UnknownService,
            Refusal::Overloaded => Self::Overloaded,
            Refusal::Decode => Self::Decode,
            Refusal::TooLarge => Self::TooLarge,
        }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Bytes, Refusal>> + Send>>;
type Service = Arc<dyn Fn(ProcessId, Bytes) -> Answering + Send + Sync>;

/// The services of a node and its open requests.
pub(crate) struct Services {
    links: Arc<Links>,
    tasks: Tasks,
    served: RwLock<HashMap<String, Service>>,
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
    room: Arc<Semaphore>,
}

struct Open {
    to: ProcessId,
    reply: oneshot::Sender<Result<Bytes, RequestError>>,
}

/// Takes a request out of the open ones when its caller stops waiting.
struct OpenGuard<'a> {
    services: &'a Services,
    id: u64,
}

impl Drop for OpenGuard<'_> {
    fn drop(&mut self) {
        self.services.open().remove(&self.id);
    }
}

impl Services {
    pub(crate) fn new(links: Arc<Links>, tasks: Tasks) -> Self {
        Self {
            links,
            tasks,
            served: RwLock::default(),
            open: Mutex::default(),
            next: AtomicU64::new(1),
            room: Arc::new(Semaphore::new(SERVED_REQUESTS_MAX)),
        }
    }

    /// Serves requests of this name from now on, instead of whoever served them before.
    pub(crate) fn serve<Req, Rep, F, A>(&self, name: &str, handler: F)
    where
        Req: DeserializeOwned,
        Rep: Serialize,
        F: Fn(ProcessId, Req) -> A + Send + Sync + 'static,
        A: Future<Output = Rep> + Send + 'static,
    {
        let service: Service = Arc::new(move |from, body: Bytes| {
            let Ok(request) = codec::decode::<Req>(&body) else {
                return Box::pin(std::future::ready(Err(Refusal::Decode))) as Answering;
            };
            let answering = handler(from, request);
            Box::pin(async move {
                let body = codec::encode(&answering.await).map_err(|_| Refusal::Decode)?;
                let fits = body.len() + ENVELOPE_BYTES <= FRAME_BYTES_MAX;
                if fits {
                    Ok(body.into())
                } else {
                    Err(Refusal::TooLarge)
                }
            })
        });
        self.served
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), service);
    }

    /// Sends a request and waits for its reply, without a limit in time.
    ///
    /// # Errors
    /// [`RequestError`], never `Timeout`.
    pub(crate) async fn request<Req, Rep>(
        &self,
        to: ProcessId,
        service: &str,
        request: &Req,
    ) -> Result<Rep, RequestError>
    where
        Req: Serialize + ?Sized,
        Rep: DeserializeOwned,
    {
        let body = codec::encode(request).map_err(|_| RequestError::Decode)?;
        let too_large = body.len() + ENVELOPE_BYTES > FRAME_BYTES_MAX;
        if too_large || service.len() > SERVICE_NAME_BYTES_MAX {
            return Err(RequestError::TooLarge);
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        if self.open().len() >= OPEN_REQUESTS_MAX {
            return Err(RequestError::Overloaded);
        }
        self.open().insert(id, Open { to, reply });
        let _guard = OpenGuard { services: self, id };
        let request = Request {
            id,
            service: service.to_owned(),
            body: body.into(),
        };
        self.send(to, Channel::Request, &request)?;
        let body = answer.await.map_err(|_| RequestError::LinkLost)??;
        codec::decode(&body).map_err(|_| RequestError::Decode)
    }

    fn send<T: Serialize>(
        &self,
        to: ProcessId,
        channel: Channel,
        content: &T,
    ) -> Result<(), RequestError> {
        use crate::link::SendError;
        let payload = codec::encode(content)
            .map_err(|_| RequestError::Decode)?
            .into();
        self.links
            .send(to, Frame { channel, payload })
            .map_err(|error| match error {
                SendError::Overloaded => RequestError::Overloaded,
                SendError::TooLarge => RequestError::TooLarge,
                SendError::ToItself | SendError::Closed => RequestError::NotConnected,
            })
    }

    /// Starts to serve a received request.
    pub(crate) fn on_request(self: &Arc<Self>, from: ProcessId, payload: &[u8]) {
        let Ok(request) = codec::decode::<Request>(payload) else {
            return tracing::debug!(%from, "a request does not decode");
        };
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        let service = served.get(&request.service).cloned();
        drop(served);
        let (id, body) = (request.id, request.body);
        let Some(service) = service else {
            return self.reply(from, id, Err(Refusal::UnknownService));
        };
        let Ok(room) = self.room.clone().try_acquire_owned() else {
            return self.reply(from, id, Err(Refusal::Overloaded));
        };
        let this = self.clone();
        self.tasks.spawn(async move {
            let result = service(from, body).await;
            this.reply(from, id, result);
            drop(room);
        });
    }

    fn reply(&self, to: ProcessId, id: u64, result: Result<Bytes, Refusal>) {
        if let Err(error) = self.send(to, Channel::Reply, &Reply { id, result }) {
            tracing::debug!(%to, %error, "a reply is lost");
        }
    }

    /// Hands a received reply to whoever waits for it.
    pub(crate) fn on_reply(&self, from: ProcessId, payload: &[u8]) {
        let Ok(reply) = codec::decode::<Reply>(payload) else {
            return tracing::debug!(%from, "a reply does not decode");
        };
        let mut open = self.open();
        if open.get(&reply.id).is_some_and(|open| open.to == from)
            && let Some(waiting) = open.remove(&reply.id)
        {
            drop(waiting.reply.send(reply.result.map_err(RequestError::from)));
        }
    }

    /// Ends the open requests to a process whose link is gone, or could not be made.
    pub(crate) fn on_link_down(&self, process: ProcessId, was_up: bool) {
        let error = if was_up {
            RequestError::LinkLost
        } else {
            RequestError::NotConnected
        };
        let mut open = self.open();
        let gone: Vec<u64> = open
            .iter()
            .filter(|(_, open)| open.to == process)
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            if let Some(waiting) = open.remove(&id) {
                drop(waiting.reply.send(Err(error)));
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use fuzz::{dice, noisy, seeds, swollen};

    use super::*;

    #[test]
    fn altered_requests_and_replies_do_no_harm() {
        let request = Request {
            id: 7,
            service: String::from("echo"),
            body: Bytes::from_static(b"body"),
        };
        let reply = |result| Reply { id: 7, result };
        let recordings = [
            codec::encode(&request).unwrap(),
            codec::encode(&reply(Ok(Bytes::from_static(b"body")))).unwrap(),
            codec::encode(&reply(Err(Refusal::Overloaded))).unwrap(),
        ];
        for seed in seeds(1_000) {
            let mut dice = dice(seed);
            for bytes in [
                noisy(&mut dice, &recordings),
                swollen(&mut dice, &recordings),
            ] {
                if let Ok(request) = codec::decode::<Request>(&bytes) {
                    let encoded = codec::encode(&request).unwrap();
                    let again = codec::decode::<Request>(&encoded).unwrap();
                    assert_eq!(codec::encode(&again).unwrap(), encoded);
                    assert!(request.body.len() + request.service.len() <= bytes.len());
                }
                if let Ok(reply) = codec::decode::<Reply>(&bytes) {
                    let encoded = codec::encode(&reply).unwrap();
                    let again = codec::decode::<Reply>(&encoded).unwrap();
                    assert_eq!(codec::encode(&again).unwrap(), encoded);
                }
            }
        }
    }
}
