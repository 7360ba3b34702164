//! Which links there are, which are wanted, and whom to dial.

mod contacts;
mod dials;
mod links;

pub use contacts::Contacts;
pub use dials::Dials;
pub use links::Links;
