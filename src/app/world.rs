//! The real clock and the real randomness: the one place that reaches for them.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use rand::{RngCore as _, TryRngCore as _, rngs::OsRng};

use crate::domain::ports::{Clock, Random, World};

/// Digits kept of a second: microseconds, what both databases keep.
const SUBSECOND_DIGITS: u16 = 6;

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the real clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(SUBSECOND_DIGITS)
    }
}

/// The operating system's randomness. Without it nothing can be sealed, so a system that refuses it ends the caller.
#[derive(Clone, Copy, Debug)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        OsRng.unwrap_err().fill_bytes(bytes);
    }
}

/// Clock and randomness of production.
#[must_use]
pub fn system() -> World {
    World { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_whole_microseconds_and_the_randomness_differs() {
        let world = system();
        assert_eq!(world.now().timestamp_subsec_nanos() % 1000, 0);
        let (mut one, mut two) = ([0; 32], [0; 32]);
        world.random.fill(&mut one);
        world.random.fill(&mut two);
        assert_ne!(one, two);
    }
}
