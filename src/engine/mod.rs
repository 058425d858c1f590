//! The engine decides: pure functions from what is known to what is to be done, each with its reason.
//!
//! **Invariant:** no I/O, no clock, no randomness, no hash maps: the same inputs give the same decision on every machine.

pub mod account;
pub mod agenda;
pub mod backoff;
pub mod busy;
pub mod conflict;
pub mod day;
pub mod drain;
pub mod focus;
pub mod imported;
pub mod listing;
pub mod outbox;
pub mod playlist;
pub mod privacy;
pub mod recurrence;
pub mod repeating;
pub mod replan;
pub mod rest;
pub mod rollover;
pub mod round;
#[cfg(test)]
mod samples;
pub mod scheduling;
pub mod series;
pub mod spans;
pub mod sync;
pub mod ticks;
