//! The command line by hand.

use serde_json::Value;

use crate::fixture::{Cluster, run};

fn json(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("not JSON: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn create_call_inspect_delete() {
    let cluster = Cluster::start(3).await;
    let (exit, text) = run(&cluster, &["create", "Counter", "--name", "hits"]).await;
    assert_eq!(exit, 0, "{text}");
    for expected in 1..=3 {
        let (exit, text) = run(&cluster, &["call", "hits", "increment", "1"]).await;
        assert_eq!((exit, text.trim()), (0, expected.to_string().as_str()));
    }
    let (exit, text) = run(&cluster, &["inspect", "hits", "--json"]).await;
    assert_eq!(exit, 0, "{text}");
    let description = json(&text);
    assert_eq!(description["members"].as_array().map(Vec::len), Some(3));
    assert_eq!(description["kind"], "Counter");

    let (exit, text) = run(&cluster, &["objects", "--json"]).await;
    assert_eq!(
        (exit, json(&text)["objects"][0]["name"].as_str()),
        (0, Some("hits"))
    );
    let (exit, text) = run(&cluster, &["members", "--json"]).await;
    assert_eq!(
        (exit, json(&text)["members"].as_array().map(Vec::len)),
        (0, Some(3))
    );

    let (exit, text) = run(&cluster, &["delete", "hits"]).await;
    assert_eq!(exit, 0, "{text}");
    let (exit, text) = run(&cluster, &["call", "hits", "count"]).await;
    assert_eq!(exit, 3, "{text}");
    assert!(
        text.contains("hits"),
        "the error names what was not found: {text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_is_wrong() {
    let cluster = Cluster::start(1).await;
    assert_eq!(
        run(&cluster, &["create", "Counter", "--name", "hits"])
            .await
            .0,
        0
    );
    let cases: [(&[&str], &str); 6] = [
        (&["call", "hits", "decrement"], "decrement"),
        (&["call", "hits", "increment"], "by"),
        (&["call", "hits", "increment", "\"one\""], "by"),
        (&["call", "hits", "increment", "1", "2"], "argument"),
        (&["call", "nowhere", "count"], "nowhere"),
        (&["create", "Teapot"], "Teapot"),
    ];
    for (arguments, word) in cases {
        let (exit, text) = run(&cluster, arguments).await;
        assert_eq!(exit, 3, "{arguments:?}: {text}");
        assert!(
            text.contains(word),
            "{arguments:?} should name `{word}`: {text}"
        );
    }
    assert_eq!(run(&cluster, &["dance"]).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_hand_out_rising_tokens() {
    let cluster = Cluster::start(3).await;
    assert_eq!(
        run(&cluster, &["create", "Lock", "--name", "door"]).await.0,
        0
    );
    let (exit, first) = run(&cluster, &["call", "door", "acquire", "ann", "60000"]).await;
    assert_eq!(exit, 0, "{first}");
    let (_, taken) = run(&cluster, &["call", "door", "acquire", "bob", "60000"]).await;
    assert_ne!(taken, first, "bob does not get ann's token");
}
