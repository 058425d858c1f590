//! Disconnecting an account: copies we made are taken back if asked; the owner's own remote events are never touched.
//!
//! **Invariant:** a provider that is down does not block it, and it can be repeated after a crash at any point. What came from
//! the account goes with it, but for what somebody edited here and the provider never heard, and what has a copy elsewhere.

use std::collections::{BTreeMap, BTreeSet};

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

/// What becomes of an event when its home calendar is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It came from there and goes with it.
    Goes,
    /// It has a copy in another calendar, which is its home from now on.
    Moves(CalendarId),
    /// It lives here only from now on: it began here, or somebody's edit of it never got there (I-3).
    Stays,
}

fn fate(origin: Origin, elsewhere: Option<CalendarId>, unsent_edit: bool) -> Fate {
    match (elsewhere, origin) {
        (Some(home), _) => Fate::Moves(home),
        (None, Origin::Remote) if !unsent_edit => Fate::Goes,
        (None, Origin::Remote | Origin::Local) => Fate::Stays,
    }
}

/// Ends a calendar's bonds, and lets go of what came from it.
async fn forget_imported(tx: &mut Tx, calendar: CalendarId) -> Result<(), StoreError> {
    let unsent: BTreeSet<_> = tx.outbox_of_calendar(calendar).await?.iter().map(|entry| entry.event_id).collect();
    let mut after: Option<MappingId> = None;
    loop {
        let page = tx.mappings_of_calendar(calendar, after, BATCH).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let bonds: Vec<_> = page.iter().map(|(mapping, _)| mapping.id).collect();
        let at_home: Vec<_> =
            page.into_iter().map(|(_, event)| event).filter(|event| event.calendar_id == Some(calendar)).collect();
        let ids: Vec<_> = at_home.iter().map(|event| event.id).collect();
        let copies = tx.other_mappings(&ids, calendar).await?;
        let elsewhere: BTreeMap<_, _> = copies.iter().map(|copy| (copy.event_id, copy.calendar_id)).collect();
        let mut gone = Vec::new();
        for event in at_home {
            let unsent_edit = event.deleted_at.is_none() && unsent.contains(&event.id);
            let home = match fate(event.origin, elsewhere.get(&event.id).copied(), unsent_edit) {
                Fate::Goes => {
                    gone.push(event.id);
                    continue;
                }
                Fate::Moves(home) => Some(home),
                Fate::Stays => None,
            };
            tx.rehome_event(event.id, home).await?;
        }
        tx.delete_mappings(&bonds).await?;
        tx.delete_events(&gone).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_from_there_and_lives_nowhere_else_goes() {
        let elsewhere = CalendarId::from(uuid::Uuid::from_u128(1));
        assert_eq!(fate(Origin::Remote, None, false), Fate::Goes);
        assert_eq!(fate(Origin::Remote, None, true), Fate::Stays);
        assert_eq!(fate(Origin::Local, None, false), Fate::Stays);
        assert_eq!(fate(Origin::Remote, Some(elsewhere), false), Fate::Moves(elsewhere));
        assert_eq!(fate(Origin::Local, Some(elsewhere), true), Fate::Moves(elsewhere));
    }
}
