//! The hosted kinds as the machine asks for them.

use std::sync::Arc;

use objects_proto::kinds_table::{Kind, KindTable};
use objects_proto::object::MethodId;
use objects_proto::register::{MethodInfo, Methods};

/// Answers the machine from the table of kinds.
pub(crate) struct Hosted(pub(crate) Arc<KindTable>);

impl Hosted {
    fn kind(&self, kind: &str, version: u32) -> Option<&Arc<dyn Kind>> {
        self.0.get(kind).filter(|found| found.version() == version)
    }
}

impl Methods for Hosted {
    fn method(&self, kind: &str, version: u32, id: MethodId) -> Option<MethodInfo> {
        let methods = self.kind(kind, version)?.methods();
        let method = methods.iter().find(|method| method.id == id)?;
        Some(MethodInfo {
            write: method.write,
            asynchronous: method.asynchronous,
        })
    }

    fn hosts(&self, kind: &str, version: u32) -> bool {
        self.kind(kind, version).is_some()
    }
}
