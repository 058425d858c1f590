//! The use cases as the actors know them: one trait, so that they keep time and know nothing of stores or providers.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tokio::sync::watch;

use crate::{
    domain::{
        account::AccountStatus,
        ids::AccountId,
        round::{Cause, Outcome, Progress, Tally},
    },
    engine::account::{ChannelEnd, CredentialKind, Past, PollPace, RefreshEnd, RoundEnd},
    provider::push::Notification,
};

/// Why a use case could not be done. The words are for the log: no credential, address or title.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// The account is not in the store.
    #[error("the account is not in the store")]
    NotFound,
    /// It may work later.
    #[error("{0}")]
    Failed(String),
}

/// An account as the store remembers it: what its actor is rebuilt from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStart {
    /// What its owner sees; distinguishes paused, quarantined, revoked and disconnecting accounts.
    pub status: AccountStatus,
    /// Why, in words for the owner; kept until the next round ends.
    pub reason: Option<String>,
    /// While disconnecting: whether the events we wrote there go too.
    pub delete_events: bool,
    /// Whether its credential can be renewed without its owner.
    pub kind: CredentialKind,
    /// When a credential that can be renewed ends by itself.
    pub expires: Option<DateTime<Utc>>,
    /// Whether its provider can notify us of changes.
    pub channels: bool,
    /// Whether it polls by itself.
    pub auto_sync: bool,
    /// Seconds between polls: its owner's choice, else the provider's pace.
    pub poll_every_s: u32,
    /// Seconds between polls while a watch channel is open; `None`: the same.
    pub watched_every_s: Option<u32>,
    /// What the provider asks for between polls, in seconds.
    pub provider_interval_s: Option<u32>,
    /// Rounds failed in a row.
    pub failures: u32,
    /// When the next round was due, as last decided. An instant that has passed owes a round: that is how a request
    /// outlives the process.
    pub next_round_at: Option<DateTime<Utc>>,
    /// When the first queued write may be tried.
    pub next_outbox_at: Option<DateTime<Utc>>,
}

impl AccountStart {
    /// How often it looks by itself.
    #[must_use]
    pub fn pace(&self) -> PollPace {
        pace(self.auto_sync, self.poll_every_s, self.watched_every_s, self.provider_interval_s)
    }

    /// What its owner sees.
    #[must_use]
    pub fn state(&self) -> AccountState {
        AccountState {
            status: self.status,
            reason: self.reason.clone(),
            failures: self.failures,
            next_round_at: self.next_round_at,
        }
    }

    /// What its machine begins with.
    #[must_use]
    pub fn past(&self) -> Past {
        Past {
            kind: self.kind,
            expires: self.expires,
            channels: self.channels,
            pace: self.pace(),
            paused: self.status == AccountStatus::Paused,
            revoked: self.status == AccountStatus::ReconnectRequired,
            disconnecting: (self.status == AccountStatus::Disconnecting).then_some(self.delete_events),
            failures: self.failures,
            next_round_at: self.next_round_at,
            next_outbox_at: self.next_outbox_at,
        }
    }
}

/// A schedule in the machine's terms.
#[must_use]
pub fn pace(
    auto_sync: bool,
    poll_every_s: u32,
    watched_every_s: Option<u32>,
    provider_interval_s: Option<u32>,
) -> PollPace {
    let seconds = |s: u32| Duration::from_secs(u64::from(s));
    PollPace {
        every: auto_sync.then(|| seconds(poll_every_s)),
        at_least: provider_interval_s.map(seconds),
        watched: watched_every_s.map(seconds),
    }
}

/// What a round reports to its actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundReport {
    /// How it ended.
    pub outcome: Outcome,
    /// How long the provider asks us to wait.
    pub retry_after: Option<Duration>,
    /// When the first write still queued may be tried; `None`: nothing waits, or all of it is parked.
    pub next_outbox_at: Option<DateTime<Utc>>,
    /// What the provider asks for between polls, in seconds, when it said so.
    pub provider_interval_s: Option<u32>,
    /// Not every calendar is watched that should be.
    pub unwatched: bool,
    /// What it did.
    pub tally: Tally,
    /// Why it failed or what was skipped, in words for the owner.
    pub note: Option<String>,
}

impl RoundReport {
    /// A round that ended so, with nothing else to report.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            retry_after: None,
            next_outbox_at: None,
            provider_interval_s: None,
            unwatched: false,
            tally: Tally::default(),
            note: None,
        }
    }

    /// How it ended, for the account's machine.
    #[must_use]
    pub fn end(&self) -> RoundEnd {
        RoundEnd {
            outcome: self.outcome,
            retry_after: self.retry_after,
            next_outbox_at: self.next_outbox_at,
            poll_at_least: self.provider_interval_s.map(|s| Duration::from_secs(u64::from(s))),
            unwatched: self.unwatched,
        }
    }
}

/// What an owner sees of an account, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// In one word.
    pub status: AccountStatus,
    /// Why, in words for the owner.
    pub reason: Option<String>,
    /// Rounds failed in a row.
    pub failures: u32,
    /// When the next round is due.
    pub next_round_at: Option<DateTime<Utc>>,
}

/// Where a running round reports how far it has come. Never waits.
#[derive(Clone, Debug)]
pub struct ProgressSink(watch::Sender<Option<Progress>>);

impl ProgressSink {
    /// A sink, and where it is read.
    #[must_use]
    pub fn new() -> (Self, watch::Receiver<Option<Progress>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), receiver)
    }

    /// Reports how far the round has come.
    pub fn report(&self, progress: Progress) {
        self.0.send_replace(Some(progress));
    }

    /// No round runs.
    pub fn clear(&self) {
        self.0.send_replace(None);
    }
}

/// What the janitor sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SweepKind {
    /// What waits for a person, conflicts and stale tasks: every 30 minutes.
    Reminders,
    /// What is kept for a time only, and secrets to re-seal: daily.
    Retention,
}

/// The use cases that actors run, each in a task of its own.
///
/// **Invariant:** dropping one of these futures at any await loses nothing that was acknowledged: [`round`](Self::round)
/// and [`sweep`](Self::sweep) have a time limit, and any of them ends with its actor.
#[async_trait]
pub trait AccountWork: Send + Sync + 'static {
    /// Reads what an actor is rebuilt from.
    async fn load(&self, account: AccountId) -> Result<AccountStart, WorkError>;

    /// One pass of sync, the outbox drained.
    async fn round(&self, account: AccountId, cause: Cause, progress: ProgressSink) -> RoundReport;

    /// Takes a disconnected account down; tried again until it succeeds.
    async fn clean_up(&self, account: AccountId, delete_events: bool) -> Result<(), WorkError>;

    /// Keeps what the owner sees. Never called twice at once by one actor. A choice that the store has and the actor
    /// has not heard of yet wins: a stored `disconnecting` or `paused` is not overwritten by another status.
    async fn note_state(&self, account: AccountId, state: AccountState);

    /// Asks the owner to connect again: once per revocation, before the state is noted.
    async fn ask_reconnect(&self, account: AccountId);

    /// Notifies the owner that changes are found later than usual, until a watch channel opens again.
    async fn notify_unwatched(&self, _account: AccountId) {}

    /// Keeps that the account's actor failed too often, and notifies its owner.
    async fn note_quarantined(&self, account: AccountId, restarts: u32);

    /// Every account that should have an actor or is quarantined.
    async fn account_ids(&self) -> Result<Vec<AccountId>, WorkError>;

    /// The janitor's work.
    async fn sweep(&self, sweep: SweepKind) -> Result<(), WorkError>;

    /// The time zones that somebody lives in: each has an actor for its change of day.
    async fn zones(&self) -> Result<Vec<Tz>, WorkError> {
        Ok(Vec::new())
    }

    /// Turns the days of a zone that have begun; answers when the next one does. Called twice, it turns them once.
    async fn roll(&self, _zone: Tz) -> Result<Option<DateTime<Utc>>, WorkError> {
        Ok(None)
    }

    /// Makes the plans that are owed and lets clocks run on; answers when something is due next.
    async fn plan_due(&self) -> Result<Option<DateTime<Utc>>, WorkError> {
        Ok(None)
    }

    /// Hears notifications of providers: verifies them, keeps what they owe, wakes whom they are for.
    async fn hear(&self, _notifications: &[Notification]) -> Result<(), WorkError> {
        Ok(())
    }

    /// Renews a credential. A password has no renewal: it is refused.
    async fn refresh(&self, _account: AccountId) -> RefreshEnd {
        RefreshEnd::Refused
    }

    /// Opens a watch channel. A provider without one is polled.
    async fn open_channel(&self, _account: AccountId) -> ChannelEnd {
        ChannelEnd::Unsupported
    }
}
