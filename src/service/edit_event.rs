//! Local edits: the event and the writes it owes, in one transaction.
//!
//! **Invariant:** an acknowledged edit is durable together with its place in the queue; nothing is sent from here.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    Refusal, Services, answer_hold::is_only_here, check_content::check, sync_round::changes::join_queue, write::WriteTx,
};
use crate::{
    domain::{
        calendar::Calendar,
        conflict::{ConflictStatus, Winner},
        event::{EventContent, Facts, Recurrence},
        ids::{CalendarId, EventId, Uid, UserId},
        mapping::{Event, Origin},
        outbox::{OutboxEntry, OutboxState, WriteOp},
        person::{Scope, User},
        ports::World,
        round::Cause,
        time::EventTime,
    },
    engine::{
        outbox::{Owes, is_withdrawal, owes, priority},
        recurrence::span,
        series::{self, EditScope, SeriesDelete, SeriesEdit},
        sync::plan::Reason,
    },
    store::{StoreError, Tx},
};

/// A new event.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Whose.
    pub user_id: UserId,
    /// Its home; `None`: it stays here.
    pub calendar_id: Option<CalendarId>,
    /// What it says.
    pub content: EventContent,
}

/// A change to an event. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// New facts of the whole event, or of the occurrence.
    pub facts: Option<Facts>,
    /// A new rule, for the whole series or for what follows.
    pub recurrence: Option<Recurrence>,
    /// Which occurrence the edit is about (its original start).
    pub recurrence_id: Option<EventTime>,
    /// How far it reaches.
    pub scope: Option<EditScope>,
}

impl Services {
    /// Makes an event and queues its remote copy.
    pub async fn create_event(&self, scope: &Scope, new: NewEvent) -> Result<Event, Refusal> {
        check(&new.content)?;
        self.write(scope, async |write| self.make_event(write, scope, new.clone()).await).await
    }

    async fn make_event(&self, write: &mut WriteTx<'_>, scope: &Scope, new: NewEvent) -> Result<Event, Refusal> {
        let user = write.user(&new.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        let now = self.world.now();
        let uuid = self.world.new_id::<uuid::Uuid>();
        let mut event = Event {
            id: EventId(uuid),
            space_id: user.home_space.clone(),
            user_id: new.user_id,
            calendar_id: None,
            uid: Uid(uuid.to_string()),
            content: new.content,
            origin: Origin::Local,
            deleted_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        event.content.normalise();
        if let Some(id) = new.calendar_id {
            let home = self.writable(write, scope, id).await?;
            event.space_id = home.space_id.clone();
            event.calendar_id = Some(home.id);
        }
        if !scope.admits(&event.space_id) {
            return Err(Refusal::NotFound("user"));
        }
        write.put_event(&event, user.time_zone).await?;
        Ok(event)
    }

    /// Changes an event, or one or some of its occurrences. A split answers the later part.
    pub async fn change_event(
        &self,
        scope: &Scope,
        id: EventId,
        expected_version: Option<i64>,
        edit: Edit,
    ) -> Result<Event, Refusal> {
        self.write(scope, async |write| {
            let (event, user) = self.editable(write, scope, id, expected_version).await?;
            self.carry_edit(write, event, edit.clone(), user.time_zone).await
        })
        .await
    }

    async fn carry_edit(
        &self,
        write: &mut WriteTx<'_>,
        mut event: Event,
        edit: Edit,
        zone: Tz,
    ) -> Result<Event, Refusal> {
        self.refuse_fixed(write, &event).await?;
        let tail = match edit_content(&event.content, edit, zone)? {
            SeriesEdit::Changed(content) => {
                event.content = content;
                None
            }
            SeriesEdit::Split { head, tail } => {
                event.content = head;
                Some(tail)
            }
        };
        check(&event.content)?;
        let now = self.world.now();
        touch(&mut event, now);
        write.put_event(&event, zone).await?;
        if let Some(mut content) = tail {
            check(&content)?;
            content.normalise();
            let uuid = self.world.new_id::<uuid::Uuid>();
            event = Event {
                id: EventId(uuid),
                uid: Uid(uuid.to_string()),
                content,
                origin: Origin::Local,
                created_at: now,
                version: 1,
                ..event
            };
            write.put_event(&event, zone).await?;
        }
        Ok(event)
    }

    /// Deletes an event softly, or one or some of its occurrences.
    pub async fn delete_event(
        &self,
        scope: &Scope,
        id: EventId,
        expected_version: Option<i64>,
        occurrence: Option<(EventTime, EditScope)>,
    ) -> Result<(), Refusal> {
        self.write(scope, async |write| {
            let (event, user) = self.editable(write, scope, id, expected_version).await?;
            self.carry_deletion(write, event, occurrence, user.time_zone).await
        })
        .await
    }

    async fn carry_deletion(
        &self,
        write: &mut WriteTx<'_>,
        mut event: Event,
        occurrence: Option<(EventTime, EditScope)>,
        zone: Tz,
    ) -> Result<(), Refusal> {
        let now = self.world.now();
        let left = match occurrence {
            None => SeriesDelete::Whole,
            Some((at, reach)) => series::delete(&event.content, Some(&at), reach, zone)
                .map_err(|refused| Refusal::Invalid { field: "recurrence_id", why: refused.to_string() })?,
        };
        match left {
            SeriesDelete::Whole => event.deleted_at = Some(now),
            SeriesDelete::Changed(content) => {
                self.refuse_fixed(write, &event).await?;
                event.content = content;
            }
        }
        touch(&mut event, now);
        Ok(write.put_event(&event, zone).await?)
    }

    /// Gives an event a copy in one more calendar.
    pub async fn link_event(&self, scope: &Scope, id: EventId, calendar: CalendarId) -> Result<(), Refusal> {
        self.write(scope, async |write| {
            let event = write.event(scope, id).await?.filter(|event| event.deleted_at.is_none());
            let event = event.ok_or(Refusal::NotFound("event"))?;
            let user = write.user(&event.user_id).await?.ok_or(Refusal::NotFound("user"))?;
            let target = self.writable(write, scope, calendar).await?;
            self.owe_copy(write, &event, &target, user.time_zone).await?;
            write.wake(target.account_id, Cause::LocalEdit);
            Ok(())
        })
        .await
    }

    /// Queues the making of a copy, unless it is there.
    pub(super) async fn owe_copy(
        &self,
        tx: &mut Tx,
        event: &Event,
        calendar: &Calendar,
        zone: Tz,
    ) -> Result<(), Refusal> {
        if tx.outbox_entry(event.id, calendar.id).await?.as_ref().is_some_and(is_withdrawal) {
            let why = "the event's copy is being taken out of this calendar; ask again when it has gone".to_owned();
            return Err(Refusal::Invalid { field: "calendar_id", why });
        }
        if tx.mapping_of(event.id, calendar.id).await?.is_none() {
            // Servers refuse one UID in two calendars of a user, so a copy has a name of its own.
            let key = Uid(self.world.new_id::<uuid::Uuid>().to_string());
            join_queue(tx, &self.entry(event, calendar, WriteOp::Create, key, zone)).await?;
        }
        Ok(())
    }

    /// Queues the taking away of a copy, while the event lives on.
    pub(super) async fn withdraw_copy(
        &self,
        tx: &mut Tx,
        event: &Event,
        calendar: &Calendar,
        zone: Tz,
    ) -> Result<(), StoreError> {
        // Whoever wants the copy gone has decided what was disputed about it.
        if let Some(mut conflict) = tx.pending_conflict(event.id, calendar.id).await? {
            (conflict.status, conflict.winner) = (ConflictStatus::Resolved, Some(Winner::Local));
            conflict.resolved_at = Some(self.world.now());
            tx.update_conflict(&conflict).await?;
        }
        let bonded = tx.mapping_of(event.id, calendar.id).await?.map(|mapping| mapping.uid);
        let queued = tx.outbox_entry(event.id, calendar.id).await?;
        match (owes(true, bonded.is_some(), queued.as_ref()), bonded, queued) {
            (Owes::Withdraw, _, Some(entry)) => {
                tx.delete_outbox(entry.id).await?;
            }
            (Owes::Write(op), Some(key), _) | (Owes::Write(op), None, Some(OutboxEntry { key, .. })) => {
                let entry = self.entry(event, calendar, op, key, zone);
                join_queue(tx, &OutboxEntry { reason: Reason::Unlinked.as_str().to_owned(), ..entry }).await?;
            }
            _ => {}
        }
        // Should a backup give it back, it is somebody's new event and no copy.
        tx.delete_remains(event.id, calendar.id).await
    }

    /// Takes an event's copy out of a calendar that is not its home.
    pub async fn unlink_event(&self, scope: &Scope, id: EventId, calendar: CalendarId) -> Result<(), Refusal> {
        self.write(scope, async |write| {
            let event = write.event(scope, id).await?.ok_or(Refusal::NotFound("event"))?;
            let calendar = write.calendar(scope, calendar).await?.ok_or(Refusal::NotFound("calendar"))?;
            if event.calendar_id == Some(calendar.id) {
                let why = "this is the event's home calendar; delete the event instead".to_owned();
                return Err(Refusal::Invalid { field: "calendar_id", why });
            }
            let user = write.user(&event.user_id).await?.ok_or(Refusal::NotFound("user"))?;
            self.withdraw_copy(write, &event, &calendar, user.time_zone).await?;
            write.wake(calendar.account_id, Cause::LocalEdit);
            Ok(())
        })
        .await
    }

    /// Queues what an event owes to every calendar it lives in.
    pub(super) async fn queue_writes(
        &self,
        write: &mut WriteTx<'_>,
        event: &Event,
        zone: Tz,
    ) -> Result<(), StoreError> {
        let mappings = write.mappings_of_event(event.id).await?;
        let mut homes: Vec<_> = mappings.iter().map(|held| (held.calendar_id, Some(held.uid.clone()))).collect();
        if let Some(home) = event.calendar_id
            && !homes.iter().any(|(calendar, _)| *calendar == home)
        {
            homes.push((home, None));
        }
        for (calendar, bonded) in homes {
            // A copy in a calendar that is not kept in step gets what it has missed when that is selected again.
            let Some(calendar) = write.calendar(&Scope::Whole, calendar).await?.filter(|held| held.selected) else {
                continue;
            };
            let Some(calendar) = self.write_target(write, calendar).await? else { continue };
            let queued = write.outbox_entry(event.id, calendar.id).await?;
            match (owes(event.deleted_at.is_some(), bonded.is_some(), queued.as_ref()), queued) {
                (Owes::Withdraw, Some(entry)) => {
                    write.delete_outbox(entry.id).await?;
                }
                (Owes::Withdraw | Owes::Nothing, _) => {}
                (Owes::Write(op), _) => {
                    let key = bonded.unwrap_or_else(|| new_key(event, &self.world));
                    join_queue(write, &self.entry(event, &calendar, op, key, zone)).await?;
                    write.wake(calendar.account_id, Cause::LocalEdit);
                }
            }
        }
        Ok(())
    }

    pub(super) fn entry(&self, event: &Event, calendar: &Calendar, op: WriteOp, key: Uid, zone: Tz) -> OutboxEntry {
        let now = self.world.now();
        let reason = match op {
            WriteOp::Create => Reason::NewLocally,
            WriteOp::Update => Reason::LocalChanged,
            WriteOp::Delete => Reason::DeletedLocally,
        };
        OutboxEntry {
            id: self.world.new_id(),
            space_id: calendar.space_id.clone(),
            account_id: calendar.account_id,
            calendar_id: calendar.id,
            event_id: event.id,
            op,
            key,
            sent: Vec::new(),
            priority: priority(op, event.content.facts.start.instant(zone), now),
            state: OutboxState::Queued,
            attempts: 0,
            not_before: now,
            event_version: event.version,
            reason: reason.as_str().to_owned(),
            last_error: None,
            created_at: now,
        }
    }

    /// Loads an event for a change by this caller.
    async fn editable(
        &self,
        tx: &mut Tx,
        scope: &Scope,
        id: EventId,
        expected_version: Option<i64>,
    ) -> Result<(Event, User), Refusal> {
        let event = tx.event(scope, id).await?.filter(|event| event.deleted_at.is_none());
        let event = event.ok_or(Refusal::NotFound("event"))?;
        if expected_version.is_some_and(|expected| expected != event.version) {
            return Err(Refusal::Stale);
        }
        if let Some(home) = event.calendar_id {
            let home = tx.calendar(&Scope::Whole, home).await?.ok_or(Refusal::NotFound("calendar"))?;
            // What is changed in a calendar that is gone waits, should it come back.
            let gone = home.gone_at.is_some();
            if self.write_target(tx, home).await?.is_none() && !gone && !is_only_here(tx, &event).await? {
                return Err(Refusal::ReadOnly);
            }
        }
        let user = tx.user(&event.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        Ok((event, user))
    }

    pub(super) async fn writable(&self, tx: &mut Tx, scope: &Scope, id: CalendarId) -> Result<Calendar, Refusal> {
        let calendar = tx.calendar(scope, id).await?.ok_or(Refusal::NotFound("calendar"))?;
        self.write_target(tx, calendar).await?.ok_or(Refusal::ReadOnly)
    }

    /// Where writes to a calendar go: itself, or the first writable calendar of the account its own is paired with.
    pub(super) async fn write_target(&self, tx: &mut Tx, calendar: Calendar) -> Result<Option<Calendar>, StoreError> {
        if calendar.takes_writes() {
            return Ok(Some(calendar));
        }
        let account = tx.account(&Scope::Whole, calendar.account_id).await?;
        let Some(paired) = account.and_then(|account| account.writes_through) else { return Ok(None) };
        Ok(tx.calendars_of(paired).await?.into_iter().find(Calendar::takes_writes))
    }
}

/// The name of a copy at home: the event's own, unless the event may have had a copy before; a name that was used and deleted
/// may be refused, or be brought back with what it said.
pub(super) fn new_key(event: &Event, world: &World) -> Uid {
    if event.version == 1 { event.uid.clone() } else { Uid(world.new_id::<uuid::Uuid>().to_string()) }
}

pub(super) async fn put(tx: &mut Tx, event: &Event, zone: Tz) -> Result<(), StoreError> {
    let extent = span(&event.content, zone);
    tx.put_events(std::slice::from_ref(event), &[extent]).await
}

pub(super) fn touch(event: &mut Event, now: DateTime<Utc>) {
    event.content.normalise();
    event.version += 1;
    event.updated_at = now;
}

fn edit_content(content: &EventContent, edit: Edit, zone: Tz) -> Result<SeriesEdit, Refusal> {
    let facts = edit.facts.unwrap_or_else(|| content.facts.clone());
    let reach = edit.scope.unwrap_or(if edit.recurrence_id.is_some() { EditScope::This } else { EditScope::All });
    series::edit(content, edit.recurrence_id.as_ref(), reach, &facts, edit.recurrence.as_ref(), zone)
        .map_err(|refused| Refusal::Invalid { field: "recurrence_id", why: refused.to_string() })
}
