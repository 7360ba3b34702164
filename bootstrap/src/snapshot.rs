//! The registry's memory on disk: one file, replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Longest snapshot that is read, bytes.
pub const SNAPSHOT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A snapshot file.
#[derive(Clone, Debug)]
pub struct Snapshot {
    path: PathBuf,
}

impl Snapshot {
    /// The snapshot at this path, which need not exist yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// What was saved last; `None` if nothing ever was.
    ///
    /// # Errors
    /// The file cannot be read, or is longer than [`SNAPSHOT_BYTES_MAX`].
    pub fn load(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if file.metadata()?.len() > SNAPSHOT_BYTES_MAX {
            return Err(io::Error::other("the snapshot is too long"));
        }
        let mut bytes = Vec::new();
        file.take(SNAPSHOT_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Replaces the file: a crash leaves the old or the new one, never a part.
    ///
    /// # Errors
    /// The folder cannot be written; the old file is as it was.
    pub fn save(&self, bytes: &[u8]) -> io::Result<()> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::Snapshot;

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = std::env::temp_dir().join(format!("pydo-snapshot-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let snapshot = Snapshot::at(&folder.join("registry"));
        assert_eq!(snapshot.load().expect("readable"), None);
        snapshot.save(b"one").expect("saved");
        snapshot.save(b"two").expect("saved");
        assert_eq!(
            snapshot.load().expect("readable").as_deref(),
            Some(b"two".as_slice())
        );
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
