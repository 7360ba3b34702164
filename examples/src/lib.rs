//! Runnable programs; see the files beside this package's manifest. Here is what they share with
//! their tests.

pub mod bank;
