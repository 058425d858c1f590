//! A whole new `VEVENT`.

use chrono::{DateTime, Utc};
use icalendar::Property;

use crate::{
    domain::{
        event::{EventStatus, Facts, Recurrence, Visibility},
        ids::Uid,
        time::EventTime,
    },
    ical::{property, recurrence, strict, text},
};

/// Whose components are written, and when.
pub(super) struct Author<'a> {
    pub uid: &'a Uid,
    pub stamp: DateTime<Utc>,
    pub line_break: &'static str,
}

impl Author<'_> {
    /// Writes a master (with its recurrence) or an override (with its `RECURRENCE-ID`).
    pub fn write(
        &self,
        facts: &Facts,
        recurrence: Option<&Recurrence>,
        recurrence_id: Option<&EventTime>,
        out: &mut Vec<u8>,
    ) {
        let mut properties = vec![
            Property::new("UID", self.uid.as_str()),
            property::instant("DTSTAMP", self.stamp),
            property::instant("LAST-MODIFIED", self.stamp),
            Property::new("SEQUENCE", "0"),
        ];
        properties.extend(recurrence_id.map(|id| property::time("RECURRENCE-ID", id)));
        properties.push(property::time("DTSTART", &facts.start));
        // Some servers refuse an event that has neither DTEND nor DURATION; one that is a moment may have neither.
        if strict::is_later(&facts.start, &facts.end) {
            properties.push(property::time("DTEND", &facts.end));
        }
        properties.extend(recurrence.iter().flat_map(|recurrence| recurrence::properties(recurrence)));
        let written = property::TEXTS.iter().filter(|name| match **name {
            "STATUS" => facts.status != EventStatus::Confirmed,
            "CLASS" => facts.visibility != Visibility::Public,
            _ => true,
        });
        properties.extend(written.filter_map(|name| property::of_facts(name, facts)));
        text::fold("BEGIN:VEVENT", self.line_break, out);
        for property in &properties {
            property::write(property, self.line_break, out);
        }
        text::fold("END:VEVENT", self.line_break, out);
    }
}
