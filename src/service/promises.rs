//! The promises that are cheap enough to be watched in production: a broken one is counted and reported before it is felt.
//!
//! `calwarden_invariant_violations_total{invariant}` must stay 0; the invariants are called as everywhere ([`Promise`]).

use std::{collections::BTreeSet, sync::Mutex};

use crate::domain::{ids::AccountId, promise::Promise};

/// What is watched.
const WATCHED: [Promise; 3] = [Promise::OneCopy, Promise::CursorCovers, Promise::OneRound];

/// Shows every count from the start, so that an alert on them can be trusted.
pub fn watch() {
    for invariant in WATCHED {
        metrics::counter!("calwarden_invariant_violations_total", "invariant" => invariant.as_str()).absolute(0);
    }
}

/// Counts a broken promise and says so.
pub fn broken(invariant: Promise, account: AccountId) {
    metrics::counter!("calwarden_invariant_violations_total", "invariant" => invariant.as_str()).increment(1);
    tracing::error!(%account, %invariant, promised = invariant.sentence(), "a promise is broken; please report this");
}

/// The rounds that are under way: one of an account at most (I-25).
#[derive(Debug, Default)]
pub struct UnderWay(Mutex<BTreeSet<AccountId>>);

impl UnderWay {
    /// Begins a round; `None`: one is under way already.
    pub fn begin(&self, account: AccountId) -> Option<RoundGuard<'_>> {
        // Made only when it began: to drop it is to end the round.
        if self.held().insert(account) { Some(RoundGuard { all: self, account }) } else { None }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, BTreeSet<AccountId>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A round that is under way; it ends when this is dropped, a panic included.
#[derive(Debug)]
pub struct RoundGuard<'a> {
    all: &'a UnderWay,
    account: AccountId,
}

impl Drop for RoundGuard<'_> {
    fn drop(&mut self) {
        self.all.held().remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_of_an_account_at_a_time() {
        let (all, one, other) = (UnderWay::default(), AccountId(uuid::Uuid::nil()), AccountId(uuid::Uuid::max()));
        let alone = all.begin(one).expect("the first");
        assert!(all.begin(one).is_none());
        assert!(all.begin(other).is_some());
        drop(alone);
        assert!(all.begin(one).is_some());
    }
}
