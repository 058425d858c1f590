//! Cutting a series in two at one of its occurrences.
//!
//! **Invariant:** head and tail together have the occurrences of the whole, or the cut is refused: it is tried and compared
//! over the stretch around it, since rules may depend on where they began in more ways than can be listed.

use std::ops::ControlFlow;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::domain::event::{EventContent, EventStatus, Facts};
use crate::domain::time::{EventTime, Window};
use crate::engine::recurrence::{Bounds, InstanceKey, Keys, Set, Steps, Stretch, calendar, expand};

use super::SeriesRefused;
use super::rewrite::{count, until_before, with_count, with_end};

/// What a cut makes.
#[expect(clippy::large_enum_variant, reason = "one at a time, taken apart at once")]
pub(super) enum Cut {
    /// Nothing comes before: the tail would be the whole.
    AtFirst,
    /// Two series.
    Between { head: EventContent, tail: EventContent },
}

/// How far around the cut, and over how many occurrences, head and tail are compared with the whole.
const COMPARED_DAYS: i64 = 5 * 366;
const COMPARED_MAX: usize = 400;

/// Cuts before the occurrence whose original start is `at`, spelt as the series spells its times.
pub(super) fn cut(content: &EventContent, at: &EventTime, floating_in: Tz) -> Result<Cut, SeriesRefused> {
    let set = Set::new(content, floating_in)?;
    let here = CutPlace { set: &set, wall: set.frame.wall_of(at), at: at.instant(floating_in) };
    if !here.has_earlier()? {
        return Ok(Cut::AtFirst);
    }
    let (mut head, mut tail) = (content.clone(), content.clone());
    head.recurrence.rules.clear();
    tail.recurrence.rules.clear();
    for index in 0..set.rules.len() {
        let (before, after) = here.cut_rule(index)?;
        head.recurrence.rules.extend(before);
        tail.recurrence.rules.extend(after);
    }
    tail.facts = here.first_of_tail(*at);
    head.recurrence.added.retain(|added| !here.is_after(&added.start));
    tail.recurrence.added.retain(|added| here.is_after(&added.start) && added.start != *at);
    head.recurrence.excluded.retain(|time| !here.is_after(time));
    tail.recurrence.excluded.retain(|time| here.is_after(time));
    head.overrides.retain(|own| !here.is_after(&own.recurrence_id));
    tail.overrides.retain(|own| here.is_after(&own.recurrence_id));
    if Set::new(&tail, floating_in)?.start_is_extra {
        for rule in &mut tail.recurrence.rules {
            if let Some(count) = count(rule) {
                *rule = with_count(rule, count.saturating_add(1));
            }
        }
    }
    head.normalise();
    tail.normalise();
    if same_occurrences(content, &head, &tail, here.at, floating_in)? {
        Ok(Cut::Between { head, tail })
    } else {
        Err(SeriesRefused::Inseparable)
    }
}

/// Where the cut is.
struct CutPlace<'a> {
    set: &'a Set<'a>,
    wall: NaiveDateTime,
    at: DateTime<Utc>,
}

impl CutPlace<'_> {
    /// Whether an original start belongs to the tail.
    fn is_after(&self, time: &EventTime) -> bool {
        match time {
            EventTime::Date(day) => *day >= self.wall.date(),
            EventTime::DateTime { .. } => match self.set.frame.key(time) {
                InstanceKey::Moment(at) => at >= self.at,
                InstanceKey::Day(day) => day >= self.wall.date(),
            },
        }
    }

    fn before(&self) -> Stretch {
        let from = self.set.frame.start.wall();
        Stretch { from, to: self.wall.checked_sub_signed(Duration::seconds(1)).unwrap_or(self.wall) }
    }

    /// Whether the head would have an occurrence.
    fn has_earlier(&self) -> Result<bool, SeriesRefused> {
        let overrides = &self.set.content.overrides;
        let stays =
            |cancelled: bool| overrides.iter().filter(move |o| (o.facts.status == EventStatus::Cancelled) == cancelled);
        if stays(false).any(|own| !self.is_after(&own.recurrence_id)) {
            return Ok(true);
        }
        let removed = Keys::new(&self.set.frame, stays(true).map(|own| &own.recurrence_id));
        let (found, truncated) =
            self.set.members(self.before(), 1, &mut Steps(Bounds::default().steps_max), |member| {
                member.at < self.at && !removed.covers(member.wall, member.at)
            });
        if found.is_empty() && truncated { Err(SeriesRefused::Inseparable) } else { Ok(!found.is_empty()) }
    }

    /// A rule's share in head and tail; none where it has no occurrence.
    fn cut_rule(&self, index: usize) -> Result<(Option<String>, Option<String>), SeriesRefused> {
        let texts = &self.set.content.recurrence.rules;
        let (Some(text), Some(rule)) = (texts.get(index), self.set.rules.get(index)) else {
            return Ok((None, None));
        };
        let count = count(text);
        let (mut named, extra) = (0_u32, u32::from(self.set.start_is_extra));
        let mut steps = Steps(Bounds::default().steps_max);
        // Without COUNT it is enough to know that there is one.
        let truncated = rule.walk(self.before(), self.set.start_is_extra, &mut steps, |_| {
            named = named.saturating_add(1);
            if count.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if truncated && (count.is_some() || named == 0) {
            return Err(SeriesRefused::Inseparable);
        }
        let mut goes_on = false;
        let rest = Stretch { from: self.wall, to: NaiveDateTime::MAX };
        let unsure = rule.walk(rest, self.set.start_is_extra, &mut steps, |_| {
            goes_on = true;
            ControlFlow::Break(())
        });
        let Some(count) = count else {
            let ended = || with_end(text, &until_before(&self.set.frame, self.wall));
            let head = (named > 0).then(|| if goes_on || unsure { ended() } else { text.clone() });
            return Ok((head, (goes_on || unsure).then(|| text.clone())));
        };
        let spent = named.saturating_add(extra);
        let head = (named > 0).then(|| with_end(text, &format!("COUNT={spent}")));
        let tail = (goes_on && count > spent).then(|| with_count(text, count - spent));
        Ok((head, tail))
    }

    /// The master's facts at the cut.
    fn first_of_tail(&self, at: EventTime) -> Facts {
        let around = Stretch { from: self.wall, to: self.wall };
        let (found, _) =
            self.set.members(around, 1, &mut Steps(Bounds::default().steps_max), |member| member.at == self.at);
        let master = &self.set.content.facts;
        let (end, _) = found
            .first()
            .map_or_else(|| self.set.frame.end(self.wall, self.set.length, &master.end), |member| self.set.end(member));
        Facts { start: at, end, ..master.clone() }
    }
}

fn same_occurrences(
    whole: &EventContent,
    head: &EventContent,
    tail: &EventContent,
    at: DateTime<Utc>,
    floating_in: Tz,
) -> Result<bool, SeriesRefused> {
    let far = Duration::days(COMPARED_DAYS);
    let from = at.checked_sub_signed(far).unwrap_or(calendar().from);
    let to = at.checked_add_signed(far).unwrap_or(calendar().to);
    for window in [Window { from, to: at }, Window { from: at, to }] {
        let bounds = Bounds { instances_max: COMPARED_MAX, ..Bounds::default() };
        let starts = |content: &EventContent| -> Result<Vec<DateTime<Utc>>, SeriesRefused> {
            Ok(expand(content, window, floating_in, &bounds)?.occurrences.iter().map(|found| found.start).collect())
        };
        let mut both = [starts(head)?, starts(tail)?].concat();
        both.sort_unstable();
        both.truncate(COMPARED_MAX);
        if both != starts(whole)? {
            return Ok(false);
        }
    }
    Ok(true)
}
