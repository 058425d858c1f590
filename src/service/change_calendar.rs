//! What owners choose for a calendar: whether it is kept in step, which way events flow, whether they become tasks.
//!
//! A calendar that is deselected keeps its mappings to the events that stay here: those that live elsewhere too, began here, owe it
//! something, or have a copy of ours in a calendar that is deselected as well. Nothing is written or read by them. When it is
//! selected again its complete listing meets them, so that both sides' edits merge and no event is doubled. The same
//! holds for a calendar that its provider closes for a while: what it missed is queued when it opens
//! ([`missed`]).
//!
//! **Invariant:** whatever its account is doing meanwhile, nothing that was read or decided for the choice before is stored after it
//! ([`super::sync_round`] claims the calendar's version with every page), and nothing is lost by turning a calendar and turning it
//! back.

use super::{
    Refusal, Services,
    disconnect_account::{DetachReason, detach_calendar},
    write::WriteTx,
};
use crate::{
    domain::{
        calendar::{Calendar, Direction},
        ids::{CalendarId, MappingId},
        outbox::{OutboxEntry, OutboxState, WriteOp},
        person::Scope,
        round::Cause,
    },
    engine::outbox::missed,
    store::{StoreError, Tx},
};

/// Mappings looked at per page.
const BATCH: u32 = 500;

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
    /// Selects or deselects a calendar, or turns it. A calendar that is deselected, or only takes events from now on, takes its
    /// imported events from here, never from the provider.
    pub async fn change_calendar(
        &self,
        scope: &Scope,
        id: CalendarId,
        expected_version: Option<i64>,
        change: CalendarChange,
    ) -> Result<Calendar, Refusal> {
        again!(self.try_change_calendar(scope, id, expected_version, change))
    }

    async fn try_change_calendar(
        &self,
        scope: &Scope,
        id: CalendarId,
        expected_version: Option<i64>,
        change: CalendarChange,
    ) -> Result<Calendar, Refusal> {
        let mut write = self.begin_write().await?;
        let before = write.calendar(scope, id).await?.ok_or(Refusal::NotFound("calendar"))?;
        if expected_version.is_some_and(|expected| expected != before.version) {
            return Err(Refusal::Stale);
        }
        let mut calendar = chosen(&before, change)?;
        write.wake(calendar.account_id, Cause::Requested);
        if calendar != before {
            if !write.update_calendar(&calendar, before.version).await? {
                return Err(Refusal::Stale);
            }
            calendar.version += 1;
            self.follow(&mut write, &before, &calendar).await?;
        }
        write.commit().await?;
        Ok(calendar)
    }

    /// What follows from a choice.
    async fn follow(&self, write: &mut WriteTx<'_>, before: &Calendar, now: &Calendar) -> Result<(), StoreError> {
        if before.selected && !now.selected {
            detach_calendar(write, now.id, DetachReason::Deselected, self.world.now()).await?;
            write.clear_busy(now.id).await?;
        } else if !before.selected && now.selected {
            move_home(write, now.id).await?;
        } else if before.direction.inbound() && !now.direction.inbound() {
            detach_calendar(write, now.id, DetachReason::OnlyTakes, self.world.now()).await?;
        }
        if now.makes_tasks && !before.makes_tasks {
            self.make_tasks_ahead(write, now).await?;
        }
        if before.takes_writes() || !now.takes_writes() {
            return Ok(());
        }
        self.take_writes_again(write, now).await
    }

    /// A calendar takes writes again, by its owner's choice or its provider's: it gets what it has missed, planned work included. The
    /// caller wakes its account.
    pub(super) async fn take_writes_again(
        &self,
        write: &mut WriteTx<'_>,
        calendar: &Calendar,
    ) -> Result<(), StoreError> {
        self.resume_writes(write, calendar).await?;
        self.show_again(write, calendar).await
    }

    /// Queues what was put aside, whatever for, and what has changed here while the calendar took nothing.
    pub(super) async fn resume_writes(&self, write: &mut WriteTx<'_>, calendar: &Calendar) -> Result<(), StoreError> {
        let Some(account) = write.account(&Scope::Whole, calendar.account_id).await? else { return Ok(()) };
        let Some(owner) = write.user(&account.user_id).await? else { return Ok(()) };
        for entry in write.outbox_of_calendar(calendar.id).await? {
            let (state, not_before) = (OutboxState::Queued, self.world.now());
            write.put_outbox(&OutboxEntry { state, not_before, attempts: 0, last_error: None, ..entry }).await?;
        }
        for event in write.unlinked_events(calendar.id).await? {
            let key = write.new_key(&event);
            write.owe(&event, calendar, (WriteOp::Create, key), owner.time_zone).await?;
        }
        let mut after: Option<MappingId> = None;
        loop {
            let page = write.mappings_of_calendar(calendar.id, after, BATCH).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for (mapping, event) in page {
                if let Some(op) = missed(&event, &mapping, account.privacy) {
                    write.owe(&event, calendar, (op, mapping.uid), owner.time_zone).await?;
                }
            }
        }
    }
}

/// A calendar is selected again: what had stayed here without it is at home there as before.
async fn move_home(tx: &mut Tx, calendar: CalendarId) -> Result<(), StoreError> {
    let mut after: Option<MappingId> = None;
    loop {
        let page = tx.mappings_of_calendar(calendar, after, BATCH).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for (mapping, event) in page {
            if event.calendar_id.is_none() || !mapping.created_by_us && event.calendar_id != Some(calendar) {
                tx.rehome_event(event.id, Some(calendar)).await?;
            }
        }
    }
}

/// The calendar as its owner wants it.
fn chosen(before: &Calendar, change: CalendarChange) -> Result<Calendar, Refusal> {
    let mut calendar = before.clone();
    calendar.selected = change.selected.unwrap_or(before.selected);
    calendar.direction = change.direction.unwrap_or(before.direction);
    calendar.makes_tasks = change.makes_tasks.unwrap_or(before.makes_tasks);
    if calendar.read_only && change.direction.is_some_and(Direction::outbound) {
        let why = "the provider takes no changes in this calendar; it can only be `from_provider`".to_owned();
        return Err(Refusal::Invalid { field: "direction", why });
    }
    if (calendar.selected, calendar.direction) != (before.selected, before.direction) {
        // What the cursor passed while the calendar was not read, or was read the other way, is found by a complete listing.
        (calendar.cursor, calendar.stamp, calendar.reconciled_at) = (None, None, None);
    }
    Ok(calendar)
}
