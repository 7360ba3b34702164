//! Whom the directory's routing table knows: the members of the view.

use std::collections::BTreeMap;

use libp2p::kad::{KBucketDistance, KBucketKey, RecordKey};
use overlay_proto::PeerId;

/// The members of the view, as they are in the routing table.
#[derive(Debug, Default)]
pub(super) struct Routing {
    known: BTreeMap<PeerId, Route>,
}

/// A member.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) addresses: Vec<String>,
    /// Its place among the keys.
    pub(super) key: KBucketKey<libp2p::PeerId>,
}

impl Routing {
    /// A member's route.
    pub(super) fn get(&self, peer: &PeerId) -> Option<&Route> {
        self.known.get(peer)
    }

    /// Takes the members of a new view; gives back those that are gone.
    pub(super) fn replace(&mut self, known: BTreeMap<PeerId, Route>) -> Vec<libp2p::PeerId> {
        let before = std::mem::replace(&mut self.known, known);
        let gone = before.into_iter();
        gone.filter(|(peer, _)| !self.known.contains_key(peer))
            .map(|(_, route)| *route.key.preimage())
            .collect()
    }

    /// The members whose keys are closest to a record's, at most so many.
    pub(super) fn closest(&self, record: &RecordKey, most: usize) -> Vec<libp2p::PeerId> {
        let target = KBucketKey::new(record.clone());
        let routes = self.known.values();
        let mut by_distance: Vec<(KBucketDistance, libp2p::PeerId)> = routes
            .map(|route| (target.distance(&route.key), *route.key.preimage()))
            .collect();
        if by_distance.len() > most {
            by_distance.select_nth_unstable(most);
            by_distance.truncate(most);
        }
        by_distance.into_iter().map(|(_, peer)| peer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{from_libp2p, to_libp2p};

    /// Members; not every 32 bytes are a public key, but all are a name.
    fn routing(members: u8) -> Routing {
        let mut known = BTreeMap::new();
        for number in 0..members {
            let peer = PeerId([number; 32]);
            if let Some(name) = to_libp2p(&peer) {
                let addresses = Vec::new();
                let key = KBucketKey::from(name);
                known.insert(peer, Route { addresses, key });
            }
        }
        let mut routing = Routing::default();
        assert!(routing.replace(known).is_empty());
        routing
    }

    #[test]
    fn a_record_goes_to_the_closest_members() {
        let routing = routing(40);
        let record = RecordKey::new(b"a slot");
        let target = KBucketKey::new(record.clone());
        let chosen = routing.closest(&record, 5);
        assert_eq!(chosen.len(), 5);
        let distance = |peer: &libp2p::PeerId| target.distance(&KBucketKey::from(*peer));
        let farthest = chosen.iter().map(distance).max();
        let names = routing.known.values().map(|route| *route.key.preimage());
        let others = names.filter(|name| !chosen.contains(name));
        assert!(others.map(|name| distance(&name)).min() > farthest);
    }

    #[test]
    fn few_members_get_all_records() {
        let chosen = routing(3).closest(&RecordKey::new(b"a slot"), 5);
        assert_eq!(chosen.len(), 3);
    }

    #[test]
    fn who_is_gone_is_named_once() {
        let mut routing = routing(3);
        let gone = routing.replace(BTreeMap::new());
        assert_eq!(gone.len(), 3);
        assert!(routing.get(&PeerId([1; 32])).is_none());
        assert!(routing.replace(BTreeMap::new()).is_empty());
        assert!(gone.iter().all(|name| from_libp2p(name).is_some()));
    }
}
