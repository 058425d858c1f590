//! One `VEVENT` (RFC 5545 §3.6.1).

use chrono::{DateTime, Utc};

use crate::{
    domain::{
        event::{EventStatus, Facts, Recurrence, Transparency, Visibility},
        ids::Uid,
        time::EventTime,
    },
    ical::{
        FeedUnreadable, TextLimits, TextRefused,
        component::Component,
        line::ContentLine,
        line_too_long,
        recurrence::{self, RecurrenceReader},
        repair,
        rule::Rigour,
        strict::TimeLines,
        text, value,
        zone::{self, Zones},
    },
};

/// The lines of a `VEVENT` that we model, the first of each name; lists keep every line.
#[derive(Default)]
pub(in crate::ical) struct VeventLines<'d> {
    pub uid: Option<&'d ContentLine<'d>>,
    pub recurrence_id: Option<&'d ContentLine<'d>>,
    pub start: Option<&'d ContentLine<'d>>,
    pub end: Option<&'d ContentLine<'d>>,
    pub duration: Option<&'d ContentLine<'d>>,
    pub summary: Option<&'d ContentLine<'d>>,
    pub description: Option<&'d ContentLine<'d>>,
    pub location: Option<&'d ContentLine<'d>>,
    pub url: Option<&'d ContentLine<'d>>,
    pub status: Option<&'d ContentLine<'d>>,
    pub transparency: Option<&'d ContentLine<'d>>,
    pub busy_status: Option<&'d ContentLine<'d>>,
    pub class: Option<&'d ContentLine<'d>>,
    pub all_day: Option<&'d ContentLine<'d>>,
    pub sequence: Option<&'d ContentLine<'d>>,
    pub stamp: Option<&'d ContentLine<'d>>,
    pub last_modified: Option<&'d ContentLine<'d>>,
    /// `RRULE`, `EXRULE`, `RDATE`, `EXDATE`.
    pub recurrence: Vec<&'d ContentLine<'d>>,
}

/// Longest name we model, `X-MICROSOFT-CDO-ALLDAYEVENT`, and some.
const NAME_BYTES_MAX: usize = 32;

impl<'d> VeventLines<'d> {
    pub fn of(component: &'d Component<'d>) -> Self {
        let mut known = Self::default();
        for line in &component.lines {
            known.take(line);
        }
        known
    }

    fn take(&mut self, line: &'d ContentLine<'d>) {
        let name = line.name();
        let mut upper = [0; NAME_BYTES_MAX];
        let Some(upper) = upper.get_mut(..name.len()) else { return };
        upper.copy_from_slice(name.as_bytes());
        upper.make_ascii_uppercase();
        let slot = match &*upper {
            b"UID" => &mut self.uid,
            b"RECURRENCE-ID" => &mut self.recurrence_id,
            b"DTSTART" => &mut self.start,
            b"DTEND" => &mut self.end,
            b"DURATION" => &mut self.duration,
            b"SUMMARY" => &mut self.summary,
            b"DESCRIPTION" => &mut self.description,
            b"LOCATION" => &mut self.location,
            b"URL" => &mut self.url,
            b"STATUS" => &mut self.status,
            b"TRANSP" => &mut self.transparency,
            b"X-MICROSOFT-CDO-BUSYSTATUS" => &mut self.busy_status,
            b"CLASS" => &mut self.class,
            b"X-MICROSOFT-CDO-ALLDAYEVENT" => &mut self.all_day,
            b"SEQUENCE" => &mut self.sequence,
            b"DTSTAMP" => &mut self.stamp,
            b"LAST-MODIFIED" => &mut self.last_modified,
            b"RRULE" | b"EXRULE" | b"RDATE" | b"EXDATE" => return self.recurrence.push(line),
            _ => return,
        };
        slot.get_or_insert(line);
    }

    /// The end that the lines give for a start; [`repair::end`] says how.
    pub fn end_for(&self, start: &EventTime, zones: &mut Zones<'d>) -> EventTime {
        let end = self.end.and_then(|line| zones.time_of(line));
        repair::end(start, end, self.duration.and_then(|line| value::span(line.value())))
    }

    /// The lines that say when it is.
    pub fn times(&self) -> TimeLines<'d, 'd> {
        TimeLines { start: self.start, end: self.end, duration: self.duration }
    }

    /// Whether Outlook says that its midnights mean days.
    pub fn says_all_day(&self) -> bool {
        self.all_day.is_some_and(|line| line.value().trim().eq_ignore_ascii_case("TRUE"))
    }
}

/// One `VEVENT` as read.
pub(in crate::ical) struct ReadVevent<'d> {
    pub component: &'d Component<'d>,
    pub known: VeventLines<'d>,
    pub uid: Option<Uid>,
    /// As the text has it: the series aligns it.
    pub recurrence_id: Option<EventTime>,
    pub facts: Facts,
    /// Aligned with the start; empty on an override.
    pub recurrence: Recurrence,
    pub sequence: u32,
    pub changed_at: Option<DateTime<Utc>>,
    /// The key of the `TZID` of the start, when only its `VTIMEZONE` explains it.
    pub own_zone: Option<String>,
}

impl<'d> ReadVevent<'d> {
    /// Reads a component.
    ///
    /// # Errors
    /// As much of its identity as could be read, and why the rest could not.
    pub fn read(
        component: &'d Component<'d>,
        zones: &mut Zones<'d>,
        limits: &TextLimits,
    ) -> Result<Self, FeedUnreadable> {
        let known = VeventLines::of(component);
        let uid = known.uid.map(|line| text::unescape(line.value())).filter(|uid| !uid.is_empty()).map(Uid);
        let recurrence_id = known.recurrence_id.and_then(|line| zones.time_of(line));
        match Self::read_rest(component, known, zones, limits) {
            Ok(piece) => Ok(Self { uid, recurrence_id, ..piece }),
            Err(TextRefused(why)) => Err(FeedUnreadable { uid, recurrence_id, why }),
        }
    }

    fn read_rest(
        component: &'d Component<'d>,
        known: VeventLines<'d>,
        zones: &mut Zones<'d>,
        limits: &TextLimits,
    ) -> Result<Self, TextRefused> {
        if !component.whole {
            return Err(TextRefused::because("END:VEVENT is missing"));
        }
        if let Some(line) = known.recurrence_id
            && value::stamp(line.value()).is_none()
        {
            return Err(TextRefused::because("RECURRENCE-ID: not a time"));
        }
        let start = known.start.ok_or_else(|| TextRefused::because("DTSTART is missing"))?;
        let own_zone = start.param("TZID");
        let start = zones.time_of(start).ok_or_else(|| TextRefused::because("DTSTART: not a time"))?;
        let own_zone = own_zone.filter(|name| zones.is_custom(name)).map(|name| zone::key(&name));
        let end = known.end_for(&start, zones);
        let (start, end) = if known.says_all_day() { repair::all_day_by_flag(start, end) } else { (start, end) };
        let facts = facts(&known, start, end, limits)?;
        let mut reader = RecurrenceReader {
            zones,
            start: &start,
            own_zone: own_zone.as_deref(),
            dates_max: limits.dates_max,
            rigour: Rigour::World,
            read: Recurrence::default(),
        };
        if known.recurrence_id.is_none() {
            known.recurrence.iter().try_for_each(|line| reader.take(line))?;
        }
        let mut recurrence = reader.read;
        recurrence::sort(&mut recurrence);
        let number = |line: &ContentLine<'_>| line.value().trim().parse().ok();
        let instant = |line: &ContentLine<'_>| value::instant(line.value());
        Ok(Self {
            component,
            uid: None,
            recurrence_id: None,
            facts,
            recurrence,
            sequence: known.sequence.and_then(number).unwrap_or(0),
            changed_at: known.last_modified.and_then(instant).or_else(|| known.stamp.and_then(instant)),
            own_zone,
            known,
        })
    }
}

/// A text as it is shown: whole, or its beginning and [`CUT`].
fn shown(line: &ContentLine<'_>, limits: &TextLimits) -> String {
    let mut text = text::unescape(line.value());
    if line.cut || text.chars().nth(limits.text_chars_max).is_some() {
        let room = limits.text_chars_max.saturating_sub(CUT.chars().count());
        text.truncate(text.char_indices().nth(room).map_or(text.len(), |(at, _)| at));
        text.push_str(CUT);
    }
    text
}

/// What ends a text that is shown in part. The calendar keeps the whole, as long as this text is not edited.
const CUT: &str = " […] (too long to be shown here; the calendar holds the whole text)";

fn facts(known: &VeventLines<'_>, start: EventTime, end: EventTime, limits: &TextLimits) -> Result<Facts, TextRefused> {
    // A name that is not whole could be another event's.
    if known.uid.is_some_and(|line| line.cut) {
        return Err(line_too_long("UID", limits));
    }
    let text = |line: Option<&ContentLine<'_>>| line.map(|line| shown(line, limits)).filter(|text| !text.is_empty());
    let word = |line: Option<&ContentLine<'_>>| line.map(|line| line.value().trim().to_ascii_uppercase());
    // A part of an address leads nowhere, so it is not shown; the bytes keep the whole.
    let url = known.url.filter(|line| !line.cut).map(|line| line.value().trim().to_owned());
    let url = url.filter(|url| !url.is_empty());
    Ok(Facts {
        title: text(known.summary).unwrap_or_default(),
        description: text(known.description),
        location: text(known.location),
        start,
        end,
        status: match word(known.status).as_deref() {
            Some("TENTATIVE") => EventStatus::Tentative,
            Some("CANCELLED" | "CANCELED") => EventStatus::Cancelled,
            _ => EventStatus::Confirmed,
        },
        transparency: match (word(known.transparency).as_deref(), known.busy_status) {
            (Some("TRANSPARENT"), _) => Transparency::Transparent,
            (None, Some(line)) if line.value().trim().eq_ignore_ascii_case("FREE") => Transparency::Transparent,
            _ => Transparency::Opaque,
        },
        visibility: match word(known.class).as_deref() {
            None | Some("PUBLIC" | "") => Visibility::Public,
            Some("CONFIDENTIAL") => Visibility::Confidential,
            Some(_) => Visibility::Private,
        },
        url,
    })
}
