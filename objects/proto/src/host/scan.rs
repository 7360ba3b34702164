//! Which objects are looked at again because the view changed, and when: a part at a time.

use alloc::collections::BTreeSet;

use overlay_proto::ProcessId;

use super::Host;

impl Host {
    /// Objects of this primary may need another set now.
    pub(super) fn on_view_repairs(&mut self) {
        let me = self.world.me;
        if self.slots.count_of(&me) <= self.config.pace.scan {
            self.attention.extend(self.slots.objects_of(&me));
        } else {
            self.repairs.stale = true;
        }
    }

    /// Looks at everything if the view changed, and at what may have to be replaced soon.
    pub(super) fn scan_repairs(&mut self) {
        self.repairs.scan.append(&mut self.repairs.missed);
        if core::mem::take(&mut self.repairs.stale) {
            let objects = self.slots.objects_of(&self.world.me);
            self.repairs.scan.extend(objects);
        }
        self.scan_part(self.config.pace.scan);
        if self.lost.is_crowded() {
            let objects = self.slots.objects_of(&self.world.me);
            let replicas = objects.iter().filter_map(|object| self.replica(object));
            let named = replicas.flat_map(|replica| replica.configuration().processes());
            let named: BTreeSet<ProcessId> = named.collect();
            self.lost.retain(&named);
        }
        self.start_queued();
    }

    /// Looks at the next part of what is to be looked at.
    pub(super) fn tick_scan(&mut self) {
        self.scan_part(self.config.pace.scan_tick);
    }

    fn scan_part(&mut self, most: usize) {
        for _ in 0..most {
            let Some(object) = self.repairs.scan.pop_first() else {
                return;
            };
            self.attention.insert(object);
        }
    }
}
