//! One request and one answer on a stream: a length (u32, big-endian) before each.

use std::io;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::swarm::Stream;
use overlay_proto::registry::{ANSWER_BYTES_MAX, Answer, Call, REQUEST_BYTES_MAX};

/// Longest exchange, for either side.
pub(super) const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes read at one time: a declared length alone allocates no more.
const READ_BYTES: usize = 16 * 1024;

/// Sends a call and reads its answer.
pub(super) async fn ask(mut stream: Stream, call: &Call) -> io::Result<Answer> {
    write(&mut stream, &call.encode()).await?;
    let answer = read(&mut stream, ANSWER_BYTES_MAX).await?;
    Answer::decode(&answer).map_err(io::Error::other)
}

/// Reads a call and sends the answer to it, within [`EXCHANGE_TIMEOUT`].
pub(crate) async fn serve_stream<A>(mut stream: Stream, answer: impl FnOnce(Call) -> A)
where
    A: Future<Output = Answer>,
{
    let exchange = async {
        let call = read(&mut stream, REQUEST_BYTES_MAX).await?;
        let call = Call::decode(&call).map_err(io::Error::other)?;
        let answer = answer(call).await;
        write(&mut stream, &answer.encode()).await?;
        stream.close().await
    };
    match tokio::time::timeout(EXCHANGE_TIMEOUT, exchange).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a registry request is not answered"),
        Err(_) => tracing::debug!("a registry request took too long"),
    }
}

async fn write(stream: &mut Stream, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len()).map_err(io::Error::other)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(content);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

async fn read(stream: &mut Stream, limit: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > limit {
        return Err(io::Error::other("longer than allowed"));
    }
    let mut content = Vec::new();
    while content.len() < length {
        let read = content.len();
        content.resize(length.min(read + READ_BYTES), 0);
        let room = content.get_mut(read..).unwrap_or_default();
        stream.read_exact(room).await?;
    }
    Ok(content)
}
