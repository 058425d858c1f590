//! Tests through the public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod corpus_ics;
#[path = "../support/mod.rs"]
mod support;
