//! The overlay without objects.

fn main() {}
