//! The HTTP API on a real store, with scripted servers behind it.

mod accounts;
mod app;
mod contract;
mod document;
mod events;
mod history;
mod idempotency;
mod series;
mod tenancy;
