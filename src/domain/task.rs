//! Tasks: what is to be done, how long it takes, and when it may be done.
//!
//! Terms. An *instance* is one row: a task that was not finished in its day gets a new instance, which knows the old one by
//! `carried_from` and its minutes by `carried_actual_min`. A *chunk* is one uninterrupted piece of work.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ids::{ContextId, EventId, SpaceId, TaskId, UserId},
    time::EventTime,
};
use crate::words;

/// Longest task, in minutes: a thousand hours.
pub const MINUTES_MAX: u32 = 60_000;
/// Longest buffer after a block, in minutes.
pub const BUFFER_MAX_MIN: u32 = 24 * 60;
/// Most tasks that one task waits for.
pub const AFTER_MAX: usize = 50;
/// Longest title, in characters.
const TITLE_CHARS_MAX: usize = 1_000;
/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 100_000;

words! {
    /// How much a task matters. The words are the product's; the planner's P1 to P4 are urgent, high, medium and low.
    Priority {
        /// Nobody said. It counts as low: with a weight of nothing, missing it would cost nothing and it would never be planned.
        None = "none",
        /// P4.
        Low = "low",
        /// P3.
        Medium = "medium",
        /// P2.
        High = "high",
        /// P1.
        Urgent = "urgent",
    }
}

impl Priority {
    /// What one missed deadline, or one tick left out, costs the plan.
    #[must_use]
    pub fn weight(self) -> u32 {
        match self {
            Self::Urgent => 8,
            Self::High => 4,
            Self::Medium => 2,
            Self::Low | Self::None => 1,
        }
    }
}

words! {
    /// What a deadline means once it cannot be kept.
    Firmness {
        /// The work is of no use afterwards: what does not fit is left out and reported.
        Hard = "hard",
        /// The work is done late rather than not at all.
        Soft = "soft",
    }
}

/// When a task is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// An instant, or a wall time that keeps its clock when a zone's rules change. A date means the end of that day.
    pub at: EventTime,
    /// What it means once it cannot be kept.
    pub firmness: Firmness,
}

words! {
    /// When in the day a task is best done.
    PartOfDay {
        /// Before noon.
        Morning = "morning",
        /// Noon to five.
        Afternoon = "afternoon",
        /// From five on.
        Evening = "evening",
    }
}

words! {
    /// What becomes of a repeating task's instance that was not finished in its day.
    MissedPolicy {
        /// It is carried to the next day, and stands for the next instance until it is done.
        Carry = "carry",
        /// It is over; the next instance comes on its own date.
        Skip = "skip",
        /// It is carried, and the next instance comes all the same.
        Stack = "stack",
    }
}

/// How a task repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// An `RRULE` value (RFC 5545 §3.3.10), without the property name, counted from [`TaskSeries::first`].
    pub rule: String,
    /// What becomes of an unfinished instance; `None`: skip for a daily rule, carry for any other.
    pub missed: Option<MissedPolicy>,
}

/// Which instance of a repeating task this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskSeries {
    /// The first instance, which names the series.
    pub id: TaskId,
    /// The date of the first instance.
    pub first: NaiveDate,
    /// The date that this instance was made for.
    pub date: NaiveDate,
}

words! {
    /// How a task stands.
    TaskStatus {
        /// To be done.
        Open = "open",
        /// Work has begun.
        InProgress = "in_progress",
        /// Done.
        Done = "done",
        /// Given up.
        Cancelled = "cancelled",
        /// An instance of a repeating task that was missed and is not carried.
        Skipped = "skipped",
        /// Not finished in its day; a newer instance goes on with it.
        Carried = "carried",
        /// Carried too often to be planned once more without asking.
        Stale = "stale",
    }
}

impl TaskStatus {
    /// Whether there is still work that the planner may place.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::InProgress)
    }

    /// Whether somebody has finished it or given it up.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }
}

/// What somebody says of a task. Minutes worked, instances and dates of change are kept by the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFacts {
    /// The context it belongs to.
    pub context_id: Option<ContextId>,
    /// What it is called.
    pub title: String,
    /// More about it.
    pub description: Option<String>,
    /// A word of the product's own.
    pub project: Option<String>,
    /// How much it matters.
    pub priority: Priority,
    /// Minutes it takes in all, what was worked before included; `None`: unknown, so it cannot be planned.
    pub estimate_min: Option<u32>,
    /// When it is due.
    pub due: Option<Due>,
    /// Not before this. A date means the day's start.
    pub not_before: Option<EventTime>,
    /// The name of the hours it may be done in; `None`: the usual working hours.
    pub hours: Option<String>,
    /// Shortest useful chunk, in minutes.
    pub min_chunk_min: Option<u32>,
    /// Longest chunk without a break, in minutes.
    pub max_chunk_min: Option<u32>,
    /// Whether it may be done in several chunks.
    pub splittable: bool,
    /// What must be done before.
    pub after: Vec<TaskId>,
    /// When in the day it is best done.
    pub prefer: Option<PartOfDay>,
    /// Minutes kept free after each of its blocks; `None`: the user's own buffer.
    pub buffer_after_min: Option<u32>,
    /// How it repeats.
    pub repeats: Option<Repeats>,
    /// How it stands.
    pub status: TaskStatus,
    /// Its blocks stay where they are.
    pub pinned: bool,
}

impl TaskFacts {
    /// A task of which only the title is known.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            context_id: None,
            title: title.into(),
            description: None,
            project: None,
            priority: Priority::None,
            estimate_min: None,
            due: None,
            not_before: None,
            hours: None,
            min_chunk_min: None,
            max_chunk_min: None,
            splittable: true,
            after: Vec::new(),
            prefer: None,
            buffer_after_min: None,
            repeats: None,
            status: TaskStatus::Open,
            pinned: false,
        }
    }

    /// What is wrong with them: the field's name, and why. Whether what they name exists, and whether tasks wait for each other
    /// in a ring, is seen only where all of them are.
    ///
    /// # Errors
    /// The first fault, in words for who gave them.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |field, why: String| Err((field, why));
        if !(1..=TITLE_CHARS_MAX).contains(&self.title.trim().chars().count()) {
            return wrong("title", format!("between 1 and {TITLE_CHARS_MAX} characters"));
        }
        if self.description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX) {
            return wrong("description", format!("at most {DESCRIPTION_CHARS_MAX} characters"));
        }
        for (field, given) in [
            ("estimate_min", self.estimate_min),
            ("min_chunk_min", self.min_chunk_min),
            ("max_chunk_min", self.max_chunk_min),
        ] {
            if given.is_some_and(|given| !(1..=MINUTES_MAX).contains(&given)) {
                return wrong(field, format!("between 1 and {MINUTES_MAX} minutes"));
            }
        }
        if self.min_chunk_min.zip(self.max_chunk_min).is_some_and(|(shortest, longest)| shortest > longest) {
            return wrong("max_chunk_min", "the longest chunk is shorter than the shortest".to_owned());
        }
        if self.buffer_after_min.is_some_and(|minutes| minutes > BUFFER_MAX_MIN) {
            return wrong("buffer_after_min", format!("at most {BUFFER_MAX_MIN} minutes"));
        }
        if self.after.len() > AFTER_MAX {
            return wrong("after", format!("at most {AFTER_MAX} tasks"));
        }
        Ok(())
    }
}

/// One task, or one instance of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Ours.
    pub id: TaskId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// Whose it is.
    pub user_id: UserId,
    /// What is said of it.
    pub facts: TaskFacts,
    /// Minutes worked on this instance.
    pub actual_min: u32,
    /// Which instance it is; `None`: it never repeated.
    pub series: Option<TaskSeries>,
    /// The imported event it was made from.
    pub made_from: Option<EventId>,
    /// The instance that this one goes on with.
    pub carried_from: Option<TaskId>,
    /// How often it was carried since somebody last decided about it.
    pub carry_count: u32,
    /// Minutes worked on the instances before this one.
    pub carried_actual_min: u32,
    /// When it was finished.
    pub completed_at: Option<DateTime<Utc>>,
    /// When this instance was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed, by a person or by the change of day.
    pub updated_at: DateTime<Utc>,
    /// Grows with every change: the `ETag` of the resource.
    pub version: i64,
}

impl Task {
    /// A new task of somebody.
    #[must_use]
    pub fn new(id: TaskId, space_id: SpaceId, user_id: UserId, facts: TaskFacts, now: DateTime<Utc>) -> Self {
        Self {
            id,
            space_id,
            user_id,
            facts,
            actual_min: 0,
            series: None,
            made_from: None,
            carried_from: None,
            carry_count: 0,
            carried_actual_min: 0,
            completed_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// It was changed.
    pub fn touch(&mut self, now: DateTime<Utc>) {
        (self.updated_at, self.version) = (now, self.version + 1);
    }

    /// Minutes worked on it in all, on this instance and on those before it.
    #[must_use]
    pub fn total_actual_min(&self) -> u32 {
        self.carried_actual_min.saturating_add(self.actual_min)
    }

    /// What becomes of this instance when it is not finished in its day; `None`: it does not repeat.
    #[must_use]
    pub fn missed_policy(&self) -> Option<MissedPolicy> {
        let repeats = self.facts.repeats.as_ref()?;
        // A habit of every day that was missed yesterday is not owed twice today; a weekly report still is.
        let daily = repeats.rule.split(';').any(|part| part.eq_ignore_ascii_case("FREQ=DAILY"));
        Some(repeats.missed.unwrap_or(if daily { MissedPolicy::Skip } else { MissedPolicy::Carry }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_priority_has_its_weight() {
        let weights: Vec<_> = Priority::ALL.iter().map(|priority| priority.weight()).collect();
        assert_eq!(weights, [1, 1, 2, 4, 8]);
    }

    #[test]
    fn a_task_that_cannot_be_meant_is_refused_by_the_name_of_its_field() {
        let fault = |change: fn(&mut TaskFacts)| {
            let mut facts = TaskFacts { estimate_min: Some(60), ..TaskFacts::new("Taxes") };
            change(&mut facts);
            facts.check().err().map(|(field, _)| field)
        };
        assert_eq!(fault(|_| ()), None);
        assert_eq!(fault(|facts| facts.estimate_min = None), None);
        assert_eq!(fault(|facts| facts.estimate_min = Some(0)), Some("estimate_min"));
        assert_eq!(fault(|facts| facts.title = " ".to_owned()), Some("title"));
        assert_eq!(fault(|facts| facts.title = "x".repeat(1_001)), Some("title"));
        assert_eq!(
            fault(|facts| (facts.min_chunk_min, facts.max_chunk_min) = (Some(60), Some(30))),
            Some("max_chunk_min")
        );
        assert_eq!(fault(|facts| facts.buffer_after_min = Some(1_441)), Some("buffer_after_min"));
        assert_eq!(fault(|facts| facts.after = vec![TaskId(uuid::Uuid::nil()); 51]), Some("after"));
    }

    #[test]
    fn a_due_date_and_a_due_time_are_distinguished_in_json() {
        for json in [
            r#"{"at":{"date":"2026-03-29"},"firmness":"hard"}"#,
            r#"{"at":{"date_time":"2026-03-29T10:00:00Z","time_zone":"UTC"},"firmness":"soft"}"#,
        ] {
            let due: Due = serde_json::from_str(json).expect(json);
            assert_eq!(serde_json::to_string(&due).expect("json"), json);
        }
    }
}
