//! What users rely on, from end to end. The examples are run by the tests of their package.

mod bad_input;
mod fixture;
mod full_mailbox;
mod hostile;
mod names;
mod outside;
mod overlay_alone;
mod repeats;
