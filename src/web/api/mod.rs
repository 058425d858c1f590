//! The handlers, one file per noun: JSON to use case, use case to JSON.

pub mod accounts;
pub mod availability;
pub mod blocks;
pub mod calendars;
pub mod conflicts;
pub mod connect;
pub mod contexts;
pub mod events;
pub mod focus;
pub mod holds;
pub mod links;
pub mod notices;
pub mod ops;
pub mod outbox;
pub mod planning_rules;
pub mod rollovers;
pub mod rounds;
pub mod schedule;
pub mod spaces;
pub mod tasks;
mod unplaced;
pub mod users;

use serde::{Deserialize, Deserializer};

/// A field that distinguishes "left out" (`None`) from "emptied" (`Some(None)`).
#[expect(clippy::option_option, reason = "left out, emptied and set are three things to a patch")]
fn emptied<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}
