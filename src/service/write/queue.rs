//! An event that was made or changed here, stored with what it owes to each calendar it lives in.
//!
//! **Invariant:** one entry stands for one event and calendar, whatever happened to the event ([`joined`]).

use chrono_tz::Tz;

use super::{EditedBy, WriteTx};
use crate::{
    domain::{
        calendar::Calendar,
        conflict::{ConflictStatus, Winner},
        ids::{CalendarId, Uid},
        mapping::Event,
        outbox::{OutboxEntry, WriteOp},
        person::Scope,
        round::Cause,
    },
    engine::{
        outbox::{Owes, entry, joined, owes},
        recurrence::span,
        sync::plan::Reason,
    },
    service::Refusal,
    store::{StoreError, Tx},
};

impl WriteTx<'_> {
    /// Stores an event that was made or changed here, queues its copies and brings its blocks along. `zone` dates what has none.
    pub async fn put_event(&mut self, event: &Event, zone: Tz) -> Result<(), StoreError> {
        let services = self.services;
        self.put_event_of_block(event, zone).await?;
        services.update_blocks(self, std::slice::from_ref(event), EditedBy::Product).await?;
        self.wake_planner();
        Ok(())
    }

    /// Stores an event that shows a block, and queues its copies. The block says the same already.
    pub async fn put_event_of_block(&mut self, event: &Event, zone: Tz) -> Result<(), StoreError> {
        let extent = span(&event.content, zone);
        self.tx.put_events(std::slice::from_ref(event), &[extent]).await?;
        self.queue_writes(event, zone).await
    }

    /// Queues a write, or joins it to the one already queued for that event and calendar.
    pub async fn merge_into_queue(&mut self, entry: &OutboxEntry) -> Result<(), StoreError> {
        let queued = self.tx.outbox_entry(entry.event_id, entry.calendar_id).await?;
        self.tx.put_outbox(&joined(queued, entry)).await
    }

    /// Queues a write for what was changed here.
    pub async fn owe(
        &mut self,
        event: &Event,
        calendar: &Calendar,
        (op, key): (WriteOp, Uid),
        zone: Tz,
    ) -> Result<(), StoreError> {
        let owed = entry(event, calendar, (op, key, Reason::of_local(op)), zone, self.world());
        self.merge_into_queue(&owed).await
    }

    /// Queues what an event owes to every calendar it lives in.
    pub async fn queue_writes(&mut self, event: &Event, zone: Tz) -> Result<(), StoreError> {
        let mappings = self.tx.mappings_of_event(event.id).await?;
        let mut homes: Vec<_> = mappings.iter().map(|held| (held.calendar_id, Some(held.uid.clone()))).collect();
        if let Some(home) = event.calendar_id
            && !homes.iter().any(|(calendar, _)| *calendar == home)
        {
            homes.push((home, None));
        }
        for (calendar, mapped) in homes {
            // A copy in a calendar that is not kept in step gets what it has missed when that is selected again.
            let Some(calendar) = self.tx.calendar(&Scope::Whole, calendar).await?.filter(|held| held.selected) else {
                continue;
            };
            let Some(calendar) = write_target(&mut self.tx, calendar).await? else { continue };
            let queued = self.tx.outbox_entry(event.id, calendar.id).await?;
            match (owes(event.deleted_at.is_some(), mapped.is_some(), queued.as_ref()), queued) {
                (Owes::Unqueue, Some(entry)) => {
                    self.tx.delete_outbox(entry.id).await?;
                }
                (Owes::Unqueue | Owes::Nothing, _) => {}
                (Owes::Write(op), _) => {
                    let key = mapped.unwrap_or_else(|| self.new_key(event));
                    self.owe(event, &calendar, (op, key), zone).await?;
                    self.wake(calendar.account_id, Cause::LocalEdit);
                }
            }
        }
        Ok(())
    }

    /// The name of a copy at home: the event's own, unless the event may have had a copy before; a name that was used and deleted
    /// may be refused, or be brought back with what it said.
    pub fn new_key(&self, event: &Event) -> Uid {
        if event.version == 1 { event.uid.clone() } else { self.fresh_key() }
    }

    fn fresh_key(&self) -> Uid {
        Uid(self.world().new_id::<uuid::Uuid>().to_string())
    }

    /// Queues the making of a copy in one more calendar, unless it is there.
    pub async fn owe_copy(&mut self, event: &Event, calendar: &Calendar, zone: Tz) -> Result<(), Refusal> {
        if self.tx.outbox_entry(event.id, calendar.id).await?.as_ref().is_some_and(OutboxEntry::withdraws) {
            let why = "the event's copy is being taken out of this calendar; ask again when it has gone".to_owned();
            return Err(Refusal::Invalid { field: "calendar_id", why });
        }
        if self.tx.mapping_of(event.id, calendar.id).await?.is_none() {
            // Servers refuse one UID in two calendars of a user, so a copy has a name of its own.
            let key = self.fresh_key();
            self.owe(event, calendar, (WriteOp::Create, key), zone).await?;
            // The copy that was taken out may be there again by now, from a backup.
            self.tx.mark_remains(event.id, calendar.id, false).await?;
        }
        self.wake(calendar.account_id, Cause::LocalEdit);
        Ok(())
    }

    /// Queues the taking away of a copy, while the event lives on.
    pub async fn withdraw_copy(&mut self, event: &Event, calendar: &Calendar, zone: Tz) -> Result<(), StoreError> {
        let now = self.world().now();
        // Whoever wants the copy gone has decided what was disputed about it.
        if let Some(mut conflict) = self.tx.pending_conflict(event.id, calendar.id).await? {
            (conflict.status, conflict.winner) = (ConflictStatus::Resolved, Some(Winner::Local));
            conflict.resolved_at = Some(now);
            self.tx.update_conflict(&conflict).await?;
        }
        let mapped = self.tx.mapping_of(event.id, calendar.id).await?.map(|mapping| mapping.uid);
        let queued = self.tx.outbox_entry(event.id, calendar.id).await?;
        match (owes(true, mapped.is_some(), queued.as_ref()), mapped, queued) {
            (Owes::Unqueue, _, Some(entry)) => {
                self.tx.delete_outbox(entry.id).await?;
            }
            (Owes::Write(op), Some(key), _) | (Owes::Write(op), None, Some(OutboxEntry { key, .. })) => {
                let owed = entry(event, calendar, (op, key, Reason::Unlinked), zone, self.world());
                self.merge_into_queue(&owed).await?;
            }
            _ => {}
        }
        self.wake(calendar.account_id, Cause::LocalEdit);
        // Should a backup give it back, it is somebody's new event and no copy, unless it is asked for here again.
        self.tx.mark_remains(event.id, calendar.id, true).await
    }
}

/// A calendar that its caller may write to.
pub(in crate::service) async fn writable(tx: &mut Tx, scope: &Scope, id: CalendarId) -> Result<Calendar, Refusal> {
    let calendar = tx.calendar(scope, id).await?.ok_or(Refusal::NotFound("calendar"))?;
    write_target(tx, calendar).await?.ok_or(Refusal::ReadOnly)
}

/// Where writes to a calendar go: itself, or the first writable calendar of the account its own is paired with.
pub(in crate::service) async fn write_target(tx: &mut Tx, calendar: Calendar) -> Result<Option<Calendar>, StoreError> {
    if calendar.takes_writes() {
        return Ok(Some(calendar));
    }
    let account = tx.account(&Scope::Whole, calendar.account_id).await?;
    let Some(paired) = account.and_then(|account| account.writes_through) else { return Ok(None) };
    Ok(tx.calendars_of(paired).await?.into_iter().find(Calendar::takes_writes))
}
