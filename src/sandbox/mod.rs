//! Look-alikes of providers on loopback, for offline development and for tests: they speak the provider's wire format and
//! keep everything in memory.
//!
//! - **look-alike**: one provider, a folder of its own; it knows no other.
//! - **world**: the state of a look-alike: people, calendars, grants, channels. No I/O, no clock, no randomness of its own:
//!   the same seed and the same requests give the same answers.
//! - **host**: what puts all of them behind one port and delivers their notifications, and knows none by name.
//! - **control**: requests under `/control` that make it misbehave.
//!
//! `README.md` beside this file is the page for people who use it.

pub mod google;
pub mod host;
pub mod look_alike;
pub mod reply;

pub use look_alike::{LookAlike, Push};
pub use reply::{Reply, SandboxRequest};

/// All of them, empty; what they invent follows from the seed. What is asked for below no root is for the first one.
#[must_use]
pub fn look_alikes(seed: u64) -> Vec<Box<dyn LookAlike>> {
    vec![Box::new(google::GoogleLookAlike::new(seed))]
}
