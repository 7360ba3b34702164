//! How processes of one user and machine meet: each leaves its record in a common folder.
//!
//! A record `NAME.peer` is alive as long as its `NAME.lock` is locked, which the operating
//! system ends with the process. Whoever finds a stale one removes it.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use overlay_proto::ProcessId;
use overlay_proto::codec;
use overlay_proto::member::{RECORD_BYTES_MAX, SignedRecord};

use crate::cluster_name::ClusterName;
use crate::data_dir::open_private;

/// Most records read in one look.
const RECORDS_MAX: usize = 256;
/// Longest record file, bytes: the record and its signature.
const FILE_BYTES_MAX: usize = RECORD_BYTES_MAX + 512;

/// The usual folder of this user for a cluster.
pub(crate) fn usual(cluster: &ClusterName) -> PathBuf {
    let base = env::var_os("XDG_RUNTIME_DIR").filter(|dir| Path::new(dir).is_dir());
    let folder = match base {
        Some(dir) => PathBuf::from(dir).join("pydo"),
        None => {
            let user = ["USER", "LOGNAME", "USERNAME"]
                .into_iter()
                .find_map(env::var_os);
            let user = user.as_deref().and_then(OsStr::to_str).unwrap_or("user");
            let safe: String = user.chars().filter(char::is_ascii_alphanumeric).collect();
            env::temp_dir().join(format!("pydo-{safe}"))
        }
    };
    folder.join(cluster.as_str())
}

/// This process's entry in the folder; removed when dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    folder: PathBuf,
    name: String,
    _lock: File,
}

impl Entry {
    /// Makes the folder, if needed, and an entry without a record.
    ///
    /// # Errors
    /// The folder or its files cannot be made.
    pub(crate) fn open(folder: &Path, process: ProcessId) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        let name = format!("{}-{:016x}", process.peer, process.incarnation.0);
        let lock = open_private(&folder.join(format!("{name}.lock")))?;
        lock.try_lock()?;
        Ok(Self {
            folder: folder.to_owned(),
            name,
            _lock: lock,
        })
    }

    /// Puts the record there for others to find.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, record: &SignedRecord) -> io::Result<()> {
        let bytes = codec::encode(record).map_err(io::Error::other)?;
        replace(&self.path("peer"), &bytes)
    }

    /// The records of the other living processes. Removes stale ones.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn read_others(&self) -> io::Result<Vec<SignedRecord>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let path = entry.path();
            let is_record = path.extension() == Some(OsStr::new("peer"));
            if !is_record || path.file_stem() == Some(OsStr::new(&self.name)) {
                continue;
            }
            if is_stale(&path.with_extension("lock")) {
                drop(fs::remove_file(&path));
                drop(fs::remove_file(path.with_extension("lock")));
            } else if records.len() < RECORDS_MAX {
                records.extend(read_record(&path));
            }
        }
        Ok(records)
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        drop(fs::remove_file(self.path("peer")));
        drop(fs::remove_file(self.path("lock")));
    }
}

/// Whether nobody holds the lock.
fn is_stale(lock: &Path) -> bool {
    match File::open(lock) {
        Ok(file) => file.try_lock_shared().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn read_record(path: &Path) -> Option<SignedRecord> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    File::open(path)
        .ok()?
        .take(limit)
        .read_to_end(&mut bytes)
        .ok()?;
    codec::decode_limited(&bytes, FILE_BYTES_MAX).ok()
}

/// Replaces a file's content in one step: readers see the old or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let scratch = path.with_extension("tmp");
    let mut file = open_private(&scratch)?;
    file.set_len(0)?;
    io::Write::write_all(&mut file, bytes)?;
    fs::rename(&scratch, path)
}

#[cfg(test)]
mod tests {
    use overlay_proto::Incarnation;
    use overlay_proto::member::{Keys, MemberRecord};

    use super::*;
    use crate::identity::Identity;

    fn scratch() -> PathBuf {
        env::temp_dir().join(format!("pydo-folder-{:016x}", rand::random::<u64>()))
    }

    fn process() -> (ProcessId, SignedRecord) {
        let identity = Identity::generate();
        let process = ProcessId {
            peer: identity.peer(),
            incarnation: Incarnation(1),
        };
        let record = MemberRecord {
            process,
            sequence: 0,
            addresses: vec!["/ip4/127.0.0.1/tcp/1".into()],
            kinds: Vec::new(),
            capacity: 0,
            load: 0,
            primaries: 0,
            labels: Vec::new(),
            leaving: false,
            stamp: 0,
        };
        (process, SignedRecord::sign(&record, &identity))
    }

    #[test]
    fn processes_find_each_other_until_one_ends() {
        let folder = scratch();
        let ((a, a_record), (b, b_record)) = (process(), process());
        let a = Entry::open(&folder, a).unwrap();
        let b = Entry::open(&folder, b).unwrap();
        a.write(&a_record).unwrap();
        assert!(a.read_others().unwrap().is_empty());
        b.write(&b_record).unwrap();
        assert_eq!(a.read_others().unwrap(), std::slice::from_ref(&b_record));
        assert_eq!(b.read_others().unwrap(), [a_record]);
        drop(b);
        assert!(a.read_others().unwrap().is_empty());
        drop(a);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_garbage_is_ignored() {
        let folder = scratch();
        let a = Entry::open(&folder, process().0).unwrap();
        fs::write(folder.join("dead.lock"), b"").unwrap();
        fs::write(
            folder.join("dead.peer"),
            codec::encode(&process().1).unwrap(),
        )
        .unwrap();
        let garbage = open_private(&folder.join("garbage.lock")).unwrap();
        garbage.try_lock().unwrap();
        fs::write(folder.join("garbage.peer"), vec![0xff; FILE_BYTES_MAX + 10]).unwrap();
        assert!(a.read_others().unwrap().is_empty());
        assert!(!folder.join("dead.peer").exists());
        assert!(folder.join("garbage.peer").exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
