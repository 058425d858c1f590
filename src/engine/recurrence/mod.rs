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
//! **Invariant:** the work is bounded by [`Bounds`], whatever the rule; what that leaves out is reported by `truncated`.

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

pub(in crate::engine) use frame::{Frame, InstanceKey, Keys};
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

/// What is left of the work that one request, or one transaction, may cause by expanding: over all of its events together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpansionBudget {
    /// Occurrences that may still be named.
    pub instances: usize,
    /// Steps that may still be spent, as in [`Bounds::steps_max`].
    pub steps: u64,
}

impl ExpansionBudget {
    /// What a request may cause: about a tenth of a second.
    pub const REQUEST: Self = Self { instances: 100_000, steps: 10_000_000 };
    /// What is spent on one person's busy time.
    pub const PERSON: Self = Self { instances: 50_000, steps: 5_000_000 };
    /// What a change of several events may cause in the transaction that stores them, which others wait for.
    pub const WRITE: Self = Self { instances: 10_000, steps: 1_000_000 };
}

/// Which occurrences are wanted.
#[derive(Clone, Copy, Debug)]
pub struct WantedOccurrences {
    /// Those that share an instant with this window.
    pub window: Window,
    /// Of these, those that start no earlier.
    pub starts_from: Option<DateTime<Utc>>,
    /// The first so many.
    pub first: usize,
}

/// One occurrence: its own times, and the facts that it shares with its series unless it is overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot<'a> {
    /// As in [`Occurrence::recurrence_id`].
    pub recurrence_id: Option<EventTime>,
    /// What it says; where it is not overridden these are the master's, times included.
    pub facts: &'a Facts,
    /// Its own `DTSTART`.
    pub from: EventTime,
    /// Its own `DTEND`.
    pub to: EventTime,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
}

/// The first wanted occurrences.
#[derive(Clone, Debug, Default)]
pub struct FirstOccurrences<'a> {
    /// By start.
    pub slots: Vec<Slot<'a>>,
    /// There are more wanted ones, all after these.
    pub more: bool,
    /// The budget or a bound ended first: wanted ones may be missing, anywhere.
    pub unfinished: bool,
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
    let wanted = WantedOccurrences { window, starts_from: None, first: bounds.instances_max };
    let mut budget = ExpansionBudget { instances: usize::MAX, steps: bounds.steps_max };
    let found = slots(content, &wanted, floating_in, bounds, &mut budget)?;
    let occurrences = found.slots.into_iter().map(|slot| Occurrence {
        recurrence_id: slot.recurrence_id,
        facts: slot.own_facts(),
        start: slot.start,
        end: slot.end,
    });
    Ok(Expansion { occurrences: occurrences.collect(), truncated: found.more || found.unfinished })
}

/// The first wanted occurrences, as [`expand`] has them, paid from a budget.
pub fn first_slots<'a>(
    content: &'a EventContent,
    wanted: &WantedOccurrences,
    floating_in: Tz,
    budget: &mut ExpansionBudget,
) -> Result<FirstOccurrences<'a>, RuleRefused> {
    slots(content, wanted, floating_in, &Bounds::default(), budget)
}

fn slots<'a>(
    content: &'a EventContent,
    wanted: &WantedOccurrences,
    floating_in: Tz,
    bounds: &Bounds,
    budget: &mut ExpansionBudget,
) -> Result<FirstOccurrences<'a>, RuleRefused> {
    let wanted = WantedOccurrences { window: wanted.window.within_years(), ..*wanted };
    let shows = |at, end| {
        wanted.window.touches(at, end) && wanted.starts_from.is_none_or(|earliest: DateTime<Utc>| at >= earliest)
    };
    if let Some(first) = &content.detached_from {
        let found = detached(content, first, floating_in).filter(|slot| shows(slot.start, slot.end)).collect();
        return Ok(finished(found, &wanted, (false, false), budget));
    }
    let frame = Frame::new(content.facts.start, floating_in)?;
    if !content.is_series() {
        let only = slot(&content.facts, None, &frame);
        let found = Some(only).filter(|only| shows(only.start, only.end)).into_iter().collect();
        return Ok(finished(found, &wanted, (false, false), budget));
    }
    if budget.steps == 0 {
        return Ok(FirstOccurrences { unfinished: true, ..FirstOccurrences::default() });
    }
    let set = Set::new(content, floating_in)?;
    let overridden = Keys::new(&frame, content.overrides.iter().map(|o| &o.recurrence_id));
    let allowance = bounds.steps_max.min(budget.steps);
    let mut steps = Steps(allowance);
    let first = wanted.first.min(budget.instances);
    let members = set.first_members(stretch(&set, &wanted), first, &mut steps, |original| {
        !overridden.covers(original.wall, original.at) && shows(original.at, set.end(original).1)
    });
    budget.steps = budget.steps.saturating_sub((allowance - steps.0).saturating_add(set.spent));
    let ended = (members.more, members.cut);
    let mut found: Vec<_> = unique(members.found).iter().map(|original| own_slot(&set, original)).collect();
    found.extend(shown_overrides(&content.overrides, floating_in).filter(|slot| shows(slot.start, slot.end)));
    Ok(finished(found, &wanted, ended, budget))
}

/// In order, the wanted number of them. The search said whether there are more, and whether it was cut short.
fn finished<'a>(
    mut found: Vec<Slot<'a>>,
    wanted: &WantedOccurrences,
    (more, cut): (bool, bool),
    budget: &mut ExpansionBudget,
) -> FirstOccurrences<'a> {
    found.sort_by_key(|slot| (slot.start, slot.recurrence_id.map(|id| id.wall()), slot.end));
    // A reader who goes on from an instant has seen some of those that start there, and only the reader knows which.
    let border = found.iter().filter(|slot| Some(slot.start) == wanted.starts_from).count();
    let first = wanted.first.saturating_add(border);
    let affordable = first.min(budget.instances);
    let (more, short) = (more || found.len() > affordable, affordable < first);
    found.truncate(affordable);
    budget.instances -= found.len();
    FirstOccurrences { slots: found, more, unfinished: cut || (more && short) }
}

/// Without a master there are only the single occurrences that we were given.
fn detached<'a>(
    content: &'a EventContent,
    first: &EventTime,
    floating_in: Tz,
) -> impl Iterator<Item = Slot<'a>> + use<'a> {
    let replaced = Frame::new(*first, floating_in)
        .is_ok_and(|frame| content.overrides.iter().any(|o| frame.key(&o.recurrence_id) == frame.key(first)));
    let own = (!replaced && content.facts.status != EventStatus::Cancelled)
        .then(|| shown(&content.facts, first, floating_in))
        .flatten();
    shown_overrides(&content.overrides, floating_in).chain(own)
}

fn shown_overrides(overrides: &[Override], floating_in: Tz) -> impl Iterator<Item = Slot<'_>> {
    overrides
        .iter()
        .filter(|o| o.facts.status != EventStatus::Cancelled)
        .filter_map(move |o| shown(&o.facts, &o.recurrence_id, floating_in))
}

fn shown<'a>(facts: &'a Facts, id: &EventTime, floating_in: Tz) -> Option<Slot<'a>> {
    let frame = Frame::new(facts.start, floating_in).ok()?;
    Some(slot(facts, Some(*id), &frame))
}

fn slot<'a>(facts: &'a Facts, recurrence_id: Option<EventTime>, frame: &Frame) -> Slot<'a> {
    let wall = facts.start.wall();
    let (_, end) = frame.end(wall, frame.length(facts), &facts.end);
    Slot { recurrence_id, facts, from: facts.start, to: facts.end, start: frame.at(wall), end }
}

fn own_slot<'a>(set: &Set<'a>, original: &Original) -> Slot<'a> {
    let (end_time, end) = set.end(original);
    let master = &set.content.facts;
    let is_masters = original.id == master.start && original.end.is_none();
    let to = if is_masters { master.end } else { end_time };
    Slot { recurrence_id: Some(original.id), facts: master, from: original.id, to, start: original.at, end }
}

impl<'a> Slot<'a> {
    /// What it says, with its own times.
    #[must_use]
    pub fn own_facts(&self) -> Cow<'a, Facts> {
        if (self.from, self.to) == (self.facts.start, self.facts.end) {
            return Cow::Borrowed(self.facts);
        }
        Cow::Owned(Facts { start: self.from, end: self.to, ..self.facts.clone() })
    }
}

/// One per instant. A period's own end wins; of two walls that a gap makes one instant, the wall that exists.
fn unique(mut originals: Vec<Original>) -> Vec<Original> {
    originals.sort_by_key(|original| (original.at, original.end.is_none(), Reverse(original.wall)));
    originals.dedup_by_key(|original| original.at);
    originals
}

/// The walls that could matter to what is wanted.
fn stretch(set: &Set<'_>, wanted: &WantedOccurrences) -> Stretch {
    let longest = match set.length {
        // One more, since days with a clock change are longer than others.
        Length::Days(days) => Duration::try_days(days.saturating_add(1)).unwrap_or(Duration::MAX),
        Length::Exact(exact) => exact,
    };
    let first = wanted.window.from.checked_sub_signed(longest).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let first = first.max(wanted.starts_from.unwrap_or(first)).max(calendar().from);
    Stretch { from: set.frame.wall_before(first), to: set.frame.wall_after(wanted.window.to) }
}

/// The years 1 to 9999.
pub(in crate::engine) fn calendar() -> Window {
    Window { from: DateTime::<Utc>::MIN_UTC, to: DateTime::<Utc>::MAX_UTC }.within_years()
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
/// be decided within the bounds, which are for all of them together, counts as named.
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
        let whole = slot(facts, None, &frame);
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
