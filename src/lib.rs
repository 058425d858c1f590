//! Calwarden: self-hosted calendar sync.

#[macro_use]
pub mod domain;
pub mod actor;
pub mod app;
pub mod config;
pub mod engine;
pub mod ical;
pub mod provider;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod web;
