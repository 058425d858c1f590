//! Calwarden: self-hosted calendar sync.

#[macro_use]
pub mod domain;
pub mod actor;
pub mod engine;
pub mod provider;
