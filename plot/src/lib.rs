//! Draws the figures of a run: a page of small panels, one self-contained file.
//!
//! Modules import only leftwards: `ticks · panel · chart · page`.

pub mod chart;
mod page;
pub mod panel;
pub mod ticks;

pub use page::{Kind, Page};
