//! The pace of one account: so many requests at once, then so many a minute.
//!
//! The budget is a bucket of `burst` requests that refills at `per_minute`. A first round over a large calendar (200
//! requests for 10,000 events) is meant to fit into the burst; what goes on for ever is held to the rate.
//!
//! - **window**: the other kind of budget, for providers that count the requests of the last minute.
//!
//! **Invariant:** in any span of `t` minutes at most `burst + t × per_minute` requests go out; of a window, in any minute at
//! most as many as it holds.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Http, OutgoingRequest, Response};
use crate::transport::error::Result;

/// What a window looks back on.
const WINDOW: Duration = Duration::from_mins(1);

/// A budget on tokio's clock. Callers are served in the order in which they asked.
#[derive(Debug)]
pub struct Throttle(Mutex<RateBudget>);

#[derive(Debug)]
enum RateBudget {
    Bucket {
        /// Time that one request costs; zero: no limit.
        cost: Duration,
        /// How far ahead of an even pace the account may be.
        ahead_max: Duration,
        /// When an evenly paced account would have made every request granted so far; `None`: none yet.
        paid_until: Option<Instant>,
    },
    Window {
        most: usize,
        /// When each request of the last minute went out, or is to; empty for an account at rest.
        granted: VecDeque<Instant>,
    },
}

impl RateBudget {
    /// When one more request may go out; it is counted.
    fn grant(&mut self, now: Instant) -> Instant {
        match self {
            Self::Bucket { cost, .. } if cost.is_zero() => now,
            Self::Bucket { cost, ahead_max, paid_until } => {
                let due = paid_until.map_or(now, |held| held.max(now));
                *paid_until = Some(due + *cost);
                due.checked_sub(*ahead_max).unwrap_or(now)
            }
            Self::Window { most, granted } => {
                while granted.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
                    granted.pop_front();
                }
                let at =
                    granted.len().checked_sub(*most).and_then(|late| granted.get(late)).map_or(now, |at| *at + WINDOW);
                granted.push_back(at);
                at
            }
        }
    }
}

impl Throttle {
    /// A full bucket of `burst` requests (at least one), refilled at `per_minute`; 0 a minute: no limit.
    #[must_use]
    pub fn new(per_minute: u32, burst: u32) -> Self {
        let cost = Duration::from_mins(1).checked_div(per_minute).unwrap_or(Duration::ZERO);
        let ahead_max = cost.saturating_mul(burst.max(1) - 1);
        Self(Mutex::new(RateBudget::Bucket { cost, ahead_max, paid_until: None }))
    }

    /// At most this many requests (at least one) in any minute, as fast as they come.
    #[must_use]
    pub fn at_most(per_minute: u32) -> Self {
        let most = usize::try_from(per_minute.max(1)).unwrap_or(usize::MAX);
        Self(Mutex::new(RateBudget::Window { most, granted: VecDeque::new() }))
    }

    /// Waits until one more request may be made, and counts it.
    pub async fn take(&self) {
        let go_at = self.0.lock().unwrap_or_else(PoisonError::into_inner).grant(Instant::now());
        tokio::time::sleep_until(go_at).await;
    }
}

/// An HTTP port held to a pace, which counts what goes through it.
#[derive(Debug)]
pub struct Paced<H> {
    http: H,
    throttle: Throttle,
    made: AtomicU32,
}

impl<H: Http> Paced<H> {
    /// Puts a pace on a port.
    #[must_use]
    pub fn new(http: H, throttle: Throttle) -> Self {
        Self { http, throttle, made: AtomicU32::new(0) }
    }

    /// Requests made so far; a redirect followed inside the port is part of its request.
    #[must_use]
    pub fn requests_made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl<H: Http> Http for Paced<H> {
    async fn send(&self, request: OutgoingRequest) -> Result<Response> {
        self.throttle.take().await;
        self.made.fetch_add(1, Ordering::Relaxed);
        self.http.send(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds that `requests` requests take in all.
    async fn seconds_for(throttle: &Throttle, requests: u32) -> u64 {
        let start = Instant::now();
        for _ in 0..requests {
            throttle.take().await;
        }
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let throttle = Throttle::new(30, 600);
        assert_eq!(seconds_for(&throttle, 600).await, 0);
        assert_eq!(seconds_for(&throttle, 30).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn the_bucket_refills_at_the_rate_and_no_higher_than_the_burst() {
        let throttle = Throttle::new(60, 10);
        assert_eq!(seconds_for(&throttle, 10).await, 0);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(seconds_for(&throttle, 5).await, 0);
        assert_eq!(seconds_for(&throttle, 1).await, 1);
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(seconds_for(&throttle, 12).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn two_callers_share_one_pace() {
        let throttle = Throttle::new(60, 1);
        let start = Instant::now();
        tokio::join!(throttle.take(), throttle.take(), throttle.take());
        assert_eq!(start.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_lets_out_its_fill_at_once_and_no_more_in_any_minute() {
        let throttle = Throttle::at_most(10);
        assert_eq!(seconds_for(&throttle, 10).await, 0);
        assert_eq!(seconds_for(&throttle, 1).await, 60);
        assert_eq!(seconds_for(&throttle, 9).await, 0);
        assert_eq!(seconds_for(&throttle, 10).await, 60);
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(seconds_for(&throttle, 1).await, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn no_rate_is_no_limit() {
        assert_eq!(seconds_for(&Throttle::new(0, 0), 10_000).await, 0);
    }
}
