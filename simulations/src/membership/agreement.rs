//! Whether all views are the truth.

use std::collections::BTreeMap;

use overlay_proto::ProcessId;

use super::{Membership, OverlayKernel};
use crate::invariants::view_converges;

impl Membership {
    pub(super) fn agreement(&self, kernel: &OverlayKernel) -> Result<(), String> {
        let expected: BTreeMap<ProcessId, u32> = kernel
            .running()
            .filter(|node| Some(*node) != self.client)
            .filter_map(|node| kernel.process(node))
            .map(|process| (process, self.announced.get(&process).map_or(0, |a| a.load)))
            .collect();
        let mut agreed = None;
        for node in kernel.running() {
            let (Some(process), Some(machine)) = (kernel.process(node), kernel.machine(node))
            else {
                continue;
            };
            let view = machine.view();
            if agreed != Some(view.fingerprint()) {
                view_converges::agrees(process, &view, &expected)?;
                agreed = Some(view.fingerprint());
            }
        }
        Ok(())
    }
}
