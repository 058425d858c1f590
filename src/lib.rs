//! Calwarden: self-hosted calendar sync.

#[macro_use]
pub mod domain;
pub mod engine;
pub mod provider;
pub mod store;
