//! The components of one `UID`, sorted into a master and its overrides (RFC 5545 §3.8.4.4).

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::ReadVevent;
use crate::{
    domain::{
        event::{EventContent, Override, Recurrence},
        ids::Uid,
        time::EventTime,
    },
    ical::{canonical, recurrence, zone},
};

/// The components of one `UID`.
pub(in crate::ical) struct IcalSeries<'d> {
    /// The component without `RECURRENCE-ID`.
    pub master: Option<ReadVevent<'d>>,
    /// The others by their aligned `RECURRENCE-ID`, in order, one for each.
    pub overrides: Vec<(EventTime, ReadVevent<'d>)>,
    /// Older copies of overrides, with the same `RECURRENCE-ID`.
    pub superseded: Vec<(EventTime, ReadVevent<'d>)>,
}

/// Sorts components of one `UID`: of several with one identity the highest `SEQUENCE` counts, then the latest stamp, then
/// the first in the text. Gives also the masters that lost.
pub(in crate::ical) fn series(pieces: Vec<ReadVevent<'_>>) -> (IcalSeries<'_>, Vec<ReadVevent<'_>>) {
    let (mut masters, others): (Vec<_>, Vec<_>) = pieces.into_iter().partition(|piece| piece.recurrence_id.is_none());
    masters.sort_by_key(newest_first);
    let mut masters = masters.into_iter();
    let master = masters.next();
    let identified = others.into_iter().filter_map(|piece| Some((identity(&piece, master.as_ref())?, piece)));
    let mut identified: Vec<_> = identified.collect();
    identified.sort_by_cached_key(|(id, piece)| (recurrence::key(id), newest_first(piece)));
    let mut overrides: Vec<(EventTime, ReadVevent<'_>)> = Vec::with_capacity(identified.len());
    let mut superseded = Vec::new();
    for (id, piece) in identified {
        if overrides.last().is_some_and(|(last, _)| *last == id) {
            superseded.push((id, piece));
        } else {
            overrides.push((id, piece));
        }
    }
    (IcalSeries { master, overrides, superseded }, masters.collect())
}

fn newest_first(piece: &ReadVevent<'_>) -> Reverse<(u32, Option<DateTime<Utc>>)> {
    Reverse((piece.sequence, piece.changed_at))
}

/// The occurrence that an override is about, in the form of the master's own starts; as it stands without a master.
fn identity(piece: &ReadVevent<'_>, master: Option<&ReadVevent<'_>>) -> Option<EventTime> {
    let id = piece.recurrence_id?;
    let Some(master) = master else { return Some(id) };
    Some(identity_for(piece, id, &master.facts.start, master.own_zone.as_deref()))
}

/// The same for a given start and the key of its zone's name, if only a `VTIMEZONE` explains that.
pub(in crate::ical) fn identity_for(
    piece: &ReadVevent<'_>,
    id: EventTime,
    start: &EventTime,
    own_zone: Option<&str>,
) -> EventTime {
    let name = piece.known.recurrence_id.and_then(|line| line.param("TZID"));
    let same_custom_zone = own_zone.is_some() && name.as_deref().map(zone::key).as_deref() == own_zone;
    if same_custom_zone && !id.is_all_day() && !start.is_all_day() {
        return start.with_wall(id.wall());
    }
    recurrence::align(id, start)
}

impl IcalSeries<'_> {
    /// Every component that counts.
    fn pieces(&self) -> impl Iterator<Item = &ReadVevent<'_>> {
        self.master.iter().chain(self.overrides.iter().map(|(_, piece)| piece))
    }

    /// Their `UID`.
    pub fn uid(&self) -> Option<Uid> {
        self.pieces().next()?.uid.clone()
    }

    /// The latest change of any.
    pub fn changed_at(&self) -> Option<DateTime<Utc>> {
        self.pieces().filter_map(|piece| piece.changed_at).max()
    }

    /// The `SEQUENCE` of the master, else of the first.
    pub fn sequence(&self) -> u32 {
        self.pieces().next().map_or(0, |piece| piece.sequence)
    }

    /// What they say together.
    pub fn into_content(self) -> EventContent {
        let overrides = self.overrides.into_iter();
        let overrides: Vec<_> =
            overrides.map(|(recurrence_id, piece)| Override { recurrence_id, facts: piece.facts }).collect();
        match self.master {
            Some(master) => {
                let mut content =
                    EventContent { facts: master.facts, recurrence: master.recurrence, overrides, detached_from: None };
                content.normalise();
                content
            }
            None => Self::detached(overrides),
        }
    }

    /// What they say together, copied.
    pub fn content(&self) -> EventContent {
        let overrides = self.overrides.iter();
        let overrides: Vec<_> =
            overrides.map(|(id, piece)| Override { recurrence_id: *id, facts: piece.facts.clone() }).collect();
        let Some(master) = &self.master else { return Self::detached(overrides) };
        let (facts, recurrence) = (master.facts.clone(), master.recurrence.clone());
        let mut content = EventContent { facts, recurrence, overrides, detached_from: None };
        content.normalise();
        content
    }

    fn detached(overrides: Vec<Override>) -> EventContent {
        let epoch = EventTime::utc(DateTime::UNIX_EPOCH);
        let facts = crate::domain::event::Facts::new("", epoch, epoch);
        let mut content = EventContent { facts, recurrence: Recurrence::default(), overrides, detached_from: None };
        canonical::detach(&mut content);
        canonical::settle(&mut content);
        content
    }
}
