//! The engine decides: what a round does, when the next one is due, who wins. Pure.
//!
//! **Invariant:** nothing here is `async`, reads a clock, draws a random number, does I/O or logs.

pub mod account;
pub mod backoff;
