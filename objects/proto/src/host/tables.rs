//! How full the tables of a host are.

use alloc::vec::Vec;

use overlay_proto::Table;

use super::Host;
use super::repair::LOST_CROWD;
use crate::object::MEMBERS_MAX;

impl Host {
    /// How full every table is that others can fill; of the tables that every replica has, the
    /// fullest.
    #[must_use]
    pub fn tables(&self) -> Vec<Table> {
        let objects = self.config.limits.objects;
        let named = objects.saturating_mul(MEMBERS_MAX);
        let untakeable = self.drain.as_ref().map_or(0, |drain| drain.untakeable());
        let mut tables = Vec::from([
            self.host_counts.table(),
            Table::new("absent", self.absent.len(), objects),
            Table::new("lost", self.lost.len(), named.saturating_add(LOST_CROWD)),
            Table::new("attention", self.attention.len(), objects),
            Table::new("outboxes", self.outboxes.len(), objects),
            Table::new("untakeable", untakeable, objects),
        ]);
        tables.extend(self.rebalance.tables(self.config.limits.moves));
        tables.extend([self.world.reach.table(), self.returned.table()]);
        tables.extend(self.slots.tables(objects));
        tables.extend(self.tombstones.tables());
        tables.extend(self.silence.tables());
        tables.extend(self.repairs.tables(objects));
        tables.extend(self.deliveries.tables(objects));
        tables.extend(self.inquiries.tables());
        tables.extend(self.world.leases.given.tables());
        tables.extend(self.world.leases.held.tables());
        tables.extend(self.fullest());
        tables
    }

    fn fullest(&self) -> Vec<Table> {
        let mut fullest: Vec<Table> = Vec::new();
        for (_, replica) in self.replicas() {
            let tables = replica.tables();
            if fullest.is_empty() {
                fullest.extend(tables);
                continue;
            }
            for (kept, table) in fullest.iter_mut().zip(tables) {
                kept.len = kept.len.max(table.len);
            }
        }
        fullest
    }
}
