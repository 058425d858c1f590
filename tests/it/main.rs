//! Integration tests: one binary, so that everything is linked once.

#[path = "../support/mod.rs"]
mod support;

mod account_machine;
mod actors;
mod rrule_cases;
mod store_contract;
