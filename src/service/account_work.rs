//! What accounts, their channels and the days of their owners need done, as actors ask for it; what comes of it in the log and in the metrics.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    Refusal, Services,
    note_account::AccountNote,
    port::{AccountStart, AccountState, AccountWork, ProgressSink, RoundReport, SweepKind, WorkError},
};
use crate::{
    domain::{
        account::{AccountStatus, ProviderKind},
        failure::FailureClass,
        ids::AccountId,
        notice::NoticeSubject,
        person::Scope,
        round::{Cause, Outcome},
    },
    engine::{
        account::{ChannelEnd, CredentialKind, RefreshEnd},
        round::report::RoundSummary,
    },
    provider::{
        catalogue::{ConnectedBy, Looks, facts},
        push::Notification,
    },
    store::{Mode, StoreError},
};

/// How often a round that lost a race with an edit is run again at once.
const RACES_MAX: u32 = 3;

/// Seconds between polls, by provider.
#[derive(Clone, Copy, Debug)]
pub struct PollIntervals {
    /// A CalDAV or iCloud account.
    pub caldav_s: u32,
    /// A feed.
    pub feed_s: u32,
    /// A provider that has watch channels, while none is open.
    pub unwatched_s: u32,
    /// The same, while one is open.
    pub watched_s: u32,
}

/// The use cases, as the actors know them.
pub struct UseCases {
    /// The use cases.
    pub services: Arc<Services>,
    /// How often accounts look by themselves.
    pub pace: PollIntervals,
    /// What providers asked for between polls, until it is stored with the account's state.
    intervals: Mutex<BTreeMap<AccountId, u32>>,
}

impl From<Refusal> for WorkError {
    fn from(failure: Refusal) -> Self {
        match failure {
            Refusal::NotFound(_) => Self::NotFound,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<StoreError> for WorkError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl UseCases {
    /// The use cases, at this pace.
    #[must_use]
    pub fn new(services: Arc<Services>, pace: PollIntervals) -> Self {
        Self { services, pace, intervals: Mutex::default() }
    }

    fn intervals(&self) -> MutexGuard<'_, BTreeMap<AccountId, u32>> {
        self.intervals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_every_s(&self, kind: ProviderKind) -> u32 {
        match facts(kind).looks {
            Looks::Server => self.pace.caldav_s,
            Looks::Feed => self.pace.feed_s,
            Looks::Watched => self.pace.unwatched_s,
        }
    }

    async fn keep(&self, id: AccountId, state: AccountState) -> Result<(), Refusal> {
        let AccountState { status, reason, failures, next_round_at } = state;
        let interval_s = self.intervals().get(&id).copied();
        self.services.note_account(id, AccountNote { status, reason, failures, next_round_at, interval_s }).await?;
        self.intervals().remove(&id);
        Ok(())
    }
}

/// A failure that has no one else to be reported to: once, here, at the boundary.
fn log(id: AccountId, what: &'static str, done: Result<(), Refusal>) {
    if let Err(failure) = done {
        tracing::error!(account.id = %id, error = %failure, "{what} could not be stored");
    }
}

#[async_trait]
impl AccountWork for UseCases {
    async fn load(&self, id: AccountId) -> Result<AccountStart, WorkError> {
        let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
        let account = tx.account(&Scope::Whole, id).await?.ok_or(WorkError::NotFound)?;
        let next_outbox_at = tx.next_outbox_at(id).await?;
        let grant = tx.grant_of(id).await?;
        tx.commit().await?;
        let chosen = account.schedule.sync_frequency_minutes.map(|minutes| minutes.saturating_mul(60));
        let channels = self.services.notified_at(&account).is_some();
        Ok(AccountStart {
            status: account.status,
            reason: account.status_reason,
            delete_events: account.delete_copies,
            kind: credential_kind(account.provider),
            expires: grant.and_then(|grant| grant.access_expires_at),
            channels,
            auto_sync: account.schedule.auto_sync_enabled,
            poll_every_s: chosen.unwrap_or_else(|| self.poll_every_s(account.provider)),
            watched_every_s: chosen.is_none().then_some(self.pace.watched_s),
            provider_interval_s: account.provider_interval_s,
            failures: account.failures,
            next_round_at: account.next_round_at,
            next_outbox_at,
        })
    }

    async fn round(&self, id: AccountId, cause: Cause, progress: ProgressSink) -> RoundReport {
        let began = self.services.world.now();
        let mut done = self.services.round(id, cause, &|so_far| progress.report(so_far)).await;
        for _ in 0..RACES_MAX {
            // An edit came in between (PostgreSQL says so instead of waiting): a round can always be run again.
            let Err(Refusal::Store(StoreError::Busy)) = done else { break };
            done = self.services.round(id, cause, &|so_far| progress.report(so_far)).await;
        }
        let took_ms = (self.services.world.now() - began).num_milliseconds();
        match done {
            Ok(report) => {
                report_round(id, cause, &report, took_ms);
                if let Some(interval_s) = report.interval_s {
                    self.intervals().insert(id, interval_s);
                }
                RoundReport {
                    retry_after: report.failure.as_ref().and_then(|failure| failure.retry_after),
                    outcome: report.outcome,
                    next_outbox_at: report.next_outbox_at,
                    provider_interval_s: report.interval_s,
                    unwatched: report.unwatched,
                    tally: report.tally,
                    note: report.note,
                }
            }
            Err(failure) => {
                let outcome = match &failure {
                    Refusal::Provider(error) if error.class == FailureClass::Unauthorised => Outcome::Unauthorised,
                    _ => Outcome::Failed,
                };
                tracing::error!(account.id = %id, %cause, error = %failure, "a round could not run");
                metrics::counter!("calwarden_rounds_total", "outcome" => outcome.as_str()).increment(1);
                RoundReport { note: Some(for_owner(&failure)), ..RoundReport::new(outcome) }
            }
        }
    }

    async fn clean_up(&self, id: AccountId, delete_events: bool) -> Result<(), WorkError> {
        Ok(self.services.clean_up(id, delete_events).await?)
    }

    async fn note_state(&self, id: AccountId, state: AccountState) {
        log(id, "an account's state", self.keep(id, state).await);
    }

    async fn ask_reconnect(&self, id: AccountId) {
        let told = self.services.notify_owner(id, NoticeSubject::ReconnectRequired).await;
        log(id, "the request to reconnect", told);
    }

    async fn notify_unwatched(&self, id: AccountId) {
        let told = self.services.notify_owner(id, NoticeSubject::Unwatched).await;
        log(id, "the notice of missing channels", told);
    }

    async fn hear(&self, notifications: &[Notification]) -> Result<(), WorkError> {
        Ok(self.services.hear(notifications).await.map(drop)?)
    }

    async fn refresh(&self, id: AccountId) -> RefreshEnd {
        self.services.refresh_credential(id).await
    }

    async fn open_channel(&self, id: AccountId) -> ChannelEnd {
        match self.services.keep_channels(id).await {
            Ok(end) => end,
            Err(failure) => {
                tracing::warn!(account.id = %id, error = %failure, "watch channels could not be kept");
                ChannelEnd::Failed
            }
        }
    }

    async fn note_quarantined(&self, id: AccountId, restarts: u32) {
        tracing::error!(account.id = %id, restarts, "the account's actor fails too often and is quarantined");
        let reason = Some(format!("its actor failed {restarts} times in a short while"));
        let state =
            AccountState { status: AccountStatus::Quarantined, reason, failures: restarts, next_round_at: None };
        log(id, "the quarantine", self.keep(id, state).await);
        let told = self.services.notify_owner(id, NoticeSubject::Quarantined).await;
        log(id, "the notice of the quarantine", told);
    }

    async fn account_ids(&self) -> Result<Vec<AccountId>, WorkError> {
        let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
        let ids = tx.account_ids().await?;
        tx.commit().await?;
        Ok(ids)
    }

    async fn sweep(&self, sweep: SweepKind) -> Result<(), WorkError> {
        match sweep {
            SweepKind::Reminders => {
                self.services.remind_of_conflicts().await?;
                Ok(self.services.ask_about_stale().await?)
            }
            SweepKind::Retention => Ok(self.services.sweep().await?),
        }
    }

    async fn zones(&self) -> Result<Vec<Tz>, WorkError> {
        self.services.zones_in_use().await.map_err(|error| planning_failed(&error))
    }

    async fn roll(&self, zone: Tz) -> Result<Option<DateTime<Utc>>, WorkError> {
        self.services.roll_zone(zone).await.map_err(|error| planning_failed(&error))
    }

    async fn plan_due(&self) -> Result<Option<DateTime<Utc>>, WorkError> {
        self.services.plan_due().await.map_err(|error| planning_failed(&error))
    }
}

fn planning_failed(error: &Refusal) -> WorkError {
    WorkError::Failed(error.to_string())
}

/// Whether an account's credential can be renewed without its owner.
fn credential_kind(provider: ProviderKind) -> CredentialKind {
    match facts(provider).connected_by {
        ConnectedBy::Password { .. } | ConnectedBy::Address => CredentialKind::Lasting,
        ConnectedBy::Consent => CredentialKind::Refreshable,
    }
}

/// What went wrong inside us is not the owner's to read.
fn for_owner(failure: &Refusal) -> String {
    match failure {
        Refusal::Provider(error) => error.detail.clone(),
        Refusal::Store(_)
        | Refusal::Vault(_)
        | Refusal::NotFound(_)
        | Refusal::Stale
        | Refusal::ReadOnly
        | Refusal::Fixed(_)
        | Refusal::Invalid { .. }
        | Refusal::Busy { .. }
        | Refusal::CredentialsRefused
        | Refusal::Unreachable(_)
        | Refusal::AddressNotAllowed(_)
        | Refusal::AlreadyConnected(_) => "a fault on our side; it is tried again".into(),
    }
}

/// Reports how a round ended: once in the log, and in the metrics.
fn report_round(id: AccountId, cause: Cause, report: &RoundSummary, took_ms: i64) {
    let tally = report.tally;
    let outcome = report.outcome.as_str();
    metrics::counter!("calwarden_rounds_total", "outcome" => outcome).increment(1);
    metrics::counter!("calwarden_round_writes_total").increment(u64::from(tally.writes));
    metrics::counter!("calwarden_round_conflicts_total").increment(u64::from(tally.conflicts));
    let took = Duration::from_millis(u64::try_from(took_ms).unwrap_or(0));
    metrics::histogram!("calwarden_round_seconds", "outcome" => outcome).record(took);
    match (&report.failure, report.outcome) {
        (Some(failure), outcome) => tracing::warn!(
            account.id = %id, %cause, %outcome, class = %failure.class, detail = %failure.detail, took_ms, "a round failed"
        ),
        (None, outcome) => tracing::info!(
            account.id = %id, %cause, %outcome, created = tally.created, updated = tally.updated,
            deleted = tally.deleted, writes = tally.writes, requests = tally.requests, took_ms, "a round ended"
        ),
    }
}
