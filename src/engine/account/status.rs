//! What owners and operators see of an account.

use chrono::{DateTime, Utc};

use super::state::{AccountMachine, CredentialState, Life, RoundState};
use crate::{domain::account::AccountStatus, words};

words! {
    /// What an account is doing, for operators. `Starting` and `Quarantined` are its supervisor's words.
    Phase {
        /// Its actor is being built from the store.
        Starting = "starting",
        /// In step, waiting for its next poll or a wake.
        Idle = "idle",
        /// A round waits for its turn, or for a fresh credential.
        Owed = "owed",
        /// A round is in flight.
        Running = "running",
        /// The last round failed; the next one has a time.
        BackingOff = "backing_off",
        /// The owner must connect again.
        ReconnectRequired = "reconnect_required",
        /// Its owner or an operator paused it.
        Paused = "paused",
        /// Being disconnected: work in flight is waited for.
        Draining = "draining",
        /// Being disconnected: taken down.
        Cleaning = "cleaning",
        /// Gone.
        Closed = "closed",
        /// Its actor failed too often.
        Quarantined = "quarantined",
    }
}

/// What an owner sees, and what a restart begins from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountStanding {
    /// In one word.
    pub status: AccountStatus,
    /// Rounds failed in a row.
    pub failures: u32,
    /// When the next round is due; `None`: only a wake, or the owner, starts one.
    pub next_round_at: Option<DateTime<Utc>>,
}

/// What operators see.
#[must_use]
pub fn phase(account: &AccountMachine) -> Phase {
    match (account.life, account.credential, account.round) {
        (Life::Closed, ..) => Phase::Closed,
        (Life::Cleaning { .. }, ..) => Phase::Cleaning,
        (Life::Draining { .. }, ..) => Phase::Draining,
        // A pause does not break off a round, so a running one is still shown.
        (_, _, RoundState::Running { .. }) => Phase::Running,
        (Life::Paused, ..) => Phase::Paused,
        (_, CredentialState::Revoked, _) => Phase::ReconnectRequired,
        (_, _, RoundState::Owed { .. }) => Phase::Owed,
        (_, _, RoundState::BackingOff { .. }) => Phase::BackingOff,
        (_, _, RoundState::Idle { .. }) => Phase::Idle,
    }
}

/// What owners see.
#[must_use]
pub fn standing(account: &AccountMachine) -> AccountStanding {
    let status = match (account.life, account.credential) {
        (Life::Draining { .. } | Life::Cleaning { .. } | Life::Closed, _) => AccountStatus::Disconnecting,
        (Life::Paused, _) => AccountStatus::Paused,
        (Life::Active, CredentialState::Revoked) => AccountStatus::ReconnectRequired,
        (Life::Active, _) if account.failures > 0 => AccountStatus::Error,
        (Life::Active, _) => AccountStatus::Active,
    };
    let next_round_at = account.live().then(|| match account.round {
        RoundState::Idle { poll_at } => [poll_at, account.outbox_due].into_iter().flatten().min(),
        RoundState::BackingOff { until, .. } => Some(until),
        RoundState::Owed { .. } | RoundState::Running { .. } => None,
    });
    AccountStanding { status, failures: account.failures, next_round_at: next_round_at.flatten() }
}
