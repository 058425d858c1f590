//! Integration tests: one binary, so that everything is linked once.

mod account_machine;
mod actors;
