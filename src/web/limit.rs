//! How often a person may ask for a round: a sliding hour per account, in memory.
//!
//! **Invariant:** the memory holds at most the allowed requests of each account of the last hour.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Duration, Utc};

use super::problem::{Problem, ProblemCode};
use crate::domain::ids::AccountId;

/// Accounts remembered before those without a recent request are forgotten.
const ACCOUNTS_SWEEP: usize = 1_000;

/// Counts requests per account.
#[derive(Debug)]
pub struct SyncLimit {
    per_hour: u32,
    asked: Mutex<BTreeMap<AccountId, VecDeque<DateTime<Utc>>>>,
}

/// What is left, for the `RateLimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests an hour.
    pub limit: u32,
    /// Requests left.
    pub remaining: u32,
    /// Seconds until one more is allowed.
    pub reset_s: i64,
}

impl Allowance {
    /// The headers.
    #[must_use]
    pub fn headers(self) -> [(&'static str, String); 3] {
        [
            ("RateLimit-Limit", self.limit.to_string()),
            ("RateLimit-Remaining", self.remaining.to_string()),
            ("RateLimit-Reset", self.reset_s.to_string()),
        ]
    }
}

impl SyncLimit {
    /// So many an hour and account.
    #[must_use]
    pub fn new(per_hour: u32) -> Self {
        Self { per_hour, asked: Mutex::default() }
    }

    /// Counts a request, or refuses it.
    pub fn admit(&self, account: AccountId, now: DateTime<Utc>) -> Result<Allowance, Problem> {
        let hour = Duration::hours(1);
        // Every change of the map is a single step, so it is whole after a panic elsewhere.
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() > ACCOUNTS_SWEEP {
            asked.retain(|_, times| times.back().is_some_and(|last| now - *last < hour));
        }
        let times = asked.entry(account).or_default();
        while times.front().is_some_and(|first| now - *first >= hour) {
            times.pop_front();
        }
        let used = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let refused = used >= self.per_hour;
        if !refused {
            times.push_back(now);
        }
        let reset_s = times.front().map_or(0, |first| (*first + hour - now).num_seconds().max(1));
        let remaining = self.per_hour.saturating_sub(used + u32::from(!refused));
        let allowance = Allowance { limit: self.per_hour, remaining, reset_s };
        if !refused {
            return Ok(allowance);
        }
        let detail =
            format!("an account may be asked to sync {} times an hour; it also does so by itself", self.per_hour);
        let mut problem = Problem::new(ProblemCode::RateLimited, detail).header("Retry-After", &reset_s);
        problem.headers.extend(allowance.headers());
        Err(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_slides_and_accounts_do_not_share_it() {
        let limit = SyncLimit::new(2);
        let (one, two) = (AccountId(uuid::Uuid::from_u128(1)), AccountId(uuid::Uuid::from_u128(2)));
        let start = DateTime::UNIX_EPOCH;
        assert_eq!(limit.admit(one, start).expect("first").remaining, 1);
        assert_eq!(limit.admit(one, start + Duration::minutes(30)).expect("second").remaining, 0);
        let refused = limit.admit(one, start + Duration::minutes(45)).expect_err("third");
        assert!(refused.headers.contains(&("Retry-After", "900".to_owned())), "{:?}", refused.headers);
        assert!(limit.admit(two, start).is_ok());
        assert!(limit.admit(one, start + Duration::minutes(60)).is_ok());
    }
}
