//! The recurrence set before overrides: DTSTART ∪ RRULE ∪ RDATE − EXDATE − EXRULE (RFC 5545 §3.8.5).
//!
//! DTSTART is the first instance, and counts towards `COUNT`, even where no rule names it.
//!
//! **Invariant:** a rule without `COUNT`, or with one that arithmetic can turn into an end, is walked from the window on and
//! not from DTSTART.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use chrono::{DateTime, Duration, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;

use crate::domain::event::{AddedDate, EventContent};
use crate::domain::time::{EventTime, Zone};

use super::frame::{Frame, Key, Keys, Length, is_computable};
use super::plan::Plan;
use super::rule::{Rule, RuleRefused, Until};
use super::walk::{End, Steps, walk};

/// Most rules one event may have, `RRULE` and `EXRULE` each.
pub const RULES_MAX: usize = 16;

/// Most walls that one answer turns into instants, or that `EXRULE`s may take away: each costs as much as many steps.
const LOOKED_AT_MAX: usize = 100_000;

/// One member of the set, before overrides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Original {
    pub id: EventTime,
    pub wall: NaiveDateTime,
    pub at: DateTime<Utc>,
    /// A `PERIOD`'s own end.
    pub end: Option<EventTime>,
}

/// One rule with its end.
#[derive(Clone, Debug)]
pub(crate) struct Bounded {
    pub plan: Plan,
    pub count: Option<u32>,
    /// No wall after this one.
    pub last: NaiveDateTime,
    /// No instant after this one: `UNTIL` of a zoned series is an instant, and walls repeat where clocks go back.
    until: Option<DateTime<Utc>>,
}

/// What of a set is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub from: NaiveDateTime,
    pub to: NaiveDateTime,
}

/// The set of one event.
pub(crate) struct Set<'a> {
    pub content: &'a EventContent,
    pub frame: Frame,
    pub length: Length,
    pub rules: Vec<Bounded>,
    excluded_rules: Vec<Bounded>,
    excluded: Keys,
    /// No rule names DTSTART.
    pub start_is_extra: bool,
}

impl<'a> Set<'a> {
    pub(crate) fn new(content: &'a EventContent, floating_in: Tz) -> Result<Self, RuleRefused> {
        let frame = Frame::new(content.facts.start, floating_in)?;
        let read = |rules: &[String]| {
            if rules.len() > RULES_MAX {
                return Err(RuleRefused { part: "RRULE", why: "appears more than 16 times" });
            }
            rules.iter().map(|rule| Bounded::new(&Rule::parse(rule)?, &frame)).collect::<Result<Vec<_>, _>>()
        };
        let recurrence = &content.recurrence;
        let rules = read(&recurrence.rules)?;
        let start_is_extra = !rules.iter().any(Bounded::names_start);
        Ok(Self {
            content,
            frame,
            length: frame.length(&content.facts),
            rules,
            excluded_rules: read(&recurrence.excluded_rules)?,
            excluded: Keys::new(&frame, recurrence.excluded.iter()),
            start_is_extra,
        })
    }

    /// The members of a stretch that `keep` wants, in no order, at most `max` of each rule; and whether some are missing.
    /// `keep` may be asked about members outside the stretch.
    pub(crate) fn members(
        &self,
        stretch: Stretch,
        max: usize,
        steps: &mut Steps,
        keep: impl Fn(&Original) -> bool,
    ) -> (Vec<Original>, bool) {
        let (barred, mut truncated) = self.barred(stretch, steps);
        let keep = |original: &Original| !self.excluded.covers(original.wall, original.at) && keep(original);
        let single = self.single_members().filter(|original| !barred.contains(&original.wall));
        let mut found: Vec<Original> = single.filter(|original| keep(original)).collect();
        let mut looked_at = 0_usize;
        for rule in &self.rules {
            let room = found.len().saturating_add(max);
            let missing = rule.walk(stretch, self.start_is_extra, steps, |wall| {
                if barred.contains(&wall) {
                    return ControlFlow::Continue(());
                }
                looked_at += 1;
                if looked_at > LOOKED_AT_MAX {
                    truncated = true;
                    return ControlFlow::Break(());
                }
                let original = self.original(wall);
                if rule.until.is_some_and(|until| original.at > until) || !keep(&original) {
                    return ControlFlow::Continue(());
                }
                if found.len() == room {
                    truncated = true;
                    return ControlFlow::Break(());
                }
                found.push(original);
                ControlFlow::Continue(())
            });
            truncated |= missing;
        }
        (found, truncated)
    }

    /// What `EXRULE`s take away.
    fn barred(&self, stretch: Stretch, steps: &mut Steps) -> (BTreeSet<NaiveDateTime>, bool) {
        let (mut barred, mut truncated) = (BTreeSet::new(), false);
        for rule in &self.excluded_rules {
            let missing = rule.walk(stretch, false, steps, |wall| {
                barred.insert(wall);
                if barred.len() < LOOKED_AT_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            truncated |= missing || barred.len() == LOOKED_AT_MAX;
        }
        (barred, truncated)
    }

    /// Whether a key names a member; none when the steps do not reach.
    pub(crate) fn has(&self, key: Key, steps: &mut Steps) -> Option<bool> {
        let stretch = match key {
            Key::Moment(at) => {
                Stretch { from: self.frame.wall_before(at), to: self.frame.wall_after(at + Duration::seconds(1)) }
            }
            Key::Day(day) => Stretch { from: day.and_time(NaiveTime::MIN), to: day.and_time(end_of_day()) },
        };
        let (found, truncated) = self.members(stretch, 1, steps, |original| match key {
            Key::Moment(at) => original.at == at,
            Key::Day(day) => original.wall.date() == day,
        });
        if found.is_empty() && truncated { None } else { Some(!found.is_empty()) }
    }

    /// DTSTART where no rule names it, and the `RDATE`s.
    fn single_members(&self) -> impl Iterator<Item = Original> {
        let start = self.start_is_extra.then(|| self.original(self.frame.start.wall()));
        let added = self.content.recurrence.added.iter().filter(|added| is_computable(&added.start));
        start.into_iter().chain(added.map(|added| self.added(added)))
    }

    fn added(&self, added: &AddedDate) -> Original {
        let ordinary = self.original(self.frame.wall_of(&added.start));
        let end = added.end.filter(is_computable);
        match added.start {
            // The second pass of a repeated hour has no wall of its own.
            EventTime::DateTime { zone, .. } if !self.frame.is_all_day() && zone != Zone::Floating => {
                let at = added.start.instant(self.frame.floating_in);
                let id = if at == ordinary.at { ordinary.id } else { added.start };
                Original { id, at, end, ..ordinary }
            }
            _ => Original { end, ..ordinary },
        }
    }

    fn original(&self, wall: NaiveDateTime) -> Original {
        Original { id: self.frame.start.with_wall(wall), wall, at: self.frame.at(wall), end: None }
    }

    /// When a member ends: by its own `PERIOD`, else by the master's length.
    pub(crate) fn end(&self, original: &Original) -> (EventTime, DateTime<Utc>) {
        match original.end {
            Some(end) if !self.frame.is_all_day() => (end, end.instant(self.frame.floating_in).max(original.at)),
            _ => self.frame.end(original.wall, self.length, &self.content.facts.end),
        }
    }
}

impl Bounded {
    fn new(rule: &Rule, frame: &Frame) -> Result<Self, RuleRefused> {
        let start = frame.start.wall();
        let plan = Plan::new(rule, start, frame.is_all_day())?;
        let (mut last, mut until, mut count) = (NaiveDateTime::MAX, None, rule.count);
        match rule.until {
            Some(Until::Date(day)) => last = day.and_time(end_of_day()),
            Some(Until::Local(wall) | Until::Utc(wall)) if frame.is_all_day() => {
                last = wall.date().and_time(end_of_day());
            }
            Some(Until::Local(wall)) => last = wall,
            Some(Until::Utc(wall)) => {
                let at = wall.and_utc();
                last = frame.wall(at).checked_add_signed(Duration::days(1)).unwrap_or(NaiveDateTime::MAX);
                until = Some(at);
            }
            None => {}
        }
        if let (Some(times), true, Some(seconds)) = (count, rule.is_plain(), rule.freq.seconds()) {
            let length = i64::from(times - 1).checked_mul(plan.interval).and_then(|turns| turns.checked_mul(seconds));
            let end = length.and_then(Duration::try_seconds).and_then(|length| start.checked_add_signed(length));
            if let Some(end) = end {
                last = last.min(end);
                count = None;
            }
        }
        Ok(Self { plan, count, last, until })
    }

    /// Whether the rule names DTSTART.
    fn names_start(&self) -> bool {
        let start = self.plan.start;
        let mut named = false;
        if start <= self.last {
            // A period with `BYSETPOS` is at most a year of seconds, of which only the chosen ones are named.
            walk(&self.plan, start, start, &mut Steps(1_000_000), |_| {
                named = true;
                ControlFlow::Break(())
            });
        }
        named
    }

    /// Shows the rule's walls in a stretch, counting from DTSTART where there is a `COUNT`. Says whether some are missing.
    pub(crate) fn walk(
        &self,
        stretch: Stretch,
        start_is_extra: bool,
        steps: &mut Steps,
        mut visit: impl FnMut(NaiveDateTime) -> ControlFlow<()>,
    ) -> bool {
        let to = stretch.to.min(self.last);
        let Some(count) = self.count else {
            return walk(&self.plan, stretch.from, to, steps, visit) == End::Exhausted;
        };
        let mut left = count.saturating_sub(u32::from(start_is_extra));
        if left == 0 {
            return false;
        }
        let end = walk(&self.plan, self.plan.start, to, steps, |wall| {
            left -= 1;
            if wall >= stretch.from {
                visit(wall)?;
            }
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        end == End::Exhausted || (end == End::Calendar && left > 0)
    }

    /// A wall that none of the rule's comes after; none when the rule is endless or the steps do not reach.
    pub(crate) fn last_wall(&self, steps: &mut Steps) -> Option<NaiveDateTime> {
        if self.last < NaiveDateTime::MAX {
            return Some(self.last.max(self.plan.start));
        }
        self.count?;
        let (mut last, all) = (self.plan.start, Stretch { from: self.plan.start, to: NaiveDateTime::MAX });
        let missing = self.walk(all, false, steps, |wall| {
            last = wall;
            ControlFlow::Continue(())
        });
        (!missing).then_some(last)
    }
}

fn end_of_day() -> NaiveTime {
    NaiveTime::from_hms_opt(23, 59, 59).unwrap_or(NaiveTime::MIN)
}
