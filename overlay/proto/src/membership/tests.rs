//! Stories of membership.
