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

use super::frame::{Frame, InstanceKey, Keys, Length, is_computable};
use super::plan::CompleteRule;
use super::rule::{Rule, RuleRefused, Until};
use super::walk::{End, Steps, walk};

/// Most rules one event may have, `RRULE` and `EXRULE` each.
pub const RULES_MAX: usize = 16;

/// Most walls that one answer turns into instants, or that `EXRULE`s may take away.
const LOOKED_AT_MAX: usize = 100_000;
/// Turning a wall into an instant costs as much as so many steps.
const LOOK_STEPS: u64 = 20;
/// Steps spent at most, over all rules of an event, on whether one of them names DTSTART.
const NAMES_START_STEPS_MAX: u64 = 200_000;

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
pub(crate) struct BoundedRule {
    pub plan: CompleteRule,
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

/// What was found of a set.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// In no order; one instant may be there twice.
    pub found: Vec<Original>,
    /// There are more, none of them before the first `max` of those found.
    pub more: bool,
    /// A bound ended the search: some may be missing anywhere.
    pub cut: bool,
}

/// The set of one event.
pub(crate) struct Set<'a> {
    pub content: &'a EventContent,
    pub frame: Frame,
    pub length: Length,
    pub rules: Vec<BoundedRule>,
    excluded_rules: Vec<BoundedRule>,
    excluded: Keys,
    /// No rule names DTSTART.
    pub start_is_extra: bool,
    /// Steps that reading the rules took.
    pub spent: u64,
}

impl<'a> Set<'a> {
    pub(crate) fn new(content: &'a EventContent, floating_in: Tz) -> Result<Self, RuleRefused> {
        let frame = Frame::new(content.facts.start, floating_in)?;
        let read = |rules: &[String]| {
            if rules.len() > RULES_MAX {
                return Err(RuleRefused { part: "RRULE", why: "appears more than 16 times" });
            }
            rules.iter().map(|rule| BoundedRule::new(&Rule::parse(rule)?, &frame)).collect::<Result<Vec<_>, _>>()
        };
        let recurrence = &content.recurrence;
        let rules = read(&recurrence.rules)?;
        let mut steps = Steps(NAMES_START_STEPS_MAX);
        let start_is_extra = !rules.iter().any(|rule| rule.names_start(&mut steps));
        Ok(Self {
            content,
            frame,
            length: frame.length(&content.facts),
            rules,
            excluded_rules: read(&recurrence.excluded_rules)?,
            excluded: Keys::new(&frame, recurrence.excluded.iter()),
            start_is_extra,
            spent: NAMES_START_STEPS_MAX - steps.0,
        })
    }

    /// The members of a stretch that `keep` wants, in no order, about `max` of each rule; and whether some are missing.
    /// `keep` may be asked about members outside the stretch.
    pub(crate) fn members(
        &self,
        stretch: Stretch,
        max: usize,
        steps: &mut Steps,
        keep: impl Fn(&Original) -> bool,
    ) -> (Vec<Original>, bool) {
        let members = self.first_members(stretch, max, steps, keep);
        (members.found, members.more || members.cut)
    }

    /// The same: of each rule the `max` earliest at least, those in the hours around a clock change a few more.
    pub(crate) fn first_members(
        &self,
        stretch: Stretch,
        max: usize,
        steps: &mut Steps,
        keep: impl Fn(&Original) -> bool,
    ) -> Members {
        let (barred, cut) = self.barred(stretch, steps);
        let keep = |original: &Original| !self.excluded.covers(original.wall, original.at) && keep(original);
        let single = self.single_members().filter(|original| !barred.contains(&original.wall));
        let mut members = Members { found: single.filter(|original| keep(original)).collect(), more: false, cut };
        for rule in &self.rules {
            let mut search =
                RuleSearch { max, looks: WallBudget::within(*steps), latest: DateTime::<Utc>::MIN_UTC, new: 0 };
            let missing = rule.walk(stretch, self.start_is_extra, steps, |wall| {
                if !search.looks.one_more() {
                    members.cut = true;
                    return ControlFlow::Break(());
                }
                let original = self.original(wall);
                if barred.contains(&wall) || rule.until.is_some_and(|until| original.at > until) || !keep(&original) {
                    return ControlFlow::Continue(());
                }
                if search.has_enough(original.at, || self.frame.is_in_gap(wall, original.at)) {
                    members.more = true;
                    return ControlFlow::Break(());
                }
                members.found.push(original);
                ControlFlow::Continue(())
            });
            search.looks.charge(steps);
            members.cut |= missing;
        }
        members
    }

    /// What `EXRULE`s take away.
    fn barred(&self, stretch: Stretch, steps: &mut Steps) -> (BTreeSet<NaiveDateTime>, bool) {
        let (mut barred, mut cut) = (BTreeSet::new(), false);
        for rule in &self.excluded_rules {
            let mut looks = WallBudget::within(*steps);
            let missing = rule.walk(stretch, false, steps, |wall| {
                if !looks.one_more() {
                    cut = true;
                    return ControlFlow::Break(());
                }
                barred.insert(wall);
                ControlFlow::Continue(())
            });
            looks.charge(steps);
            cut |= missing;
        }
        (barred, cut)
    }

    /// Whether a key names a member; none when the steps do not reach.
    pub(crate) fn has(&self, key: InstanceKey, steps: &mut Steps) -> Option<bool> {
        let stretch = match key {
            InstanceKey::Moment(at) => {
                Stretch { from: self.frame.wall_before(at), to: self.frame.wall_after(at + Duration::seconds(1)) }
            }
            InstanceKey::Day(day) => Stretch { from: day.and_time(NaiveTime::MIN), to: day.and_time(end_of_day()) },
        };
        let (found, truncated) = self.members(stretch, 1, steps, |original| match key {
            InstanceKey::Moment(at) => original.at == at,
            InstanceKey::Day(day) => original.wall.date() == day,
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

/// How far the search for the first members of one rule has come.
struct RuleSearch {
    max: usize,
    looks: WallBudget,
    /// The latest instant that was found.
    latest: DateTime<Utc>,
    /// How many found members were later than all before them.
    new: usize,
}

impl RuleSearch {
    /// Whether those found before this member are the first `max`, and no later wall can come before them: where clocks go
    /// forward, walls of the gap share their instants with the walls after it.
    fn has_enough(&mut self, at: DateTime<Utc>, is_in_gap: impl FnOnce() -> bool) -> bool {
        if at <= self.latest {
            return false;
        }
        if self.new >= self.max && !is_in_gap() {
            return true;
        }
        (self.latest, self.new) = (at, self.new + 1);
        false
    }
}

/// Walls that may still be turned into instants.
struct WallBudget {
    left: usize,
    done: u64,
}

impl WallBudget {
    fn within(steps: Steps) -> Self {
        let affordable = usize::try_from(steps.0.div_ceil(LOOK_STEPS)).unwrap_or(LOOKED_AT_MAX);
        Self { left: affordable.min(LOOKED_AT_MAX), done: 0 }
    }

    fn one_more(&mut self) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        (self.left, self.done) = (left, self.done + 1);
        true
    }

    fn charge(&self, steps: &mut Steps) {
        steps.0 = steps.0.saturating_sub(self.done.saturating_mul(LOOK_STEPS));
    }
}

impl BoundedRule {
    fn new(rule: &Rule, frame: &Frame) -> Result<Self, RuleRefused> {
        let start = frame.start.wall();
        let plan = CompleteRule::new(rule, start, frame.is_all_day())?;
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
    fn names_start(&self, steps: &mut Steps) -> bool {
        let start = self.plan.start;
        let mut named = false;
        if start <= self.last {
            walk(&self.plan, start, start, steps, |_| {
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
