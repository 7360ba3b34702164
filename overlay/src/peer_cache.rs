//! Peers remembered on disk, to find the cluster again without registry or multicast.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use overlay_proto::codec::{self, DecodeError};
use overlay_proto::member::{RECORD_BYTES_MAX, SignedRecord};

use crate::runtime_folder::replace;

/// Most peers remembered.
const PEERS_MAX: usize = 64;
/// Longest file, bytes.
const FILE_BYTES_MAX: usize = PEERS_MAX * (RECORD_BYTES_MAX + 128);

/// The file with remembered peers.
#[derive(Debug)]
pub(crate) struct PeerCache {
    path: PathBuf,
}

impl PeerCache {
    /// The cache in this file, which need not exist.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The remembered peers; none if there are none or the file is damaged.
    pub(crate) fn load(&self) -> Vec<SignedRecord> {
        match read(&self.path) {
            Ok(bytes) => decode(&bytes).unwrap_or_else(|error| {
                tracing::warn!(path = %self.path.display(), %error, "damaged peer cache ignored");
                Vec::new()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "peer cache not read");
                Vec::new()
            }
        }
    }

    /// Replaces what is remembered. Keeps what was there when there is nothing new.
    ///
    /// # Errors
    /// The file cannot be written; the old one stays.
    pub(crate) fn save(&self, peers: &[SignedRecord]) -> io::Result<()> {
        let kept = peers.get(..PEERS_MAX).unwrap_or(peers);
        if kept.is_empty() {
            return Ok(());
        }
        replace(&self.path, &codec::encode(kept).map_err(io::Error::other)?)
    }
}

fn decode(bytes: &[u8]) -> Result<Vec<SignedRecord>, DecodeError> {
    let mut peers: Vec<SignedRecord> = codec::decode_limited(bytes, FILE_BYTES_MAX)?;
    peers.truncate(PEERS_MAX);
    Ok(peers)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fuzz::{dice, noisy, seeds};

    use super::*;

    #[test]
    fn a_damaged_file_names_no_more_peers_than_are_remembered() {
        let record = |n| SignedRecord::new(Bytes::from(vec![n; 10]), Bytes::new());
        let many: Vec<SignedRecord> = (0..200).map(record).collect();
        let file = codec::encode(&many).unwrap();
        assert_eq!(decode(&file).unwrap(), many[..PEERS_MAX]);
        for seed in seeds(300) {
            let damaged = noisy(&mut dice(seed), std::slice::from_ref(&file));
            let peers = decode(&damaged).unwrap_or_default();
            assert!(peers.len() <= PEERS_MAX);
        }
    }

    #[test]
    fn peers_come_back_and_damage_is_survived() {
        let path = std::env::temp_dir().join(format!("pydo-cache-{:016x}", rand::random::<u64>()));
        let cache = PeerCache::new(path.clone());
        assert!(cache.load().is_empty());
        let record = |n| SignedRecord::new(Bytes::from(vec![n; 10]), Bytes::new());
        let many: Vec<_> = (0..100).map(record).collect();
        cache.save(&many).unwrap();
        assert_eq!(cache.load(), many[..PEERS_MAX]);
        cache.save(&[]).unwrap();
        assert_eq!(cache.load().len(), PEERS_MAX);
        std::fs::write(&path, b"\xff\xff").unwrap();
        assert!(cache.load().is_empty());
        std::fs::remove_file(path).unwrap();
    }
}
