//! Changing parts of a rule's text and leaving the others as they were written.

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, Timelike, Weekday};

use crate::domain::time::Zone;
use crate::engine::recurrence::Frame;

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// The rule with another end; none of its own stays.
pub(super) fn with_end(rule: &str, end: &str) -> String {
    let kept = parts(rule).filter(|(name, _)| name != "COUNT" && name != "UNTIL");
    let mut text = join(kept);
    text.push(';');
    text.push_str(end);
    text
}

/// `COUNT` of a rule that has one.
pub(super) fn count(rule: &str) -> Option<u32> {
    parts(rule).find(|(name, _)| name == "COUNT").and_then(|(_, value)| value.parse().ok())
}

/// The rule with another `COUNT`, and its `UNTIL` if it had that too.
pub(super) fn with_count(rule: &str, count: u32) -> String {
    join(parts(rule).map(|(name, value)| if name == "COUNT" { (name, count.to_string()) } else { (name, value) }))
}

/// `UNTIL` for a series that ends just before one of its members, in the form that its start asks for (RFC 5545 §3.3.10).
pub(super) fn until_before(frame: &Frame, wall: NaiveDateTime) -> String {
    let second = Duration::seconds(1);
    let before = |wall: NaiveDateTime| wall.checked_sub_signed(second).unwrap_or(wall);
    if frame.is_all_day() {
        format!("UNTIL={}", before(wall).format("%Y%m%d"))
    } else if frame.start.zone() == Zone::Floating {
        format!("UNTIL={}", before(wall).format("%Y%m%dT%H%M%S"))
    } else {
        format!("UNTIL={}", before(frame.at(wall).naive_utc()).format("%Y%m%dT%H%M%SZ"))
    }
}

/// The rule of a series whose start moves: days and times that only repeat what the start says move along, and so does
/// `UNTIL`, so that the last occurrence is not lost.
pub(super) fn moved(rule: &str, old: &Frame, new: &Frame) -> String {
    let (from, to) = (old.start.wall(), new.start.wall());
    let weekly = parts(rule).any(|(name, value)| name == "FREQ" && value == "WEEKLY");
    let ahead = (to.date() - from.date()).num_days();
    join(parts(rule).map(|(name, value)| {
        let value = match name.as_str() {
            "BYDAY" if ahead == 0 => value,
            "BYDAY" if weekly => value.split(',').map(|day| rotated(day, ahead)).collect::<Vec<_>>().join(","),
            "BYDAY" => same_place(&value, from.date(), to.date()).unwrap_or(value),
            "BYMONTHDAY" if value == from.day().to_string() => to.day().to_string(),
            "BYMONTH" if value == from.month().to_string() => to.month().to_string(),
            "BYHOUR" if value == from.hour().to_string() => to.hour().to_string(),
            "BYMINUTE" if value == from.minute().to_string() => to.minute().to_string(),
            "BYSECOND" if value == from.second().to_string() => to.second().to_string(),
            "UNTIL" => moved_until(&value, old, new).unwrap_or(value),
            _ => value,
        };
        (name, value)
    }))
}

fn moved_until(value: &str, old: &Frame, new: &Frame) -> Option<String> {
    let by = new.start.wall() - old.start.wall();
    let read = |text: &str| NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok();
    let wall = match value.strip_suffix('Z') {
        Some(utc) if old.is_all_day() => read(utc)?,
        Some(utc) => old.wall(read(utc)?.and_utc()),
        None => read(value).or_else(|| {
            let day = NaiveDate::parse_from_str(value, "%Y%m%d").ok()?;
            if old.is_all_day() { day.and_hms_opt(0, 0, 0) } else { day.and_hms_opt(23, 59, 59) }
        })?,
    };
    let moved = wall.checked_add_signed(by)?.checked_add_signed(Duration::seconds(1))?;
    // A date names its whole day, and is never before the day's own midnight.
    let moved = if new.is_all_day() { moved.date().succ_opt()?.and_hms_opt(0, 0, 0)? } else { moved };
    until_before(new, moved).strip_prefix("UNTIL=").map(str::to_owned)
}

fn rotated(entry: &str, ahead: i64) -> String {
    let (nth, name) = entry.split_at_checked(entry.len().saturating_sub(2)).unwrap_or(("", entry));
    let place = DAYS.iter().position(|day| *day == name).and_then(|place| i64::try_from(place).ok());
    let turned = place.and_then(|place| usize::try_from((place + ahead).rem_euclid(7)).ok());
    match turned.and_then(|place| DAYS.get(place)) {
        Some(day) => format!("{nth}{day}"),
        None => entry.to_owned(),
    }
}

/// `2MO` of a start on a second Monday, for a start on, say, a third Tuesday: `3TU`.
fn same_place(value: &str, from: NaiveDate, to: NaiveDate) -> Option<String> {
    let name = |weekday: Weekday| DAYS.get(usize::try_from(weekday.num_days_from_monday()).ok()?).copied();
    let place = |day: NaiveDate| i64::from(day.day0() / 7) + 1;
    let is_last = |day: NaiveDate| day.day() + 7 > u32::from(day.num_days_in_month());
    let nth = value.strip_suffix(name(from.weekday())?)?;
    match nth.parse::<i64>() {
        Ok(-1) if is_last(from) && is_last(to) => Some(format!("-1{}", name(to.weekday())?)),
        Ok(nth) if nth == place(from) => Some(format!("{}{}", place(to), name(to.weekday())?)),
        _ if nth.is_empty() => Some(name(to.weekday())?.to_owned()),
        _ => None,
    }
}

fn parts(rule: &str) -> impl Iterator<Item = (String, String)> + '_ {
    rule.split(';').filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_ascii_uppercase(), value.trim().to_ascii_uppercase()))
    })
}

fn join(parts: impl Iterator<Item = (String, String)>) -> String {
    parts.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(";")
}
