//! Integration tests: one binary, so that everything is linked once.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test says so by a panic"
)]

mod account_machine;
mod actors;
