//! The instances of a repeating task: when the next one is made, for which date, and what it says.
//!
//! **Invariant:** of a series one instance is open, unless its instances are to stack; and each is for a later date than those
//! before it. So nobody owes the same Monday twice, whatever is closed, opened again and closed once more.

use chrono::{Duration, NaiveDate, NaiveTime};
use chrono_tz::Tz;

use super::recurrence::{Bounds, expand};
use crate::domain::{
    event::{EventContent, Facts, Recurrence},
    task::{Due, MissedPolicy, Task, TaskFacts, TaskSeries, TaskStatus},
    time::{EventTime, Window},
};

/// How far ahead the next date is looked for, in days: most rules answer at once, a rule of leap days needs eight years.
const LOOKS: [i64; 3] = [40, 800, 3_300];
/// What one look may cost: the days of some centuries. Midnight looks for every task that repeats.
const LOOK: Bounds = Bounds { instances_max: 3_000, steps_max: 100_000 };
/// Days of a downtime in which an instance's date may have come.
const DOWN_DAYS: i64 = 800;

/// An instance that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesInstance {
    /// Which of its series.
    pub series: TaskSeries,
    /// What it says.
    pub facts: TaskFacts,
}

/// The instance that follows one which is over: finished, given up or skipped. None while another one of the series is open:
/// that one stands for the next. `passed`: a date that is not asked for any more, nor one before it.
#[must_use]
pub fn after_close(closed: &Task, open: &[Task], passed: NaiveDate) -> Option<SeriesInstance> {
    let series = closed.series?;
    let others = open.iter().any(|task| task.id != closed.id && task.series.is_some_and(|held| held.id == series.id));
    if others {
        return None;
    }
    let rule = &closed.facts.repeats.as_ref()?.rule;
    next(closed, date_after(rule, series.first, series.date.max(passed))?)
}

/// The instance whose date has come although those before it are not done. Only for tasks that are to stack; one at most, for
/// the latest date that has begun.
#[must_use]
pub fn stacked(latest: &Task, today: NaiveDate) -> Option<SeriesInstance> {
    if latest.missed_policy() != Some(MissedPolicy::Stack) {
        return None;
    }
    let (series, repeats) = (latest.series?, latest.facts.repeats.as_ref()?);
    let from = series.date.succ_opt()?.max(today - Duration::days(DOWN_DAYS));
    dates(&repeats.rule, series.first, from, today)?.last().and_then(|date| next(latest, *date))
}

/// The instance of a date.
fn next(task: &Task, date: NaiveDate) -> Option<SeriesInstance> {
    let series = task.series?;
    let moved = date - series.date;
    let not_before = task.facts.not_before.map_or(Some(EventTime::Date(date)), |time| shifted(time, moved));
    let due = task.facts.due.and_then(|due| Some(Due { at: shifted(due.at, moved)?, ..due }));
    let facts = TaskFacts { not_before, due, status: TaskStatus::Open, ..task.facts.clone() };
    Some(SeriesInstance { series: TaskSeries { date, ..series }, facts })
}

/// The same time of day, so many days later.
fn shifted(time: EventTime, by: Duration) -> Option<EventTime> {
    Some(match time {
        EventTime::Date(date) => EventTime::Date(date.checked_add_signed(by)?),
        timed @ EventTime::DateTime { .. } => timed.with_wall(timed.wall().checked_add_signed(by)?),
    })
}

/// The first date of a rule after another one.
fn date_after(rule: &str, first: NaiveDate, after: NaiveDate) -> Option<NaiveDate> {
    let from = after.succ_opt()?;
    LOOKS
        .iter()
        .find_map(|days| dates(rule, first, from, from.checked_add_signed(Duration::days(*days))?)?.first().copied())
}

/// The dates of a rule from one to another, both included.
fn dates(rule: &str, first: NaiveDate, from: NaiveDate, to: NaiveDate) -> Option<Vec<NaiveDate>> {
    let facts = Facts::new("", EventTime::Date(first), EventTime::Date(first.succ_opt()?));
    let recurrence = Recurrence { rules: vec![rule.to_owned()], ..Recurrence::default() };
    let content = EventContent { recurrence, ..EventContent::single(facts) };
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    let window = Window { from: midnight(from), to: midnight(to.succ_opt()?) };
    let found = expand(&content, window, Tz::UTC, &LOOK).ok()?;
    Some(found.occurrences.iter().map(|one| one.start.date_naive()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::task::{Firmness, Repeats},
        engine::samples::{date, task, task_id},
    };

    /// An instance of a series that began on the first of June 2026, a Monday.
    fn instance(number: u128, rule: &str, missed: Option<MissedPolicy>, on: &str) -> Task {
        let mut task = task(number);
        task.facts.repeats = Some(Repeats { rule: rule.to_owned(), missed });
        task.series = Some(TaskSeries { id: task_id(1), first: date("2026-06-01"), date: date(on) });
        task
    }

    fn dated(next: Option<SeriesInstance>) -> Option<String> {
        next.map(|next| next.series.date.to_string())
    }

    #[test]
    fn the_next_instance_is_for_the_next_date_that_is_not_over() {
        let after =
            |rule: &str, on: &str, passed: &str| dated(after_close(&instance(1, rule, None, on), &[], date(passed)));
        assert_eq!(after("FREQ=WEEKLY", "2026-06-01", "2026-06-01").as_deref(), Some("2026-06-08"));
        // Done on Tuesday of the week after: it stood for that Monday as well.
        assert_eq!(after("FREQ=WEEKLY", "2026-06-01", "2026-06-09").as_deref(), Some("2026-06-15"));
        // Done days before its own date.
        assert_eq!(after("FREQ=DAILY", "2026-06-05", "2026-06-01").as_deref(), Some("2026-06-06"));
        // Skipped by the change of day: today is not over.
        assert_eq!(after("FREQ=DAILY", "2026-06-05", "2026-06-05").as_deref(), Some("2026-06-06"));
        assert_eq!(
            after("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2026-06-01", "2026-06-01").as_deref(),
            Some("2028-02-29")
        );
        assert_eq!(after("FREQ=WEEKLY;COUNT=2", "2026-06-08", "2026-06-08"), None, "the rule has ended");
        assert_eq!(dated(after_close(&task(1), &[], date("2026-06-01"))), None, "it never repeated");
    }

    #[test]
    fn while_another_instance_is_open_none_is_made() {
        let closed = instance(1, "FREQ=DAILY", None, "2026-06-01");
        let open = instance(2, "FREQ=DAILY", None, "2026-06-02");
        assert_eq!(after_close(&closed, &[open], date("2026-06-01")), None);
        assert!(
            after_close(&closed, &[closed.clone(), task(3)], date("2026-06-01")).is_some(),
            "itself does not count"
        );
    }

    #[test]
    fn what_stacks_comes_on_its_date_whatever_is_open_and_once_after_a_downtime() {
        let stacking = instance(1, "FREQ=WEEKLY", Some(MissedPolicy::Stack), "2026-06-01");
        assert_eq!(dated(stacked(&stacking, date("2026-06-07"))), None);
        assert_eq!(dated(stacked(&stacking, date("2026-06-08"))).as_deref(), Some("2026-06-08"));
        assert_eq!(dated(stacked(&stacking, date("2026-07-01"))).as_deref(), Some("2026-06-29"));
        let carried = instance(1, "FREQ=WEEKLY", None, "2026-06-01");
        assert_eq!(stacked(&carried, date("2026-07-01")), None);
    }

    #[test]
    fn it_says_what_the_one_before_said_as_many_days_later_and_keeps_the_clock() {
        let mut weekly = instance(1, "FREQ=WEEKLY", None, "2026-10-19");
        let zone = Tz::Europe__Berlin;
        let due = |text: &str| {
            Some(Due { at: EventTime::zoned(text.parse().expect("a time"), zone), firmness: Firmness::Hard })
        };
        weekly.facts.due = due("2026-10-20T09:00:00");
        weekly.facts.status = TaskStatus::Done;
        let next = after_close(&weekly, &[], date("2026-10-19")).expect("the next");
        // The clocks went back between the two.
        assert_eq!(next.facts.due, due("2026-10-27T09:00:00"));
        assert_eq!(next.facts.not_before, Some(EventTime::Date(date("2026-10-26"))), "it comes on its own date");
        assert_eq!((next.facts.status, next.facts.estimate_min), (TaskStatus::Open, Some(60)));
        weekly.facts.not_before = Some(EventTime::Date(date("2026-10-17")));
        let early = after_close(&weekly, &[], date("2026-10-19")).expect("the next");
        assert_eq!(
            early.facts.not_before,
            Some(EventTime::Date(date("2026-10-24"))),
            "or as long before it as this one"
        );
    }
}
