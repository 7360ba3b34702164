//! Addresses as people write them.

use std::net::SocketAddr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// A place to dial: known at once, or a name to resolve each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A multiaddress, or `ip:port`.
    Address(Multiaddr),
    /// `host:port`.
    Name(String),
}

impl Place {
    /// Reads `ip:port`, `host:port` or a multiaddress.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(address) = parse_socket(text) {
            return Some(Self::Address(address));
        }
        let (host, port) = text.rsplit_once(':')?;
        let named = !host.is_empty() && !host.contains([':', '/', ' ']);
        (named && port.parse::<u16>().is_ok()).then(|| Self::Name(text.to_owned()))
    }

    /// The addresses behind the place now; none if its name does not resolve.
    pub(crate) async fn resolve(&self) -> Vec<Multiaddr> {
        match self {
            Self::Address(address) => vec![address.clone()],
            Self::Name(name) => match tokio::net::lookup_host(name).await {
                Ok(found) => found.map(from_socket).collect(),
                Err(error) => {
                    tracing::debug!(name, %error, "a name does not resolve");
                    Vec::new()
                }
            },
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Reads `ip:port` or a multiaddress.
pub(crate) fn parse_socket(text: &str) -> Option<Multiaddr> {
    if text.starts_with('/') {
        return text.parse().ok();
    }
    text.parse().ok().map(from_socket)
}

fn from_socket(socket: SocketAddr) -> Multiaddr {
    Multiaddr::from(socket.ip()).with(Protocol::Tcp(socket.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ways_to_write_an_address_are_read() {
        let address = |text: &str| Place::Address(text.parse().unwrap());
        assert_eq!(
            Place::parse("10.0.0.1:7"),
            Some(address("/ip4/10.0.0.1/tcp/7"))
        );
        assert_eq!(Place::parse("[::1]:7"), Some(address("/ip6/::1/tcp/7")));
        assert_eq!(
            Place::parse("/ip4/10.0.0.1/tcp/7"),
            Some(address("/ip4/10.0.0.1/tcp/7"))
        );
        assert_eq!(
            Place::parse("registry.lan:7"),
            Some(Place::Name("registry.lan:7".into()))
        );
        for text in [
            "",
            "10.0.0.1",
            "host",
            "host:port",
            ":7",
            "/nonsense",
            "a b:7",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_resolves_when_it_is_used() {
        let found = Place::parse("localhost:7").unwrap().resolve().await;
        assert!(
            found
                .iter()
                .any(|address| address.to_string().ends_with("/tcp/7")),
            "{found:?}"
        );
        assert!(
            Place::parse("no-such-host.invalid:7")
                .unwrap()
                .resolve()
                .await
                .is_empty()
        );
    }
}
