//! Who wrote what, over what: the lineage of every text and time in a story, by which the promises are judged.
//!
//! - **mark**: one thing that somebody wrote: a numbered title, place, time, or title of one occurrence.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use calwarden::domain::{
    conflict::{Conflict, ConflictKind},
    event::{EventContent, Facts},
    promise::Promise,
    time::EventTime,
};

use calwarden::engine::sync::plan::Reason;

use super::{edits::number_of, steps::Name};

/// Title, place, time, or title of an occurrence; with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(char, u32);

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, self.1)
    }
}

/// The marks of one version.
pub type Marks = BTreeSet<Mark>;

/// What is known of a mark.
#[derive(Clone, Debug)]
struct Written {
    root: Name,
    over: Option<Mark>,
}

/// The record of a story.
#[derive(Clone, Debug, Default)]
pub struct Book {
    written: BTreeMap<Mark, Written>,
    /// Marks that somebody replaced or deleted while seeing them, or that were kept in the history.
    settled: Marks,
    /// Which event of the story another one stems from: the rest of a series that was cut, or what looks like it.
    roots: BTreeMap<Name, Name>,
    /// Whole days stay whole days.
    days: BTreeMap<Name, bool>,
    /// Events that somebody deleted, what was seen of them, and whether all copies went.
    deleted: Vec<(Name, Marks)>,
    /// Events that were cut or thinned out: what is written about them does not tell all that was done to them.
    cut: BTreeSet<Name>,
    carried: BTreeSet<Name>,
}

fn mark(kind: char, text: &str) -> Option<Mark> {
    text.strip_prefix(kind)?.parse().ok().map(|number| Mark(kind, number))
}

fn marks_of(facts: &Facts) -> [Option<Mark>; 3] {
    let title = mark('t', &facts.title).or_else(|| mark('o', &facts.title));
    let place = facts.location.as_deref().and_then(|text| mark('p', text));
    [title, place, number_of(&facts.start).map(|number| Mark('m', number))]
}

/// All marks of a version.
pub fn marks(content: &EventContent) -> Marks {
    let occurrences = content.overrides.iter().filter_map(|own| mark('o', &own.facts.title));
    marks_of(&content.facts).into_iter().flatten().chain(occurrences).collect()
}

impl Book {
    pub fn root(&self, name: Name) -> Name {
        self.roots.get(&name).copied().unwrap_or(name)
    }

    /// One event stems from another.
    pub fn stems(&mut self, name: Name, from: Name) {
        let root = self.root(from);
        self.roots.insert(name, root);
    }

    /// A new event.
    pub fn made(&mut self, name: Name, content: &EventContent) {
        self.days.insert(name, content.facts.start.is_all_day());
        self.wrote(name, &Marks::new(), content, &marks(content));
    }

    /// Somebody saw `before` and made it `after` (both parts of a cut series together); `content`: where the new marks are.
    pub fn wrote(&mut self, name: Name, before: &Marks, content: &EventContent, after: &Marks) {
        let root = self.root(name);
        for new in after.difference(before) {
            let over = match new.0 {
                'o' => before.iter().find(|old| old.0 == 't').copied(),
                kind => before.iter().find(|old| old.0 == kind).copied(),
            };
            // A start that falls on a numbered time by chance was written by nobody.
            if new.0 != 'm' || number_of(&content.facts.start) == Some(new.1) {
                self.written.entry(*new).or_insert(Written { root, over });
            }
        }
        self.settled.extend(before.difference(after));
        let days = self.days.get(&name).copied();
        self.days.entry(name).or_insert(days.unwrap_or_else(|| content.facts.start.is_all_day()));
    }

    /// An event was moved to another calendar: there it is another event, beside one that may be made again.
    pub fn carried(&mut self, name: Name) {
        self.carried.insert(self.root(name));
        self.cut.insert(name);
    }

    pub fn was_carried(&self, name: Name) -> bool {
        self.carried.contains(&self.root(name))
    }

    /// An event was cut or thinned out.
    pub fn cut(&mut self, name: Name) {
        self.cut.insert(name);
    }

    /// These were lost with a provider's calendar before anybody else could read them.
    pub fn erased(&mut self, unread: impl Iterator<Item = Mark>) {
        self.settled.extend(unread);
    }

    /// Somebody deleted it, seeing this, and it was not one copy of several.
    pub fn deleted(&mut self, name: Name, seen: Marks, everywhere: bool) {
        self.settled.extend(&seen);
        if everywhere {
            self.deleted.push((name, seen));
        }
    }

    /// I-4: neither side of a dispute may be the other's own ancestor. `unconfirmed`: nobody could tell whether our version had
    /// arrived, so an edit made on top of it there may be taken for one beside it; both are kept.
    pub fn false_conflict(&self, conflict: &Conflict, unconfirmed: bool) -> Option<String> {
        let (Some(local), Some(remote)) = (&conflict.local, &conflict.remote) else { return None };
        // Two events that are taken for one by their looks have no common past that anybody knows of.
        // And what is put back is put back whoever made it upon what.
        let judged = [Reason::OverlappingEdits, Reason::DisjointEdits].map(Reason::as_str);
        if conflict.kind != ConflictKind::Edit || !judged.contains(&conflict.reason.as_str()) {
            return None;
        }
        conflict.fields.iter().find_map(|field| {
            let (ours, theirs) = (value(local, field)?, value(remote, field)?);
            let related = self.stems_from(ours, theirs) || (!unconfirmed && self.stems_from(theirs, ours));
            related.then(|| {
                Promise::NoFalseConflict.broken(format!("{field}: {ours:?} and {theirs:?} are one's own ancestor"))
            })
        })
    }

    fn stems_from(&self, mut later: Mark, earlier: Mark) -> bool {
        let mut steps = 0;
        while let Some(over) = self.written.get(&later).and_then(|written| written.over) {
            if over == earlier {
                return true;
            }
            later = over;
            steps += 1;
            assert!(steps < 10_000, "lineage goes round");
        }
        false
    }

    /// I-3: every mark is in a final version, in the history, or was replaced by somebody who saw it.
    pub fn lost(&self, kept: &Marks) -> Option<String> {
        let lost = self.written.keys().find(|mark| !kept.contains(mark) && !self.settled.contains(mark));
        lost.map(|mark| Promise::NothingLost.broken(format!("{mark:?} is lost")))
    }

    /// I-5 and I-9: an event says nothing that nobody wrote about it, and a day stays a day.
    pub fn invented(&self, name: Name, content: &EventContent) -> Option<String> {
        let root = self.root(name);
        for mark in marks(content) {
            if let Some(written) = self.written.get(&mark)
                && self.root(written.root) != root
            {
                return Some(
                    Promise::NothingInvented
                        .broken(format!("e{name} says {mark:?}, which was written about e{}", written.root)),
                );
            }
        }
        let day = content.facts.start.is_all_day();
        let was = self.days.get(&name).is_none_or(|was| *was == day);
        (!was).then(|| Promise::TimesStay.broken(format!("e{name} is no longer what it was: a day is now {day}")))
    }

    /// I-6: what was deleted stays deleted, unless somebody wrote something that the deleter had not seen, or may not have seen:
    /// then the deletion was `disputed`, and the person told.
    pub fn returned(&self, alive: &BTreeSet<Name>, disputed: &BTreeSet<Name>) -> Option<String> {
        let back = self.deleted.iter().find(|(name, seen)| {
            let ancestors = |mark: &Mark| seen.iter().any(|held| held == mark || self.stems_from(*held, *mark));
            let unseen = self
                .written
                .iter()
                .any(|(mark, written)| self.root(written.root) == self.root(*name) && !ancestors(mark));
            alive.contains(name) && !unseen && !self.cut.contains(name) && !disputed.contains(name)
        });
        back.map(|(name, _)| Promise::DeletedStaysDeleted.broken(format!("e{name} was deleted and is back")))
    }
}

/// What a field of a dispute says.
fn value(content: &EventContent, field: &str) -> Option<Mark> {
    let (facts, field) = match field.split_once('/') {
        None => (&content.facts, field),
        Some((day, field)) => {
            let at = |held: &EventTime| held.wall().format("%Y-%m-%dT%H:%M:%S").to_string() == day;
            (&content.overrides.iter().find(|own| at(&own.recurrence_id))?.facts, field)
        }
    };
    let [title, place, time] = marks_of(facts);
    match field {
        "title" => title,
        "location" => place,
        "time" => time,
        _ => None,
    }
}
