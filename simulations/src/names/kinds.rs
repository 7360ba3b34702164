//! The kinds of the names scenario, hosted as user code is.

use std::collections::BTreeMap;
use std::sync::Arc;

use objects_macros::shared;
use objects_proto::kinds_table::KindTable;
use objects_proto::naming::{Names, Unbound};
use objects_proto::object::ObjectId;
use objects_proto::reference::RawRef;
use serde::{Deserialize, Serialize};

/// What gets a name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Counter {
    count: u64,
}

#[shared(crate = objects_proto)]
impl Counter {
    /// Adds one.
    pub(super) fn increment(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

/// A directory of names that binds without looking: the last writer wins. Broken on purpose.
#[derive(Default, Serialize, Deserialize)]
struct CarelessNames {
    names: BTreeMap<String, RawRef>,
}

#[shared(crate = objects_proto, name = "pydo.Names")]
impl CarelessNames {
    fn bind(&mut self, name: &str, reference: RawRef) -> Result<(), Unbound> {
        self.names.insert(name.to_owned(), reference);
        Ok(())
    }

    fn lookup(&self, name: &str) -> Option<RawRef> {
        self.names.get(name).cloned()
    }

    fn release(&mut self, name: &str, _object: ObjectId) {
        self.names.remove(name);
    }
}

/// What a host hosts; `careless`: with the directory of names that is broken on purpose.
#[must_use]
pub(super) fn hosted(careless: bool) -> Arc<KindTable> {
    let mut kinds = KindTable::default();
    let names = if careless {
        kinds.register::<CarelessNames>()
    } else {
        kinds.register::<Names>()
    };
    let registered = kinds.register::<Counter>().and(names);
    debug_assert_eq!(registered, Ok(()), "their names differ");
    Arc::new(kinds)
}
