//! Stories of a registry.
