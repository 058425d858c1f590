//! What a round decides: which events have changed, what follows for each, and what is gone.
//!
//! - **calendars**: which are new, gone, or to be read.
//! - **sweep**: what a pull has seen so far, against what we held when it began.
//! - **batch**: changed events that are decided together, each beside what of ours it seems to be.
//! - **changes**: what one transaction stores, collected from decisions.
//! - **missing**: what is gone at the end of a pull, and what becomes of it.

pub mod batch;
pub mod calendars;
pub mod carried;
pub mod changes;
pub mod context;
pub mod missing;
mod outcome;
pub mod pulled;
pub mod report;
pub mod sweep;
