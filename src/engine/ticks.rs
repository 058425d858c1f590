//! Between instants and the planner's ticks.
//!
//! Terms. A *tick* is 5 or 15 minutes of elapsed time; tick 0 begins with the user's day. A *work window* is a stretch of
//! instants in which a time map is open, and belongs to the date it begins on.
//!
//! **Invariant:** ticks count elapsed time, so a night over a clock change is an hour longer or shorter as it really is; the
//! wall clock is read only to find where windows begin and end. What is free is rounded inwards, what is busy outwards.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDate, Utc};

use super::{
    day::{Days, reached},
    scheduling::{TickSpan, merged},
};
use crate::domain::{
    time::Window,
    working_hours::{PlanningRules, TimeMap},
};

#[cfg(test)]
mod tests;

/// How long a tick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// Five minutes.
    Five,
    /// A quarter of an hour.
    Quarter,
}

impl Grid {
    /// Minutes of a tick.
    #[must_use]
    pub fn minutes(self) -> u32 {
        match self {
            Self::Five => 5,
            Self::Quarter => 15,
        }
    }
}

/// The stretch of time that is planned, cut into ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    start: DateTime<Utc>,
    grid: Grid,
    ticks: u32,
}

impl Axis {
    /// From the begin of today to the end of the last day that is planned.
    #[must_use]
    pub fn ahead(days: Days, now: DateTime<Utc>, look_ahead_days: u16, grid: Grid) -> Self {
        let today = days.date(now);
        let start = days.start(today).unwrap_or(now);
        let last = today.checked_add_signed(Duration::days(i64::from(look_ahead_days) - 1)).unwrap_or(today).max(today);
        let end = days.after(last).map_or(start, |(_, begin)| begin);
        let ticks = u32::try_from((end - start).num_minutes() / i64::from(grid.minutes())).unwrap_or(0);
        Self { start, grid, ticks }
    }

    /// How long a tick is.
    #[must_use]
    pub fn grid(self) -> Grid {
        self.grid
    }

    /// One past the last tick: the horizon.
    #[must_use]
    pub fn ticks(self) -> u32 {
        self.ticks
    }

    /// From the first instant to the first one after the last tick.
    #[must_use]
    pub fn span(self) -> Window {
        Window { from: self.start, to: self.instant(self.ticks) }
    }

    /// The first instant of a tick.
    #[must_use]
    pub fn instant(self, tick: u32) -> DateTime<Utc> {
        self.start + Duration::minutes(i64::from(tick) * i64::from(self.grid.minutes()))
    }

    /// The instants of a span of ticks.
    #[must_use]
    pub fn window(self, span: TickSpan) -> Window {
        Window { from: self.instant(span.start), to: self.instant(span.end) }
    }

    /// The last tick boundary at or before an instant, which may be outside of the axis: where a deadline counts.
    #[must_use]
    pub fn down(self, at: DateTime<Utc>) -> i64 {
        (at - self.start).num_microseconds().unwrap_or(i64::MAX).div_euclid(self.tick_us())
    }

    /// The first tick boundary at or after an instant, which may be outside of the axis: from where a release, or the present,
    /// counts.
    #[must_use]
    pub fn up(self, at: DateTime<Utc>) -> i64 {
        let us = (at - self.start).num_microseconds().unwrap_or(i64::MAX);
        us.div_euclid(self.tick_us()) + i64::from(us.rem_euclid(self.tick_us()) > 0)
    }

    /// So many minutes as whole ticks, at least as long.
    #[must_use]
    pub fn ticks_of(self, minutes: u32) -> u32 {
        minutes.div_ceil(self.grid.minutes())
    }

    /// The part of a free stretch that is made of whole ticks of the axis.
    #[must_use]
    pub fn inwards(self, window: Window) -> Option<TickSpan> {
        self.clipped(self.up(window.from), self.down(window.to))
    }

    /// Every tick of the axis that a busy stretch shares an instant with; none for one without length.
    #[must_use]
    pub fn outwards(self, window: Window) -> Option<TickSpan> {
        if window.length() <= Duration::zero() {
            return None;
        }
        self.clipped(self.down(window.from), self.up(window.to))
    }

    fn clipped(self, start: i64, end: i64) -> Option<TickSpan> {
        let inside = |tick: i64| u32::try_from(tick.clamp(0, i64::from(self.ticks))).unwrap_or(0);
        let span = TickSpan { start: inside(start), end: inside(end) };
        (!span.is_empty()).then_some(span)
    }

    fn tick_us(self) -> i64 {
        i64::from(self.grid.minutes()) * 60_000_000
    }

    /// Busy stretches as ticks, each with `buffer_min` minutes kept free around it.
    #[must_use]
    pub fn busy(self, stretches: impl Iterator<Item = Window>, buffer_min: u32) -> Vec<TickSpan> {
        let around = Duration::minutes(i64::from(buffer_min));
        let kept = stretches
            .filter(|stretch| stretch.length() > Duration::zero())
            .filter_map(|stretch| self.outwards(Window { from: stretch.from - around, to: stretch.to + around }));
        merged(kept)
    }

    /// The dates on which a time map is open, by date.
    #[must_use]
    pub fn open(self, days: Days, map: &TimeMap, rules: &PlanningRules) -> Vec<OpenDay> {
        let ticks = |day: WorkDay| {
            let spans = merged(day.windows.into_iter().filter_map(|window| self.inwards(window)));
            (!spans.is_empty()).then_some(OpenDay { date: day.date, spans })
        };
        work_days(days, map, &rules.holidays, self.span()).into_iter().filter_map(ticks).collect()
    }
}

/// When a time map is open on one date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkDay {
    /// The date that its windows begin on.
    pub date: NaiveDate,
    /// By begin; those of a night end on the date after.
    pub windows: Vec<Window>,
}

/// The same in ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDay {
    /// The date that its spans begin on.
    pub date: NaiveDate,
    /// By start, apart from each other.
    pub spans: Vec<TickSpan>,
}

/// The work windows of each date that has one inside `over`, cut to it.
#[must_use]
pub fn work_days(days: Days, map: &TimeMap, holidays: &BTreeSet<NaiveDate>, over: Window) -> Vec<WorkDay> {
    let over = over.within_years();
    // A span ends at most two days after its date begins.
    let first = days.wall(over.from).date();
    let first = first.checked_sub_signed(Duration::days(2)).unwrap_or(first);
    let last = days.wall(over.to).date();
    first
        .iter_days()
        .take_while(|date| *date <= last)
        // A date that the zone leaves out has no hours, though the clock passes them.
        .filter(|date| Days::of(days.zone).start(*date).is_some())
        .filter_map(|date| {
            let mut windows: Vec<_> = windows_of(days, map, holidays, date)
                .filter_map(|window| {
                    let cut = Window { from: window.from.max(over.from), to: window.to.min(over.to) };
                    (cut.from < cut.to).then_some(cut)
                })
                .collect();
            windows.sort();
            (!windows.is_empty()).then_some(WorkDay { date, windows })
        })
        .collect()
}

/// The windows that begin on one date. Where the clock jumps over a begin or an end, the jump is it; where it shows one
/// twice, the first time is. So nobody works on by a clock that already shows a later time.
fn windows_of<'a>(
    days: Days,
    map: &'a TimeMap,
    holidays: &BTreeSet<NaiveDate>,
    date: NaiveDate,
) -> impl Iterator<Item = Window> + 'a {
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    let at = move |minute: u16| {
        let wall = midnight.checked_add_signed(Duration::minutes(i64::from(minute)))?;
        reached(wall, days.zone)
    };
    map.spans(date, holidays).iter().filter_map(move |span| {
        let window = Window { from: at(span.from_min())?, to: at(span.to_min())? };
        (window.from < window.to).then_some(window)
    })
}
