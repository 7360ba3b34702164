//! What the loop knows of one peer below the membership: connections, and a link in the making.

use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use overlay_proto::ProcessId;
use overlay_proto::member::ADDRESSES_MAX;
use tokio::time::Instant;

/// How often connections and traffic are looked after.
pub(super) const SWEEP_INTERVAL: Duration = Duration::from_millis(500);
/// A connection that carries no link after this time is closed.
pub(super) const LINKLESS_MAX: Duration = Duration::from_secs(5);
/// A connection beside the link's is closed after this time, and not before: gossip says once to
/// each peer what this node subscribed to, on whichever connection, and must have said it.
pub(super) const SURPLUS_MAX: Duration = Duration::from_secs(1);
/// How long a peer of another cluster is not dialled again.
pub(super) const STRANGER_MEMORY: Duration = Duration::from_secs(60);
/// Most strangers remembered.
pub(super) const STRANGERS_MAX: usize = 1024;
/// Pause before a link is tried again that the other side called busy.
pub(super) const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// Tries of a busy link; in all about as long as a connection attempt.
pub(super) const BUSY_TRIES: u32 = 20;

/// Pause before a broken link is dialled again that was cut half-way.
pub(super) const REDIAL_PAUSE: Duration = Duration::from_millis(20);
/// Dials of a broken link that may be cut half-way.
pub(super) const REDIALS: u32 = 5;

/// A connection with a peer.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    /// Where this side dialled, if it did.
    pub(super) dialled: Option<Multiaddr>,
    /// The other end as the socket names it.
    pub(super) remote: Multiaddr,
    pub(super) since: Instant,
}

/// A link in the making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// A dial is under way.
    Dialling(ConnectionId),
    /// A stream is being opened on a connection.
    Opening(ConnectionId),
    /// A hello of this nonce is out.
    Offered(ConnectionId, u64),
    /// The other side was busy; a timer will try again.
    Paused,
}

/// One peer.
#[derive(Debug, Default)]
pub(super) struct Peering {
    pub(super) connections: Vec<Connection>,
    pub(super) attempt: Option<Attempt>,
    /// When the last dial began.
    pub(super) dialled: Option<Instant>,
    /// The nonce of the last confirmed link.
    pub(super) last_nonce: Option<u64>,
    /// The process of a broken link; its end is not told before a new dial was tried.
    pub(super) lost: Option<ProcessId>,
    /// Where the peer listens, best first.
    pub(super) addresses: Vec<Multiaddr>,
    /// Where the broken link led to: the only places that can tell whether its process is gone.
    pub(super) redial: Vec<Multiaddr>,
    /// The machine waits for the outcome of a dial.
    pub(super) asked: bool,
    /// Tries of the link in the making that ended in a pause.
    pub(super) tries: u32,
    /// A dial beside a silent link, to see whether the peer can be reached.
    pub(super) probe: Option<ConnectionId>,
}

impl Peering {
    /// Whether nothing is known that is worth keeping.
    pub(super) fn is_idle(&self) -> bool {
        self.connections.is_empty() && self.attempt.is_none() && self.lost.is_none() && !self.asked
    }

    pub(super) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections
            .iter()
            .find(|connection| connection.id == id)
    }

    /// Takes over newer addresses; the ones at the host that a connection leads to come first.
    pub(super) fn learn(&mut self, addresses: &[String]) {
        let parsed: Vec<Multiaddr> = addresses
            .iter()
            .take(ADDRESSES_MAX)
            .filter_map(|text| text.parse().ok())
            .collect();
        if parsed.is_empty() {
            return;
        }
        let near: Vec<Multiaddr> = self
            .connections
            .iter()
            .filter_map(|connection| host(&connection.remote))
            .collect();
        let is_near = |address: &Multiaddr| host(address).is_some_and(|host| near.contains(&host));
        let (mut first, rest): (Vec<_>, Vec<_>) = parsed.into_iter().partition(is_near);
        first.extend(rest);
        self.addresses = first;
    }
}

/// Where to ask whether the process at the other end of a broken link is gone: where it was
/// dialled, or else where it listens on the host that the connection came from.
pub(super) fn redial_places(
    dialled: Option<&Multiaddr>,
    connection: Option<&Connection>,
    addresses: &[Multiaddr],
) -> Vec<Multiaddr> {
    if let Some(dialled) = dialled {
        return vec![dialled.clone()];
    }
    let came_from = connection.and_then(|connection| host(&connection.remote));
    let near = |address: &&Multiaddr| came_from.is_some() && host(address) == came_from;
    addresses.iter().filter(near).cloned().collect()
}

/// The host part of an address.
pub(super) fn host(address: &Multiaddr) -> Option<Multiaddr> {
    let first = address.iter().next()?;
    matches!(first, Protocol::Ip4(_) | Protocol::Ip6(_)).then(|| Multiaddr::empty().with(first))
}

/// Whether an address leads to this machine only.
pub(super) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

/// Whether an address means nothing on another machine without naming an interface.
pub(super) fn is_link_local(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_link_local() || ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => ip.is_unicast_link_local() || ip.is_unspecified(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_at_the_host_of_a_connection_come_first() {
        let mut peering = Peering::default();
        peering.connections.push(Connection {
            id: ConnectionId::new_unchecked(1),
            dialled: None,
            remote: "/ip4/10.0.0.2/tcp/5555".parse().unwrap(),
            since: Instant::now(),
        });
        peering.learn(&[
            "/ip4/192.168.0.2/tcp/1".into(),
            "/ip4/10.0.0.2/tcp/1".into(),
        ]);
        assert_eq!(peering.addresses[0].to_string(), "/ip4/10.0.0.2/tcp/1");
        peering.learn(&[]);
        assert_eq!(peering.addresses.len(), 2);
    }

    #[test]
    fn a_broken_link_is_dialled_again_where_it_led_to() {
        let parse = |text: &str| text.parse::<Multiaddr>().unwrap();
        let addresses = [
            parse("/ip4/192.168.0.2/tcp/1"),
            parse("/ip4/10.0.0.2/tcp/1"),
        ];
        let inbound = Connection {
            id: ConnectionId::new_unchecked(1),
            dialled: None,
            remote: parse("/ip4/10.0.0.2/tcp/5555"),
            since: Instant::now(),
        };
        let near = redial_places(None, Some(&inbound), &addresses);
        assert_eq!(near, [parse("/ip4/10.0.0.2/tcp/1")]);
        let dialled = parse("/ip4/10.9.9.9/tcp/1");
        assert_eq!(
            redial_places(Some(&dialled), Some(&inbound), &addresses),
            [dialled]
        );
        assert!(redial_places(None, None, &addresses).is_empty());
    }

    #[test]
    fn local_addresses_are_told_apart() {
        let parse = |text: &str| text.parse::<Multiaddr>().unwrap();
        assert!(is_loopback(&parse("/ip4/127.0.0.1/tcp/1")));
        assert!(is_loopback(&parse("/ip6/::1/tcp/1")));
        assert!(is_link_local(&parse("/ip6/fe80::1/tcp/1")));
        assert!(!is_link_local(&parse("/ip4/10.0.0.1/tcp/1")));
    }
}
