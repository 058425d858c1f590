//! The HTTP API on a real store, with scripted servers behind it.

mod accounts;
mod app;
mod connection;
mod contract;
mod direction;
mod document;
mod events;
mod google;
mod google_habits;
mod history;
mod holds;
mod hostile;
mod idempotency;
mod landing;
mod leaving;
mod planning;
mod privacy;
mod selection;
mod series;
mod shared_spaces;
mod tenancy;
mod zone_rules;
