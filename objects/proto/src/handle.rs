//! A handle: calls through it take effect in the order made.

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::caller::{Caller, HandleId};
use crate::reference::RawRef;
use crate::scope::Scope;

/// A reference bound to a node. Opened at its first call, released when it and the calls
/// made through it are gone. A clone is another handle.
pub struct Handle {
    bound: Arc<Bound>,
}

/// What a handle and the calls made through it share.
pub(crate) struct Bound {
    /// Which object.
    pub(crate) reference: RawRef,
    /// The node.
    pub(crate) node: Arc<dyn Caller>,
    /// The run of a method that the handle was made in.
    pub(crate) scope: Option<Arc<Scope>>,
    /// The handle's number plus one; 0 until the first call.
    opened: AtomicU64,
}

impl Handle {
    /// Binds a reference to a node.
    #[must_use]
    pub fn new(reference: RawRef, node: Arc<dyn Caller>) -> Self {
        Self::bind(reference, node, None)
    }

    /// Binds a reference to a node under a handle that is open already: the one that made the
    /// object, whose session is born with it.
    #[must_use]
    pub fn opened(reference: RawRef, node: Arc<dyn Caller>, handle: HandleId) -> Self {
        let this = Self::bind(reference, node, None);
        this.bound
            .opened
            .store(handle.0.wrapping_add(1), Ordering::Release);
        this
    }

    /// Binds a reference inside a run of a method: calls carry its chain and its deadline.
    pub(crate) fn nested(reference: RawRef, scope: &Arc<Scope>) -> Self {
        Self::bind(reference, scope.node.clone(), Some(scope.clone()))
    }

    fn bind(reference: RawRef, node: Arc<dyn Caller>, scope: Option<Arc<Scope>>) -> Self {
        Self {
            bound: Arc::new(Bound {
                reference,
                node,
                scope,
                opened: AtomicU64::new(0),
            }),
        }
    }

    /// The reference that the handle was bound with.
    #[must_use]
    pub fn reference(&self) -> &RawRef {
        &self.bound.reference
    }

    /// The node that it is bound to.
    #[must_use]
    pub fn node(&self) -> &Arc<dyn Caller> {
        &self.bound.node
    }

    /// The handle's number at its node. Opens it if it has made no call yet.
    #[must_use]
    pub fn id(&self) -> HandleId {
        self.bound.id()
    }

    /// What calls share with the handle.
    pub(crate) const fn bound(&self) -> &Arc<Bound> {
        &self.bound
    }
}

impl Bound {
    /// The handle's number, opened now if this is the first call.
    pub(crate) fn id(&self) -> HandleId {
        let opened = self.opened.load(Ordering::Acquire);
        if opened != 0 {
            return HandleId(opened.wrapping_sub(1));
        }
        let fresh = self.node.open_handle();
        let marked = fresh.0.wrapping_add(1);
        match self
            .opened
            .compare_exchange(0, marked, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => fresh,
            Err(other) => {
                self.node.release_handle(fresh);
                HandleId(other.wrapping_sub(1))
            }
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let opened = *self.opened.get_mut();
        if opened != 0 {
            self.node.release_handle(HandleId(opened.wrapping_sub(1)));
        }
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        let Bound {
            reference,
            node,
            scope,
            ..
        } = &*self.bound;
        Self::bind(reference.clone(), node.clone(), scope.clone())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reference = self.reference();
        write!(f, "{}({})", reference.kind, reference.id)
    }
}
