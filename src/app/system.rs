//! The real clock and the real randomness: the only place that reaches for either.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use rand::TryRngCore;

use crate::domain::ports::{Clock, Random, World};

/// The machine's wall clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is given")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(clippy::expect_used, reason = "without randomness nothing may go on: ids and nonces would repeat")]
        rand::rngs::OsRng.try_fill_bytes(bytes).expect("the operating system gives random bytes");
    }
}

/// Both.
#[must_use]
pub fn world() -> World {
    World { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
}
