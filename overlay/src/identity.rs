//! Who this node is: an Ed25519 key, and how peers are named towards libp2p.

use std::fmt;

use libp2p::identity::{Keypair, ed25519};
use overlay_proto::PeerId;
use overlay_proto::member::Keys;

/// What stands before the 32 bytes of an Ed25519 key in a libp2p peer id: a multihash of a short
/// input is the input itself (code 0, length 36), and the input is a protobuf (field 1: key
/// type 1; field 2: 32 bytes).
const INLINE_KEY_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// An Ed25519 key pair: signs as its peer, and checks the signatures of others by
/// [`Keys`](crate::proto::member::Keys).
#[derive(Clone)]
pub struct Identity {
    keypair: ed25519::Keypair,
    peer: PeerId,
}

impl Identity {
    /// A fresh random key.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_keypair(ed25519::Keypair::generate())
    }

    /// The key with this secret, if 32 bytes.
    pub(crate) fn from_secret(mut secret: Vec<u8>) -> Option<Self> {
        let secret = ed25519::SecretKey::try_from_bytes(&mut secret).ok()?;
        Some(Self::from_keypair(secret.into()))
    }

    fn from_keypair(keypair: ed25519::Keypair) -> Self {
        let peer = PeerId(keypair.public().to_bytes());
        Self { keypair, peer }
    }

    /// The secret, 32 bytes.
    pub(crate) fn secret(&self) -> Vec<u8> {
        self.keypair.secret().as_ref().to_vec()
    }

    /// The key as libp2p wants it.
    pub(crate) fn keypair(&self) -> Keypair {
        self.keypair.clone().into()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.peer)
    }
}

impl Keys for Identity {
    fn peer(&self) -> PeerId {
        self.peer
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.keypair.sign(bytes)
    }

    fn verify(&self, peer: &PeerId, bytes: &[u8], signature: &[u8]) -> bool {
        ed25519::PublicKey::try_from_bytes(&peer.0).is_ok_and(|key| key.verify(bytes, signature))
    }
}

/// The libp2p name of a peer.
pub(crate) fn to_libp2p(peer: &PeerId) -> Option<libp2p::PeerId> {
    let mut bytes = INLINE_KEY_PREFIX.to_vec();
    bytes.extend_from_slice(&peer.0);
    libp2p::PeerId::from_bytes(&bytes).ok()
}

/// The peer behind a libp2p name, if its key is Ed25519.
pub(crate) fn from_libp2p(peer: &libp2p::PeerId) -> Option<PeerId> {
    let bytes = peer.to_bytes();
    let key = bytes.strip_prefix(&INLINE_KEY_PREFIX)?;
    Some(PeerId(key.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_convert_both_ways() {
        let identity = Identity::generate();
        let name = to_libp2p(&identity.peer()).unwrap();
        assert_eq!(name, identity.keypair().public().to_peer_id());
        assert_eq!(from_libp2p(&name), Some(identity.peer()));
    }

    #[test]
    fn names_that_are_no_key_are_refused() {
        let hashed = libp2p::PeerId::random();
        assert_eq!(from_libp2p(&hashed), None);
    }

    #[test]
    fn only_the_owner_signs() {
        let (owner, other) = (Identity::generate(), Identity::generate());
        let signature = owner.sign(b"hello");
        assert!(other.verify(&owner.peer(), b"hello", &signature));
        assert!(!other.verify(&other.peer(), b"hello", &signature));
        assert!(!other.verify(&owner.peer(), b"hullo", &signature));
    }

    #[test]
    fn a_secret_makes_the_same_peer_again() {
        let identity = Identity::generate();
        assert_eq!(
            Identity::from_secret(identity.secret()).unwrap().peer(),
            identity.peer()
        );
        assert!(Identity::from_secret(vec![1, 2, 3]).is_none());
    }
}
