//! A small demo from the built binary keeps every promise and says so.

use serde_json::Value;

use crate::fixture::binary;

#[tokio::test(flavor = "multi_thread")]
async fn small_demo_loses_nothing() {
    let arguments = [
        "demo",
        "--json",
        "--peers",
        "5",
        "--objects",
        "15",
        "--seconds",
        "5",
    ];
    let output = binary()
        .args(arguments)
        .output()
        .await
        .expect("the demo runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{problem}");
    let report: Value = serde_json::from_str(text.lines().last().expect("a report")).expect("JSON");
    assert_eq!(report["peers"], 5);
    assert_eq!(report["objects"], 15);
    assert_eq!(report["replication"], 3);
    for field in ["lost", "duplicated", "indeterminate", "calls_failed"] {
        assert_eq!(report[field], 0, "{field} in {report}");
    }
    let placed = report["primaries_per_peer"].as_array().expect("an array");
    assert!(
        placed.iter().all(|count| count == 3),
        "15 objects over 5 peers: {placed:?}"
    );
    assert!(
        report["calls_acknowledged"].as_u64() > Some(500),
        "{report}"
    );
    assert!(report["directory_lookups"].as_u64() > Some(0), "{report}");
    assert!(report["gossip_events"].as_u64() > Some(0), "{report}");
    assert_eq!(report["counter_sum"], report["calls_acknowledged"]);
    let processes = report["processes"].as_array().expect("an array");
    let killed = processes
        .iter()
        .filter(|process| process["signal"] == "SIGKILL")
        .count();
    assert_eq!(killed, 3, "two peers and the registry: {processes:?}");
}
