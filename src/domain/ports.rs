//! What the world gives: time and randomness. Passed in, so that a whole process can run in virtual time on one seed.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Now, in whole microseconds (what both databases keep).
    fn now(&self) -> DateTime<Utc>;
}

/// Randomness: the system's in production, a seeded stream in simulation.
pub trait Random: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// Clock and randomness together: what almost every use case needs.
#[derive(Clone)]
pub struct World {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

impl World {
    /// Now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A new id that sorts by time (`UUIDv7`, RFC 9562 §5.7).
    #[must_use]
    pub fn new_id<T: From<Uuid>>(&self) -> T {
        let mut tail = [0; 10];
        self.random.fill(&mut tail);
        let millis = u64::try_from(self.now().timestamp_millis()).unwrap_or(0);
        T::from(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
    }

    /// A number in `0.0..1.0`, for jitter.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        self.random.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}
