//! What one transaction of a round will write: collected by pure code, committed as one.

use super::scene::{Scene, bond};
use crate::{
    domain::{
        conflict::{Conflict, Severity},
        event::EventContent,
        ids::{AccountId, CalendarId, EventId, MappingId, RemoteEventId},
        mapping::{Event, Mapping, Origin, RemoteEvent},
        notice::{Notice, NoticeKind},
        outbox::{OutboxEntry, WriteOp},
        round::Tally,
    },
    engine::{
        recurrence::span,
        sync::plan::{Local, Reason, Remote, link, plan},
    },
    store::{StoreError, Tx},
};

/// One line of a dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Which calendar.
    pub calendar: String,
    /// Which remote event; never its title.
    pub remote_id: String,
    /// What would be done.
    pub what: &'static str,
    /// Why.
    pub reason: Reason,
}

/// Everything one transaction will write.
#[derive(Debug, Default)]
pub struct Changes {
    /// Events made or changed here.
    pub events: Vec<Event>,
    /// Of those, the ones whose other copies must hear of it.
    pub spread: Vec<EventId>,
    /// Bonds made or moved on.
    pub mappings: Vec<Mapping>,
    /// Bonds that end.
    pub forgotten: Vec<MappingId>,
    /// Writes owed.
    pub owed: Vec<OutboxEntry>,
    /// Writes no longer owed.
    pub settled: Vec<(EventId, CalendarId)>,
    /// Disagreements.
    pub conflicts: Vec<Conflict>,
    /// What people are told.
    pub notices: Vec<Notice>,
    /// What was done, in numbers.
    pub tally: Tally,
    /// The same, line by line, for a dry run.
    pub planned: Vec<Planned>,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.mappings.is_empty()
            && self.forgotten.is_empty()
            && self.owed.is_empty()
            && self.settled.is_empty()
            && self.conflicts.is_empty()
            && self.notices.is_empty()
    }

    /// Writes everything into an open transaction.
    pub async fn write(&self, tx: &mut Tx, floating_in: chrono_tz::Tz) -> Result<(), StoreError> {
        let spans: Vec<_> = self.events.iter().map(|event| span(&event.content, floating_in)).collect();
        tx.put_events(&self.events, &spans).await?;
        tx.delete_mappings(&self.forgotten).await?;
        tx.put_mappings(&self.mappings).await?;
        for (event, calendar) in &self.settled {
            if let Some(entry) = tx.outbox_entry(*event, *calendar).await? {
                tx.delete_outbox(entry.id).await?;
            }
        }
        for entry in &self.owed {
            join_queue(tx, entry).await?;
        }
        tx.insert_conflicts(&self.conflicts).await?;
        for notice in &self.notices {
            tx.put_notice(notice).await?;
        }
        Ok(())
    }

    pub(super) fn note(&mut self, scene: &Scene<'_>, remote_id: &RemoteEventId, what: &'static str, reason: Reason) {
        let calendar = scene.calendar.name.clone();
        self.planned.push(Planned { calendar, remote_id: remote_id.0.clone(), what, reason });
    }

    /// A remote event that is new here.
    pub fn import(&mut self, scene: &Scene<'_>, remote: RemoteEvent) {
        let now = scene.world.now();
        self.note(scene, &remote.id, "import", Reason::NewRemotely);
        self.tally.created += 1;
        let event = Event {
            id: scene.world.new_id(),
            space_id: scene.account.space_id.clone(),
            user_id: scene.account.user_id.clone(),
            calendar_id: Some(scene.calendar.id),
            uid: remote.uid.clone(),
            content: remote.content.clone(),
            origin: Origin::Remote,
            deleted_at: None,
            created_at: now,
            updated_at: remote.changed_at.filter(|at| *at <= now).unwrap_or(now),
            version: 1,
        };
        self.mappings.push(bond(scene, event.id, remote, false));
        self.events.push(event);
    }

    /// A remote event that is taken to be one we hold without a bond. `sent`: what we sent for it, if a create's answer
    /// was lost; then the last of it is the base, and nothing we wrote ourselves can pass for somebody's edit.
    pub fn link(&mut self, scene: &Scene<'_>, event: Event, remote: RemoteEvent, sent: &[EventContent]) {
        let mapping = bond(scene, event.id, remote.clone(), !sent.is_empty());
        if let Some(last) = sent.last() {
            let mapping = Mapping { base: last.clone(), ..mapping };
            self.settle(scene, mapping, event, Some(remote), sent);
            return;
        }
        let told = scene.told(&event.content, false);
        let decision = link(&event.content, &told, &remote.content, scene.account.policy);
        self.carry_out(scene, mapping, event, Some(remote), decision);
    }

    /// Both sides of a bond have been seen: decides and notes what follows. `sent`: what was sent and never
    /// confirmed; when the provider says exactly that, it is our own write come back (S8).
    pub fn settle(
        &mut self,
        scene: &Scene<'_>,
        mut mapping: Mapping,
        event: Event,
        remote: Option<RemoteEvent>,
        sent: &[EventContent],
    ) {
        if let Some(remote) = &remote
            && sent.contains(&remote.content)
        {
            mapping.base.clone_from(&remote.content);
        }
        let told = scene.told(&event.content, mapping.created_by_us);
        let local = match event.deleted_at {
            Some(at) => Local::Gone { at },
            None => Local::Here { full: &event.content, told: &told, changed_at: event.updated_at },
        };
        let there = match &remote {
            Some(remote) => Remote::Here { content: &remote.content, changed_at: remote.changed_at },
            None => Remote::Gone,
        };
        let decision = plan(&mapping.base, local, there, scene.account.policy);
        self.carry_out(scene, mapping, event, remote, decision);
    }

    /// Tells the account's owner something.
    pub fn tell(
        &mut self,
        scene: &Scene<'_>,
        event_id: Option<EventId>,
        kind: NoticeKind,
        severity: Severity,
        text: String,
    ) {
        self.notices.push(Notice {
            id: scene.world.new_id(),
            space_id: scene.account.space_id.clone(),
            user_id: scene.account.user_id.clone(),
            account_id: Some(scene.account.id),
            event_id,
            kind,
            severity,
            text,
            created_at: scene.world.now(),
            read_at: None,
        });
    }
}

/// Queues a write, or joins it to the one already queued for that event and calendar: the key chosen and what was sent
/// under it stay, or a create done twice would make two events.
pub async fn join_queue(tx: &mut Tx, entry: &OutboxEntry) -> Result<(), StoreError> {
    let Some(queued) = tx.outbox_entry(entry.event_id, entry.calendar_id).await? else {
        return tx.put_outbox(entry).await;
    };
    // Its owner wants this copy gone, whatever the event says by then.
    if queued.reason == Reason::Unlinked.as_str() {
        return Ok(());
    }
    let key = if queued.sent.is_empty() { entry.key.clone() } else { queued.key };
    let joined = OutboxEntry { id: queued.id, key, sent: queued.sent, created_at: queued.created_at, ..entry.clone() };
    tx.put_outbox(&joined).await
}

/// Tells an event's other copies that it changed here; their accounts are woken once that is durable.
pub async fn spread(tx: &mut Tx, scene: &Scene<'_>, changes: &Changes) -> Result<Vec<AccountId>, StoreError> {
    let mut wake = Vec::new();
    for mapping in tx.other_mappings(&changes.spread, scene.calendar.id).await? {
        if let Some(event) = changes.events.iter().find(|event| event.id == mapping.event_id) {
            let op = if event.deleted_at.is_some() { WriteOp::Delete } else { WriteOp::Update };
            let entry = OutboxEntry {
                account_id: mapping.account_id,
                calendar_id: mapping.calendar_id,
                ..scene.owed(event, op, mapping.uid.clone(), Reason::LocalChanged)
            };
            join_queue(tx, &entry).await?;
            wake.push(mapping.account_id);
        }
    }
    Ok(wake)
}
