//! What owners choose for an account: its name, rules and schedule.

use super::{Refusal, Services};
use crate::{
    domain::{
        account::{Account, AccountStatus, ConflictPolicy, PrivacyLevel, Schedule},
        calendar::Calendar,
        ids::{AccountId, MappingId},
        person::Scope,
        round::Cause,
    },
    service::write::WriteTx,
    store::StoreError,
};

/// Fewest minutes between rounds that may be asked for.
pub const FREQUENCY_MIN: u32 = 1;
/// Most minutes between rounds that may be asked for: a week.
pub const FREQUENCY_MAX: u32 = 10_080;
/// Longest name of an account, in characters.
const LABEL_CHARS_MAX: usize = 200;
/// Mappings looked at per page.
const BATCH: u32 = 500;

/// New values of an account; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// What the owner calls it.
    pub label: Option<String>,
    /// Who wins a conflict.
    pub policy: Option<ConflictPolicy>,
    /// How much is sent to the provider.
    pub privacy: Option<PrivacyLevel>,
    /// The account that takes the writes; the inner `None`: no longer any.
    pub writes_through: Option<Option<AccountId>>,
    /// When it looks for changes by itself.
    pub schedule: Option<Schedule>,
}

impl Services {
    /// Pauses an account, or lets it go on (out of a quarantine too). The caller notifies its actor.
    pub async fn pause_account(&self, scope: &Scope, actor: &str, id: AccountId, pause: bool) -> Result<(), Refusal> {
        self.write(async |write| {
            let account = write.connected_account(scope, id).await?.ok_or(Refusal::NotFound("account"))?;
            let (status, action) = if pause {
                (AccountStatus::Paused, "account.paused")
            } else {
                (AccountStatus::Active, "account.resumed")
            };
            write.set_account_state(id, status, None, 0, None, account.provider_interval_s).await?;
            Ok(write.audit(&[self.audit_line(&account, actor, action)]).await?)
        })
        .await
    }

    /// Owes an account a round, whatever happens to this process, and wakes it.
    pub async fn request_round(&self, scope: &Scope, id: AccountId) -> Result<(), Refusal> {
        self.write(async |write| {
            write.account(scope, id).await?.ok_or(Refusal::NotFound("account"))?;
            write.wake(id, Cause::Requested);
            Ok(())
        })
        .await
    }

    /// Changes what is given. Another privacy level publishes our copies again.
    pub async fn change_account(
        &self,
        scope: &Scope,
        actor: &str,
        id: AccountId,
        expected_version: Option<i64>,
        change: AccountChange,
    ) -> Result<Account, Refusal> {
        check(id, &change)?;
        self.write(async |write| {
            let account = write.account(scope, id).await?.ok_or(Refusal::NotFound("account"))?;
            if expected_version.is_some_and(|expected| expected != account.version) {
                return Err(Refusal::Stale);
            }
            if let Some(Some(paired)) = change.writes_through {
                write.account(scope, paired).await?.ok_or(Refusal::NotFound("account to write through"))?;
            }
            self.carry_choice(write, actor, account, change.clone()).await
        })
        .await
    }

    async fn carry_choice(
        &self,
        write: &mut WriteTx<'_>,
        actor: &str,
        mut account: Account,
        change: AccountChange,
    ) -> Result<Account, Refusal> {
        let before = account.clone();
        account.label = change.label.map_or(account.label, |label| label.trim().to_owned());
        account.policy = change.policy.unwrap_or(account.policy);
        account.privacy = change.privacy.unwrap_or(account.privacy);
        account.writes_through = change.writes_through.unwrap_or(account.writes_through);
        account.schedule = change.schedule.unwrap_or(account.schedule);
        account.updated_at = self.world.now();
        write.update_account(&account).await?;
        account.version = before.version + 1;
        write.audit(&[self.audit_line(&account, actor, "account.changed")]).await?;
        if account.decides_like(&before) {
            return Ok(account);
        }
        // What is decided at this moment by the choice before is decided again: by a round that reads, or about a write that is answered.
        for calendar in write.calendars_of(account.id).await? {
            if !write.claim_calendar(calendar.id, calendar.version).await? {
                return Err(Refusal::Store(StoreError::Busy));
            }
        }
        write.claim_outbox(account.id).await?;
        if account.privacy != before.privacy {
            self.owe_copies(write, account.id).await?;
        }
        write.wake(account.id, Cause::Requested);
        Ok(account)
    }

    /// Owes every copy we made in an account once more.
    async fn owe_copies(&self, write: &mut WriteTx<'_>, id: AccountId) -> Result<(), Refusal> {
        for calendar in write.calendars_of(id).await?.into_iter().filter(Calendar::takes_writes) {
            let mut after: Option<MappingId> = None;
            loop {
                let page = write.mappings_of_calendar(calendar.id, after, BATCH).await?;
                let Some((last, _)) = page.last() else { break };
                after = Some(last.id);
                for (_, event) in
                    page.iter().filter(|(mapping, event)| mapping.created_by_us && event.deleted_at.is_none())
                {
                    if let Some(user) = write.user(&event.user_id).await? {
                        write.queue_writes(event, user.time_zone).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn check(id: AccountId, change: &AccountChange) -> Result<(), Refusal> {
    let invalid = |field, why: String| Err(Refusal::Invalid { field, why });
    if let Some(label) = &change.label
        && !(1..=LABEL_CHARS_MAX).contains(&label.trim().chars().count())
    {
        return invalid("label", format!("1 to {LABEL_CHARS_MAX} characters"));
    }
    if change.writes_through == Some(Some(id)) {
        return invalid("writes_through", "an account does not write through itself".to_owned());
    }
    if let Some(minutes) = change.schedule.as_ref().and_then(|schedule| schedule.sync_frequency_minutes)
        && !(FREQUENCY_MIN..=FREQUENCY_MAX).contains(&minutes)
    {
        return invalid("sync_frequency_minutes", format!("{FREQUENCY_MIN} to {FREQUENCY_MAX} minutes, or null"));
    }
    Ok(())
}
