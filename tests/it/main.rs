//! Integration tests: one binary, so that everything is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../fuzz/bodies.rs"]
mod bodies;
#[path = "../support/mod.rs"]
mod support;

mod account_machine;
mod actors;
mod corpus_ics;
mod dateutil;
mod google_pages;
mod hostile;
mod http;
mod peers;
mod planning;
mod provider_contract;
mod rollover_cases;
mod rrule_cases;
mod store_contract;
