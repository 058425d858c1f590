//! Tasks that are made from imported events.
//!
//! The event stays its owner's: it is never changed from here. A timed one is the task's first block itself, so that its time is
//! not planned twice; a whole day is the day that the task is due.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;

use crate::domain::{
    event::{EventContent, EventStatus},
    task::{Due, Firmness, TaskFacts},
    time::{EventTime, Window},
};

/// Longest event that is taken for a stretch of work; what is longer is no slot.
const SLOT_MAX: Duration = Duration::hours(24);
/// What a task of an event without a title is called.
const UNTITLED: &str = "(no title)";

/// A task that an event asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedTask {
    /// What it says.
    pub facts: TaskFacts,
    /// When it is done: the event's own time.
    pub block: Option<Window>,
}

/// What task an event asks for. None where it is over or cancelled; and none for a series, which would be one task for all of
/// its times.
#[must_use]
pub fn asked(content: &EventContent, floating_in: Tz, now: DateTime<Utc>) -> Option<ImportedTask> {
    let facts = &content.facts;
    let span = Window { from: facts.start.instant(floating_in), to: facts.end.instant(floating_in) };
    if content.is_series() || facts.status == EventStatus::Cancelled || span.to <= now {
        return None;
    }
    let title = if facts.title.trim().is_empty() { UNTITLED } else { facts.title.trim() };
    let mut task = TaskFacts { description: facts.description.clone(), ..TaskFacts::new(title) };
    let due = if facts.start.is_all_day() { EventTime::Date(facts.start.wall().date()) } else { facts.end };
    task.due = Some(Due { at: due, firmness: Firmness::Soft });
    let slot = !facts.start.is_all_day() && span.length() > Duration::zero() && span.length() <= SLOT_MAX;
    if slot {
        task.estimate_min = u32::try_from(span.length().num_minutes()).ok().filter(|minutes| *minutes > 0);
    }
    task.check().ok()?;
    Some(ImportedTask { facts: task, block: slot.then_some(span) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::event::{Facts, Recurrence},
        engine::samples::{date, hours, monday},
    };

    fn meeting() -> EventContent {
        let facts = Facts::new("Dentist", EventTime::utc(monday("10:00")), EventTime::utc(monday("10:45")));
        EventContent::single(facts)
    }

    fn asked_now(content: &EventContent) -> Option<ImportedTask> {
        asked(content, Tz::UTC, monday("09:00"))
    }

    #[test]
    fn a_timed_event_is_the_tasks_block_and_a_whole_day_its_due_date() {
        let timed = asked_now(&meeting()).expect("a task");
        assert_eq!((timed.facts.title.as_str(), timed.facts.estimate_min), ("Dentist", Some(45)));
        assert_eq!(timed.block, Some(hours("10:00", "10:45")));
        let day = |text| EventTime::Date(date(text));
        let mut all_day = meeting();
        (all_day.facts.start, all_day.facts.end) = (day("2026-05-06"), day("2026-05-07"));
        let dated = asked_now(&all_day).expect("a task");
        assert_eq!(dated.facts.due.map(|due| due.at), Some(day("2026-05-06")));
        assert_eq!((dated.facts.estimate_min, dated.block), (None, None));
    }

    #[test]
    fn what_is_over_cancelled_or_repeats_asks_for_none_and_what_has_no_title_gets_one() {
        let asks = |change: fn(&mut EventContent)| {
            let mut content = meeting();
            change(&mut content);
            asked_now(&content)
        };
        assert_eq!(asks(|content| content.facts.status = EventStatus::Cancelled), None);
        assert_eq!(asks(|content| content.facts.end = EventTime::utc(monday("09:00"))), None);
        let weekly = |content: &mut EventContent| {
            content.recurrence = Recurrence { rules: vec!["FREQ=WEEKLY".to_owned()], ..Recurrence::default() };
        };
        assert_eq!(asks(weekly), None);
        assert_eq!(
            asks(|content| content.facts.title = " ".to_owned()).map(|one| one.facts.title),
            Some(UNTITLED.into())
        );
    }
}
