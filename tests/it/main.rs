//! Tests through the public interface.

mod corpus_ics;
#[path = "../support/mod.rs"]
mod support;
