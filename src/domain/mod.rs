//! The names: what Calwarden talks about, with no I/O, no clock and no randomness.
//!
//! **Invariant:** nothing here is `async`, reads a clock, draws a random number or imports another layer.

pub mod account;
pub mod availability;
pub mod block;
pub mod calendar;
pub mod changed;
pub mod channel;
pub mod conflict;
pub mod context;
pub mod event;
pub mod failure;
pub mod focus;
pub mod grant;
pub mod ids;
pub mod mapping;
pub mod notice;
pub mod outbox;
pub mod page;
pub mod person;
pub mod ports;
pub mod promise;
pub mod proposal;
pub mod rollover;
pub mod round;
pub mod secret;
pub mod task;
pub mod time;
mod words;
pub mod working_hours;
