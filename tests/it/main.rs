//! Tests of the library from outside.

#[path = "../support/mod.rs"]
mod support;

mod dateutil;
mod rrule_cases;
