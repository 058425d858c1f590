//! How much of a task is left.

use crate::domain::task::Task;

/// Shortest chunk where the task names none, in minutes.
pub const CHUNK_MIN: u32 = 15;

/// What is left of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Minutes still to be planned, at least one.
    pub minutes: u32,
    /// The estimate is used up, so this is a guess: a quarter of it, or the shortest chunk where that is longer.
    pub exceeded: bool,
}

/// What is left of a task that is not finished, with `more_min` worked beyond what it says; none without an estimate.
#[must_use]
pub fn rest(task: &Task, more_min: u32) -> Option<Rest> {
    let estimate = task.facts.estimate_min?;
    match estimate.saturating_sub(task.total_actual_min().saturating_add(more_min)) {
        0 => {
            let chunk = task.facts.min_chunk_min.unwrap_or(CHUNK_MIN).max(1);
            Some(Rest { minutes: estimate.div_ceil(4).max(chunk), exceeded: true })
        }
        minutes => Some(Rest { minutes, exceeded: false }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::samples::task;

    #[test]
    fn what_is_left_is_the_estimate_without_everything_that_was_worked() {
        let mut report = task(1);
        (report.facts.estimate_min, report.carried_actual_min, report.actual_min) = (Some(120), 30, 20);
        assert_eq!(rest(&report, 10), Some(Rest { minutes: 60, exceeded: false }));
        report.facts.estimate_min = None;
        assert_eq!(rest(&report, 10), None);
    }

    #[test]
    fn when_the_estimate_is_used_up_a_quarter_of_it_is_left_and_at_least_one_chunk() {
        let mut report = task(1);
        (report.facts.estimate_min, report.actual_min) = (Some(120), 120);
        assert_eq!(rest(&report, 0), Some(Rest { minutes: 30, exceeded: true }));
        report.facts.min_chunk_min = Some(45);
        assert_eq!(rest(&report, 0), Some(Rest { minutes: 45, exceeded: true }));
        assert_eq!(rest(&report, 500), Some(Rest { minutes: 45, exceeded: true }));
    }
}
