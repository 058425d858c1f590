//! Editing and deleting one occurrence of a series, it and those after it, or all of them.
//!
//! Terms. The *head* is what stays before a cut, the *tail* the new series from there on.
//!
//! **Invariant:** an edit of one occurrence changes no other, and a cut keeps the set of instants (I-8): a cut that would not,
//! because the rules depend on where they began, is refused.

mod cut;
mod rewrite;
#[cfg(test)]
mod tests;

use chrono::Duration;
use chrono_tz::Tz;

use crate::domain::event::{EventContent, EventStatus, Facts, Override, Recurrence};
use crate::domain::time::{EventTime, Window};

use super::recurrence::{Bounds, Frame, RuleRefused, Set, Steps, expand, is_occurrence, span, validate_rule};

/// How much of a series an edit means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditScope {
    /// One occurrence.
    This,
    /// One occurrence and those after it.
    Following,
    /// The series.
    All,
}

/// What an edit makes of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, taken apart at once")]
pub enum SeriesEdit {
    /// The same event, with other content.
    Changed(EventContent),
    /// Two events: the old one, ended, and a new one.
    Split {
        /// The old event.
        head: EventContent,
        /// The new event.
        tail: EventContent,
    },
}

/// What a deletion makes of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, taken apart at once")]
pub enum SeriesDelete {
    /// The event goes on without what was deleted.
    Changed(EventContent),
    /// Nothing is left: delete the event.
    Whole,
}

/// Why a series cannot be edited so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeriesRefused {
    /// A scope other than all needs a `recurrence_id`.
    #[error("recurrence_id: is missing; say which occurrence is meant, or use the scope `all`")]
    WhichOccurrence,
    /// The series has no such occurrence.
    #[error("recurrence_id: is no occurrence of this series")]
    NotAnOccurrence,
    /// The rule names days or times that the new start is not on.
    #[error("recurrence: the rule names days or times that the new start is not on; give the new rule as well")]
    StartOffRule,
    /// The rule depends on where it began.
    #[error("scope: this series cannot be cut here without moving other occurrences; edit this one, or all")]
    Inseparable,
    /// Only single occurrences of somebody's series are known.
    #[error("scope: only single occurrences of this series are known; edit this one")]
    Detached,
    /// The series' rule, or the new one, cannot be expanded.
    #[error("recurrence: {0}")]
    Rule(#[from] RuleRefused),
}

/// Applies an edit. `new_facts` is what the occurrence named by `recurrence_id` shall say, its own times included; without a
/// `recurrence_id` it is the master. `new_recurrence`, for following and all, replaces rules and added dates; what was
/// removed stays removed, and overrides stay where the new rules still have their occurrence.
pub fn edit(
    content: &EventContent,
    recurrence_id: Option<&EventTime>,
    scope: EditScope,
    new_facts: &Facts,
    new_recurrence: Option<&Recurrence>,
    floating_in: Tz,
) -> Result<SeriesEdit, SeriesRefused> {
    for rule in new_recurrence.iter().flat_map(|new| new.rules.iter().chain(&new.excluded_rules)) {
        validate_rule(rule)?;
    }
    if !content.is_series() && content.detached_from.is_none() && recurrence_id.is_none() {
        return edit_all(content, None, new_facts, new_recurrence, floating_in).map(SeriesEdit::Changed);
    }
    let at = named(content, recurrence_id, scope, floating_in)?;
    let (Some(at), true) = (at, scope != EditScope::All) else {
        return edit_all(content, at.as_ref(), new_facts, new_recurrence, floating_in).map(SeriesEdit::Changed);
    };
    if scope == EditScope::This {
        return edit_this(content, &at, new_facts, floating_in).map(SeriesEdit::Changed);
    }
    match cut::cut(content, &at, floating_in)? {
        cut::Cut::AtFirst => {
            edit_all(content, Some(&at), new_facts, new_recurrence, floating_in).map(SeriesEdit::Changed)
        }
        cut::Cut::Between { head, tail } => {
            let tail = edit_all(&tail, Some(&at), new_facts, new_recurrence, floating_in)?;
            Ok(SeriesEdit::Split { head, tail })
        }
    }
}

/// Applies a deletion.
pub fn delete(
    content: &EventContent,
    recurrence_id: Option<&EventTime>,
    scope: EditScope,
    floating_in: Tz,
) -> Result<SeriesDelete, SeriesRefused> {
    if !content.is_series() && content.detached_from.is_none() && recurrence_id.is_none() {
        return Ok(SeriesDelete::Whole);
    }
    if scope == EditScope::All && content.detached_from.is_none() {
        return Ok(SeriesDelete::Whole);
    }
    let Some(at) = named(content, recurrence_id, scope, floating_in)? else {
        return Ok(SeriesDelete::Whole);
    };
    if scope == EditScope::Following {
        return Ok(match cut::cut(content, &at, floating_in)? {
            cut::Cut::AtFirst => SeriesDelete::Whole,
            cut::Cut::Between { head, .. } => SeriesDelete::Changed(head),
        });
    }
    let left = without(content, &at, floating_in)?;
    Ok(match left {
        Some(left) if !is_spent(&left, floating_in) => SeriesDelete::Changed(left),
        _ => SeriesDelete::Whole,
    })
}

/// The occurrence that is meant, once it is known to be one.
fn named(
    content: &EventContent,
    recurrence_id: Option<&EventTime>,
    scope: EditScope,
    floating_in: Tz,
) -> Result<Option<EventTime>, SeriesRefused> {
    if content.detached_from.is_some() && scope != EditScope::This {
        return Err(SeriesRefused::Detached);
    }
    let Some(at) = recurrence_id else {
        return if scope == EditScope::All { Ok(None) } else { Err(SeriesRefused::WhichOccurrence) };
    };
    let frame = Frame::new(content.facts.start, floating_in)?;
    if !is_occurrence(content, at, floating_in, &Bounds::default()) {
        return Err(SeriesRefused::NotAnOccurrence);
    }
    // Spelt as the series spells its times, unless that would be another moment.
    let spelt = content.facts.start.with_wall(frame.wall_of(at));
    Ok(Some(if frame.key(&spelt) == frame.key(at) || at.is_all_day() { spelt } else { *at }))
}

fn edit_this(
    content: &EventContent,
    at: &EventTime,
    new_facts: &Facts,
    floating_in: Tz,
) -> Result<EventContent, SeriesRefused> {
    let frame = Frame::new(content.facts.start, floating_in)?;
    let mut edited = content.clone();
    let key = frame.key(at);
    if let Some(own) = edited.overrides.iter_mut().find(|o| frame.key(&o.recurrence_id) == key) {
        own.facts = new_facts.clone();
    } else if content.detached_from.is_some() {
        edited.facts = new_facts.clone();
    } else {
        edited.overrides.push(Override { recurrence_id: *at, facts: new_facts.clone() });
    }
    edited.normalise();
    Ok(edited)
}

/// The content without one occurrence; none when a detached event has no other.
fn without(content: &EventContent, at: &EventTime, floating_in: Tz) -> Result<Option<EventContent>, SeriesRefused> {
    let frame = Frame::new(content.facts.start, floating_in)?;
    let key = frame.key(at);
    let mut left = content.clone();
    left.overrides.retain(|o| frame.key(&o.recurrence_id) != key);
    if content.detached_from.is_none() && content.recurrence.is_empty() && left.overrides.is_empty() {
        // The rest of a cut series may have one time alone, without a rule that something could be left out of.
        return Ok(None);
    }
    if content.detached_from.is_none() {
        left.recurrence.excluded.push(*at);
    } else if content.detached_from.is_some_and(|first| frame.key(&first) == key) {
        if left.overrides.is_empty() {
            return Ok(None);
        }
        let next = left.overrides.remove(0);
        left.facts = next.facts;
        left.detached_from = Some(next.recurrence_id);
    }
    left.normalise();
    Ok(Some(left))
}

/// Whether a series with a known end has no occurrence left.
fn is_spent(content: &EventContent, floating_in: Tz) -> bool {
    let (first, Some(last)) = span(content, floating_in) else {
        return false;
    };
    let window = Window { from: first, to: last.checked_add_signed(Duration::days(1)).unwrap_or(last) };
    let bounds = Bounds { instances_max: 1, ..Bounds::default() };
    expand(content, window, floating_in, &bounds).is_ok_and(|found| found.occurrences.is_empty() && !found.truncated)
}

/// Rewrites the master. With an occurrence named, its change of start is the series' change of start; exceptions and what
/// was not moved by hand move along.
fn edit_all(
    content: &EventContent,
    at: Option<&EventTime>,
    new_facts: &Facts,
    new_recurrence: Option<&Recurrence>,
    floating_in: Tz,
) -> Result<EventContent, SeriesRefused> {
    let frame = Frame::new(content.facts.start, floating_in)?;
    let shown_start = at.map_or(content.facts.start, |at| {
        let key = frame.key(at);
        content.overrides.iter().find(|o| frame.key(&o.recurrence_id) == key).map_or(*at, |o| o.facts.start)
    });
    let shift = Shift { frame, by: new_facts.start.wall() - frame.wall_of(&shown_start), to: new_facts.start };
    let mut edited = content.clone();
    let start = shift.original(&content.facts.start);
    let length = new_facts.end.wall() - new_facts.start.wall();
    let end = start.wall().checked_add_signed(length).unwrap_or(start.wall());
    edited.facts = Facts { start, end: new_facts.end.with_wall(end), ..new_facts.clone() };
    for own in &mut edited.overrides {
        let unmoved = frame.key(&own.facts.start) == frame.key(&own.recurrence_id);
        let edited_one = at.is_some_and(|at| frame.key(at) == frame.key(&own.recurrence_id));
        if edited_one && own.facts.status != EventStatus::Cancelled {
            own.facts = new_facts.clone();
        } else if unmoved && shift.moves() {
            let length = own.facts.end.wall() - own.facts.start.wall();
            own.facts.start = shift.original(&own.facts.start);
            let end = own.facts.start.wall().checked_add_signed(length).unwrap_or(own.facts.start.wall());
            own.facts.end = own.facts.start.with_wall(end);
        }
        own.recurrence_id = shift.exception(&own.recurrence_id);
    }
    let excluded: Vec<_> = content.recurrence.excluded.iter().map(|time| shift.exception(time)).collect();
    match new_recurrence {
        None => {
            for added in &mut edited.recurrence.added {
                added.start = shift.exception(&added.start);
                added.end = added.end.map(|end| shift.exception(&end));
            }
            edited.recurrence.excluded = excluded;
            if shift.moves() {
                move_rules(&mut edited, content, floating_in)?;
            }
        }
        Some(new) => {
            edited.recurrence = new.clone();
            if !new.is_empty() {
                edited.recurrence.excluded.extend(excluded);
            }
            drop_strays(&mut edited, floating_in)?;
        }
    }
    edited.normalise();
    Ok(edited)
}

/// Moves the rules with the start. A start that was on its rule must be so after the move.
fn move_rules(edited: &mut EventContent, content: &EventContent, floating_in: Tz) -> Result<(), SeriesRefused> {
    let (old, new) = (Frame::new(content.facts.start, floating_in)?, Frame::new(edited.facts.start, floating_in)?);
    let recurrence = &mut edited.recurrence;
    for rule in recurrence.rules.iter_mut().chain(&mut recurrence.excluded_rules) {
        *rule = rewrite::moved(rule, &old, &new);
    }
    let was_extra = Set::new(content, floating_in)?.start_is_extra;
    if Set::new(edited, floating_in)?.start_is_extra && !was_extra {
        return Err(SeriesRefused::StartOffRule);
    }
    Ok(())
}

/// Overrides whose occurrence the new rules do not have would show as extra ones: they go.
fn drop_strays(content: &mut EventContent, floating_in: Tz) -> Result<(), SeriesRefused> {
    let mut overrides = std::mem::take(&mut content.overrides);
    let set = Set::new(content, floating_in)?;
    let mut steps = Steps(Bounds::default().steps_max);
    let single = content.recurrence.is_empty();
    overrides.retain(|own| !single && set.has(set.frame.key(&own.recurrence_id), &mut steps) != Some(false));
    content.overrides = overrides;
    Ok(())
}

/// A move of a whole series.
struct Shift {
    frame: Frame,
    by: Duration,
    /// A time of the kind and zone that the series gets.
    to: EventTime,
}

impl Shift {
    fn moves(&self) -> bool {
        !self.by.is_zero()
            || self.to.zone() != self.frame.start.zone()
            || self.to.is_all_day() != self.frame.is_all_day()
    }

    /// A start of the series, as it is after the move.
    fn original(&self, time: &EventTime) -> EventTime {
        if !self.moves() {
            return *time;
        }
        let wall = self.frame.wall_of(time);
        self.to.with_wall(wall.checked_add_signed(self.by).unwrap_or(wall))
    }

    /// An exception's time; a date that stands for a whole day of a timed series stays a date.
    fn exception(&self, time: &EventTime) -> EventTime {
        match time {
            EventTime::Date(day) if self.moves() && !self.frame.is_all_day() && !self.to.is_all_day() => {
                let wall = self.frame.wall_of(time);
                EventTime::Date(wall.checked_add_signed(self.by).map_or(*day, |moved| moved.date()))
            }
            _ => self.original(time),
        }
    }
}
