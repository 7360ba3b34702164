//! How full the tables of the creations are.

use overlay_proto::Table;

use super::Creations;

impl Creations {
    /// How full its tables are, in a view of `members`.
    pub fn tables(&self, members: usize) -> impl Iterator<Item = Table> {
        let (open, by_object) = (self.open.len(), self.by_object.len());
        [
            Table::new("creations.open", open, self.limit),
            Table::new("creations.by_object", by_object, self.limit),
            Table::new("creations.stamps", self.dealer.stamps(), members),
        ]
        .into_iter()
    }
}
