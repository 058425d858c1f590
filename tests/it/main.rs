//! Integration tests: one binary, so that everything is linked once.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test says so by a panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod account_machine;
mod actors;
mod corpus_ics;
mod http;
mod peers;
mod rrule_cases;
mod store_contract;
