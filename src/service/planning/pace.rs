//! How often a plan is made by itself: a sliding minute for each person, in memory.
//!
//! Every edit, every change of a calendar and every clock may owe a plan; a client that writes all the time would have one made all
//! the time. What is over the pace stays owed, as one plan, and is only made later.
//!
//! **Invariant:** the memory holds at most the allowed plans of each person of the last minute.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Duration, Utc};

use crate::domain::ids::UserId;

/// People remembered before those without a recent plan are forgotten.
const PEOPLE_SWEEP: usize = 1_000;
/// What the plans are counted in.
const MINUTE: Duration = Duration::minutes(1);

/// Counts plans per person.
#[derive(Debug)]
pub struct PlanPace {
    per_minute: usize,
    made: Mutex<BTreeMap<UserId, VecDeque<DateTime<Utc>>>>,
}

impl PlanPace {
    /// So many a minute and person, at least one.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute: usize::try_from(per_minute).unwrap_or(usize::MAX).max(1), made: Mutex::default() }
    }

    /// Counts a plan, or says when one may be made.
    ///
    /// # Errors
    /// The person has had as many as a minute allows.
    pub fn admit(&self, user: &UserId, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        // Every change of the map is a single step, so it is whole after a panic elsewhere.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() > PEOPLE_SWEEP {
            made.retain(|_, times| times.back().is_some_and(|last| now - *last < MINUTE));
        }
        let times = made.entry(user.clone()).or_default();
        // A clock that was set back counts nothing of what it said before.
        times.retain(|time| *time <= now && now - *time < MINUTE);
        match times.front() {
            Some(first) if times.len() >= self.per_minute => Err(*first + MINUTE),
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minute_slides_people_do_not_share_it_and_a_clock_that_is_set_back_frees_it() {
        let pace = PlanPace::new(2);
        let (ada, bob): (UserId, UserId) = ("ada".parse().expect("an id"), "bob".parse().expect("an id"));
        let at = |seconds| DateTime::UNIX_EPOCH + Duration::seconds(seconds);
        assert_eq!(pace.admit(&ada, at(100)), Ok(()));
        assert_eq!(pace.admit(&ada, at(130)), Ok(()));
        assert_eq!(pace.admit(&ada, at(140)), Err(at(160)));
        assert_eq!(pace.admit(&bob, at(140)), Ok(()));
        assert_eq!(pace.admit(&ada, at(160)), Ok(()));
        assert_eq!(pace.admit(&ada, at(161)), Err(at(190)));
        assert_eq!(pace.admit(&ada, at(50)), Ok(()), "nothing of what was before is in this clock's last minute");
    }
}
