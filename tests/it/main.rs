//! Tests of the library from outside.

#[path = "../support/mod.rs"]
mod support;

mod store_contract;
