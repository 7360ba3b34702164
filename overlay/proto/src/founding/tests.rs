//! Stories of founding.
