//! Local edits: the event and the writes it owes, in one transaction.
//!
//! **Invariant:** an acknowledged edit is durable together with its place in the queue; nothing is sent from here.

use chrono_tz::Tz;

use super::{
    Refusal, Services,
    answer_hold::is_only_here,
    check_content::check,
    write::{WriteTx, writable, write_target},
};
use crate::{
    domain::{
        event::{EventContent, Facts, Recurrence},
        ids::{CalendarId, EventId, Uid, UserId},
        mapping::{Event, Origin},
        person::{Scope, User},
        time::EventTime,
    },
    engine::series::{self, EditScope, SeriesDelete, SeriesEdit},
    store::Tx,
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
        self.write(async |write| self.make_event(write, scope, new.clone()).await).await
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
            let home = writable(write, scope, id).await?;
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
        self.write(async |write| {
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
        event.touch(now);
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
        self.write(async |write| {
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
        event.touch(now);
        Ok(write.put_event(&event, zone).await?)
    }

    /// Gives an event a copy in one more calendar.
    pub async fn link_event(&self, scope: &Scope, id: EventId, calendar: CalendarId) -> Result<(), Refusal> {
        self.write(async |write| {
            let event = write.event(scope, id).await?.filter(|event| event.deleted_at.is_none());
            let event = event.ok_or(Refusal::NotFound("event"))?;
            let user = write.user(&event.user_id).await?.ok_or(Refusal::NotFound("user"))?;
            let target = writable(write, scope, calendar).await?;
            write.owe_copy(&event, &target, user.time_zone).await
        })
        .await
    }

    /// Takes an event's copy out of a calendar that is not its home.
    pub async fn unlink_event(&self, scope: &Scope, id: EventId, calendar: CalendarId) -> Result<(), Refusal> {
        self.write(async |write| {
            let event = write.event(scope, id).await?.ok_or(Refusal::NotFound("event"))?;
            let calendar = write.calendar(scope, calendar).await?.ok_or(Refusal::NotFound("calendar"))?;
            if event.calendar_id == Some(calendar.id) {
                let why = "this is the event's home calendar; delete the event instead".to_owned();
                return Err(Refusal::Invalid { field: "calendar_id", why });
            }
            let user = write.user(&event.user_id).await?.ok_or(Refusal::NotFound("user"))?;
            Ok(write.withdraw_copy(&event, &calendar, user.time_zone).await?)
        })
        .await
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
            if write_target(tx, home).await?.is_none() && !gone && !is_only_here(tx, &event).await? {
                return Err(Refusal::ReadOnly);
            }
        }
        let user = tx.user(&event.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        Ok((event, user))
    }
}

fn edit_content(content: &EventContent, edit: Edit, zone: Tz) -> Result<SeriesEdit, Refusal> {
    let facts = edit.facts.unwrap_or_else(|| content.facts.clone());
    let reach = edit.scope.unwrap_or(if edit.recurrence_id.is_some() { EditScope::This } else { EditScope::All });
    series::edit(content, edit.recurrence_id.as_ref(), reach, &facts, edit.recurrence.as_ref(), zone)
        .map_err(|refused| Refusal::Invalid { field: "recurrence_id", why: refused.to_string() })
}
