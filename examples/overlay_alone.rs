//! The overlay without objects: members, requests, messages, records. No server anywhere.
//!
//! ```sh
//! overlay_alone                   # the story: three nodes in this process
//! overlay_alone --stay            # one node that stays: start it in one terminal,
//! overlay_alone --peer HOST:PORT  # another one in the next, and kill either
//! ```

use std::error::Error;
use std::time::Duration;

use overlay::{Node, OverlayEvent, ProcessId, Received};
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => timeout(30 * SECOND, story()).await?,
        (Some("--stay"), None) => stay(Node::builder().start().await?).await,
        (Some("--peer"), Some(address)) => stay(Node::builder().peer(address).start().await?).await,
        _ => Err("usage: overlay_alone [--stay | --peer HOST:PORT]".into()),
    }
}

/// Three nodes meet, talk, and one of them dies.
async fn story() -> Result {
    let first = Node::builder().start().await?;
    let address = &first.addresses()[0];
    let second = Node::builder().peer(address).start().await?;
    let third = Node::builder().peer(address).start().await?;
    for node in [&first, &second, &third] {
        let view = node.watch().until(|view| view.len() >= 3).await?;
        println!("{} sees {} members", node.id(), view.len());
    }
    serve(&first);
    greet(&second, first.process()).await;
    let mut news = second.subscribe("news").await?;
    // A new subscription needs a moment to be known elsewhere: say it until it is heard.
    let heard = loop {
        first.publish("news", "open now").await?;
        if let Ok(heard) = timeout(SECOND / 10, news.next()).await {
            break heard;
        }
    };
    tell(heard);
    leave_will(&third).await?;
    let dead = third.process();
    drop(third); // no goodbye: a crash
    let gone = |view: &overlay::MembershipView| view.peer(&dead.peer).is_none();
    second.watch().until(gone).await?;
    read_will(&second, dead).await?;
    second.shutdown().await;
    first.shutdown().await;
    Ok(())
}

/// One node that tells what it sees and says something each second, until Ctrl-C.
async fn stay(node: Node) -> Result {
    println!("{} listens on {}", node.id(), node.addresses().join(" "));
    serve(&node);
    let mut events = node.events();
    let mut news = node.subscribe("news").await?;
    let mut second = tokio::time::interval(SECOND);
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = second.tick() => node.publish("news", "still here").await?,
            heard = news.next() => tell(heard),
            Some(event) = events.next() => match event {
                OverlayEvent::Joined(process) if process != node.process() => {
                    greet(&node, process).await;
                    leave_will(&node).await?;
                }
                OverlayEvent::Lost { process, .. } => read_will(&node, process).await?,
                _ => {}
            },
        }
    }
    node.shutdown().await;
    Ok(())
}

/// Answers requests to the service `greet`: any serialisable types will do.
fn serve(node: &Node) {
    node.serve("greet", |from: ProcessId, name: String| async move {
        format!("hello {name}, you are {}", from.peer)
    });
}

async fn greet(node: &Node, ProcessId { peer, .. }: ProcessId) {
    let asked = node.request(peer, "greet", "neighbour", 5 * SECOND);
    let answer: String = asked.await.unwrap_or_else(|error| error.to_string());
    println!("{peer} answers: {answer}");
}

fn tell(heard: Option<Received>) {
    if let Some(Received::Message(message)) = heard {
        println!("someone says: {}", String::from_utf8_lossy(&message.data));
    }
}

/// Writes a record under the node's own id; others keep it.
async fn leave_will(node: &Node) -> Result {
    let (key, will) = (node.id().0.to_vec(), format!("{} was here", node.id()));
    while !node.put_record(key.clone(), will.clone()).await? {
        sleep(SECOND / 10).await; // nobody is known yet who could keep it
    }
    Ok(())
}

async fn read_will(node: &Node, ProcessId { peer, .. }: ProcessId) -> Result {
    let will = node.get_record(peer.0.to_vec()).await?.next().await;
    let will = will.unwrap_or_default();
    println!("{peer} is gone; found: {}", String::from_utf8_lossy(&will));
    Ok(())
}
