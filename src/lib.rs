//! Calwarden: self-hosted calendar sync.

#[macro_use]
pub mod domain;
pub mod engine;
pub mod ical;
pub mod provider;
