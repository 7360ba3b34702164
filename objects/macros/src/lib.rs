//! The `#[shared]` attribute.
