//! The directory records that this node keeps for others, within limits.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

/// Most directory records that a node keeps.
pub const RECORDS_MAX: usize = 256 * 1024;
/// Most bytes of keys and values that a node keeps.
pub const RECORDS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest value of a directory record, bytes.
pub const RECORD_VALUE_BYTES_MAX: usize = 4 * 1024;
/// Shortest key of a directory record, bytes.
pub const RECORD_KEY_BYTES_MIN: usize = 16;
/// Longest key of a directory record, bytes.
pub const RECORD_KEY_BYTES_MAX: usize = 32;
/// Expired records looked for when the store is full.
const SWEEP_INTERVAL_PUTS: u32 = 1024;

/// Whether a key and a value may be a directory record.
pub(crate) fn fits(key: &[u8], value: &[u8]) -> bool {
    (RECORD_KEY_BYTES_MIN..=RECORD_KEY_BYTES_MAX).contains(&key.len())
        && value.len() <= RECORD_VALUE_BYTES_MAX
}

/// A record store with limits. Provider records are not used and not kept.
#[derive(Debug, Default)]
pub(crate) struct Records {
    records: HashMap<RecordKey, Record>,
    bytes: usize,
    puts: u32,
}

fn size(record: &Record) -> usize {
    record.key.as_ref().len() + record.value.len()
}

impl Records {
    fn sweep(&mut self) {
        let now = Instant::now();
        let mut bytes = 0;
        self.records.retain(|_, record| {
            let keep = !record.is_expired(now);
            bytes += if keep { size(record) } else { 0 };
            keep
        });
        self.bytes = bytes;
    }
}

impl RecordStore for Records {
    type RecordsIter<'a> = std::iter::Map<
        std::collections::hash_map::Values<'a, RecordKey, Record>,
        fn(&'a Record) -> Cow<'a, Record>,
    >;
    type ProvidedIter<'a> = std::iter::Empty<Cow<'a, ProviderRecord>>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        let record = self.records.get(key)?;
        (!record.is_expired(Instant::now())).then_some(Cow::Borrowed(record))
    }

    fn put(&mut self, record: Record) -> Result<()> {
        if !fits(record.key.as_ref(), &record.value) {
            return Err(Error::ValueTooLarge);
        }
        self.puts = self.puts.wrapping_add(1);
        if self.puts.is_multiple_of(SWEEP_INTERVAL_PUTS) {
            self.sweep();
        }
        let old = self.records.get(&record.key).map_or(0, size);
        let is_new = old == 0;
        let bytes = self.bytes - old + size(&record);
        if bytes > RECORDS_BYTES_MAX || (is_new && self.records.len() >= RECORDS_MAX) {
            return Err(Error::MaxRecords);
        }
        self.bytes = bytes;
        self.records.insert(record.key.clone(), record);
        Ok(())
    }

    fn remove(&mut self, key: &RecordKey) {
        if let Some(record) = self.records.remove(key) {
            self.bytes -= size(&record);
        }
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        self.records.values().map(Cow::Borrowed)
    }

    fn add_provider(&mut self, _: ProviderRecord) -> Result<()> {
        Err(Error::MaxProvidedKeys)
    }

    fn providers(&self, _: &RecordKey) -> Vec<ProviderRecord> {
        Vec::new()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        std::iter::empty()
    }

    fn remove_provider(&mut self, _: &RecordKey, _: &PeerId) {}
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(key: u8, value: usize) -> Record {
        Record::new(vec![key; 16], vec![0; value])
    }

    #[test]
    fn sizes_are_counted_through_replacement_and_removal() {
        let mut records = Records::default();
        records.put(record(1, 10)).unwrap();
        records.put(record(1, 30)).unwrap();
        records.put(record(2, 5)).unwrap();
        assert_eq!(
            (records.records.len(), records.bytes),
            (2, 16 + 30 + 16 + 5)
        );
        records.remove(&record(1, 0).key);
        assert_eq!((records.records.len(), records.bytes), (1, 21));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut records = Records::default();
        assert!(records.put(record(1, RECORD_VALUE_BYTES_MAX + 1)).is_err());
        assert!(records.put(Record::new(vec![1; 15], vec![])).is_err());
        assert!(records.put(Record::new(vec![1; 33], vec![])).is_err());
        records.bytes = RECORDS_BYTES_MAX;
        assert!(records.put(record(1, 1)).is_err());
    }

    #[test]
    fn expired_records_are_not_found_and_swept() {
        let mut records = Records::default();
        let mut old = record(1, 1);
        old.expires = Instant::now().checked_sub(Duration::from_secs(1));
        let key = old.key.clone();
        records.put(old).unwrap();
        assert!(records.get(&key).is_none());
        records.sweep();
        assert_eq!((records.records.len(), records.bytes), (0, 0));
    }
}
