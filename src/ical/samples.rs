//! Shared samples of tests.
