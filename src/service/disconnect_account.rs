//! Disconnecting an account: copies we made are taken back if asked; the owner's own remote events are never touched.
//!
//! Who disconnects may leave the copies that we made where they are, and connect again. What lives here is then known there by its
//! name, else by its content. What was deleted here meanwhile is deleted there as well if it began here, has not ended, and its
//! copy is unchanged. Planned work is shown by no calendar while its account is away, and shown anew, once, where its context is
//! mapped again.
//!
//! **Invariant:** a provider that is down does not block it, and it can be repeated after a crash at any point. What came from
//! the account goes with it, but for what somebody edited here and the provider never heard, and what has a copy elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{Refusal, Services};
use crate::{
    domain::{
        account::AccountStatus,
        conflict::{Conflict, ConflictStatus, Winner},
        ids::{AccountId, CalendarId, MappingId},
        mapping::Origin,
        outbox::WriteOp,
        person::Scope,
    },
    provider::WriteTarget,
    store::{Mode, StoreError, Tx},
};

/// Mappings looked at per transaction.
const BATCH: u32 = 500;

impl Services {
    /// Marks an account as going; its actor lets the running round end, then cleans up.
    pub async fn begin_disconnect(
        &self,
        scope: &Scope,
        actor: &str,
        id: AccountId,
        delete_copies: bool,
    ) -> Result<(), Refusal> {
        self.write(async |write| {
            let mut account = write.account(scope, id).await?.ok_or(Refusal::NotFound("account"))?;
            account.status = AccountStatus::Disconnecting;
            account.delete_copies = delete_copies;
            write.update_account(&account).await?;
            // Who connects it again gets another account.
            write.release_identities(id).await?;
            Ok(write.audit(&[self.audit_line(&account, actor, "account.disconnected")]).await?)
        })
        .await
    }

    /// Takes the account down: remote copies we made (if asked), then everything stored about it.
    pub async fn clean_up(&self, id: AccountId, delete_copies: bool) -> Result<(), Refusal> {
        if delete_copies {
            self.take_copies_back(id).await?;
        }
        self.leave_provider(id).await?;
        again!(self.forget_account(id))?;
        self.connections.forget(id);
        Ok(())
    }

    /// Everything stored about an account goes, and what was shown there is shown nowhere.
    async fn forget_account(&self, id: AccountId) -> Result<(), Refusal> {
        let mut write = self.begin_write().await?;
        let mut contexts = Vec::new();
        for calendar in write.calendars_of(id).await? {
            contexts.extend(self.contexts_shown_in(&mut write, &calendar).await?);
            detach_calendar(&mut write, calendar.id, DetachReason::Forgotten, self.world.now()).await?;
        }
        write.delete_account(id).await?;
        self.reflect_contexts(&mut write, &contexts).await?;
        Ok(write.commit().await?)
    }

    /// Closes the watch channels and ends the grant. Best effort: a provider that is down holds nobody.
    async fn leave_provider(&self, id: AccountId) -> Result<(), Refusal> {
        match self.open_account(id).await {
            Ok(opened) => self.close_channels(&opened).await?,
            Err(Refusal::Provider(_) | Refusal::Vault(_)) => {}
            Err(other) => return Err(other),
        }
        self.revoke_grant(id).await
    }

    /// Best effort: what cannot be deleted now is left, and the disconnect goes on.
    async fn take_copies_back(&self, id: AccountId) -> Result<(), Refusal> {
        let opened = match self.open_account(id).await {
            Ok(opened) => opened,
            Err(Refusal::Provider(_) | Refusal::Vault(_)) => return Ok(()),
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
                    let target = WriteTarget {
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
}

/// What becomes of an event when its home calendar is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventOutcome {
    /// It came from there and goes with it.
    Goes,
    /// It has a copy in another calendar, which is its home from now on.
    Moves(CalendarId),
    /// It lives here only from now on: it began here, what somebody did with it never got there (I-3), or a copy of it would not
    /// be known again (I-10).
    Stays,
}

/// `theirs`: it came from there, and what is there is what came. `needed`: without it something would be lost or doubled.
fn fate(theirs: bool, elsewhere: Option<CalendarId>, needed: bool) -> EventOutcome {
    match elsewhere {
        Some(home) => EventOutcome::Moves(home),
        None if theirs && !needed => EventOutcome::Goes,
        None => EventOutcome::Stays,
    }
}

/// How a calendar is let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DetachReason {
    /// It is forgotten, and every mapping with it.
    Forgotten,
    /// It is no longer kept in step. What stays here keeps its mapping: by that it is known, not doubled, if the calendar is selected
    /// again.
    Deselected,
    /// It only takes events from now on, and stays the home of what it has taken.
    OnlyTakes,
}

/// Lets go of what came from a calendar and lives nowhere else, and of the mappings that end with it.
pub(super) async fn detach_calendar(
    tx: &mut Tx,
    calendar: CalendarId,
    reason: DetachReason,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut after: Option<MappingId> = None;
    loop {
        let page = tx.mappings_of_calendar(calendar, after, BATCH).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let ids: Vec<_> = page.iter().map(|(_, event)| event.id).collect();
        let copies = tx.other_mappings(&ids, calendar, true).await?;
        let (queued, to_others): (Vec<_>, Vec<_>) =
            tx.outbox_of_events(&ids).await?.into_iter().partition(|entry| entry.calendar_id == calendar);
        let mut needed: BTreeSet<_> = queued.iter().map(|entry| entry.event_id).collect();
        if reason == DetachReason::Deselected {
            // A copy that we made in a calendar that is deselected as well is known by its mapping alone.
            let asleep = tx.other_mappings(&ids, calendar, false).await?.into_iter();
            needed.extend(asleep.filter(|copy| copy.created_by_us).map(|copy| copy.event_id));
        }
        let mut elsewhere = BTreeMap::new();
        // A copy that is still to be made keeps its event as well.
        for entry in to_others.iter().filter(|entry| entry.op != WriteOp::Delete) {
            if tx.calendar(&Scope::Whole, entry.calendar_id).await?.is_some_and(|other| other.selected) {
                elsewhere.insert(entry.event_id, entry.calendar_id);
            }
        }
        elsewhere.extend(copies.iter().map(|copy| (copy.event_id, copy.calendar_id)));
        let (mut mapped, mut gone) = (Vec::new(), Vec::new());
        for (mapping, event) in page {
            let at_home = event.calendar_id == Some(calendar);
            // A copy that we made again may not show all that the event says.
            let theirs = event.origin == Origin::Remote && !mapping.created_by_us;
            let fate = at_home.then(|| fate(theirs, elsewhere.get(&event.id).copied(), needed.contains(&event.id)));
            if reason == DetachReason::Forgotten || fate == Some(EventOutcome::Goes) {
                mapped.push(mapping.id);
            }
            match fate {
                Some(EventOutcome::Goes) => gone.push(event.id),
                Some(EventOutcome::Moves(home)) if reason != DetachReason::OnlyTakes => {
                    tx.rehome_event(event.id, Some(home)).await?;
                }
                Some(EventOutcome::Stays) if reason != DetachReason::OnlyTakes => {
                    tx.rehome_event(event.id, None).await?;
                }
                _ => {}
            }
        }
        tx.delete_mappings(&mapped).await?;
        tx.delete_events(&gone).await?;
        for conflict in tx.pending_conflicts(calendar).await?.into_iter().filter(|held| gone.contains(&held.event_id)) {
            // Nobody can be asked about what is no longer here; what it said is in the history.
            let (status, winner, resolved_at) = (ConflictStatus::Resolved, Some(Winner::Remote), Some(now));
            tx.update_conflict(&Conflict { winner, status, resolved_at, ..conflict }).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_from_there_and_lives_nowhere_else_goes() {
        let elsewhere = CalendarId::from(uuid::Uuid::from_u128(1));
        assert_eq!(fate(true, None, false), EventOutcome::Goes);
        assert_eq!(fate(true, None, true), EventOutcome::Stays);
        assert_eq!(fate(false, None, false), EventOutcome::Stays);
        assert_eq!(fate(true, Some(elsewhere), false), EventOutcome::Moves(elsewhere));
        assert_eq!(fate(false, Some(elsewhere), true), EventOutcome::Moves(elsewhere));
    }
}
