//! Calwarden: self-hosted calendar sync.

#[macro_use]
pub mod domain;
pub mod provider;
pub mod vault;
