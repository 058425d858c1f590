//! When an event happens: the occurrences of a series inside a window.
//!
//! A rule is expanded on wall clock and only then turned into instants, so that an occurrence keeps its hour when
//! clocks change. A wall in a gap becomes the instant that the offset before the gap gives (RFC 5545 §3.3.5), although
//! §3.3.10 would drop it: an event that vanishes one day a year is worse than one that is an hour late.
//!
//! Length: an all-day occurrence lasts as many days as the master; a timed one exactly as long as the master, which is what
//! RFC 5545 §3.8.5.3 asks where there is a `DTEND`. Overrides, and `RDATE`s that are periods, bring their own ends.
//!
//! The walking is ours although the `rrule` crate walks well: one `next()` of it names all times of a year at once (0.7 s for
//! a legal rule), cannot be stopped, and knows neither `COUNT` from afar nor `SKIP`. Tests hold us against it.
//!
//! Where libraries disagree we read rules so:
//!
//! | Rule | Here | Elsewhere |
//! |---|---|---|
//! | DTSTART that its rule does not name | first instance, counted (RFC 5545 §3.8.5.3) | python-dateutil drops it |
//! | `BYxxx` under a `FREQ` that the RFC's table forbids | refused, named | python-dateutil filters by it |
//! | `1MO` or `-1MO` in a week | that week's Monday | refused, or the number ignored everywhere |
//! | `YEARLY;BYMONTHDAY` without `BYMONTH` | every month, as the table's "expand" says | libical: DTSTART's month |
//! | `BYWEEKNO` without `BYDAY` | DTSTART's weekday, as for `WEEKLY` | python-dateutil: all seven days |
//! | `BYWEEKNO` with `INTERVAL` | counts years of weeks, so that no week is in two periods | calendar years |
//! | `BYSETPOS` in the week of DTSTART | numbers the whole week | python-dateutil numbers what is left of it |
//! | plain and numbered days in one `BYDAY` | either | python-dateutil asks for both |
//!
//! **Invariant:** occurrences are in the window, ordered by start, one per original start.
//! **Invariant:** the work is bounded by [`Bounds`], whatever the rule; what that leaves out is told by `truncated`.

mod frame;
mod plan;
mod rule;
mod set;
#[cfg(test)]
pub(in crate::engine) mod tests;
mod walk;

use std::borrow::Cow;
use std::cmp::Reverse;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::domain::event::{EventContent, EventStatus, Facts, Override, Recurrence};
use crate::domain::time::{EventTime, Window};

pub use rule::{RULE_BYTES_MAX, RuleRefused};
pub use set::RULES_MAX;

pub(in crate::engine) use frame::{Frame, Key, Keys};
pub(in crate::engine) use set::Set;
pub(in crate::engine) use set::Stretch;
pub(in crate::engine) use walk::Steps;

use frame::{Length, is_computable};
use rule::Rule;
use set::Original;

/// One time that an event happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence<'a> {
    /// `RECURRENCE-ID` (RFC 5545 §3.8.4.4): the original start; none for an event that happens once.
    pub recurrence_id: Option<EventTime>,
    /// What this occurrence says, with its own start and end.
    pub facts: Cow<'a, Facts>,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after; equal to `start` for a moment.
    pub end: DateTime<Utc>,
}

/// How much an expansion may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most occurrences in one answer.
    pub instances_max: usize,
    /// Most days looked at and times named, over all rules of the event; a million take some ten milliseconds.
    pub steps_max: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { instances_max: 3_000, steps_max: 1_000_000 }
    }
}

/// The occurrences in a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion<'a> {
    /// By start.
    pub occurrences: Vec<Occurrence<'a>>,
    /// A bound was met, or the calendar ended, before all were found.
    pub truncated: bool,
}

/// The occurrences that share an instant with a window, cancelled ones left out. Floating times and dates are read in
/// `floating_in`. A single event is its only occurrence, whatever its status.
pub fn expand<'a>(
    content: &'a EventContent,
    window: Window,
    floating_in: Tz,
    bounds: &Bounds,
) -> Result<Expansion<'a>, RuleRefused> {
    let window = computable(window);
    if let Some(first) = &content.detached_from {
        return Ok(expand_detached(content, first, window, floating_in, bounds));
    }
    let frame = Frame::new(content.facts.start, floating_in)?;
    if !content.is_series() {
        let only = occurrence(&content.facts, None, &frame);
        let occurrences = Some(only).filter(|only| window.touches(only.start, only.end)).into_iter().collect();
        return Ok(Expansion { occurrences, truncated: false });
    }
    let set = Set::new(content, floating_in)?;
    let overridden = Keys::new(&frame, content.overrides.iter().map(|o| &o.recurrence_id));
    let (originals, mut truncated) =
        set.members(stretch(&set, window), bounds.instances_max, &mut Steps(bounds.steps_max), |original| {
            !overridden.covers(original.wall, original.at) && window.touches(original.at, set.end(original).1)
        });
    let mut occurrences: Vec<_> = unique(originals).iter().map(|original| as_occurrence(&set, original)).collect();
    occurrences.extend(shown_overrides(&content.overrides, window, floating_in));
    order(&mut occurrences, bounds, &mut truncated);
    Ok(Expansion { occurrences, truncated })
}

/// Without a master there are only the single occurrences that we were given.
fn expand_detached<'a>(
    content: &'a EventContent,
    first: &EventTime,
    window: Window,
    floating_in: Tz,
    bounds: &Bounds,
) -> Expansion<'a> {
    let mut occurrences: Vec<_> = shown_overrides(&content.overrides, window, floating_in).collect();
    let replaced = Frame::new(*first, floating_in)
        .is_ok_and(|frame| content.overrides.iter().any(|o| frame.key(&o.recurrence_id) == frame.key(first)));
    if !replaced && content.facts.status != EventStatus::Cancelled {
        occurrences.extend(shown(&content.facts, first, window, floating_in));
    }
    let mut truncated = false;
    order(&mut occurrences, bounds, &mut truncated);
    Expansion { occurrences, truncated }
}

fn order(occurrences: &mut Vec<Occurrence<'_>>, bounds: &Bounds, truncated: &mut bool) {
    occurrences.sort_by_key(|o| (o.start, o.end, o.recurrence_id.map(|id| id.wall())));
    *truncated |= occurrences.len() > bounds.instances_max;
    occurrences.truncate(bounds.instances_max);
}

fn shown_overrides(overrides: &[Override], window: Window, floating_in: Tz) -> impl Iterator<Item = Occurrence<'_>> {
    overrides
        .iter()
        .filter(|o| o.facts.status != EventStatus::Cancelled)
        .filter_map(move |o| shown(&o.facts, &o.recurrence_id, window, floating_in))
}

fn shown<'a>(facts: &'a Facts, id: &EventTime, window: Window, floating_in: Tz) -> Option<Occurrence<'a>> {
    let frame = Frame::new(facts.start, floating_in).ok()?;
    Some(occurrence(facts, Some(*id), &frame)).filter(|shown| window.touches(shown.start, shown.end))
}

fn occurrence<'a>(facts: &'a Facts, recurrence_id: Option<EventTime>, frame: &Frame) -> Occurrence<'a> {
    let wall = facts.start.wall();
    let (_, end) = frame.end(wall, frame.length(facts), &facts.end);
    Occurrence { recurrence_id, facts: Cow::Borrowed(facts), start: frame.at(wall), end }
}

fn as_occurrence<'a>(set: &Set<'a>, original: &Original) -> Occurrence<'a> {
    let (end_time, end) = set.end(original);
    let master = &set.content.facts;
    let facts = if original.id == master.start && original.end.is_none() {
        Cow::Borrowed(master)
    } else {
        Cow::Owned(Facts { start: original.id, end: end_time, ..master.clone() })
    };
    Occurrence { recurrence_id: Some(original.id), facts, start: original.at, end }
}

/// One per instant. A period's own end wins; of two walls that a gap makes one instant, the wall that exists.
fn unique(mut originals: Vec<Original>) -> Vec<Original> {
    originals.sort_by_key(|original| (original.at, original.end.is_none(), Reverse(original.wall)));
    originals.dedup_by_key(|original| original.at);
    originals
}

/// The walls that could matter to a window.
fn stretch(set: &Set<'_>, window: Window) -> Stretch {
    let longest = match set.length {
        // One more, since days with a clock change are longer than others.
        Length::Days(days) => Duration::try_days(days.saturating_add(1)).unwrap_or(Duration::MAX),
        Length::Exact(exact) => exact,
    };
    let first = window.from.checked_sub_signed(longest).unwrap_or(DateTime::<Utc>::MIN_UTC).max(calendar().from);
    Stretch { from: set.frame.wall_before(first), to: set.frame.wall_after(window.to) }
}

/// The years 1 to 9999.
pub(in crate::engine) fn calendar() -> Window {
    let year = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::UNIX_EPOCH);
    Window { from: year(-62_135_596_800), to: year(253_402_300_800) }
}

fn computable(window: Window) -> Window {
    let all = calendar();
    Window { from: window.from.clamp(all.from, all.to), to: window.to.clamp(all.from, all.to) }
}

/// Whether a series has, or once had, an occurrence of this original start that is not removed. Spelling does not matter:
/// timed ones are compared by instant, all-day ones by date.
pub fn is_occurrence(content: &EventContent, recurrence_id: &EventTime, floating_in: Tz, bounds: &Bounds) -> bool {
    let Ok(frame) = Frame::new(content.facts.start, floating_in) else {
        return false;
    };
    if !is_computable(recurrence_id) {
        return false;
    }
    let key = frame.key(recurrence_id);
    if let Some(own) =
        content.overrides.iter().find(|o| is_computable(&o.recurrence_id) && frame.key(&o.recurrence_id) == key)
    {
        return own.facts.status != EventStatus::Cancelled;
    }
    if let Some(first) = &content.detached_from {
        return frame.key(first) == key;
    }
    let Ok(set) = Set::new(content, floating_in) else {
        return false;
    };
    content.is_series() && set.has(key, &mut Steps(bounds.steps_max)) == Some(true)
}

/// Which of these original starts no rule and no added date of a series names, exceptions and exclusions left aside. What cannot
/// be told within the bounds, which are for all of them together, counts as named.
#[must_use]
pub fn unnamed(content: &EventContent, originals: &[EventTime], floating_in: Tz, bounds: &Bounds) -> Vec<EventTime> {
    let recurrence = Recurrence { excluded: Vec::new(), ..content.recurrence.clone() };
    let bare = EventContent { recurrence, ..EventContent::single(content.facts.clone()) };
    let Ok(set) = Set::new(&bare, floating_in) else { return Vec::new() };
    let mut steps = Steps(bounds.steps_max);
    let mut named = |time: &EventTime| {
        let of_this_kind = time.is_all_day() == set.frame.is_all_day();
        !is_computable(time) || of_this_kind && set.has(set.frame.key(time), &mut steps) != Some(false)
    };
    originals.iter().filter(|time| !named(time)).copied().collect()
}

/// Reads a rule and says what is wrong with it. Total, whatever the text.
pub fn validate_rule(rule: &str) -> Result<(), RuleRefused> {
    Rule::parse(rule).map(|_| ())
}

/// Steps that [`span`] spends at most: it runs at every write, where an unknown end is good enough.
const SPAN_STEPS_MAX: u64 = 20_000;

/// The first start, and an instant after which nothing of the event goes on, overrides included. No end: endless, or not
/// cheaply known. Never earlier than the truth; may be later by a day and the length of an occurrence.
pub fn span(content: &EventContent, floating_in: Tz) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
    let facts = std::iter::once(&content.facts).chain(content.overrides.iter().map(|o| &o.facts));
    let spans = facts.filter_map(|facts| {
        let frame = Frame::new(facts.start, floating_in).ok()?;
        let whole = occurrence(facts, None, &frame);
        Some((whole.start, whole.end))
    });
    let (mut first, mut last) =
        spans.fold((calendar().to, calendar().from), |(first, last), (start, end)| (first.min(start), last.max(end)));
    if content.detached_from.is_some() || content.recurrence.is_empty() {
        return (first, Some(last.max(first)));
    }
    let Ok(set) = Set::new(content, floating_in) else {
        return (first, None);
    };
    for added in content.recurrence.added.iter().filter(|added| is_computable(&added.start)) {
        let (start, own) = (added.start.instant(floating_in), added.end.filter(is_computable));
        first = first.min(start);
        last = last.max(own.map_or(start, |end| end.instant(floating_in)));
        last = last.max(set.frame.end(set.frame.wall_of(&added.start), set.length, &content.facts.end).1);
    }
    let mut steps = Steps(SPAN_STEPS_MAX);
    for rule in &set.rules {
        let Some(wall) = rule.last_wall(&mut steps) else {
            return (first, None);
        };
        last = last.max(set.frame.end(rule_end(wall), set.length, &content.facts.end).1);
    }
    (first, Some(last))
}

/// No zone ever skipped or repeated more than a day.
fn rule_end(last: NaiveDateTime) -> NaiveDateTime {
    last.checked_add_signed(Duration::days(1)).unwrap_or(last)
}
