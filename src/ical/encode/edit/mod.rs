//! Bringing a resource's own text to new content.
//!
//! - **splice**: a range of the raw bytes and what stands there instead.
//!
//! **Invariant:** a line whose property keeps its meaning keeps its bytes; so does every line and component we do not model.
//! **Invariant:** what is given back was read again and says what was wanted, and the lines of time that were written say it
//! to the letter of RFC 5545, not only after a repair.

mod component;
mod dates;
mod splice;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use self::{
    component::{EditContext, RecurrenceEdit, Wanted},
    splice::{Splice, apply},
};
use super::vevent::Author;
use crate::{
    domain::{
        event::{EventContent, Facts},
        ids::Uid,
        time::EventTime,
    },
    ical::{
        TextLimits, TextRefused, canonical,
        component::{self as tree, Component, ComponentKind},
        decode::{self, IcalSeries, ReadVevent, VeventLines, identity_for},
        recurrence, vtimezone,
        zone::{self, Zones},
    },
};

/// Brings a resource's text to `content` by changing only the lines whose meaning differs.
///
/// Attendees, organizer and alarms are never touched and never added; `SEQUENCE` grows by one where it is and a time or
/// the recurrence changed; `DTSTAMP` and `LAST-MODIFIED` of changed components get `stamp`. A new override begins as a copy
/// of the master, alarms and all. A changed text loses its `ALTREP`, which would still show the old one.
///
/// # Errors
/// When the text cannot be read, or cannot be brought to say `content`.
pub fn edit(raw: &[u8], content: &EventContent, stamp: DateTime<Utc>) -> Result<Vec<u8>, TextRefused> {
    let limits = TextLimits::default();
    let target = canonical(content);
    for care in [Care::Least, Care::EveryTime] {
        let calendars = tree::calendars(raw, &limits)?;
        let mut zones = Zones::new(&calendars, &limits);
        let (series, older) = decode::only_series(&calendars, &mut zones, &limits)?;
        let current = series.content();
        if current == *content || current == target {
            return Ok(raw.to_vec());
        }
        let uid = series.uid().ok_or_else(|| TextRefused::because("UID is missing"))?;
        let job = EditJob {
            context: EditContext::new(raw, zones, stamp, care),
            series: &series,
            older: &older,
            target: &target,
            uid: &uid,
        };
        let edited = job.run(&calendars);
        let says = decode::resource(&edited, &limits).is_ok_and(|read| read.content == target);
        if says && times_are_right(&edited, raw, &calendars, &limits) {
            return Ok(edited);
        }
    }
    Err(TextRefused::because("the text cannot be brought to say what is wanted"))
}

/// Whether every event of an edited text is when it is to the letter; lines of time that stood in the source so are its author's.
fn times_are_right(edited: &[u8], raw: &[u8], before: &[Component<'_>], limits: &TextLimits) -> bool {
    let Ok(after) = tree::calendars(edited, limits) else { return false };
    let mut zones = Zones::new(&after, limits);
    let old: BTreeSet<_> = events(before).map(|event| time_bytes(event, raw)).collect();
    events(&after)
        .all(|event| VeventLines::of(event).times().are_right(&mut zones) || old.contains(&time_bytes(event, edited)))
}

fn events<'c, 'd>(calendars: &'c [Component<'d>]) -> impl Iterator<Item = &'c Component<'d>> {
    calendars.iter().flat_map(|calendar| calendar.all(&ComponentKind::Event))
}

/// The bytes of the lines that say when an event is.
fn time_bytes<'t>(event: &Component<'_>, text: &'t [u8]) -> Vec<&'t [u8]> {
    let lines = event.lines.iter().filter(|line| ["DTSTART", "DTEND", "DURATION"].iter().any(|name| line.is(name)));
    lines.filter_map(|line| text.get(line.raw.clone())).collect()
}

/// How much is rewritten.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// Only lines whose meaning differs.
    Least,
    /// Every line that holds a time: for texts whose own `VTIMEZONE` means something else once another time is in it.
    EveryTime,
}

struct EditJob<'r, 'd> {
    context: EditContext<'d>,
    series: &'r IcalSeries<'d>,
    older: &'r [ReadVevent<'d>],
    target: &'r EventContent,
    uid: &'r Uid,
}

/// An override in the text and what becomes of it.
struct OverridePair<'r, 'd> {
    piece: &'r ReadVevent<'d>,
    old_id: EventTime,
    id: EventTime,
    facts: &'r Facts,
}

impl<'r, 'd> EditJob<'r, 'd> {
    fn run(mut self, calendars: &'d [Component<'d>]) -> Vec<u8> {
        let mut splices = Vec::new();
        let home = calendars.iter().find(|calendar| calendar.all(&ComponentKind::Event).next().is_some());
        let (mut first_event, mut events_end, mut zones_at) = (0, 0, 0);
        if let Some(home) = home {
            first_event = home.all(&ComponentKind::Event).next().map_or(home.end_at, |event| event.raw.start);
            events_end = home.all(&ComponentKind::Event).last().map_or(home.end_at, |event| event.raw.end);
            zones_at = home.properties_end();
        }
        self.master(first_event, &mut splices);
        self.overrides(events_end, &mut splices);
        let years = super::years(self.target);
        for tzid in std::mem::take(&mut self.context.zones_needed) {
            if let Some(zone) = zone::resolve(&tzid).filter(|_| !self.context.zones.defines(&tzid)) {
                let mut text = Vec::new();
                vtimezone::write(zone, years, self.context.line_break, &mut text);
                splices.push(Splice::insert(zones_at, text));
            }
        }
        apply(self.context.raw, 0..self.context.raw.len(), splices)
    }

    fn master(&mut self, first_event: usize, splices: &mut Vec<Splice>) {
        let wanted = self.target.detached_from.is_none();
        match &self.series.master {
            Some(piece) if wanted => {
                let rules = RecurrenceEdit::Become(&self.target.recurrence);
                let wanted = Wanted { facts: &self.target.facts, rules, id: None };
                splices.extend(self.context.rewrite(piece, &wanted));
            }
            Some(piece) => {
                let all = std::iter::once(piece).chain(self.older);
                splices.extend(all.map(|piece| Splice::remove(piece.component.raw.clone())));
            }
            None if wanted => {
                let mut text = Vec::new();
                self.author().write(&self.target.facts, Some(&self.target.recurrence), None, &mut text);
                self.context.zones_needed.extend(super::zones(self.target));
                splices.push(Splice::insert(first_event, text));
            }
            None => {}
        }
    }

    fn author(&self) -> Author<'r> {
        Author { uid: self.uid, stamp: self.context.stamp, line_break: self.context.line_break }
    }

    fn overrides(&mut self, events_end: usize, splices: &mut Vec<Splice>) {
        let (pairs, gone, new) = self.pair();
        for pair in pairs {
            let rewritten = self.id_reads_as(&pair) != pair.id || self.context.care == Care::EveryTime;
            let id = rewritten.then_some(pair.id);
            splices.extend(
                self.context.rewrite(pair.piece, &Wanted { facts: pair.facts, rules: RecurrenceEdit::Stay, id }),
            );
            if pair.id != pair.old_id {
                self.remove_superseded(&pair.old_id, splices);
            }
        }
        for (id, piece) in gone {
            splices.push(Splice::remove(piece.component.raw.clone()));
            self.remove_superseded(&id, splices);
        }
        for (id, facts) in new {
            let text = self.new_override(id, facts);
            splices.push(Splice::insert(events_end, text));
        }
    }

    /// What an override's `RECURRENCE-ID` line will mean beside the new master.
    fn id_reads_as(&self, pair: &OverridePair<'_, '_>) -> EventTime {
        let id = pair.piece.recurrence_id.unwrap_or(pair.old_id);
        if self.target.detached_from.is_some() {
            return id;
        }
        let start = self.target.facts.start;
        let master = self.series.master.as_ref().filter(|master| master.facts.start.zone() == start.zone());
        identity_for(pair.piece, id, &start, master.and_then(|master| master.own_zone.as_deref()))
    }

    fn remove_superseded(&self, id: &EventTime, splices: &mut Vec<Splice>) {
        let older = self.series.superseded.iter().filter(|(older, _)| older == id);
        splices.extend(older.map(|(_, piece)| Splice::remove(piece.component.raw.clone())));
    }

    fn new_override(&mut self, id: EventTime, facts: &Facts) -> Vec<u8> {
        if let Some(master) = &self.series.master {
            let wanted = Wanted { facts, rules: RecurrenceEdit::Go, id: Some(id) };
            let splices = self.context.rewrite(master, &wanted);
            return apply(self.context.raw, master.component.raw.clone(), splices);
        }
        let mut text = Vec::new();
        self.author().write(facts, None, Some(&id), &mut text);
        let times = [id, facts.start, facts.end];
        self.context.zones_needed.extend(times.iter().filter_map(|time| zone::tzid(time.zone())));
        text
    }

    /// Which override becomes which. Those that match none by `RECURRENCE-ID` follow one another in order when a moved
    /// series gave all of them new ones: what we do not model stays with its occurrence.
    #[expect(clippy::type_complexity, reason = "three lists, named where they are taken apart")]
    fn pair(&self) -> (Vec<OverridePair<'r, 'd>>, Vec<(EventTime, &'r ReadVevent<'d>)>, Vec<(EventTime, &'r Facts)>) {
        let target = self.target;
        let detached = target.detached_from.iter().map(|id| (*id, &target.facts));
        let wanted = detached.chain(target.overrides.iter().map(|over| (over.recurrence_id, &over.facts)));
        let mut wanted: BTreeMap<_, _> = wanted.map(|(id, facts)| (recurrence::key(&id), (id, facts))).collect();
        let mut pairs = Vec::new();
        let mut gone = Vec::new();
        for (old_id, piece) in &self.series.overrides {
            match wanted.remove(&recurrence::key(old_id)) {
                Some((id, facts)) => pairs.push(OverridePair { piece, old_id: *old_id, id, facts }),
                None => gone.push((*old_id, piece)),
            }
        }
        let mut new: Vec<_> = wanted.into_values().collect();
        let moved = self.series.master.as_ref().is_some_and(|master| master.facts.start != target.facts.start);
        if moved && gone.len() == new.len() {
            let followed = gone.drain(..).zip(new.drain(..));
            pairs.extend(followed.map(|((old_id, piece), (id, facts))| OverridePair { piece, old_id, id, facts }));
        }
        (pairs, gone, new)
    }
}

/// The `TZID`s that new lines name.
type ZonesNeeded = BTreeSet<String>;
