//! Walking a rule over wall clock, period by period, from any point of it.
//!
//! A *step* is one day looked at or one time named: about ten nanoseconds. The walk starts at the period that holds
//! `from`, whatever lies between `DTSTART` and there.
//!
//! **Invariant:** walls are visited in ascending order, none twice, none before `DTSTART`; every loop spends steps.

use std::ops::ControlFlow;

use chrono::{DateTime, Datelike, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::plan::{CompleteRule, first_week, week_year, weeks_in};
use super::rule::Freq;

/// Last year that an occurrence may start in.
pub(crate) const YEAR_LAST: i32 = 9_999;

/// How much work is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps(pub u64);

impl Steps {
    fn spend(&mut self, cost: u64) -> Option<()> {
        self.0 = self.0.checked_sub(cost)?;
        Some(())
    }
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It passed `to`.
    Passed,
    /// The visitor had enough.
    Stopped,
    /// The calendar ended.
    Calendar,
    /// The steps were spent.
    Exhausted,
}

/// Shows `visit` every wall of the plan that is in `from..=to`.
pub(crate) fn walk(
    plan: &CompleteRule,
    from: NaiveDateTime,
    to: NaiveDateTime,
    steps: &mut Steps,
    visit: impl FnMut(NaiveDateTime) -> ControlFlow<()>,
) -> End {
    let mut walker = Walker { plan, from: from.max(plan.start), to, steps, visit };
    let end = match plan.freq.seconds() {
        Some(length) if plan.freq > Freq::Daily => walker.short_periods(length),
        _ => walker.long_periods(),
    };
    match end.err().unwrap_or(End::Calendar) {
        // What lies beyond the calendar is beyond a stretch that ends inside it, too.
        End::Calendar if to.year() <= YEAR_LAST => End::Passed,
        end => end,
    }
}

struct Walker<'a, F> {
    plan: &'a CompleteRule,
    from: NaiveDateTime,
    to: NaiveDateTime,
    steps: &'a mut Steps,
    visit: F,
}

/// Goes on, or says why not.
type Go = Result<(), End>;

impl<F: FnMut(NaiveDateTime) -> ControlFlow<()>> Walker<'_, F> {
    /// Years, months, weeks and days.
    fn long_periods(&mut self) -> Go {
        let mut days = Vec::new();
        let mut turn = self.first_turn();
        while let Some((first, length)) = self.period(turn) {
            // `SKIP=BACKWARD` may move a day into the month before, so a period may reach a day ahead of itself.
            if first.pred_opt().unwrap_or(first) > self.to.date() {
                return Err(End::Passed);
            }
            self.spend(u64::try_from(length).unwrap_or(1))?;
            self.plan.days_of(first, length, &mut days);
            self.name_times(&days)?;
            turn += 1;
        }
        Ok(())
    }

    /// The last turn of the rule that cannot come after `from`.
    fn first_turn(&self) -> i64 {
        let (start, from) = (self.plan.start.date(), self.from.date());
        let passed = match self.plan.freq {
            Freq::Yearly => i64::from(from.year() - start.year()),
            Freq::Monthly => i64::from(months_of(from) - months_of(start)),
            Freq::Weekly => (from - start).num_days() / 7,
            _ => (from - start).num_days(),
        };
        // One back: the year of a week is not the calendar's, weeks begin on WKST, and SKIP reaches ahead.
        ((passed - 1).div_euclid(self.plan.interval) - 1).max(0)
    }

    /// The first day and the number of days of a turn's period; none after the calendar's end.
    fn period(&self, turn: i64) -> Option<(NaiveDate, i64)> {
        let (start, ahead) = (self.plan.start.date(), turn.checked_mul(self.plan.interval)?);
        let (first, length) = match self.plan.freq {
            Freq::Yearly if self.plan.by_week => {
                let year = week_year(start, self.plan.week_start).checked_add(i32::try_from(ahead).ok()?)?;
                let first = first_week(year, self.plan.week_start)?;
                (first, i64::from(weeks_in(year, self.plan.week_start)) * 7)
            }
            Freq::Yearly => {
                let first = NaiveDate::from_ymd_opt(start.year().checked_add(i32::try_from(ahead).ok()?)?, 1, 1)?;
                (first, if first.leap_year() { 366 } else { 365 })
            }
            Freq::Monthly => {
                let first = start.with_day(1)?.checked_add_months(Months::new(u32::try_from(ahead).ok()?))?;
                (first, i64::from(first.num_days_in_month()))
            }
            Freq::Weekly => {
                let back = i64::from(start.weekday().days_since(self.plan.week_start));
                (start.checked_add_signed(Duration::try_days(ahead.checked_mul(7)?.checked_sub(back)?)?)?, 7)
            }
            _ => (start.checked_add_signed(Duration::try_days(ahead)?)?, 1),
        };
        (first.year() <= YEAR_LAST).then_some((first, length))
    }

    /// The times of a period's days, or the places of `BYSETPOS` among them, without listing what is not asked for.
    fn name_times(&mut self, days: &[NaiveDate]) -> Go {
        let times = self.plan.times_in_day();
        if self.plan.positions.is_empty() {
            for day in days.iter().filter(|day| **day >= self.plan.start.date()) {
                if *day < self.from.date() {
                    continue;
                }
                for place in 0..times {
                    self.show(day.and_time(self.plan.time_at(place).unwrap_or_default()))?;
                }
            }
            return Ok(());
        }
        for place in places(&self.plan.positions, days.len().saturating_mul(times)) {
            let (Some(day), Some(time)) = (place.checked_div(times), place.checked_rem(times)) else {
                continue;
            };
            if let (Some(day), Some(time)) = (days.get(day), self.plan.time_at(time)) {
                self.show(day.and_time(time))?;
            }
        }
        Ok(())
    }

    /// Hours, minutes and seconds: whole days, hours and minutes that do not match are jumped over.
    fn short_periods(&mut self, length: i64) -> Go {
        let step = length.saturating_mul(self.plan.interval);
        let base = self.plan.start.and_utc().timestamp();
        let base = base - base.rem_euclid(length);
        let mut at = base.max(next_turn(base, step, self.from.and_utc().timestamp() - step));
        let mut known_day = None;
        loop {
            self.spend(1)?;
            let Some(wall) = DateTime::from_timestamp(at, 0).map(|at| at.naive_utc()) else {
                return Ok(());
            };
            if wall.year() > YEAR_LAST {
                return Ok(());
            }
            if wall > self.to {
                return Err(End::Passed);
            }
            let day = wall.date();
            let admitted = match known_day {
                Some((known, admitted)) if known == day => admitted,
                _ => self.plan.admits(day),
            };
            known_day = Some((day, admitted));
            let ahead = if admitted { self.time_ahead(wall) } else { Some(86_400 - seconds_of_day(wall)) };
            if let Some(ahead) = ahead {
                at = next_turn(base, step, at + ahead);
                continue;
            }
            self.name_parts(wall)?;
            at += step;
        }
    }

    /// How many seconds to go until hour, minute and second could match; none when they do.
    fn time_ahead(&self, wall: NaiveDateTime) -> Option<i64> {
        let (hours, minutes, seconds) = (&self.plan.hours, &self.plan.minutes, &self.plan.seconds);
        if !hours.is_empty() && !hours.contains(&wall.hour()) {
            let next = next_in(hours, wall.hour()).map_or(86_400, |hour| hour * 3_600);
            return Some(i64::from(next) - seconds_of_day(wall));
        }
        if self.plan.freq >= Freq::Minutely && !minutes.is_empty() && !minutes.contains(&wall.minute()) {
            let next = next_in(minutes, wall.minute()).map_or(3_600, |minute| minute * 60);
            return Some(i64::from(next) - seconds_of_day(wall) % 3_600);
        }
        if self.plan.freq == Freq::Secondly && !seconds.is_empty() && !seconds.contains(&wall.second()) {
            let next = next_in(seconds, wall.second()).unwrap_or(60);
            return Some(i64::from(next) - i64::from(wall.second()));
        }
        None
    }

    /// The minutes and seconds inside an hour, the seconds inside a minute, or the second itself.
    fn name_parts(&mut self, wall: NaiveDateTime) -> Go {
        let (own_minute, own_second) = ([wall.minute()], [wall.second()]);
        let plan = self.plan;
        let minutes = if plan.freq == Freq::Hourly { plan.minutes.as_slice() } else { &own_minute };
        let seconds = if plan.freq == Freq::Secondly { &own_second } else { plan.seconds.as_slice() };
        let time = |place: usize| {
            let minute = minutes.get(place.checked_div(seconds.len())?)?;
            let second = seconds.get(place.checked_rem(seconds.len())?)?;
            NaiveTime::from_hms_opt(wall.hour(), *minute, *second)
        };
        let count = minutes.len() * seconds.len();
        let chosen = if plan.positions.is_empty() { (0..count).collect() } else { places(&plan.positions, count) };
        for place in chosen {
            if let Some(time) = time(place) {
                self.show(wall.date().and_time(time))?;
            }
        }
        Ok(())
    }

    fn show(&mut self, wall: NaiveDateTime) -> Go {
        self.spend(1)?;
        if wall.year() > YEAR_LAST {
            return Err(End::Calendar);
        }
        if wall > self.to {
            return Err(End::Passed);
        }
        if wall < self.from {
            return Ok(());
        }
        match (self.visit)(wall) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(End::Stopped),
        }
    }

    fn spend(&mut self, cost: u64) -> Go {
        self.steps.spend(cost).ok_or(End::Exhausted)
    }
}

/// `BYSETPOS` as indices into a set of `count`, in order.
fn places(positions: &[i64], count: usize) -> Vec<usize> {
    let length = i64::try_from(count).unwrap_or(i64::MAX);
    let index = |position: i64| if position > 0 { position - 1 } else { length + position };
    let mut found: Vec<usize> = positions
        .iter()
        .filter_map(|position| usize::try_from(index(*position)).ok().filter(|index| *index < count))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The first turn at or after `target`.
fn next_turn(base: i64, step: i64, target: i64) -> i64 {
    let turns = (target - base).div_euclid(step);
    let at = base + turns * step;
    if at < target { at + step } else { at }
}

fn next_in(sorted: &[u32], after: u32) -> Option<u32> {
    sorted.iter().copied().find(|value| *value > after)
}

fn seconds_of_day(wall: NaiveDateTime) -> i64 {
    i64::from(wall.num_seconds_from_midnight())
}

fn months_of(day: NaiveDate) -> i32 {
    day.year() * 12 + i32::try_from(day.month0()).unwrap_or(0)
}
