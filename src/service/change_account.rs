//! What owners choose: an account's name, rules and schedule, a calendar's selection and direction.

use super::{Failure, Services};
use crate::{
    domain::{
        account::{Account, AccountStatus, ConflictPolicy, PrivacyLevel, Schedule},
        calendar::{Calendar, Direction},
        ids::{AccountId, CalendarId, MappingId},
        person::Scope,
        round::Cause,
    },
    service::edit_event::EditError,
    store::{Mode, Tx},
};

/// Fewest minutes between rounds that may be asked for.
pub const FREQUENCY_MIN: u32 = 1;
/// Most minutes between rounds that may be asked for: a week.
pub const FREQUENCY_MAX: u32 = 10_080;
/// Longest name of an account, in characters.
const LABEL_CHARS_MAX: usize = 200;
/// Bonds looked at per page.
const BATCH: u32 = 500;

/// New values of an account; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// What the owner calls it.
    pub label: Option<String>,
    /// Who wins a conflict.
    pub policy: Option<ConflictPolicy>,
    /// How much is told to the provider.
    pub privacy: Option<PrivacyLevel>,
    /// The account that takes the writes; the inner `None`: no longer any.
    pub writes_through: Option<Option<AccountId>>,
    /// When it looks for changes by itself.
    pub schedule: Option<Schedule>,
}

/// New values of a calendar; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct CalendarChange {
    /// Whether it is kept in step.
    pub selected: Option<bool>,
    /// Which way events flow.
    pub direction: Option<Direction>,
    /// Whether its events become tasks of their owner.
    pub makes_tasks: Option<bool>,
}

impl Services {
    /// Pauses an account, or lets it go on (out of a quarantine too). Its actor is told by the caller.
    pub async fn pause_account(&self, scope: &Scope, actor: &str, id: AccountId, pause: bool) -> Result<(), Failure> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let account = tx.account(scope, id).await?.ok_or(Failure::NotFound("account"))?;
        let (status, action) =
            if pause { (AccountStatus::Paused, "account.paused") } else { (AccountStatus::Active, "account.resumed") };
        tx.set_account_state(id, status, None, 0, None, account.provider_interval_s).await?;
        tx.audit(&[self.audit_line(&account, actor, action)]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Owes an account a round, whatever happens to this process, and wakes it.
    pub async fn request_round(&self, scope: &Scope, id: AccountId) -> Result<(), Failure> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        tx.account(scope, id).await?.ok_or(Failure::NotFound("account"))?;
        tx.owe_rounds(&[id], self.world.now()).await?;
        tx.commit().await?;
        self.wake(id, Cause::Requested);
        Ok(())
    }

    /// Changes what is given. Another privacy level publishes our copies again.
    pub async fn change_account(
        &self,
        scope: &Scope,
        actor: &str,
        id: AccountId,
        expected_version: Option<i64>,
        change: AccountChange,
    ) -> Result<Account, EditError> {
        check(id, &change)?;
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut account = tx.account(scope, id).await?.ok_or(EditError::NotFound("account"))?;
        let held = account.version;
        if expected_version.is_some_and(|expected| expected != held) {
            return Err(EditError::Stale);
        }
        if let Some(Some(paired)) = change.writes_through {
            tx.account(scope, paired).await?.ok_or(EditError::NotFound("account to write through"))?;
        }
        let published = account.privacy;
        account.label = change.label.map_or(account.label, |label| label.trim().to_owned());
        account.policy = change.policy.unwrap_or(account.policy);
        account.privacy = change.privacy.unwrap_or(account.privacy);
        account.writes_through = change.writes_through.unwrap_or(account.writes_through);
        account.schedule = change.schedule.unwrap_or(account.schedule);
        account.updated_at = self.world.now();
        if !tx.update_account(&account, held).await? {
            return Err(EditError::Stale);
        }
        account.version = held + 1;
        tx.audit(&[self.audit_line(&account, actor, "account.changed")]).await?;
        let republish = account.privacy != published;
        if republish {
            self.owe_copies(&mut tx, id).await?;
        }
        tx.commit().await?;
        if republish {
            self.wake(id, Cause::LocalEdit);
        }
        Ok(account)
    }

    /// Owes every copy we made in an account once more.
    async fn owe_copies(&self, tx: &mut Tx, id: AccountId) -> Result<(), EditError> {
        for calendar in tx.calendars_of(id).await?.into_iter().filter(Calendar::takes_writes) {
            let mut after: Option<MappingId> = None;
            loop {
                let page = tx.mappings_of_calendar(calendar.id, after, BATCH).await?;
                let Some((last, _)) = page.last() else { break };
                after = Some(last.id);
                for (_, event) in
                    page.iter().filter(|(mapping, event)| mapping.created_by_us && event.deleted_at.is_none())
                {
                    if let Some(user) = tx.user(&event.user_id).await? {
                        self.owe_all(tx, event, user.time_zone).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Selects or deselects a calendar, or turns its direction. Deselecting takes its imported events from here, never from
    /// the provider.
    pub async fn change_calendar(
        &self,
        scope: &Scope,
        id: CalendarId,
        expected_version: Option<i64>,
        change: CalendarChange,
    ) -> Result<Calendar, Failure> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut calendar = tx.calendar(scope, id).await?.ok_or(Failure::NotFound("calendar"))?;
        let held = calendar.version;
        let stale = Failure::Store(crate::store::StoreError::Stale);
        if expected_version.is_some_and(|expected| expected != held) {
            return Err(stale);
        }
        let leaves = change.selected == Some(false) && calendar.selected;
        let enters = change.selected == Some(true) && !calendar.selected;
        let turned = change.direction.is_some_and(|direction| direction != calendar.direction);
        let makes = change.makes_tasks.is_some_and(|makes| makes != calendar.makes_tasks);
        calendar.direction = change.direction.unwrap_or(calendar.direction);
        calendar.makes_tasks = change.makes_tasks.unwrap_or(calendar.makes_tasks);
        calendar.selected |= enters;
        if enters || turned {
            // What the cursor passed while the calendar was not read, or was read the other way, is found by a complete listing.
            calendar.cursor = None;
            calendar.stamp = None;
            calendar.reconciled_at = None;
        }
        if (enters || turned || makes) && !tx.update_calendar(&calendar, held).await? {
            return Err(stale);
        }
        if makes && calendar.makes_tasks {
            self.make_tasks_ahead(&mut tx, &calendar).await?;
        }
        tx.commit().await?;
        if leaves {
            self.deselect_calendar(scope, id).await?;
        }
        self.wake(calendar.account_id, Cause::Requested);
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let calendar = tx.calendar(scope, id).await?.ok_or(Failure::NotFound("calendar"))?;
        tx.commit().await?;
        Ok(calendar)
    }
}

fn check(id: AccountId, change: &AccountChange) -> Result<(), EditError> {
    let invalid = |field, why: String| Err(EditError::Invalid { field, why });
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
