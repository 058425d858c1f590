//! What operators see of every actor, without asking one.
//!
//! **Invariant:** reading health takes a short lock and no message; nobody holds the lock across an await.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::watch;

use crate::{
    domain::{
        ids::AccountId,
        round::{Cause, Outcome, Progress, Tally},
    },
    engine::account::status::Phase,
};

/// The work in flight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Current {
    /// `round`, `refresh`, `open_channel` or `clean_up`.
    pub work: &'static str,
    /// Why, for a round.
    pub cause: Option<Cause>,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// The last round that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Last {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: DateTime<Utc>,
    /// What it did.
    pub tally: Tally,
    /// Why it failed or what was skipped.
    pub note: Option<String>,
}

/// One row of the operators' page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActorHealth {
    /// Whose actor.
    pub account_id: AccountId,
    /// What it is doing.
    pub state: Phase,
    /// Work in flight.
    pub current: Option<Current>,
    /// The last round; kept across restarts.
    pub last: Option<Last>,
    /// Rounds that ended since the process started.
    pub rounds: u64,
    /// Times the actor was rebuilt after a failure since the process started.
    pub restarts: u32,
    /// When and why the last of them: never the text of a panic, which may hold anything.
    pub last_restart: Option<Restart>,
    /// When it moves by itself.
    pub next_alarm: Option<DateTime<Utc>>,
    /// Rounds failed in a row.
    pub failures: u32,
    /// When a failed round is tried again.
    pub backoff_until: Option<DateTime<Utc>>,
    /// Messages waiting.
    pub mailbox: usize,
    /// When the watch channel ends.
    pub channel_until: Option<DateTime<Utc>>,
    /// When the credential ends.
    pub token_expires: Option<DateTime<Utc>>,
    /// How far the running round has come.
    pub progress: Option<Progress>,
}

/// One rebuilding after a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restart {
    /// When the failure was seen.
    pub at: DateTime<Utc>,
    /// `handler_panicked`, `work_panicked`, `vanished` or `load_failed`.
    pub why: &'static str,
}

impl ActorHealth {
    /// The row of an account whose actor is being built.
    #[must_use]
    pub fn starting(account_id: AccountId) -> Self {
        Self {
            account_id,
            state: Phase::Starting,
            current: None,
            last: None,
            rounds: 0,
            restarts: 0,
            last_restart: None,
            next_alarm: None,
            failures: 0,
            backoff_until: None,
            mailbox: 0,
            channel_until: None,
            token_expires: None,
            progress: None,
        }
    }
}

/// Messages waiting in one mailbox: actix does not show them, so senders and the receiver count.
#[derive(Clone, Debug, Default)]
pub(super) struct MailboxCount(Arc<AtomicUsize>);

impl MailboxCount {
    pub(super) fn came(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn went(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn waiting(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct HealthRow {
    health: ActorHealth,
    mailbox: MailboxCount,
    progress: Option<watch::Receiver<Option<Progress>>>,
}

/// Every actor's health. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct HealthBoard(Arc<RwLock<BTreeMap<AccountId, HealthRow>>>);

impl HealthBoard {
    /// Every row, by account.
    #[must_use]
    pub fn all(&self) -> Vec<ActorHealth> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().map(HealthRow::shown).collect()
    }

    /// One row.
    #[must_use]
    pub fn of(&self, account: AccountId) -> Option<ActorHealth> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&account).map(HealthRow::shown)
    }

    /// How many actors are in each state.
    #[must_use]
    pub fn by_state(&self) -> BTreeMap<Phase, usize> {
        let mut count = BTreeMap::new();
        for row in self.0.read().unwrap_or_else(PoisonError::into_inner).values() {
            *count.entry(row.health.state).or_default() += 1;
        }
        count
    }

    /// Changes one row, made when it is missing.
    pub(super) fn change(&self, account: AccountId, change: impl FnOnce(&mut ActorHealth)) {
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(account).or_insert_with(|| HealthRow {
            health: ActorHealth::starting(account),
            mailbox: MailboxCount::default(),
            progress: None,
        });
        change(&mut row.health);
    }

    /// A new actor's mailbox and progress are the ones to show.
    pub(super) fn attach(
        &self,
        account: AccountId,
        mailbox: MailboxCount,
        progress: watch::Receiver<Option<Progress>>,
    ) {
        self.change(account, |_| {});
        if let Some(row) = self.0.write().unwrap_or_else(PoisonError::into_inner).get_mut(&account) {
            row.mailbox = mailbox;
            row.progress = Some(progress);
        }
    }

    pub(super) fn remove(&self, account: AccountId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&account);
    }
}

impl HealthRow {
    fn shown(&self) -> ActorHealth {
        ActorHealth {
            mailbox: self.mailbox.waiting(),
            progress: self.progress.as_ref().and_then(|progress| *progress.borrow()),
            ..self.health.clone()
        }
    }
}
