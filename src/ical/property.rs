//! Properties as `icalendar` values, and their lines.

use chrono::{DateTime, Utc};
use icalendar::{CalendarDateTime, Class, DatePerhapsTime, EventStatus as WireStatus, Property, ValueType};

use super::{text, zone};
use crate::domain::{
    event::{EventStatus, Facts, Transparency, Visibility},
    time::{EventTime, Zone},
};

/// A property that holds a time, such as `DTSTART`: with `TZID`, with `VALUE=DATE`, or with neither.
pub(super) fn time(name: &str, time: &EventTime) -> Property {
    let wall = time.wall();
    let wire = match time {
        EventTime::Date(day) => DatePerhapsTime::Date(*day),
        EventTime::DateTime { zone: Zone::Utc, .. } => CalendarDateTime::Utc(wall.and_utc()).into(),
        EventTime::DateTime { zone, .. } => match zone::tzid(*zone) {
            Some(tzid) => CalendarDateTime::WithTimezone { date_time: wall, tzid }.into(),
            None => CalendarDateTime::Floating(wall).into(),
        },
    };
    wire.to_property(name)
}

/// A property that holds an instant in UTC, such as `DTSTAMP`.
pub(super) fn instant(name: &str, at: DateTime<Utc>) -> Property {
    time(name, &EventTime::utc(at))
}

/// The value of a time alone, as lists hold it.
pub(super) fn spell(time: &EventTime) -> String {
    self::time("", time).value().to_owned()
}

/// A modelled property that is not a time.
pub(super) const TEXTS: [&str; 7] = ["SUMMARY", "DESCRIPTION", "LOCATION", "URL", "STATUS", "TRANSP", "CLASS"];

/// One of [`TEXTS`] as facts give it; `None` when there is nothing to write. Defaults count as something.
pub(super) fn of_facts(name: &str, facts: &Facts) -> Option<Property> {
    let text = |value: &Option<String>| value.as_deref().map(|value| Property::new(name, value));
    match name {
        "SUMMARY" => (!facts.title.is_empty()).then(|| Property::new(name, &facts.title)),
        "DESCRIPTION" => text(&facts.description),
        "LOCATION" => text(&facts.location),
        "URL" => text(&facts.url),
        "STATUS" => Some(Property::from(match facts.status {
            EventStatus::Confirmed => WireStatus::Confirmed,
            EventStatus::Tentative => WireStatus::Tentative,
            EventStatus::Cancelled => WireStatus::Cancelled,
        })),
        "TRANSP" => Some(match facts.transparency {
            Transparency::Opaque => Property::new(name, "OPAQUE"),
            Transparency::Transparent => Property::new(name, "TRANSPARENT"),
        }),
        "CLASS" => Some(Property::from(match facts.visibility {
            Visibility::Public => Class::Public,
            Visibility::Private => Class::Private,
            Visibility::Confidential => Class::Confidential,
        })),
        _ => None,
    }
}

/// The unfolded line of a property, with further parameters as they were spelt.
pub(super) fn line(name: &str, kept_params: &[String], property: &Property) -> String {
    let mut line = name.to_owned();
    for kept in kept_params {
        line.push(';');
        line.push_str(kept);
    }
    for param in property.params().values() {
        line.push(';');
        line.push_str(param.key());
        line.push('=');
        line.push_str(&text::spell_param(param.value()));
    }
    line.push(':');
    if property.value_type() == Some(ValueType::Text) {
        line.push_str(&text::escape(property.value()));
    } else {
        line.push_str(property.value());
    }
    line
}

/// Writes a new property.
pub(super) fn write(property: &Property, line_break: &str, out: &mut Vec<u8>) {
    text::fold(&line(property.key(), &[], property), line_break, out);
}
