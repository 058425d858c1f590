//! Our own writes come back: what was sent and never answered may be part of what the provider says now (S8).
//!
//! A field in which the provider says exactly what we sent is nobody's edit, whether our write arrived or somebody chose the
//! same words: our side has said it too. So it counts as agreed; every other field keeps its base, and is disputed if it must be.

use super::merge::renames;
use crate::domain::event::{EventContent, Facts};

/// The base, agreed on in every field in which `remote` says what was `sent`. `ours`: all that we say now; where that is the base
/// again and the provider says a third thing, nobody can tell which of ours was written over, so ours counts as an edit.
#[must_use]
pub fn agreed(base: &EventContent, sent: &EventContent, remote: &EventContent, ours: &EventContent) -> EventContent {
    // A series that was moved has its occurrences under new names: they can only be compared with those that were sent.
    if renames(base, sent) && !renames(sent, remote) {
        let mut agreed = sent.clone();
        keep_other(&mut agreed.facts, &base.facts, &remote.facts);
        agreed.overrides.retain(|own| remote.overrides.contains(own));
        agreed.recurrence.excluded.retain(|time| remote.recurrence.excluded.contains(time));
        agreed.recurrence.added.retain(|date| remote.recurrence.added.contains(date));
        return agreed;
    }
    let mut agreed = base.clone();
    take_same(&mut agreed.facts, &sent.facts, &remote.facts, Some(&ours.facts));
    let (held, mine, theirs) = (&mut agreed.recurrence, &sent.recurrence, &remote.recurrence);
    same(&mut held.rules, &mine.rules, &theirs.rules, None);
    same(&mut held.excluded_rules, &mine.excluded_rules, &theirs.excluded_rules, None);
    same(&mut held.added, &mine.added, &theirs.added, None);
    same(&mut held.excluded, &mine.excluded, &theirs.excluded, None);
    agreed.overrides.retain(|own| {
        sent.override_at(&own.recurrence_id).is_some() || remote.override_at(&own.recurrence_id).is_some()
    });
    for own in &sent.overrides {
        let held = agreed.overrides.iter_mut().find(|held| held.recurrence_id == own.recurrence_id);
        let Some(theirs) = remote.override_at(&own.recurrence_id) else {
            // Taken away there, and nobody can tell which of ours was seen.
            if let Some(held) = held.filter(|held| ours.override_at(&own.recurrence_id) == Some(held)) {
                held.facts.clone_from(&own.facts);
            }
            continue;
        };
        match held {
            Some(held) => {
                let ours = ours.override_at(&own.recurrence_id).map(|ours| &ours.facts);
                take_same(&mut held.facts, &own.facts, &theirs.facts, ours);
            }
            None if theirs == own => agreed.overrides.push(own.clone()),
            None => {}
        }
    }
    agreed.normalise();
    agreed
}

/// What both sides agree on of a copy that we began to make and of which no answer came: what was sent, but for occurrences that
/// differ from their series and are not there. Some providers take each of them as a write of its own, after the series, so a
/// create that was cut short looks as if somebody had taken them away.
#[must_use]
pub fn begun(sent: &EventContent, remote: &EventContent) -> EventContent {
    let mut begun = sent.clone();
    let left_out = &remote.recurrence.excluded;
    begun
        .overrides
        .retain(|own| remote.override_at(&own.recurrence_id).is_some() || left_out.contains(&own.recurrence_id));
    begun.recurrence.excluded.retain(|time| left_out.contains(time) || remote.override_at(time).is_some());
    begun
}

fn same<T: Clone + PartialEq>(held: &mut T, sent: &T, remote: &T, ours: Option<&T>) {
    let written_over = ours == Some(held) && remote != held;
    if sent == remote || written_over {
        held.clone_from(sent);
    }
}

fn take_same(held: &mut Facts, sent: &Facts, remote: &Facts, ours: Option<&Facts>) {
    let time = |facts: &Facts| (facts.start, facts.end);
    let mut agreed = time(held);
    same(&mut agreed, &time(sent), &time(remote), ours.map(time).as_ref());
    (held.start, held.end) = agreed;
    same(&mut held.title, &sent.title, &remote.title, ours.map(|ours| &ours.title));
    same(&mut held.description, &sent.description, &remote.description, ours.map(|ours| &ours.description));
    same(&mut held.location, &sent.location, &remote.location, ours.map(|ours| &ours.location));
    same(&mut held.status, &sent.status, &remote.status, ours.map(|ours| &ours.status));
    same(&mut held.transparency, &sent.transparency, &remote.transparency, ours.map(|ours| &ours.transparency));
    same(&mut held.visibility, &sent.visibility, &remote.visibility, ours.map(|ours| &ours.visibility));
    same(&mut held.url, &sent.url, &remote.url, ours.map(|ours| &ours.url));
}

/// Where the provider says something else than was sent, what was agreed before stays.
fn keep_other(sent: &mut Facts, base: &Facts, remote: &Facts) {
    let mut kept = Facts { start: sent.start, end: sent.end, ..base.clone() };
    take_same(&mut kept, sent, remote, None);
    *sent = kept;
}
