//! Calwarden keeps the calendars of a product's users in step with the product's own events.
#![doc = include_str!("ARCHITECTURE.md")]

#[macro_use]
pub mod domain;
pub mod actor;
pub mod app;
pub mod config;
pub mod engine;
pub mod ical;
pub mod provider;
pub mod sandbox;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod vault;
pub mod web;
