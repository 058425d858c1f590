//! The lines of one component.

use chrono::{DateTime, Utc};
use icalendar::Property;

use super::{Care, ZonesNeeded, splice::Splice};
use crate::{
    domain::{
        event::{Facts, Recurrence},
        time::{EventTime, Zone},
    },
    ical::{
        component::Component,
        decode::ReadVevent,
        line::ContentLine,
        property, strict, text,
        value::UnzonedTime,
        zone::{self, Zones},
    },
};

/// What a component is to say.
pub(super) struct Wanted<'w> {
    pub facts: &'w Facts,
    pub rules: RecurrenceEdit<'w>,
    /// A `RECURRENCE-ID` to write; `None`: leave it as it is.
    pub id: Option<EventTime>,
}

/// What becomes of the recurrence lines.
pub(super) enum RecurrenceEdit<'w> {
    Stay,
    Become(&'w Recurrence),
    Go,
}

/// What every edit needs.
pub(super) struct EditContext<'d> {
    pub raw: &'d [u8],
    pub zones: Zones<'d>,
    pub stamp: DateTime<Utc>,
    pub care: Care,
    /// The break of the text's own lines.
    pub line_break: &'static str,
    pub zones_needed: ZonesNeeded,
}

impl<'d> EditContext<'d> {
    pub fn new(raw: &'d [u8], zones: Zones<'d>, stamp: DateTime<Utc>, care: Care) -> Self {
        let first = raw.iter().position(|b| matches!(b, b'\r' | b'\n'));
        let line_break = match first.and_then(|at| raw.get(at..)) {
            Some([b'\n', ..]) => "\n",
            Some([b'\r', b'\n', ..] | [b'\r', b'\r', b'\n', ..]) | None => "\r\n",
            Some(_) => "\r",
        };
        Self { raw, zones, stamp, care, line_break, zones_needed: ZonesNeeded::new() }
    }

    /// The splices that make a component say what is wanted; none when it does.
    pub fn rewrite(&mut self, piece: &ReadVevent<'d>, wanted: &Wanted<'_>) -> Vec<Splice> {
        let mut sheet = Sheet { component: piece.component, splices: Vec::new() };
        for name in property::TEXTS {
            let (before, after) = (property::of_facts(name, &piece.facts), property::of_facts(name, wanted.facts));
            if before != after {
                self.put(&mut sheet, name, after.as_ref());
            }
        }
        let texts_changed = sheet.splices.len();
        if let Some(id) = wanted.id {
            self.put_id(&mut sheet, piece, &id);
        }
        self.times(&mut sheet, piece, wanted.facts);
        match wanted.rules {
            RecurrenceEdit::Stay => {}
            RecurrenceEdit::Become(recurrence) => self.recurrence(&mut sheet, piece, recurrence, &wanted.facts.start),
            RecurrenceEdit::Go => {
                let lines = piece.known.recurrence.iter();
                sheet.splices.extend(lines.map(|line| Splice::remove(line.raw.clone())));
            }
        }
        if sheet.splices.len() > texts_changed {
            self.raise_sequence(&mut sheet, piece);
        }
        if !sheet.splices.is_empty() {
            self.stamp(&mut sheet, piece);
        }
        sheet.splices
    }

    fn times(&mut self, sheet: &mut Sheet<'d>, piece: &ReadVevent<'d>, wanted: &Facts) {
        let (known, every_time) = (&piece.known, self.care == Care::EveryTime);
        let start_differs = piece.facts.start != wanted.start || every_time;
        if !start_differs && piece.facts.end == wanted.end {
            return;
        }
        if start_differs {
            self.put_time(sheet, "DTSTART", &wanted.start, None);
        }
        // To the letter: what a repair makes of lines that are wrong beside the new start is not what they say.
        let said = known.times().end_for(&wanted.start, &mut self.zones);
        if every_time || known.all_day.is_some() || said != Some(wanted.end) {
            self.put_end(sheet, piece, wanted);
        }
        if let Some(flag) = known.all_day
            && known.says_all_day() != wanted.start.is_all_day()
        {
            let value = if wanted.start.is_all_day() { "TRUE" } else { "FALSE" };
            let line = property::line(flag.name(), &kept(flag, &[]), &Property::new(flag.name(), value));
            sheet.splices.push(self.replace(flag, &line));
        }
    }

    /// Makes a component say its end: as a `DTEND`, and as nothing where it is a moment, which a `DTEND` must not say.
    fn put_end(&mut self, sheet: &mut Sheet<'d>, piece: &ReadVevent<'d>, wanted: &Facts) {
        let known = &piece.known;
        if !strict::is_later(&wanted.start, &wanted.end) {
            let lines = sheet.component.lines.iter().filter(|line| line.is("DTEND") || line.is("DURATION"));
            sheet.splices.extend(lines.map(|line| Splice::remove(line.raw.clone())));
            return;
        }
        // A DURATION beside a DTEND says nothing, and alone it cannot say an end in another zone.
        if let (None, Some(duration)) = (known.end, known.duration) {
            let end = self.time_line("DTEND", &[], &wanted.end, known.start);
            sheet.splices.push(self.replace(duration, &end));
        } else {
            self.put_time(sheet, "DTEND", &wanted.end, known.start);
            sheet.splices.extend(known.duration.map(|line| Splice::remove(line.raw.clone())));
        }
    }

    /// Makes a property say `after`: its first line is rewritten, further ones go; none is there: a new one comes last.
    fn put(&self, sheet: &mut Sheet<'d>, name: &str, after: Option<&Property>) {
        let mut lines = sheet.component.lines.iter().filter(|line| line.is(name));
        let first = lines.next();
        match (first, after) {
            (Some(first), Some(after)) => {
                let line = property::line(first.name(), &kept(first, &["ALTREP", "ENCODING", "CHARSET"]), after);
                sheet.splices.push(self.replace(first, &line));
            }
            (Some(first), None) => sheet.splices.push(Splice::remove(first.raw.clone())),
            (None, Some(after)) => self.insert(sheet, &property::line(name, &[], after)),
            (None, None) => {}
        }
        sheet.splices.extend(lines.map(|line| Splice::remove(line.raw.clone())));
    }

    fn put_time(&mut self, sheet: &mut Sheet<'d>, name: &str, time: &EventTime, like: Option<&ContentLine<'d>>) {
        let mut held = sheet.component.lines.iter().filter(|line| line.is(name));
        if let Some(first) = held.next() {
            let new = self.time_line(first.name(), &kept(first, &["TZID", "VALUE"]), time, Some(first));
            sheet.splices.push(self.replace(first, &new));
        } else {
            let new = self.time_line(name, &[], time, like);
            self.insert(sheet, &new);
        }
        sheet.splices.extend(held.map(|line| Splice::remove(line.raw.clone())));
    }

    fn put_id(&mut self, sheet: &mut Sheet<'d>, piece: &ReadVevent<'d>, id: &EventTime) {
        match (piece.known.recurrence_id, piece.known.start) {
            (None, Some(start)) => {
                let line = self.time_line("RECURRENCE-ID", &[], id, Some(start));
                sheet.splices.push(Splice::insert(start.raw.start, self.folded(&line)));
            }
            (_, start) => self.put_time(sheet, "RECURRENCE-ID", id, start),
        }
    }

    fn time_line(&mut self, name: &str, kept: &[String], time: &EventTime, like: Option<&ContentLine<'_>>) -> String {
        let mut property = property::time(name, time);
        if let Some(tzid) = self.tzid(time, like) {
            property.add_parameter("TZID", &tzid);
        }
        property::line(name, kept, &property)
    }

    /// The `TZID` to write beside a time: the one of a line it resembles when that means the same zone, else the zone's own,
    /// which is then noted as needed.
    pub fn tzid(&mut self, time: &EventTime, like: Option<&ContentLine<'_>>) -> Option<String> {
        if time.is_all_day() || time.zone() == Zone::Utc {
            return None;
        }
        let spelt = like.and_then(|line| line.param("TZID")).filter(|_| self.care == Care::Least);
        if let Some(spelt) = spelt
            && self.zones.time(UnzonedTime::Local(time.wall()), Some(&spelt)) == *time
        {
            return Some(spelt.into_owned());
        }
        let tzid = zone::tzid(time.zone())?;
        self.zones_needed.insert(tzid.clone());
        Some(tzid)
    }

    fn raise_sequence(&self, sheet: &mut Sheet<'d>, piece: &ReadVevent<'d>) {
        let Some(line) = piece.known.sequence else { return };
        let Some(next) = line.value().trim().parse::<u32>().ok().and_then(|number| number.checked_add(1)) else {
            return;
        };
        let property = Property::new("SEQUENCE", next.to_string());
        sheet.splices.push(self.replace(line, &property::line(line.name(), &kept(line, &[]), &property)));
    }

    fn stamp(&self, sheet: &mut Sheet<'d>, piece: &ReadVevent<'d>) {
        for line in [piece.known.stamp, piece.known.last_modified].into_iter().flatten() {
            let property = property::instant(line.name(), self.stamp);
            sheet.splices.push(self.replace(line, &property::line(line.name(), &[], &property)));
        }
        if piece.known.stamp.is_none() {
            let property = property::instant("DTSTAMP", self.stamp);
            self.insert(sheet, &property::line("DTSTAMP", &[], &property));
        }
    }

    /// A splice that puts a new line in an old one's place.
    pub fn replace(&self, old: &ContentLine<'_>, line: &str) -> Splice {
        Splice::replace(old.raw.clone(), self.folded(line))
    }

    /// Adds a line after the component's own properties.
    pub fn insert(&self, sheet: &mut Sheet<'d>, line: &str) {
        sheet.splices.push(Splice::insert(sheet.component.properties_end(), self.folded(line)));
    }

    fn folded(&self, line: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(line.len() + 8);
        text::fold(line, self.line_break, &mut out);
        out
    }
}

/// The splices of one component.
pub(super) struct Sheet<'d> {
    pub component: &'d Component<'d>,
    pub splices: Vec<Splice>,
}

/// The parameters of a line as spelt, but for some.
pub(super) fn kept(line: &ContentLine<'_>, but: &[&str]) -> Vec<String> {
    let is_kept = |param: &&str| {
        let name = param.split('=').next().unwrap_or_default().trim();
        !but.iter().any(|but| but.eq_ignore_ascii_case(name))
    };
    line.params().filter(is_kept).map(str::to_owned).collect()
}
