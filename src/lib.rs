//! Calwarden: self-hosted calendar sync.

pub mod app;
pub mod config;
#[macro_use]
pub mod domain;
pub mod engine;
pub mod provider;
pub mod store;
pub mod telemetry;
pub mod vault;
