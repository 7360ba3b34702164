//! Copies of one object under one ballot and version are equal: that is what an answer to an
//! accept claims. Source: design review, 1.13.

use std::collections::BTreeMap;

use super::ObjectsKernel;

/// Compares all copies that there are.
///
/// # Errors
/// In words, of the first two that differ.
pub(super) fn equal_copies(kernel: &ObjectsKernel) -> Result<(), String> {
    let mut seen = BTreeMap::new();
    for node in kernel.running() {
        let replicas = kernel
            .machine(node)
            .into_iter()
            .flat_map(|one| one.replicas());
        for (object, replica) in replicas {
            // What came too late to be accepted is kept under the lowest ballot, and is no vote.
            let Some((ballot, version, value)) =
                replica.value().filter(|(ballot, ..)| ballot.round > 0)
            else {
                continue;
            };
            let place = (*object, replica.configuration().epoch, ballot, version);
            let (other, first) = *seen.entry(place).or_insert((node, value));
            if first != value {
                return Err(format!(
                    "nodes {other} and {node} hold different values of {object:?} at {ballot:?}, \
                     {version:?}"
                ));
            }
        }
    }
    Ok(())
}
