//! Runnable programs; see the files beside this package's manifest.
