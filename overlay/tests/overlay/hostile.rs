//! What strangers send must not hurt.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::{address, builder, sees, soon};

/// The socket address behind a multiaddress of a node.
fn socket(address: &str) -> String {
    let parts: Vec<&str> = address.split('/').collect();
    format!("{}:{}", parts[2], parts[4])
}

#[tokio::test]
async fn garbage_on_a_raw_connection_does_not_hurt() {
    let a = builder().start().await.unwrap();
    let target = socket(&address(&a));
    for n in 0..50_u8 {
        let mut stream = TcpStream::connect(&target).await.unwrap();
        let garbage: Vec<u8> = (0..2_000_u32)
            .map(|i| (i * u32::from(n) % 251) as u8)
            .collect();
        drop(stream.write_all(&garbage).await);
        if n % 2 == 0 {
            let mut answer = Vec::new();
            let wait = Duration::from_millis(20);
            drop(tokio::time::timeout(wait, stream.read_to_end(&mut answer)).await);
        }
    }
    let silent = TcpStream::connect(&target).await.unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    sees(&a, &[&a, &b]).await;
    drop(silent);
}

#[tokio::test]
async fn garbage_frames_on_a_link_are_survived() {
    let a = builder().start().await.unwrap();
    let b = builder().peer(address(&a)).start().await.unwrap();
    sees(&a, &[&a, &b]).await;
    for n in 0..200_usize {
        let garbage: Vec<u8> = (0..n).map(|i| (i * 37 % 251) as u8).collect();
        b.outbound().send(a.process(), garbage.into()).unwrap();
    }
    a.serve("echo", |_, text: String| async move { text });
    let echo = b.request::<_, String>(a.id(), "echo", "still here", Duration::from_secs(5));
    assert_eq!(soon(echo).await.as_deref(), Ok("still here"));
}
