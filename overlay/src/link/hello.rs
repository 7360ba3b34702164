//! The hello exchange: which processes a link stream connects. Nothing else counts before it.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use libp2p::core::upgrade::NegotiationError;
use libp2p::swarm::Stream;
use overlay_proto::ProcessId;
use overlay_proto::codec;
use overlay_proto::member::ADDRESSES_MAX;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// First bytes on a link stream, in both directions.
const MAGIC: [u8; 4] = *b"PyDO";
/// Version of everything behind the magic bytes.
pub(crate) const VERSION: u16 = 1;
/// Longest hello or answer, bytes.
const HELLO_BYTES_MAX: usize = 4 * 1024;
/// Longest wait for a hello or its answer.
pub(crate) const HELLO_TIMEOUT: Duration = Duration::from_secs(3);

/// What both sides say of themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Introduction {
    /// Version of the sender.
    pub(crate) version: u16,
    /// Name of the sender's cluster.
    pub(crate) cluster: String,
    /// Which start of which peer the sender is.
    pub(crate) process: ProcessId,
    /// Where the sender listens, at most [`ADDRESSES_MAX`]; none if it does not.
    #[serde(default)]
    pub(crate) addresses: Vec<String>,
}

/// Opens a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Who asks.
    pub(crate) from: Introduction,
    /// Names the new link.
    pub(crate) nonce: u64,
    /// The nonce of the last link with the receiver that the sender had confirmed. A receiver
    /// that still holds exactly this link learns that it is broken.
    #[serde(default)]
    pub(crate) last: Option<u64>,
}

/// Answers a [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The link is open.
    Welcome(Introduction),
    /// Another link between the two is open or being opened by the answering side.
    Busy,
    /// Of another cluster or version.
    Stranger,
}

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelloError {
    /// The stream broke, or the peer does not speak the protocol.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something else than a hello or its answer arrived.
    #[error("not a hello")]
    Malformed,
    /// Nothing arrived in time.
    #[error("no hello within {HELLO_TIMEOUT:?}")]
    Timeout,
}

impl HelloError {
    /// Whether the peer does not speak the protocol of this cluster's links.
    pub(crate) fn is_unknown_protocol(&self) -> bool {
        let Self::Io(error) = self else { return false };
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<NegotiationError>());
        matches!(inner, Some(NegotiationError::Failed))
    }
}

/// Sends `hello` and waits for its answer.
///
/// # Errors
/// [`HelloError`]; the stream is dropped with it.
pub(crate) async fn offer(
    mut stream: Stream,
    hello: Hello,
) -> Result<(Stream, Answer), HelloError> {
    let exchange = async {
        stream.write_all(&message(&hello)).await?;
        stream.flush().await?;
        let answer: Answer = read_message(&mut stream).await?;
        Ok::<_, HelloError>(answer)
    };
    let answer = tokio::time::timeout(HELLO_TIMEOUT, exchange).await;
    let answer = answer.map_err(|_| HelloError::Timeout)??;
    if let Answer::Welcome(introduction) = &answer {
        check(introduction)?;
    }
    Ok((stream, answer))
}

/// Waits for a hello.
///
/// # Errors
/// [`HelloError`]; the stream is dropped with it.
pub(crate) async fn receive(mut stream: Stream) -> Result<(Stream, Hello), HelloError> {
    let hello = tokio::time::timeout(HELLO_TIMEOUT, read_message::<Hello>(&mut stream)).await;
    let hello = hello.map_err(|_| HelloError::Timeout)??;
    check(&hello.from)?;
    Ok((stream, hello))
}

/// Sends an answer that is not a welcome, and closes the stream.
pub(crate) async fn refuse(mut stream: Stream, answer: Answer) {
    let write = async {
        stream.write_all(&message(&answer)).await?;
        stream.close().await
    };
    if !matches!(tokio::time::timeout(HELLO_TIMEOUT, write).await, Ok(Ok(()))) {
        tracing::debug!("the refused peer did not wait for its answer");
    }
}

/// The wire form of a hello or an answer.
pub(crate) fn message<T: Serialize>(content: &T) -> Vec<u8> {
    let body = codec::encode(content).unwrap_or_default();
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&u16::try_from(body.len()).unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

pub(crate) async fn read_message<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<T, HelloError> {
    let mut head = [0; 6];
    stream.read_exact(&mut head).await?;
    let [magic @ .., high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if magic != MAGIC || length > HELLO_BYTES_MAX {
        return Err(HelloError::Malformed);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    codec::decode(&body).map_err(|_| HelloError::Malformed)
}

fn check(introduction: &Introduction) -> Result<(), HelloError> {
    let fits = introduction.addresses.len() <= ADDRESSES_MAX;
    if fits {
        Ok(())
    } else {
        Err(HelloError::Malformed)
    }
}
