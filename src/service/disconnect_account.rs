//! Disconnecting an account: copies we made are taken back if asked; the owner's own remote events are never touched.
//!
//! **Invariant:** a provider that is down does not block it, and it can be repeated after a crash at any point.

use super::{Failure, Services};
use crate::{
    domain::{
        account::AccountStatus,
        ids::{AccountId, CalendarId, MappingId},
        mapping::Origin,
        person::Scope,
    },
    provider::Target,
    store::{Mode, StoreError, Tx},
};

/// Bonds looked at per transaction.
const BATCH: u32 = 500;

impl Services {
    /// Marks an account as going; its actor lets the running round end, then cleans up.
    pub async fn begin_disconnect(
        &self,
        scope: &Scope,
        actor: &str,
        id: AccountId,
        delete_copies: bool,
    ) -> Result<(), Failure> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut account = tx.account(scope, id).await?.ok_or(Failure::NotFound("account"))?;
        account.status = AccountStatus::Disconnecting;
        account.delete_copies = delete_copies;
        tx.update_account(&account, account.version).await?;
        tx.audit(&[self.audit_line(&account, actor, "account.disconnected")]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes the account down: remote copies we made (if asked), then everything stored about it.
    pub async fn clean_up(&self, id: AccountId, delete_copies: bool) -> Result<(), Failure> {
        if delete_copies {
            self.take_copies_back(id).await?;
        }
        self.leave_provider(id).await?;
        let mut tx = self.store.begin(Mode::Write, &Scope::Whole).await?;
        for calendar in tx.calendars_of(id).await? {
            forget_imported(&mut tx, calendar.id).await?;
        }
        tx.delete_account(id).await?;
        tx.commit().await?;
        self.connections.forget(id);
        Ok(())
    }

    /// Closes the watch channels and ends the grant. Best effort: a provider that is down holds nobody.
    async fn leave_provider(&self, id: AccountId) -> Result<(), Failure> {
        match self.open_account(id).await {
            Ok(opened) => self.close_channels(&opened).await?,
            Err(Failure::Provider(_) | Failure::Vault(_)) => {}
            Err(other) => return Err(other),
        }
        self.revoke_grant(id).await
    }

    /// Best effort: what cannot be deleted now is left, and the disconnect goes on.
    async fn take_copies_back(&self, id: AccountId) -> Result<(), Failure> {
        let opened = match self.open_account(id).await {
            Ok(opened) => opened,
            Err(Failure::Provider(_) | Failure::Vault(_)) => return Ok(()),
            Err(other) => return Err(other),
        };
        let Some(writer) = opened.provider.writer() else { return Ok(()) };
        for calendar in &opened.calendars {
            let mut after: Option<MappingId> = None;
            loop {
                let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
                let page = tx.mappings_of_calendar(calendar.id, after, BATCH).await?;
                tx.commit().await?;
                let Some((last, _)) = page.last() else { break };
                after = Some(last.id);
                for (mapping, _) in page.iter().filter(|(mapping, _)| mapping.created_by_us) {
                    let Some(revision) = &mapping.revision else { continue };
                    let target = Target {
                        calendar: &calendar.remote_id,
                        id: &mapping.remote_id,
                        revision,
                        raw: mapping.raw.as_deref(),
                    };
                    if let Err(error) = writer.delete(target).await {
                        tracing::warn!(account.id = %id, class = %error.class, "a copy could not be taken back");
                    }
                }
            }
        }
        Ok(())
    }

    /// Stops keeping a calendar in step: its imported events go from here, never from the provider.
    pub async fn deselect_calendar(&self, scope: &Scope, id: CalendarId) -> Result<(), Failure> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut calendar = tx.calendar(scope, id).await?.ok_or(Failure::NotFound("calendar"))?;
        let version = calendar.version;
        calendar.selected = false;
        calendar.cursor = None;
        calendar.stamp = None;
        calendar.reconciled_at = None;
        if !tx.update_calendar(&calendar, version).await? {
            return Err(Failure::Store(StoreError::Stale));
        }
        forget_imported(&mut tx, id).await?;
        tx.clear_busy(id).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// What came from a calendar goes with it; what began here stays.
async fn forget_imported(tx: &mut Tx, calendar: CalendarId) -> Result<(), StoreError> {
    let mut after: Option<MappingId> = None;
    loop {
        let page = tx.mappings_of_calendar(calendar, after, BATCH).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let came = page.iter().filter(|(_, e)| e.origin == Origin::Remote && e.calendar_id == Some(calendar));
        let imported: Vec<_> = came.map(|(_, event)| event.id).collect();
        let bonds: Vec<_> = page.iter().map(|(mapping, _)| mapping.id).collect();
        tx.delete_mappings(&bonds).await?;
        tx.delete_events(&imported).await?;
    }
}
