//! Look-alikes of providers on loopback, for offline development and for tests: they speak the provider's wire format and
//! keep everything in memory.
//!
//! - **world**: the state of a look-alike: people, calendars, grants, channels. No I/O, no clock, no randomness of its own:
//!   the same seed and the same requests give the same answers.
//! - **host**: what puts a world behind a port and delivers its notifications.
//! - **control**: requests under `/control` that make it misbehave.
//!
//! `README.md` beside this file is the page for people who use it.

pub mod google;
pub mod host;
pub mod reply;

pub use reply::{Reply, SandboxRequest};
