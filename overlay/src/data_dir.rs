//! The data directory: identities under exclusive locks, one per running process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use overlay_proto::member::Keys;

use crate::identity::Identity;

/// Identities that one data directory holds: as many processes can share it.
pub const SLOTS_MAX: u32 = 16;
/// A key file holds 32 bytes; anything longer is not ours.
const KEY_FILE_BYTES_MAX: u64 = 64;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// The directory or a file in it cannot be made, read or locked.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file does not hold a key. It is left as it is: remove it to get a new identity.
    #[error("{}: not a key file; remove it to get a new identity", .0.display())]
    NotAKey(PathBuf),
    /// All slots are locked by running processes.
    #[error("{}: all {SLOTS_MAX} identities are in use by running processes", .0.display())]
    Full(PathBuf),
}

/// A slot of a data directory, locked for the life of this value.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    slot: u32,
    _lock: File,
}

impl DataDir {
    /// Takes the first free slot and its identity, making both if needed.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub(crate) fn open(path: &Path) -> Result<(Self, Identity), DataDirError> {
        fs::create_dir_all(path).map_err(|e| failed(path, e))?;
        for slot in 0..SLOTS_MAX {
            let key_path = path.join(format!("identity-{slot}.key"));
            let mut file = open_private(&key_path).map_err(|e| failed(&key_path, e))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(e)) => return Err(failed(&key_path, e)),
            }
            let identity = read_or_make_key(&mut file, &key_path)?;
            tracing::debug!(peer = %identity.peer(), slot, "identity taken");
            return Ok((
                Self {
                    path: path.to_owned(),
                    slot,
                    _lock: file,
                },
                identity,
            ));
        }
        Err(DataDirError::Full(path.to_owned()))
    }

    /// A file of this slot, for example `peers-0`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}-{}", self.slot))
    }
}

fn failed(path: &Path, source: io::Error) -> DataDirError {
    DataDirError::Io {
        path: path.to_owned(),
        source,
    }
}

fn read_or_make_key(file: &mut File, path: &Path) -> Result<Identity, DataDirError> {
    let mut secret = Vec::new();
    file.take(KEY_FILE_BYTES_MAX)
        .read_to_end(&mut secret)
        .map_err(|e| failed(path, e))?;
    if !secret.is_empty() {
        return Identity::from_secret(secret).ok_or_else(|| DataDirError::NotAKey(path.to_owned()));
    }
    let identity = Identity::generate();
    file.write_all(&identity.secret())
        .and_then(|()| file.sync_all())
        .map_err(|e| failed(path, e))?;
    Ok(identity)
}

/// Opens a file that only its owner may read, making it if needed.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!(
            "pydo-data-dir-{name}-{}-{}",
            std::process::id(),
            rand::random::<u64>()
        ));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn two_holders_never_share_an_identity_and_a_freed_one_comes_back() {
        let dir = scratch("slots");
        let (first, first_identity) = DataDir::open(&dir).unwrap();
        let (_second, second_identity) = DataDir::open(&dir).unwrap();
        assert_ne!(first_identity.peer(), second_identity.peer());
        drop(first);
        let (_again, again) = DataDir::open(&dir).unwrap();
        assert_eq!(again.peer(), first_identity.peer());
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_key_is_private_and_garbage_is_refused() {
        let dir = scratch("mode");
        let (held, _) = DataDir::open(&dir).unwrap();
        let path = dir.join("identity-0.key");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        drop(held);
        fs::write(&path, b"garbage").unwrap();
        assert!(matches!(DataDir::open(&dir), Err(DataDirError::NotAKey(_))));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_seventeenth_process_is_told_so() {
        let dir = scratch("full");
        let _held: Vec<_> = (0..SLOTS_MAX)
            .map(|_| DataDir::open(&dir).unwrap())
            .collect();
        assert!(matches!(DataDir::open(&dir), Err(DataDirError::Full(_))));
        fs::remove_dir_all(&dir).unwrap();
    }
}
