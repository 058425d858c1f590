//! Whether the service can work: real writes show it, for a full or read-only disk still reads, and a full one still writes over.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Refusal, Services};

/// A write proves as much for this long, so that whoever asks without end costs no disk.
const PROOF_LASTS: TimeDelta = TimeDelta::seconds(5);

/// When a readiness check last saw a write become durable.
#[derive(Debug, Default)]
pub struct Proof(Mutex<Option<DateTime<Utc>>>);

impl Proof {
    fn holds(&self, now: DateTime<Utc>) -> bool {
        let proven = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        proven.is_some_and(|at| at <= now && now - at < PROOF_LASTS)
    }

    fn renew(&self, now: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }
}

impl Services {
    /// Whether the database takes writes.
    pub async fn ready(&self) -> Result<(), Refusal> {
        self.store.is_ours()?;
        let now = self.world.now();
        if self.proof.holds(now) {
            return Ok(());
        }
        self.store.has_room().await?;
        self.store.pulse(now).await?;
        self.proof.renew(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_lasts_a_few_seconds_and_none_comes_from_the_future() {
        let (proof, now) = (Proof::default(), DateTime::UNIX_EPOCH);
        assert!(!proof.holds(now));
        proof.renew(now);
        assert!(proof.holds(now) && proof.holds(now + TimeDelta::seconds(4)));
        assert!(!proof.holds(now + PROOF_LASTS) && !proof.holds(now - TimeDelta::seconds(1)));
    }
}
