//! Pyro5 with its usual serializer, serpent: what the paper's prototype calls with.

use tokio::process::Command;

use crate::peers;

const SERVER: &str = include_str!("pyro5_server.py");
const CLIENT: &str = include_str!("pyro5_client.py");

/// Measures it; its client prints the row.
pub(crate) async fn measure() -> Result<(), String> {
    let mut server = Command::new("python3");
    server.args(["-c", SERVER]);
    peers::run_command(server, async |uri| {
        let client = Command::new("python3")
            .args(["-c", CLIENT, &uri])
            .status()
            .await;
        let client = client.map_err(|error| error.to_string())?;
        client
            .success()
            .then_some(())
            .ok_or_else(|| "its client failed".to_owned())
    })
    .await
    .map_err(|why| format!("{why}; is it installed (pip install Pyro5)?"))
}
