//! What is known of a remote method without its types.

use crate::object::MethodId;

/// Most arguments of one remote method.
pub const ARGUMENTS_MAX: usize = 12;

/// A remote method of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// [`MethodId::of`] its name.
    pub id: MethodId,
    /// `&mut self`: it may change the object.
    pub write: bool,
    /// `async fn`: it may wait while it runs, and no other write runs meanwhile.
    pub asynchronous: bool,
    /// `#[deterministic]`: equal states and arguments give equal states and results on every
    /// host, so that a backup may run it again instead of being sent what it made.
    pub deterministic: bool,
    /// The names of its arguments in order, the context excluded. At most [`ARGUMENTS_MAX`].
    pub arguments: &'static [&'static str],
}

impl Method {
    /// The method with this name.
    #[must_use]
    pub const fn new(
        name: &'static str,
        write: bool,
        asynchronous: bool,
        arguments: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            id: MethodId::of(name),
            write,
            asynchronous,
            deterministic: false,
            arguments,
        }
    }

    /// The same method, declared deterministic: a synchronous write without a context.
    ///
    /// # Panics
    /// At compile time, if it is no synchronous write.
    #[must_use]
    pub const fn deterministic(self) -> Self {
        assert!(
            self.write && !self.asynchronous,
            "only a synchronous write can be deterministic"
        );
        Self {
            deterministic: true,
            ..self
        }
    }
}

/// Fails the build of a kind of which two methods have one id.
///
/// # Panics
/// At compile time, if two methods have one name, or names that hash to one id.
pub const fn assert_distinct(methods: &[Method]) {
    let mut left = 0;
    while left < methods.len() {
        let mut right = left + 1;
        while right < methods.len() {
            assert!(
                methods[left].id.0 != methods[right].id.0,
                "two remote methods of this kind have one name, or names with one method id: \
                 rename one of them"
            );
            right += 1;
        }
        left += 1;
    }
}
