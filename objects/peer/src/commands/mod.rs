//! One file per command.

pub(crate) mod call;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod inspect;
pub(crate) mod members;
pub(crate) mod objects;
pub(crate) mod recover;
pub(crate) mod run;
