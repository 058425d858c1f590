//! The recurrence lines of a master.

use std::collections::BTreeSet;

use icalendar::Property;

use super::{
    Care,
    component::{EditContext, Sheet, kept},
    splice::Splice,
};
use crate::{
    domain::{
        event::{AddedDate, Recurrence},
        time::EventTime,
    },
    ical::{
        TextLimits,
        decode::ReadVevent,
        line::ContentLine,
        property,
        recurrence::{self, RecurrenceReader},
        rule::{self, Rigour},
    },
};

impl<'d> EditContext<'d> {
    /// Makes a master's recurrence lines say `wanted` beside a start.
    pub fn recurrence(
        &mut self,
        sheet: &mut Sheet<'d>,
        piece: &ReadVevent<'d>,
        wanted: &Recurrence,
        start: &EventTime,
    ) {
        let old = &piece.recurrence;
        if old.rules != wanted.rules {
            self.rules(sheet, piece, "RRULE", &wanted.rules);
        }
        if old.excluded_rules != wanted.excluded_rules {
            self.rules(sheet, piece, "EXRULE", &wanted.excluded_rules);
        }
        for name in ["RDATE", "EXDATE"] {
            let wanted = listed(wanted, name);
            // A list is relative to the start: beside another start its lines may mean something else.
            let there = if piece.facts.start == *start {
                Some(listed(old, name))
            } else {
                self.read(&lines(piece, name), start, None).map(|mut read| {
                    recurrence::sort(&mut read);
                    listed(&read, name)
                })
            };
            if there.as_ref() != Some(&wanted) || self.care == Care::EveryTime {
                self.dates(sheet, piece, name, &wanted, start);
            }
        }
    }

    fn rules(&self, sheet: &mut Sheet<'d>, piece: &ReadVevent<'d>, name: &str, wanted: &[String]) {
        let mut lines = lines(piece, name).into_iter();
        for rule in wanted {
            let property = Property::new(name, rule);
            match lines.next() {
                Some(line) if rule::tidy(line.value()) == *rule => {}
                Some(line) => {
                    let text = property::line(line.name(), &kept(line, &[]), &property);
                    sheet.splices.push(self.replace(line, &text));
                }
                None => self.insert(sheet, &property::line(name, &[], &property)),
            }
        }
        sheet.splices.extend(lines.map(|line| Splice::remove(line.raw.clone())));
    }

    /// Takes unwanted values out of the lines of one list and adds what is missing; beside another start, writes it afresh.
    fn dates(
        &mut self,
        sheet: &mut Sheet<'d>,
        piece: &ReadVevent<'d>,
        name: &str,
        wanted: &[AddedDate],
        start: &EventTime,
    ) {
        let afresh = piece.facts.start != *start || self.care == Care::EveryTime;
        let wanted_keys: BTreeSet<_> = wanted.iter().map(key).collect();
        let mut there = BTreeSet::new();
        for line in lines(piece, name) {
            let read = self.read(&[line], &piece.facts.start, piece.own_zone.as_deref());
            let Some(read) = read.filter(|_| !afresh) else {
                sheet.splices.push(Splice::remove(line.raw.clone()));
                continue;
            };
            let keys: Vec<_> = listed(&read, name).iter().map(key).collect();
            let items = line.value().split(',').filter(|item| !item.trim().is_empty()).zip(&keys);
            let left: Vec<_> = items.filter(|(_, key)| wanted_keys.contains(key)).map(|(item, _)| item).collect();
            if left.is_empty() {
                sheet.splices.push(Splice::remove(line.raw.clone()));
            } else if left.len() < keys.len() {
                let text = property::line(line.name(), &kept(line, &[]), &Property::new(name, left.join(",")));
                sheet.splices.push(self.replace(line, &text));
            }
            there.extend(keys);
        }
        let missing: Vec<_> = wanted.iter().filter(|date| !there.contains(&key(date))).copied().collect();
        let properties = if name == "RDATE" {
            recurrence::added(&missing)
        } else {
            recurrence::excluded(&missing.iter().map(|date| date.start).collect::<Vec<_>>())
        };
        for mut property in properties {
            if let Some(tzid) = self.tzid(start, piece.known.start) {
                property.add_parameter("TZID", &tzid);
            }
            self.insert(sheet, &property::line(name, &[], &property));
        }
    }

    fn read(&mut self, lines: &[&ContentLine<'d>], start: &EventTime, own_zone: Option<&str>) -> Option<Recurrence> {
        let mut reader = RecurrenceReader {
            zones: &mut self.zones,
            start,
            own_zone,
            dates_max: TextLimits::default().dates_max,
            rigour: Rigour::World,
            read: Recurrence::default(),
        };
        lines.iter().try_for_each(|line| reader.take(line)).ok()?;
        Some(reader.read)
    }
}

/// One list of a recurrence; an excluded date has no end.
fn listed(recurrence: &Recurrence, name: &str) -> Vec<AddedDate> {
    if name == "RDATE" {
        return recurrence.added.clone();
    }
    recurrence.excluded.iter().map(|start| AddedDate { start: *start, end: None }).collect()
}

fn key(date: &AddedDate) -> impl Ord + use<> {
    (recurrence::key(&date.start), date.end.as_ref().map(recurrence::key))
}

fn lines<'d>(piece: &ReadVevent<'d>, name: &str) -> Vec<&'d ContentLine<'d>> {
    piece.known.recurrence.iter().copied().filter(|line| line.is(name)).collect()
}
