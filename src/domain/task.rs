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
/// Most tasks that one task waits for.
pub const AFTER_MAX: usize = 50;

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
        /// The work is of no use afterwards: what does not fit is left out and told.
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

/// How a task repeats. Every instance has a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// The first instance, which names the series.
    pub series: TaskId,
    /// An `RRULE` value (RFC 5545 §3.3.10), without the property name, counted from `first`.
    pub rule: String,
    /// The date of the first instance.
    pub first: NaiveDate,
    /// The date that this instance was made for.
    pub date: NaiveDate,
    /// What becomes of an unfinished instance; `None`: skip for a daily rule, carry for any other.
    pub missed: Option<MissedPolicy>,
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
    /// Minutes worked on this instance.
    pub actual_min: u32,
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
    /// When a person last changed it.
    pub updated_at: DateTime<Utc>,
    /// Grows with every change: the `ETag` of the resource.
    pub version: i64,
}

impl Task {
    /// Minutes worked on it in all, on this instance and on those before it.
    #[must_use]
    pub fn total_actual_min(&self) -> u32 {
        self.carried_actual_min.saturating_add(self.actual_min)
    }

    /// What is wrong with a task that somebody gave, with the field's name. Whether tasks wait for each other in a ring is seen
    /// only where all of them are.
    ///
    /// # Errors
    /// The first fault, in words for who gave it.
    pub fn check(&self) -> Result<(), String> {
        let minutes = 1..=MINUTES_MAX;
        for (field, given) in [
            ("estimate_min", self.estimate_min),
            ("min_chunk_min", self.min_chunk_min),
            ("max_chunk_min", self.max_chunk_min),
        ] {
            if given.is_some_and(|given| !minutes.contains(&given)) {
                return Err(format!("{field}: is not in 1 to {MINUTES_MAX}"));
            }
        }
        if self.title.trim().is_empty() {
            return Err("title: is empty".to_owned());
        }
        if let (Some(shortest), Some(longest)) = (self.min_chunk_min, self.max_chunk_min)
            && shortest > longest
        {
            return Err("max_chunk_min: is less than min_chunk_min".to_owned());
        }
        if self.after.contains(&self.id) {
            return Err("after: a task cannot wait for itself".to_owned());
        }
        if self.after.len() > AFTER_MAX {
            return Err(format!("after: more than {AFTER_MAX} tasks"));
        }
        Ok(())
    }

    /// What becomes of this instance when it is not finished in its day; `None`: it does not repeat.
    #[must_use]
    pub fn missed_policy(&self) -> Option<MissedPolicy> {
        let repeats = self.repeats.as_ref()?;
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

    /// A task with the fields that are checked; everything else says nothing.
    fn given(estimate_min: Option<u32>, chunks: [Option<u32>; 2], title: &str, after: Vec<TaskId>) -> Task {
        let at = DateTime::UNIX_EPOCH;
        Task {
            id: TaskId(uuid::Uuid::nil()),
            space_id: "home".parse().expect("an id"),
            user_id: "ada".parse().expect("an id"),
            context_id: None,
            title: title.to_owned(),
            description: None,
            project: None,
            priority: Priority::None,
            estimate_min,
            actual_min: 0,
            due: None,
            not_before: None,
            hours: None,
            min_chunk_min: chunks[0],
            max_chunk_min: chunks[1],
            splittable: true,
            after,
            prefer: None,
            buffer_after_min: None,
            repeats: None,
            status: TaskStatus::Open,
            pinned: false,
            made_from: None,
            carried_from: None,
            carry_count: 0,
            carried_actual_min: 0,
            completed_at: None,
            created_at: at,
            updated_at: at,
            version: 1,
        }
    }

    #[test]
    fn a_task_that_cannot_be_meant_is_refused_by_the_name_of_its_field() {
        let fault = |task: Task| task.check().err().and_then(|why| Some(why.split_once(':')?.0.to_owned()));
        let (hour, any) = (Some(60), [None, None]);
        assert_eq!(fault(given(hour, any, "Taxes", Vec::new())), None);
        assert_eq!(fault(given(None, any, "Taxes", Vec::new())), None);
        assert_eq!(fault(given(Some(0), any, "Taxes", Vec::new())).as_deref(), Some("estimate_min"));
        assert_eq!(fault(given(hour, any, " ", Vec::new())).as_deref(), Some("title"));
        assert_eq!(fault(given(hour, [hour, Some(30)], "Taxes", Vec::new())).as_deref(), Some("max_chunk_min"));
        let itself = vec![TaskId(uuid::Uuid::nil())];
        assert_eq!(fault(given(hour, any, "Taxes", itself)).as_deref(), Some("after"));
    }

    #[test]
    fn a_due_date_and_a_due_time_are_told_apart_in_json() {
        for json in [
            r#"{"at":{"date":"2026-03-29"},"firmness":"hard"}"#,
            r#"{"at":{"date_time":"2026-03-29T10:00:00Z","time_zone":"UTC"},"firmness":"soft"}"#,
        ] {
            let due: Due = serde_json::from_str(json).expect(json);
            assert_eq!(serde_json::to_string(&due).expect("json"), json);
        }
    }
}
