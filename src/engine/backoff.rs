//! How long to wait after a failure. The only place that names the `backoff` crate.
//!
//! The crate owns the curve; the jitter is ours, from a number the caller drew, so that a seeded run repeats itself.
//! The crate also reads a clock and draws a number of its own: neither has an effect, because `max_elapsed_time` is off
//! and `randomization_factor` is 0 (what is left, below a nanosecond, is cut off with the fraction of a millisecond).
//!
//! **Invariant:** a wait is never shorter than what the provider asked for, and never longer than [`RETRY_AFTER_MAX`]
//! with its jitter.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff as _};

/// The first wait after a failed round.
pub const ROUND_WAIT_FIRST: Duration = Duration::from_secs(30);
/// The longest wait between failed rounds that nobody asked for.
pub const ROUND_WAIT_MAX: Duration = Duration::from_hours(1);
/// Attempts at one outbox entry before it is parked: the first, and one after about 1, 5 and 15 minutes.
pub const OUTBOX_ATTEMPTS_MAX: u32 = 4;
/// The longest `Retry-After` that is believed; an absurd one must not silence an account for days.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(6);

/// The longest wait of a queued write, its jitter included. What waits longer was queued by a clock that was ahead.
pub const OUTBOX_WAIT_MAX: Duration = RETRY_AFTER_MAX.saturating_add(Duration::from_hours(1));

/// Steps looked at on a curve; each of them has long reached its longest wait by then.
const STEPS_MAX: u32 = 32;
/// A jittered wait lies within this share of its step, to either side.
const JITTER: f64 = 0.25;
/// A wait that the provider asked for is lengthened by at most this share, so that accounts do not return as one.
const JITTER_ASKED: f64 = 0.1;

/// The wait after `failures` rounds failed in a row (1: the first), from about 30 s to about an hour.
///
/// `retry_after` is what the provider asked for; `fraction`, in `0.0..1.0`, is the jitter.
#[must_use]
pub fn round_wait(failures: u32, retry_after: Option<Duration>, fraction: f64) -> Duration {
    wait(curve(ROUND_WAIT_FIRST, 2.0, ROUND_WAIT_MAX), failures, retry_after, fraction)
}

/// The wait before an outbox entry is tried again after `attempts` attempts (1: the first): about 1, 5 and 15 minutes;
/// `None`: park it.
#[must_use]
pub fn outbox_wait(attempts: u32, retry_after: Option<Duration>, fraction: f64) -> Option<Duration> {
    let again = attempts < OUTBOX_ATTEMPTS_MAX;
    again.then(|| {
        let steps = curve(Duration::from_mins(1), 5.0, Duration::from_mins(15));
        wait(steps, attempts, retry_after, fraction)
    })
}

fn curve(first: Duration, multiplier: f64, longest: Duration) -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(first)
        .with_multiplier(multiplier)
        .with_max_interval(longest)
        .with_randomization_factor(0.0)
        .with_max_elapsed_time(None)
        .build()
}

fn wait(mut curve: ExponentialBackoff, step: u32, retry_after: Option<Duration>, fraction: f64) -> Duration {
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.5 };
    let mut base = curve.next_backoff().unwrap_or_default();
    for _ in 1..step.min(STEPS_MAX) {
        base = curve.next_backoff().unwrap_or(base);
    }
    let own = base.mul_f64(1.0 - JITTER + 2.0 * JITTER * fraction);
    let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX).mul_f64(1.0 + JITTER_ASKED * fraction);
    whole_millis(own.max(asked))
}

fn whole_millis(wait: Duration) -> Duration {
    Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    #[test]
    fn round_waits_grow_from_half_a_minute_to_an_hour_and_stay_there() {
        let waits: Vec<u64> = (1..=9).map(|n| round_wait(n, None, MIDDLE).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(round_wait(u32::MAX, None, MIDDLE).as_secs(), 3600);
        assert_eq!(round_wait(0, None, MIDDLE), round_wait(1, None, MIDDLE));
    }

    #[test]
    fn an_outbox_entry_is_retried_after_1_5_and_15_minutes_then_parked() {
        let waits: Vec<_> = (1..=5).map(|n| outbox_wait(n, None, MIDDLE).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits, [Some(60), Some(300), Some(900), None, None]);
    }

    #[test]
    fn jitter_spreads_a_wait_by_a_quarter_to_either_side() {
        assert_eq!(round_wait(1, None, 0.0).as_millis(), 22_500);
        assert_eq!(round_wait(1, None, 1.0).as_millis(), 37_500);
        assert_eq!(round_wait(1, None, f64::NAN), round_wait(1, None, MIDDLE));
    }

    #[test]
    fn what_the_provider_asks_for_is_never_undercut() {
        let asked = Duration::from_mins(10);
        assert_eq!(round_wait(1, Some(asked), 0.0), asked);
        assert_eq!(outbox_wait(1, Some(asked), 0.0), Some(asked));
        assert!(round_wait(9, Some(asked), 0.0) > asked, "our own wait is longer by now");
    }

    #[test]
    fn an_absurd_request_is_cut_to_six_hours() {
        assert_eq!(round_wait(1, Some(Duration::MAX), 0.0), RETRY_AFTER_MAX);
    }

    #[test]
    fn the_same_number_gives_the_same_wait() {
        for step in 1..200 {
            assert_eq!(round_wait(step % 12, None, 0.3), round_wait(step % 12, None, 0.3));
        }
    }
}
