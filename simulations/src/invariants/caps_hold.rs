//! Every table that other processes can fill keeps its limit.
//!
//! Source: design section 12, everything is bounded; reliability research 4.5.

use overlay_proto::{ProcessId, Table};

/// The invariant's name in reports.
pub const NAME: &str = "caps_hold";

/// Checks the tables of a process.
///
/// # Errors
/// In words, of the first one that is too full.
pub fn check(process: ProcessId, tables: impl IntoIterator<Item = Table>) -> Result<(), String> {
    let mut tables = tables.into_iter();
    let too_full = tables.find(|table| !table.holds());
    too_full.map_or(Ok(()), |Table { name, len, cap }| {
        Err(format!(
            "{process}: {name} has {len} entries, of at most {cap}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    #[test]
    fn a_table_may_be_full_and_no_fuller() {
        let process = ProcessId {
            peer: PeerId([1; 32]),
            incarnation: Incarnation(1),
        };
        let full = Table::new("full", 3, 3);
        assert_eq!(check(process, [full]), Ok(()));
        assert!(check(process, [full, Table::new("fuller", 4, 3)]).is_err());
    }
}
