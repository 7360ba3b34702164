//! How full the tables of the machine are.

use overlay_proto::Table;

use super::{LOCAL_MAX, Objects};

impl Objects {
    /// How full every table is that others can fill. Tables that every object has appear once,
    /// as the fullest of them.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        let local = Table::new("local", self.local.len(), LOCAL_MAX);
        core::iter::once(local)
            .chain(self.host.tables())
            .chain(self.client.tables())
            .chain(self.creations.tables(self.view.len()))
            .chain(self.recoveries.tables())
    }
}
