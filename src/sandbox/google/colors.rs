//! `colors`: the palettes of calendars and of events.

use serde_json::{Map, Value, json};

use super::{SandboxAnswer, TokenHolder, shape};
use crate::sandbox::reply::SandboxRequest;

/// Scopes that may read the palettes.
const MAY_READ_COLORS: &[&str] = &[
    "calendar",
    "calendar.app.created",
    "calendar.calendarlist",
    "calendar.calendarlist.readonly",
    "calendar.events.freebusy",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.public.readonly",
    "calendar.readonly",
];
/// What is written on top of a colour.
const FOREGROUND: &str = "#1d1d1d";
/// Colours of calendars, from `1` on.
const CALENDAR: [&str; 24] = [
    "#ac725e", "#d06b64", "#f83a22", "#fa573c", "#ff7537", "#ffad46", "#42d692", "#16a765", "#7bd148", "#b3dc6c",
    "#fbe983", "#fad165", "#92e1c0", "#9fe1e7", "#9fc6e7", "#4986e7", "#9a9cff", "#b99aff", "#c2c2c2", "#cabdbf",
    "#cca6ac", "#f691b2", "#cd74e6", "#a47ae2",
];
/// Colours of events, from `1` on.
const EVENT: [&str; 11] = [
    "#a4bdfc", "#7ae7bf", "#dbadff", "#ff887c", "#fbd75b", "#ffb878", "#46d6db", "#e1e1e1", "#5484ed", "#51b749",
    "#dc2127",
];

/// `colors.get`.
pub(super) fn get(caller: &TokenHolder, asked: &SandboxRequest) -> SandboxAnswer {
    caller.needs(MAY_READ_COLORS)?;
    let palette = |colors: &[&str]| -> Map<String, Value> {
        let one = |color: &str| json!({ "background": color, "foreground": FOREGROUND });
        (1..).zip(colors).map(|(id, color): (usize, _)| (id.to_string(), one(color))).collect()
    };
    let body = json!({ "kind": "calendar#colors", "updated": "2012-02-14T00:00:00.000Z", "calendar": palette(&CALENDAR),
        "event": palette(&EVENT) });
    shape::answer(asked, body)
}

/// Whether events have a colour of this id.
pub(super) fn is_event_color(id: &str) -> bool {
    id.parse::<usize>().is_ok_and(|id| (1..=EVENT.len()).contains(&id))
}

/// The background of a calendar colour.
pub(super) fn calendar_color(id: &str) -> Option<&'static str> {
    CALENDAR.get(id.parse::<usize>().ok()?.checked_sub(1)?).copied()
}

/// The id of the calendar colour that is nearest to a `#rrggbb`.
pub(super) fn nearest(color: &str) -> Option<String> {
    let wanted = channels(color)?;
    let far = |held: &str| {
        let held = channels(held).unwrap_or_default();
        held.iter().zip(wanted).map(|(a, b)| (i64::from(*a) - i64::from(b)).pow(2)).sum::<i64>()
    };
    (1..).zip(CALENDAR).min_by_key(|(_, held): &(usize, _)| far(held)).map(|(id, _)| id.to_string())
}

fn channels(color: &str) -> Option<[u8; 3]> {
    let hex = color.strip_prefix('#').filter(|hex| hex.len() == 6)?;
    let at = |from: usize| u8::from_str_radix(hex.get(from..from + 2)?, 16).ok();
    Some([at(0)?, at(2)?, at(4)?])
}
