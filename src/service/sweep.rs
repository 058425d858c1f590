//! The janitor's rounds: what has been kept long enough goes, and secrets move under the current key.

use chrono::Duration;

use super::{Refusal, Services, consent, repeat_request::KEPT_HOURS};
use crate::{
    domain::{
        conflict::{ConflictStatus, Severity},
        notice::{Notice, NoticeSubject},
        person::Scope,
    },
    engine::rollover::STALE_ASKED_EVERY,
    store::{ConflictFilter, Mode},
};

/// Days that changes can be read again; who asks from before must begin anew.
const CHANGES_KEPT_DAYS: u32 = 30;
/// Rows handled per transaction.
const BATCH: u32 = 500;
/// Transactions per sweep and table; the rest waits for the next sweep.
const BATCHES_MAX: usize = 200;

impl Services {
    /// Deletes what has been kept long enough.
    pub async fn sweep(&self) -> Result<(), Refusal> {
        let now = self.world.now();
        let ago = |days: u32| now - Duration::days(i64::from(days));
        let kept = &self.settings;
        let mut tx = self.begin_write().await?;
        // Each call forgets some thousands at most; what is left waits for the next sweep.
        tx.sweep_rounds(ago(kept.rounds_kept_days)).await?;
        tx.sweep_conflicts(ago(kept.conflicts_kept_days)).await?;
        tx.sweep_proposals(ago(kept.conflicts_kept_days)).await?;
        tx.sweep_rollovers(ago(kept.conflicts_kept_days)).await?;
        tx.sweep_audit(ago(kept.audit_kept_days)).await?;
        tx.sweep_notices(ago(kept.notices_kept_days)).await?;
        tx.sweep_remains(ago(kept.deleted_kept_days)).await?;
        tx.sweep_consents(now - consent::GOOD_FOR).await?;
        tx.sweep_idempotency(now - Duration::hours(KEPT_HOURS)).await?;
        tx.commit().await?;
        for _ in 0..BATCHES_MAX {
            let mut tx = self.begin_write().await?;
            let gone = tx.sweep_changes(ago(CHANGES_KEPT_DAYS)).await?;
            tx.commit().await?;
            if gone == 0 {
                break;
            }
        }
        for _ in 0..BATCHES_MAX {
            let mut tx = self.begin_write().await?;
            let gone = tx.purge_deleted_events(ago(kept.deleted_kept_days), BATCH).await?;
            tx.commit().await?;
            if gone == 0 {
                break;
            }
        }
        self.reseal().await?;
        Ok(())
    }

    /// Notifies the owners of conflicts that nobody has decided; a notice still unread is refreshed, not doubled.
    pub async fn remind_of_conflicts(&self) -> Result<(), Refusal> {
        let filter =
            ConflictFilter { status: Some(ConflictStatus::Pending), limit: BATCH, ..ConflictFilter::default() };
        let mut tx = self.begin_write().await?;
        for conflict in tx.conflicts(&Scope::Whole, &filter).await? {
            let Some(account) = tx.account(&Scope::Whole, conflict.account_id).await? else { continue };
            let owner = (&account.space_id, &account.user_id);
            let what = (NoticeSubject::ConflictPending, conflict.severity);
            let notice = Notice::new(self.world.new_id(), owner, what, self.world.now());
            let (account_id, event_id) = (Some(account.id), Some(conflict.event_id));
            tx.put_notice(&Notice { account_id, event_id, ..notice }).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Asks the owners of tasks that were carried too often what is to become of them, every few days.
    pub async fn ask_about_stale(&self) -> Result<(), Refusal> {
        let now = self.world.now();
        let mut tx = self.begin_write().await?;
        for (space, user) in tx.owners_of_stale(now - STALE_ASKED_EVERY, BATCH).await? {
            let what = (NoticeSubject::TaskStale, Severity::Normal);
            tx.put_notice(&Notice::new(self.world.new_id(), (&space, &user), what, now)).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Seals every secret under the current key; answers how many were moved. Readers never wait: each secret can be
    /// opened under its old key until the moment it is replaced.
    pub async fn reseal(&self) -> Result<usize, Refusal> {
        let mut moved = 0;
        for _ in 0..BATCHES_MAX {
            let current = self.vault.current_id()?;
            let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
            let old = tx.secrets_not_under(&current, BATCH).await?;
            tx.commit().await?;
            if old.is_empty() {
                break;
            }
            let mut tx = self.begin_write().await?;
            for sealed in &old {
                let secret = self.vault.open(sealed)?;
                let fresh = self.vault.seal(sealed.account_id, sealed.kind, &secret)?;
                if tx.replace_secret(sealed, &fresh).await? {
                    moved += 1;
                }
            }
            tx.commit().await?;
        }
        Ok(moved)
    }

    /// Opens every account's secrets and throws them away: whether the keys at hand fit. Answers how many there are.
    pub async fn check_secrets(&self) -> Result<usize, Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let mut count = 0;
        for account in tx.account_ids().await? {
            for sealed in tx.secrets_of(account).await? {
                self.vault.open(&sealed)?;
                count += 1;
            }
        }
        tx.commit().await?;
        Ok(count)
    }
}
