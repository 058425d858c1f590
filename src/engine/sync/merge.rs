//! Three-way merge of event content, field by field and occurrence by occurrence.
//!
//! - **overlap**: a field that both sides changed, to different values. Only overlaps are conflicts.
//!
//! **Invariant (I-8):** an edit to one occurrence changes no other; two sides that edit different occurrences never overlap.

use std::collections::BTreeMap;

use crate::domain::{
    conflict::Winner,
    event::{EventContent, Facts, Override},
    time::EventTime,
};

/// A merge's result and the fields where one side had to win.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Both sides' changes; in an overlap, the preferred side's.
    pub content: EventContent,
    /// The fields that overlapped, in our JSON names; an occurrence's as `2026-03-29T10:00:00/title`.
    pub overlaps: Vec<String>,
}

/// Merges two changed versions of `base`; an overlap goes to `prefer`.
#[must_use]
pub fn merge(base: &EventContent, local: &EventContent, remote: &EventContent, prefer: Winner) -> Merged {
    let mut choice = Choice { prefer, prefix: String::new(), overlaps: Vec::new() };
    // A moved or re-ruled series renames its occurrences, so occurrence edits of the other side have nothing to hold on to.
    if renames(base, local) != renames(base, remote) && touches_both(base, local, remote) {
        choice.overlaps.push("occurrences".into());
        let mut content = if prefer == Winner::Local { local.clone() } else { remote.clone() };
        // When and how often is one thing then; what the series is called, and where, is another.
        let facts = choice.facts(&base.facts, &local.facts, &remote.facts);
        content.facts = Facts { start: content.facts.start, end: content.facts.end, ..facts };
        return Merged { content, overlaps: choice.overlaps };
    }
    let facts = choice.facts(&base.facts, &local.facts, &remote.facts);
    let mut content = EventContent::single(facts);
    content.detached_from = remote.detached_from;
    let (b, l, r) = (&base.recurrence, &local.recurrence, &remote.recurrence);
    content.recurrence.rules = choice.pick("recurrence", &b.rules, &l.rules, &r.rules);
    content.recurrence.excluded_rules =
        choice.pick("recurrence", &b.excluded_rules, &l.excluded_rules, &r.excluded_rules);
    content.recurrence.added = merge_set(&b.added, &l.added, &r.added);
    content.recurrence.excluded = merge_set(&b.excluded, &l.excluded, &r.excluded);
    content.overrides = choice.overrides(base, local, remote, &mut content.recurrence.excluded);
    content.normalise();
    Merged { content, overlaps: choice.overlaps }
}

/// Whether a version renames the occurrences of its base: another start, rule or kind.
pub(super) fn renames(base: &EventContent, version: &EventContent) -> bool {
    base.is_series()
        && (base.facts.start != version.facts.start
            || base.recurrence.rules != version.recurrence.rules
            || base.detached_from != version.detached_from)
}

/// Whether the side that does not rename has edited single occurrences.
fn touches_both(base: &EventContent, local: &EventContent, remote: &EventContent) -> bool {
    let occurrences = |version: &EventContent| {
        version.overrides != base.overrides
            || version.recurrence.excluded != base.recurrence.excluded
            || version.recurrence.added != base.recurrence.added
    };
    (renames(base, local) && occurrences(remote)) || (renames(base, remote) && occurrences(local))
}

/// Base plus what either side added, minus what either side took away. Never overlaps.
fn merge_set<T: Clone + PartialEq>(base: &[T], local: &[T], remote: &[T]) -> Vec<T> {
    let kept = base.iter().filter(|item| local.contains(item) && remote.contains(item));
    let added = local.iter().chain(remote).filter(|item| !base.contains(item));
    kept.chain(added).cloned().collect()
}

struct Choice {
    prefer: Winner,
    prefix: String,
    overlaps: Vec<String>,
}

impl Choice {
    fn pick<T: Clone + PartialEq>(&mut self, field: &str, base: &T, local: &T, remote: &T) -> T {
        if local == remote || remote == base {
            return local.clone();
        }
        if local == base {
            return remote.clone();
        }
        let name = format!("{}{field}", self.prefix);
        if self.overlaps.last() != Some(&name) {
            self.overlaps.push(name);
        }
        if self.prefer == Winner::Local { local.clone() } else { remote.clone() }
    }

    fn facts(&mut self, base: &Facts, local: &Facts, remote: &Facts) -> Facts {
        // Start and end are one field: half of one side's move with half of the other's is nobody's intention.
        let (start, end) =
            self.pick("time", &(base.start, base.end), &(local.start, local.end), &(remote.start, remote.end));
        Facts {
            start,
            end,
            title: self.pick("title", &base.title, &local.title, &remote.title),
            description: self.pick("description", &base.description, &local.description, &remote.description),
            location: self.pick("location", &base.location, &local.location, &remote.location),
            status: self.pick("status", &base.status, &local.status, &remote.status),
            transparency: self.pick("transparency", &base.transparency, &local.transparency, &remote.transparency),
            visibility: self.pick("visibility", &base.visibility, &local.visibility, &remote.visibility),
            url: self.pick("url", &base.url, &local.url, &remote.url),
        }
    }

    fn overrides(
        &mut self,
        base: &EventContent,
        local: &EventContent,
        remote: &EventContent,
        excluded: &mut Vec<EventTime>,
    ) -> Vec<Override> {
        let mut names: BTreeMap<(chrono::NaiveDateTime, String), EventTime> = BTreeMap::new();
        for held in base.overrides.iter().chain(&local.overrides).chain(&remote.overrides) {
            let id = held.recurrence_id;
            names.insert((id.wall(), id.zone().to_string()), id);
        }
        let mut kept = Vec::new();
        for recurrence_id in names.into_values() {
            let find = |version: &EventContent| version.override_at(&recurrence_id).map(|o| o.facts.clone());
            let (b, l, r) = (find(base), find(local), find(remote));
            self.prefix = occurrence_prefix(&recurrence_id);
            let facts = match (l, r) {
                // One side edits what the other side removed with an EXDATE: the occurrence is at stake, as a whole.
                (Some(l), None) if remote.recurrence.excluded.contains(&recurrence_id) && Some(&l) != b.as_ref() => {
                    self.rescue(&recurrence_id, l, Winner::Local, excluded)
                }
                (None, Some(r)) if local.recurrence.excluded.contains(&recurrence_id) && Some(&r) != b.as_ref() => {
                    self.rescue(&recurrence_id, r, Winner::Remote, excluded)
                }
                (Some(l), Some(r)) => {
                    let b = b.unwrap_or_else(|| plain_occurrence(base, &recurrence_id));
                    Some(self.facts(&b, &l, &r))
                }
                (l, r) => self.pick("occurrence", &b, &l, &r),
            };
            self.prefix.clear();
            if let Some(facts) = facts.filter(|_| !excluded.contains(&recurrence_id)) {
                kept.push(Override { recurrence_id, facts });
            }
        }
        kept
    }

    /// Settles "edited here, removed there" for one occurrence.
    fn rescue(
        &mut self,
        recurrence_id: &EventTime,
        edited: Facts,
        editor: Winner,
        excluded: &mut Vec<EventTime>,
    ) -> Option<Facts> {
        self.overlaps.push(format!("{}occurrence", self.prefix));
        if self.prefer == editor {
            excluded.retain(|held| held != recurrence_id);
            Some(edited)
        } else {
            None
        }
    }
}

/// What an occurrence says when nothing overrides it.
fn plain_occurrence(series: &EventContent, recurrence_id: &EventTime) -> Facts {
    let length = series.facts.end.wall() - series.facts.start.wall();
    let start = series.facts.start.with_wall(recurrence_id.wall());
    let end = series.facts.end.with_wall(recurrence_id.wall() + length);
    Facts { start, end, ..series.facts.clone() }
}

/// Carries the change from `outbound` to `wanted` over to `full`, which may say more than the provider was sent.
#[must_use]
pub fn overlay(full: &EventContent, outbound: &EventContent, wanted: &EventContent) -> EventContent {
    carry(full, outbound, wanted, Winner::Remote).content
}

/// The same, and the fields where somebody wrote over what they could not see: `full`'s text stands there if `prefer` is ours.
#[must_use]
pub fn carry(full: &EventContent, outbound: &EventContent, wanted: &EventContent, prefer: Winner) -> Merged {
    if full == outbound || outbound == wanted {
        let content = if outbound == wanted { full.clone() } else { wanted.clone() };
        return Merged { content, overlaps: Vec::new() };
    }
    let mut choice = Choice { prefer, prefix: String::new(), overlaps: Vec::new() };
    let mut result = wanted.clone();
    result.facts = choice.facts(&outbound.facts, &full.facts, &wanted.facts);
    // A series that was moved has its occurrences under new names, in the same order.
    let moved = renames(outbound, wanted) && outbound.overrides.len() == wanted.overrides.len();
    for (at, occurrence) in result.overrides.iter_mut().enumerate() {
        let id = occurrence.recurrence_id;
        let own = |version: &EventContent| {
            let own = if moved { version.overrides.get(at) } else { version.override_at(&id) };
            own.map(|own| own.facts.clone())
        };
        occurrence.facts = if let (Some(shown), Some(held)) = (own(outbound), own(full)) {
            choice.prefix = occurrence_prefix(&id);
            choice.facts(&shown, &held, &occurrence.facts)
        } else {
            // Its first words of its own: they stand beside what the series is called, and write over nothing.
            let mut first = Choice { prefer: Winner::Remote, prefix: String::new(), overlaps: Vec::new() };
            first.facts(&plain_occurrence(outbound, &id), &plain_occurrence(full, &id), &occurrence.facts)
        };
    }
    let gone = |id: &EventTime| !moved && wanted.override_at(id).is_none();
    let hid = |own: &&Override| outbound.override_at(&own.recurrence_id).is_some_and(|shown| shown.facts != own.facts);
    if full.overrides.iter().filter(hid).any(|own| gone(&own.recurrence_id)) {
        choice.overlaps.push("occurrences".into());
        if prefer == Winner::Local {
            result = full.clone();
        }
    }
    result.normalise();
    Merged { content: result, overlaps: choice.overlaps }
}

/// What becomes of an event that both sides changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// All that it says.
    pub content: EventContent,
    /// What of it the copy shows.
    pub shown: EventContent,
    /// The fields where one side had to win.
    pub overlaps: Vec<String>,
}

/// Merges what the copy may show, and carries that over to all that the event says. `was`: what of the base the copy may show.
#[must_use]
pub fn both_sides(
    (base, was): (&EventContent, &EventContent),
    full: &EventContent,
    outbound: &EventContent,
    remote: &EventContent,
    prefer: Winner,
) -> Met {
    let merged = merge(was, outbound, remote, prefer);
    if merged.content == *outbound {
        return Met { content: full.clone(), shown: merged.content, overlaps: merged.overlaps };
    }
    // What the copy would show with our change, were it not to be reduced.
    let carried = carry(full, &overlay(base, was, outbound), &merged.content, prefer);
    let mut overlaps = merged.overlaps;
    for field in carried.overlaps {
        if !overlaps.contains(&field) {
            overlaps.push(field);
        }
    }
    Met { content: carried.content, shown: merged.content, overlaps }
}

/// How the fields of one occurrence are named.
fn occurrence_prefix(recurrence_id: &EventTime) -> String {
    format!("{}/", recurrence_id.wall().format("%Y-%m-%dT%H:%M:%S"))
}

/// The fields in which two versions differ, by the names that conflicts use.
#[must_use]
pub fn differences(a: &EventContent, b: &EventContent) -> Vec<String> {
    let mut names = Vec::new();
    let mut note = |differs: bool, name: &str| {
        if differs {
            names.push(name.to_owned());
        }
    };
    let (x, y) = (&a.facts, &b.facts);
    note((x.start, x.end) != (y.start, y.end), "time");
    note(x.title != y.title, "title");
    note(x.description != y.description, "description");
    note(x.location != y.location, "location");
    note(x.status != y.status, "status");
    note(x.transparency != y.transparency, "transparency");
    note(x.visibility != y.visibility, "visibility");
    note(x.url != y.url, "url");
    note(a.recurrence != b.recurrence, "recurrence");
    note(a.overrides != b.overrides, "occurrences");
    names
}
