//! Tests of the library from outside.

#[path = "../support/mod.rs"]
mod support;

mod rrule_cases;
