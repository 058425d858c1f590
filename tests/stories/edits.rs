//! What a person's act makes of an event, on either side: the product's own editing of series, and its promise (I-8).

use calwarden::{
    domain::{
        event::{EventContent, Facts, Recurrence},
        time::{EventTime, Window},
    },
    engine::{
        recurrence::{Bounds, expand},
        series::{self, EditScope, SeriesDelete, SeriesEdit},
    },
};
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::{Europe::Paris, Tz};

use super::steps::Act;

/// The zone of everybody in a story.
pub const ZONE: Tz = Paris;
/// Minutes between two numbered times; they pass through the night in which the clocks go forward.
pub const STRIDE: i64 = 17;

/// What became of the event.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, taken apart at once")]
pub enum Made {
    Same(EventContent),
    Split(EventContent, EventContent),
    Gone,
    Nothing,
}

fn first_time() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 3, 26).and_then(|day| day.and_hms_opt(8, 0, 0)).expect("a time")
}

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day")
}

/// When a story begins: before everything in it.
pub fn beginning() -> DateTime<Utc> {
    "2026-03-20T08:00:00Z".parse().expect("an instant")
}

/// The numbered time, as a time or as a day.
fn time(number: u32, day: bool) -> (EventTime, EventTime) {
    if day {
        let start = first_day() + Duration::days(number.into());
        return (EventTime::Date(start), EventTime::Date(start + Duration::days(1)));
    }
    let start = first_time() + Duration::minutes(i64::from(number) * STRIDE);
    (EventTime::zoned(start, ZONE), EventTime::zoned(start + Duration::minutes(30), ZONE))
}

/// The number of a time, if it has one.
pub fn number_of(time: &EventTime) -> Option<u32> {
    let number = match time {
        EventTime::Date(day) => (*day - first_day()).num_days(),
        other @ EventTime::DateTime { .. } => {
            let minutes = (other.wall() - first_time()).num_minutes();
            if minutes % STRIDE == 0 { minutes / STRIDE } else { -1 }
        }
    };
    u32::try_from(number).ok()
}

/// A new event.
pub fn made(act: Act) -> Option<EventContent> {
    let (number, day, series) = match act {
        Act::Meeting(number) => (number, false, false),
        Act::Day(number) => (number, true, false),
        Act::Series(number) => (number, false, true),
        _ => return None,
    };
    let (start, end) = time(number, day);
    let mut content = EventContent::single(Facts::new(format!("t{number}"), start, end));
    if series {
        content.recurrence = Recurrence { rules: vec!["FREQ=DAILY;COUNT=8".into()], ..Recurrence::default() };
    }
    Some(content)
}

/// The occurrences of an event, by the name of each.
pub fn instants(content: &EventContent) -> Vec<(Option<EventTime>, DateTime<Utc>, String)> {
    let day = Duration::days(1);
    let window = Window { from: beginning() - day * 100, to: beginning() + day * 900 };
    let found = expand(content, window, ZONE, &Bounds::default()).expect("a rule of ours");
    found.occurrences.into_iter().map(|one| (one.recurrence_id, one.start, one.facts.title.clone())).collect()
}

fn nth(content: &EventContent, at: u32) -> Option<EventTime> {
    let all = instants(content);
    let at = usize::try_from(at).expect("small") % all.len().max(1);
    all.get(at).and_then(|(name, _, _)| *name)
}

/// Does it; what the product refuses, nobody did.
pub fn done(content: &EventContent, act: Act) -> Made {
    let edit = |at: Option<EventTime>, scope, facts: Facts| match series::edit(
        content,
        at.as_ref(),
        scope,
        &facts,
        None,
        ZONE,
    ) {
        Ok(SeriesEdit::Changed(content)) => Made::Same(content),
        Ok(SeriesEdit::Split { head, tail }) => Made::Split(head, tail),
        Err(_) => Made::Nothing,
    };
    let titled = |at: EventTime, scope, title: String| edit(Some(at), scope, Facts { title, ..facts_at(content, &at) });
    let cut = |at, scope| match series::delete(content, Some(&at), scope, ZONE) {
        Ok(SeriesDelete::Changed(content)) => Made::Same(content),
        Ok(SeriesDelete::Whole) => Made::Gone,
        Err(_) => Made::Nothing,
    };
    let facts = content.facts.clone();
    match act {
        Act::Title(number) => edit(None, EditScope::All, Facts { title: format!("t{number}"), ..facts }),
        Act::Place(number) => edit(None, EditScope::All, Facts { location: Some(format!("p{number}")), ..facts }),
        Act::Time(number) => {
            let (start, end) = time(number, facts.start.is_all_day());
            edit(None, EditScope::All, Facts { start, end, ..facts })
        }
        Act::One(at, number) => match nth(content, at) {
            Some(at) => titled(at, EditScope::This, format!("o{number}")),
            None => Made::Nothing,
        },
        Act::Following(at, number, _) => match nth(content, at) {
            Some(at) => titled(at, EditScope::Following, format!("t{number}")),
            None => Made::Nothing,
        },
        Act::Skip(at) => nth(content, at).map_or(Made::Nothing, |at| cut(at, EditScope::This)),
        Act::Drop(at) => nth(content, at).map_or(Made::Nothing, |at| cut(at, EditScope::Following)),
        Act::Delete => Made::Gone,
        _ => Made::Nothing,
    }
}

fn facts_at(content: &EventContent, at: &EventTime) -> Facts {
    if let Some(own) = content.override_at(at) {
        return own.facts.clone();
    }
    let length = content.facts.end.wall() - content.facts.start.wall();
    let (start, end) = (content.facts.start.with_wall(at.wall()), content.facts.end.with_wall(at.wall() + length));
    Facts { start, end, ..content.facts.clone() }
}

/// I-8: an act on one occurrence changes no other, and a cut keeps the instants.
pub fn harms_others(before: &EventContent, act: Act, after: &Made) -> Option<String> {
    let was = instants(before);
    let is: Vec<_> = match after {
        Made::Same(content) => instants(content),
        Made::Split(head, tail) => instants(head).into_iter().chain(instants(tail)).collect(),
        Made::Gone | Made::Nothing => return None,
    };
    let times = |all: &[(Option<EventTime>, DateTime<Utc>, String)]| {
        let mut times: Vec<_> = all.iter().map(|(_, start, _)| *start).collect();
        times.sort_unstable();
        times
    };
    let same_times = times(&was) == times(&is);
    let unlike = was.iter().filter(|(_, start, title)| !is.iter().any(|(_, at, now)| at == start && now == title));
    let unlike = unlike.count();
    let broken = match act {
        Act::One(..) => !same_times || unlike > 1,
        Act::Following(..) => !same_times,
        Act::Skip(_) => is.len() + 1 != was.len() || unlike != 1,
        Act::Drop(_) => !is.iter().all(|one| was.contains(one)),
        _ => false,
    };
    broken.then(|| format!("I-8 {act}: {} occurrences before, {} after, {unlike} unlike", was.len(), is.len()))
}
