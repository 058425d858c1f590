//! What content becomes by being written and read again.

use chrono::Timelike;

use super::{recurrence, repair, rule, text, zone};
use crate::domain::{
    event::{EventContent, Facts, Override, Recurrence},
    time::EventTime,
};

/// What decoding gives for content that [`encode::create`](super::encode::create) wrote. Idempotent.
#[must_use]
pub fn canonical(content: &EventContent) -> EventContent {
    let mut canonical = content.clone();
    tidy(&mut canonical.facts);
    for over in &mut canonical.overrides {
        tidy(&mut over.facts);
        over.recurrence_id = tidy_time(over.recurrence_id);
    }
    if let Some(first) = canonical.detached_from {
        canonical.recurrence = Recurrence::default();
        canonical.overrides.insert(0, Override { recurrence_id: tidy_time(first), facts: canonical.facts.clone() });
        detach(&mut canonical);
    } else {
        let start = canonical.facts.start;
        let recurrence = &mut canonical.recurrence;
        for rule in recurrence.rules.iter_mut().chain(&mut recurrence.excluded_rules) {
            *rule = rule::tidy(rule);
        }
        for added in &mut recurrence.added {
            added.start = tidy_time(added.start);
            added.end = added.end.map(tidy_time);
            *added = recurrence::align_added(*added, &start);
        }
        for excluded in &mut recurrence.excluded {
            *excluded = recurrence::align(tidy_time(*excluded), &start);
        }
        for over in &mut canonical.overrides {
            over.recurrence_id = recurrence::align(over.recurrence_id, &start);
        }
    }
    settle(&mut canonical);
    canonical
}

/// Puts every list in its one order.
pub(super) fn settle(content: &mut EventContent) {
    recurrence::sort(&mut content.recurrence);
    content.overrides.sort_by_cached_key(|over| recurrence::key(&over.recurrence_id));
    content.normalise();
}

/// Makes the first of the overrides the facts of a series that has no master.
pub(super) fn detach(content: &mut EventContent) {
    content.overrides.sort_by_cached_key(|over| recurrence::key(&over.recurrence_id));
    content.overrides.dedup_by(|later, kept| later.recurrence_id == kept.recurrence_id);
    if content.overrides.is_empty() {
        return;
    }
    let first = content.overrides.remove(0);
    content.detached_from = Some(first.recurrence_id);
    content.facts = first.facts;
}

fn tidy(facts: &mut Facts) {
    facts.title = text::writable(&facts.title);
    for held in [&mut facts.description, &mut facts.location] {
        *held = held.as_deref().map(text::writable);
    }
    facts.url = facts.url.as_deref().map(text::writable_uri);
    facts.start = tidy_time(facts.start);
    facts.end = repair::end(&facts.start, Some(tidy_time(facts.end)), None);
}

fn tidy_time(time: EventTime) -> EventTime {
    match time {
        EventTime::Date(_) => time,
        EventTime::DateTime { local, zone } => {
            EventTime::DateTime { local: local.with_nanosecond(0).unwrap_or(local), zone: zone::canonical(zone) }
        }
    }
}
