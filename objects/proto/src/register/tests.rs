//! Stories of one register.
