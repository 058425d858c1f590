//! Zone names as the world spells them, and what zone each means (RFC 5545 §3.2.19, §3.6.5).
//!
//! - **named**: an IANA name, or a Windows name that stands for one.
//! - **custom**: a name that means something only through its own `VTIMEZONE`.
//! - **plain**: a name without what its place in a text adds to it: quotes, blanks around it, and the backslashes of a TEXT
//!   value. Exchange and Cyrus write `TZID:(UTC+01:00) Amsterdam\, Berlin` in a `VTIMEZONE`, for a parameter without backslashes.
//!
//! **Invariant:** for a known name the zone database wins over the text's `VTIMEZONE`, which may be old.
//! **Invariant:** an unknown zone floats; it is never taken for UTC.

mod custom;
mod windows;

use std::{borrow::Cow, collections::BTreeMap};

use chrono::{Datelike, FixedOffset, NaiveDateTime};
use chrono_tz::Tz;

use self::custom::CustomZone;
use super::{
    TextLimits,
    component::{Component, ComponentKind},
    line::ContentLine,
    text,
    value::{self, UnzonedTime},
};
use crate::domain::time::{EventTime, Zone};

/// What a `TZID` means by its name alone: an IANA name in any case, behind any prefix; a Windows name; what Outlook shows;
/// an offset (`GMT+0200`, `UTC-5`). `None`: only a `VTIMEZONE` can say.
#[must_use]
pub fn resolve(name: &str) -> Option<Zone> {
    let name = plain(name);
    named(&name).or_else(|| windows::by_cities(&name).map(|tz| canonical(Zone::Named(tz)))).or_else(|| offset(&name))
}

/// A name without quotes, blanks around it and backslashes.
fn plain(name: &str) -> Cow<'_, str> {
    fn bare(name: &str) -> &str {
        name.trim().trim_matches('"').trim()
    }
    if name.contains('\\') { Cow::Owned(bare(&text::unescape(name)).to_owned()) } else { Cow::Borrowed(bare(name)) }
}

/// What two spellings of one name have in common: a `VTIMEZONE` is found by it.
pub(super) fn key(name: &str) -> String {
    plain(name).to_lowercase()
}

/// A zone as it reads after having been written: one spelling for each meaning.
pub(super) fn canonical(zone: Zone) -> Zone {
    match zone {
        Zone::Named(tz) if is_utc(tz.name()) => Zone::Utc,
        Zone::Fixed(0) => Zone::Utc,
        Zone::Fixed(seconds) if FixedOffset::east_opt(seconds).is_none() => Zone::Utc,
        other => other,
    }
}

/// The `TZID` that names a zone; `None` for UTC and floating times, which need none.
pub(super) fn tzid(zone: Zone) -> Option<String> {
    match zone {
        Zone::Named(tz) => Some(tz.name().to_owned()),
        Zone::Fixed(seconds) => Some(format!("UTC{}", spell_offset(seconds))),
        Zone::Utc | Zone::Floating => None,
    }
}

/// A UTC-OFFSET (RFC 5545 §3.3.14): `+0100`, with seconds only where there are some.
pub(super) fn spell_offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let total = seconds.unsigned_abs();
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    if seconds == 0 {
        format!("{sign}{hours:02}{minutes:02}")
    } else {
        format!("{sign}{hours:02}{minutes:02}{seconds:02}")
    }
}

fn is_utc(name: &str) -> bool {
    let name = name.strip_prefix("Etc/").or_else(|| name.strip_prefix("etc/")).unwrap_or(name);
    ["UTC", "UCT", "Zulu", "Universal", "Z"].iter().any(|utc| utc.eq_ignore_ascii_case(name))
}

fn iana(name: &str) -> Option<Zone> {
    if is_utc(name) {
        return Some(Zone::Utc);
    }
    Tz::from_str_insensitive(name).ok().map(|tz| canonical(Zone::Named(tz)))
}

/// What a plain name means without its `VTIMEZONE`, and without looking at an offset that it may begin with.
fn named(name: &str) -> Option<Zone> {
    let name = name.strip_prefix("TZID=").unwrap_or(name);
    if name.is_empty() || name.len() > 255 {
        return None;
    }
    // An offset spelt in full, as we write it ourselves, needs no VTIMEZONE to explain it.
    if name.len() >= 8 && name.starts_with("UTC") && name.bytes().skip(4).all(|b| b.is_ascii_digit()) {
        return offset(name);
    }
    if let Some(zone) = iana(name).or_else(|| windows::by_name(name).map(Zone::Named).map(canonical)) {
        return Some(zone);
    }
    if name.starts_with('/') || name.contains("://") {
        return name.match_indices('/').find_map(|(at, _)| name.get(at + 1..).and_then(behind_a_prefix));
    }
    if name.contains('/') {
        // A prefix without its first slash; what is behind it must have an area and a place to be taken for a zone.
        let tails = name.match_indices('/').filter_map(|(at, _)| name.get(at + 1..)).filter(|tail| tail.contains('/'));
        return std::iter::once(name).chain(tails).find_map(behind_a_prefix);
    }
    let shown = name.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(name, |(_, shown)| shown.trim());
    windows::by_display(shown).map(|tz| canonical(Zone::Named(tz)))
}

/// An IANA name that may be spelt with blanks.
fn behind_a_prefix(name: &str) -> Option<Zone> {
    iana(name).or_else(|| name.contains(' ').then(|| iana(&name.replace(' ', "_")))?)
}

/// `GMT+0200`, `UTC-5`, `+01:00`, and the offset that begins `(UTC+01:00) Somewhere`.
fn offset(name: &str) -> Option<Zone> {
    let name = name.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(name, |(offset, _)| offset);
    let tail = ["UTC", "GMT"].iter().find_map(|prefix| {
        let (head, tail) = name.split_at_checked(3)?;
        head.eq_ignore_ascii_case(prefix).then_some(tail.trim())
    });
    let tail = tail.unwrap_or(name);
    let negative = match tail.bytes().next()? {
        b'+' => false,
        b'-' => true,
        _ => return None,
    };
    let digits: String = tail.chars().skip(1).filter(|c| *c != ':').collect();
    let padded = match digits.len() {
        1 => format!("0{digits}0000"),
        2 => format!("{digits}0000"),
        4 => format!("{digits}00"),
        6 => digits,
        _ => return None,
    };
    if !padded.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| padded.get(at..at + 2).and_then(|two| two.parse::<i32>().ok());
    let seconds = part(0)? * 3600 + part(2)? * 60 + part(4)?;
    let seconds = if negative { -seconds } else { seconds };
    FixedOffset::east_opt(seconds).map(|_| canonical(Zone::Fixed(seconds)))
}

/// What a name of a text means.
#[derive(Clone, Copy)]
enum Meaning {
    Zone(Zone),
    /// The rules at this place in `Zones::custom` fit no zone of the database.
    Custom(usize),
}

/// The zones of one text.
pub(super) struct Zones<'d> {
    /// By [`key`].
    definitions: BTreeMap<String, &'d Component<'d>>,
    known: BTreeMap<String, Meaning>,
    custom: Vec<CustomZone>,
    custom_left: usize,
    years: (i32, i32),
}

impl<'d> Zones<'d> {
    pub fn new(calendars: &'d [Component<'d>], limits: &TextLimits) -> Self {
        let mut definitions = BTreeMap::new();
        for definition in calendars.iter().flat_map(|calendar| calendar.all(&ComponentKind::Zone)) {
            if let Some(line) = definition.line("TZID") {
                definitions.entry(key(line.value())).or_insert(definition);
            }
        }
        let years = if definitions.is_empty() { (2000, 2000) } else { years(calendars) };
        Self { definitions, known: BTreeMap::new(), custom: Vec::new(), custom_left: limits.custom_zones_max, years }
    }

    /// The time that a stamp and the `TZID` beside it mean. A `TZID` on a date or a UTC time means nothing.
    pub fn time(&mut self, stamp: UnzonedTime, tzid: Option<&str>) -> EventTime {
        match (stamp, tzid) {
            (UnzonedTime::Date(day), _) => EventTime::Date(day),
            (UnzonedTime::Utc(local), _) => EventTime::DateTime { local, zone: Zone::Utc },
            (UnzonedTime::Local(local), None) => EventTime::DateTime { local, zone: Zone::Floating },
            (UnzonedTime::Local(local), Some(name)) => EventTime::DateTime { local, zone: self.zone(name, local) },
        }
    }

    /// The time of a line such as `DTSTART`; `None` when it is none. `VALUE=DATE` makes a midnight a date.
    pub fn time_of(&mut self, line: &ContentLine<'_>) -> Option<EventTime> {
        let stamp = value::stamp(line.value())?;
        let time = self.time(stamp, line.param("TZID").as_deref());
        Some(if is_date(line) { super::repair::midnight_marked_as_date(time) } else { time })
    }

    fn zone(&mut self, name: &str, local: NaiveDateTime) -> Zone {
        let name = plain(name);
        let name = name.as_ref();
        let meaning = self.known.get(name).copied().unwrap_or_else(|| {
            let meaning = self.meaning(name);
            self.known.insert(name.to_owned(), meaning);
            meaning
        });
        match meaning {
            Meaning::Zone(zone) => zone,
            Meaning::Custom(at) => {
                self.custom.get(at).map_or(Zone::Floating, |zone| canonical(Zone::Fixed(zone.offset_at(local))))
            }
        }
    }

    fn meaning(&mut self, name: &str) -> Meaning {
        if let Some(zone) = named(name) {
            return Meaning::Zone(zone);
        }
        if let Some(definition) = self.definitions.get(&key(name)) {
            let location = definition.line("X-LIC-LOCATION").and_then(|line| named(&plain(line.value())));
            if let Some(zone) = location {
                return Meaning::Zone(zone);
            }
            if self.custom_left > 0
                && let Some(custom) = CustomZone::read(definition, self.years)
            {
                self.custom_left -= 1;
                if let Some(tz) = custom.same_as() {
                    return Meaning::Zone(canonical(Zone::Named(tz)));
                }
                self.custom.push(custom);
                return Meaning::Custom(self.custom.len() - 1);
            }
        }
        Meaning::Zone(resolve(name).unwrap_or(Zone::Floating))
    }

    /// Whether the text explains a `TZID`.
    pub fn defines(&self, tzid: &str) -> bool {
        let spelt_so =
            |definition: &&Component<'_>| definition.line("TZID").is_some_and(|line| plain(line.value()) == tzid);
        self.definitions.get(&key(tzid)).is_some_and(spelt_so)
    }

    /// Whether a name means what it means only through a `VTIMEZONE` whose rules fit no zone of the database: such a zone
    /// is a different fixed offset at different times, so that only wall times of the same name compare.
    pub fn is_custom(&self, name: &str) -> bool {
        matches!(self.known.get(plain(name).as_ref()), Some(Meaning::Custom(_)))
    }
}

/// Whether a line says `VALUE=DATE`.
pub(super) fn is_date(line: &ContentLine<'_>) -> bool {
    line.param("VALUE").is_some_and(|value| value.eq_ignore_ascii_case("DATE"))
}

/// The years that the events of a text begin in, a few more for what recurs, at most 30.
fn years(calendars: &[Component<'_>]) -> (i32, i32) {
    let starts = calendars
        .iter()
        .flat_map(|calendar| calendar.all(&ComponentKind::Event))
        .filter_map(|event| event.line("DTSTART"));
    let years = starts.filter_map(|line| match value::stamp(line.value())? {
        UnzonedTime::Date(day) => Some(day.year()),
        UnzonedTime::Local(wall) | UnzonedTime::Utc(wall) => Some(wall.year()),
    });
    let (first, last) = years.fold((9999, 1), |(first, last), year| (first.min(year), last.max(year)));
    let first = first.clamp(1970, 2090);
    (first, last.clamp(first, 2090).min(first + 28) + 1)
}

/// What a definition says of an instant in UTC: how the writer's tests read what it wrote.
#[cfg(test)]
pub(super) fn explained_offset(
    definition: &Component<'_>,
    years: (i32, i32),
) -> impl Fn(NaiveDateTime) -> Option<i32> + use<> {
    let zone = CustomZone::read(definition, years);
    move |at| zone.as_ref().and_then(|zone| zone.offset_at_utc(at))
}

#[cfg(test)]
mod tests;
