//! What an account's actor notes about it: its state as its owner sees it, and news for the owner.

use chrono::{DateTime, Utc};

use super::{Refusal, Services};
use crate::domain::{
    account::AccountStatus,
    conflict::Severity,
    ids::AccountId,
    notice::{Notice, NoticeSubject},
    person::Scope,
};

/// An account as its owner sees it.
#[derive(Clone, Debug)]
pub struct AccountNote {
    /// In one word.
    pub status: AccountStatus,
    /// Why, in words for the owner.
    pub reason: Option<String>,
    /// Rounds that failed in a row.
    pub failures: u32,
    /// When the next round is due.
    pub next_round_at: Option<DateTime<Utc>>,
    /// Seconds between polls that the provider has asked for since the last note; `None`: what it asked for before stands.
    pub interval_s: Option<u32>,
}

impl Services {
    /// Stores how an account is. An owner's disconnect that is stored already is not undone by it; a pause is known to the actor,
    /// which says so in whatever it notes after.
    pub async fn note_account(&self, id: AccountId, note: AccountNote) -> Result<(), Refusal> {
        again!(self.note_account_once(id, &note))
    }

    async fn note_account_once(&self, id: AccountId, note: &AccountNote) -> Result<(), Refusal> {
        let mut write = self.begin_write().await?;
        let account = write.account(&Scope::Whole, id).await?.ok_or(Refusal::NotFound("account"))?;
        if account.status == AccountStatus::Disconnecting {
            return Ok(());
        }
        let interval = note.interval_s.or(account.provider_interval_s);
        let reason = note.reason.as_deref();
        write.set_account_state(id, note.status, reason, note.failures, note.next_round_at, interval).await?;
        Ok(write.commit().await?)
    }

    /// Notifies an account's owner of something that they have to do.
    pub async fn notify_owner(&self, id: AccountId, subject: NoticeSubject) -> Result<(), Refusal> {
        let mut write = self.begin_write().await?;
        let account = write.account(&Scope::Whole, id).await?.ok_or(Refusal::NotFound("account"))?;
        let owner = (&account.space_id, &account.user_id);
        let notice = Notice::new(self.world.new_id(), owner, (subject, Severity::High), self.world.now());
        write.put_notice(&Notice { account_id: Some(id), ..notice }).await?;
        Ok(write.commit().await?)
    }
}
