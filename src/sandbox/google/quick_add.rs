//! `events.quickAdd`: an event from a line of text, such as `Dentist on June 3rd 10am-10:25am` or `Lunch tomorrow at noon`.

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveTime, Timelike, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use crate::domain::time::resolve_wall;

/// Longest text that is read, in bytes.
pub(super) const TEXT_MAX: usize = 1_024;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Words that only lead to a time.
const LEADS: [&str; 3] = ["at", "on", "from"];

/// Title, start and end of what a text says; without a time of day it is the whole day, without both the next hour.
pub(super) fn read(text: &str, now: DateTime<Utc>, zone: &str) -> Map<String, Value> {
    let tz: Tz = zone.parse().unwrap_or(Tz::UTC);
    let today = now.with_timezone(&tz);
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut title: Vec<&str> = Vec::new();
    let mut day: Option<NaiveDate> = None;
    let mut time: Option<(NaiveTime, Option<NaiveTime>)> = None;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let next = words.get(at + 1).copied();
        let found = if let Some(span) = span(word).filter(|_| time.is_none()) {
            time = Some(span);
            1
        } else if let Some((found, used)) = date(word, next, today.date_naive()).filter(|_| day.is_none()) {
            day = Some(found);
            used
        } else {
            title.push(word);
            0
        };
        if found > 0 && title.last().is_some_and(|lead| LEADS.contains(&lead.to_ascii_lowercase().as_str())) {
            title.pop();
        }
        at += found.max(1);
    }
    let mut item = Map::new();
    item.insert("summary".to_owned(), json!(title.join(" ")));
    let (start, end) = match (day, time) {
        (Some(day), None) => {
            (json!({ "date": day.to_string() }), json!({ "date": (day + Duration::days(1)).to_string() }))
        }
        (day, Some((from, to))) => {
            let start = resolve_wall(day.unwrap_or_else(|| today.date_naive()).and_time(from), tz);
            let start = if day.is_none() && start < now { start + Duration::days(1) } else { start };
            let end = to.map_or(start + Duration::hours(1), |to| {
                resolve_wall(start.with_timezone(&tz).date_naive().and_time(to), tz)
            });
            let end = if end < start { end + Duration::days(1) } else { end };
            (moment(start, tz), moment(end, tz))
        }
        (None, None) => {
            let start = now - Duration::minutes(i64::from(now.minute())) - Duration::seconds(i64::from(now.second()))
                + Duration::hours(1);
            (moment(start, tz), moment(start + Duration::hours(1), tz))
        }
    };
    item.insert("start".to_owned(), start);
    item.insert("end".to_owned(), end);
    item
}

fn moment(at: DateTime<Utc>, tz: Tz) -> Value {
    json!({ "dateTime": at.with_timezone(&tz).to_rfc3339_opts(chrono::SecondsFormat::Secs, true), "timeZone": tz.name() })
}

/// `10am`, `10:25`, `noon`, `10am-10:25am`.
fn span(word: &str) -> Option<(NaiveTime, Option<NaiveTime>)> {
    match word.split_once('-') {
        Some((from, to)) => Some((clock(from)?, Some(clock(to)?))),
        None => Some((clock(word)?, None)),
    }
}

fn clock(text: &str) -> Option<NaiveTime> {
    let text = text.trim_end_matches(['.', ',']).to_ascii_lowercase();
    match text.as_str() {
        "noon" => return NaiveTime::from_hms_opt(12, 0, 0),
        "midnight" => return NaiveTime::from_hms_opt(0, 0, 0),
        _ => {}
    }
    let (digits, half) = match (text.strip_suffix("am"), text.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(0)),
        (_, Some(digits)) => (digits, Some(12)),
        _ => (text.as_str(), None),
    };
    let (hour, minute) = match digits.split_once(':') {
        Some((hour, minute)) => (hour.parse::<u32>().ok()?, minute.parse().ok()?),
        None => (digits.parse().ok()?, half.map(|_| 0)?),
    };
    let hour = half.map_or(Some(hour), |half| (1..=12).contains(&hour).then_some(hour % 12 + half))?;
    NaiveTime::from_hms_opt(hour, minute, 0)
}

/// `today`, `tomorrow`, `friday`, `2026-06-03`, `June 3rd`: the day, and how many words say it.
fn date(word: &str, next: Option<&str>, today: NaiveDate) -> Option<(NaiveDate, usize)> {
    let low = word.trim_end_matches(['.', ',']).to_ascii_lowercase();
    match low.as_str() {
        "today" => return Some((today, 1)),
        "tomorrow" => return Some((today + Duration::days(1), 1)),
        _ => {}
    }
    if let Ok(day) = low.parse() {
        return Some((day, 1));
    }
    let short = low.get(..3)?;
    let whole = |names: &[&str]| names.iter().position(|name| *name == short);
    if let Some(wanted) = whole(&DAYS).filter(|_| low.len() == 3 || low.ends_with("day")) {
        let ahead = (wanted + 7 - usize::try_from(today.weekday().num_days_from_monday()).unwrap_or(0)) % 7;
        return Some((today + Duration::days(i64::try_from(ahead).unwrap_or(0)), 1));
    }
    let month = u32::try_from(whole(&MONTHS)?).ok()? + 1;
    let number: String = next?.chars().take_while(char::is_ascii_digit).collect();
    let day = NaiveDate::from_ymd_opt(today.year(), month, number.parse().ok()?)?;
    let day = if day < today { day.with_year(today.year() + 1)? } else { day };
    Some((day, 2))
}
