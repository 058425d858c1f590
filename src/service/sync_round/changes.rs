//! What one transaction of a round will write: collected by pure code, committed as one.

use crate::domain::{
    account::{Account, PrivacyLevel},
    calendar::Calendar,
    conflict::{ConflictKind, ConflictStatus, Severity, Winner},
    ids::Uid,
    ports::World,
};
use crate::{
    domain::{
        conflict::Conflict,
        event::EventContent,
        ids::{CalendarId, EventId, MappingId, RemoteEventId, Revision},
        mapping::{Event, Mapping, Origin, RemoteEvent},
        notice::{Notice, NoticeKind},
        outbox::{OutboxEntry, OutboxState, WriteOp},
        person::User,
        round::Tally,
        time::EventTime,
    },
    engine::{
        conflict::severity,
        outbox::priority,
        privacy,
        recurrence::span,
        sync::plan::{Action, Decision, Dispute, Local, Reason, Remote, plan},
    },
    provider::EventWriter,
    store::{StoreError, Tx},
};

/// The fixed surroundings of one calendar's decisions.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The account.
    pub account: &'a Account,
    /// Its owner.
    pub user: &'a User,
    /// The calendar.
    pub calendar: &'a Calendar,
    /// The hand that writes, if the account has one.
    pub writer: Option<&'a dyn EventWriter>,
    /// Clock and ids.
    pub world: &'a World,
}

impl Scene<'_> {
    /// The zone that dates and floating times of this calendar are read in.
    #[must_use]
    pub fn floating_in(&self) -> chrono_tz::Tz {
        self.calendar.time_zone.as_deref().and_then(|name| name.parse().ok()).unwrap_or(self.user.time_zone)
    }

    /// Our content as the provider may see it, in its canonical form. An event that came from there is never cut down.
    #[must_use]
    pub fn told(&self, content: &EventContent, created_by_us: bool) -> EventContent {
        let level = if created_by_us { self.account.privacy } else { PrivacyLevel::Full };
        match self.writer {
            Some(writer) if level == PrivacyLevel::Full => writer.canonical(content),
            Some(writer) => writer.canonical(&privacy::project(content, level)),
            None => content.clone(),
        }
    }

    fn first_start(&self, time: &EventTime) -> chrono::DateTime<chrono::Utc> {
        time.instant(self.floating_in())
    }

    /// A queue entry that says "look at this event again".
    #[must_use]
    pub fn owed(&self, event: &Event, op: WriteOp, key: Uid, reason: Reason) -> OutboxEntry {
        let now = self.world.now();
        OutboxEntry {
            id: self.world.new_id(),
            space_id: self.account.space_id.clone(),
            account_id: self.account.id,
            calendar_id: self.calendar.id,
            event_id: event.id,
            op,
            key,
            sent: Vec::new(),
            priority: priority(op, self.first_start(&event.content.facts.start), now),
            state: OutboxState::Queued,
            attempts: 0,
            not_before: now,
            event_version: event.version,
            reason: reason.as_str().to_owned(),
            last_error: None,
            created_at: now,
        }
    }
}

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

    fn note(&mut self, scene: &Scene<'_>, remote_id: &RemoteEventId, what: &'static str, reason: Reason) {
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
        let decision = crate::engine::sync::plan::link(&event.content, &told, &remote.content, scene.account.policy);
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

    fn carry_out(
        &mut self,
        scene: &Scene<'_>,
        mut mapping: Mapping,
        mut event: Event,
        remote: Option<RemoteEvent>,
        decision: Decision,
    ) {
        let now = scene.world.now();
        let reason = decision.reason;
        if let Some(dispute) = &decision.dispute {
            self.dispute(scene, &mapping, &event, remote.as_ref(), dispute, reason);
        }
        let waits = decision.action == Action::Wait;
        if let Some(remote) = remote {
            mapping.revision = remote.revision;
            mapping.raw = remote.raw;
            mapping.uid = remote.uid;
            // While a person decides, the base stays, so that both changes stay visible.
            if !waits {
                mapping.base = remote.content;
            }
            mapping.updated_at = now;
        }
        let here = (event.id, scene.calendar.id);
        let remote_id = mapping.remote_id.clone();
        match decision.action {
            Action::Rest => {
                self.settled.push(here);
                self.mappings.push(mapping);
            }
            Action::Take(content) => {
                self.note(scene, &remote_id, "update here", reason);
                self.tally.updated += 1;
                self.change(&mut event, content, now);
                self.settled.push(here);
                self.mappings.push(mapping);
                self.events.push(event);
            }
            Action::Push => {
                self.note(scene, &remote_id, "update there", reason);
                self.owed.push(scene.owed(&event, WriteOp::Update, mapping.uid.clone(), reason));
                self.mappings.push(mapping);
            }
            Action::TakeAndPush(content) => {
                self.note(scene, &remote_id, "merge", reason);
                self.tally.updated += 1;
                self.change(&mut event, content, now);
                self.owed.push(scene.owed(&event, WriteOp::Update, mapping.uid.clone(), reason));
                self.mappings.push(mapping);
                self.events.push(event);
            }
            Action::DeleteRemote => {
                self.note(scene, &remote_id, "delete there", reason);
                self.owed.push(scene.owed(&event, WriteOp::Delete, mapping.uid.clone(), reason));
                self.mappings.push(mapping);
            }
            Action::DeleteLocal => {
                self.note(scene, &remote_id, "delete here", reason);
                self.tally.deleted += 1;
                self.forgotten.push(mapping.id);
                self.settled.push(here);
                // A copy that a person deleted stays deleted; the event itself goes only with its home calendar.
                if event.calendar_id == Some(scene.calendar.id) {
                    event.deleted_at = Some(now);
                    event.version += 1;
                    self.spread.push(event.id);
                    self.events.push(event);
                }
            }
            Action::Restore { content, push } => {
                self.note(scene, &remote_id, "restore here", reason);
                self.tally.updated += 1;
                event.deleted_at = None;
                self.change(&mut event, content, now);
                if push {
                    self.owed.push(scene.owed(&event, WriteOp::Update, mapping.uid.clone(), reason));
                } else {
                    self.settled.push(here);
                }
                self.mappings.push(mapping);
                self.events.push(event);
            }
            Action::Recreate => {
                self.note(scene, &remote_id, "create there", reason);
                self.forgotten.push(mapping.id);
                // A fresh name: servers with a trash bin refuse, or restore oddly, a name they have seen.
                let key = Uid(scene.world.new_id::<uuid::Uuid>().to_string());
                self.owed.push(scene.owed(&event, WriteOp::Create, key, reason));
            }
            Action::Forget => {
                self.forgotten.push(mapping.id);
                self.settled.push(here);
            }
            Action::Wait => {
                self.settled.push(here);
                self.mappings.push(mapping);
            }
        }
    }

    fn change(&mut self, event: &mut Event, content: EventContent, now: chrono::DateTime<chrono::Utc>) {
        event.content = content;
        event.version += 1;
        event.updated_at = now;
        self.spread.push(event.id);
    }

    fn dispute(
        &mut self,
        scene: &Scene<'_>,
        mapping: &Mapping,
        event: &Event,
        remote: Option<&RemoteEvent>,
        dispute: &Dispute,
        reason: Reason,
    ) {
        let now = scene.world.now();
        let start = scene.first_start(&event.content.facts.start);
        let severity = severity(dispute.kind, &dispute.fields, start, now);
        self.tally.conflicts += 1;
        self.conflicts.push(Conflict {
            id: scene.world.new_id(),
            space_id: scene.account.space_id.clone(),
            account_id: scene.account.id,
            calendar_id: scene.calendar.id,
            event_id: event.id,
            kind: dispute.kind,
            fields: dispute.fields.clone(),
            base: Some(mapping.base.clone()),
            local: Some(event.content.clone()),
            remote: remote.map(|remote| remote.content.clone()),
            policy: scene.account.policy,
            winner: dispute.winner,
            status: if dispute.winner.is_some() { ConflictStatus::Resolved } else { ConflictStatus::Pending },
            severity,
            reason: reason.as_str().to_owned(),
            created_at: now,
            resolved_at: dispute.winner.map(|_| now),
        });
        let (kind, text) = match dispute.winner {
            Some(Winner::Remote) => (NoticeKind::EditOverwritten, overwritten(dispute.kind)),
            None => {
                (NoticeKind::ConflictPending, "An event was changed here and at its calendar. Choose which to keep.")
            }
            Some(Winner::Local) => return,
        };
        self.tell(scene, Some(event.id), kind, severity, text.to_owned());
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

fn overwritten(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::Edit => {
            "An event was changed here and at its calendar. The calendar's version was kept; yours is in the conflict history."
        }
        ConflictKind::DeletedRemotely => {
            "An event you changed was deleted at its calendar. It was deleted here too; your version can be restored."
        }
        ConflictKind::DeletedLocally => "An event you deleted was changed at its calendar, so it is back.",
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

/// A fresh bond between a local event and a remote one, agreed on what the provider says.
#[must_use]
pub fn bond(scene: &Scene<'_>, event_id: EventId, remote: RemoteEvent, created_by_us: bool) -> Mapping {
    Mapping {
        id: scene.world.new_id(),
        space_id: scene.account.space_id.clone(),
        account_id: scene.account.id,
        calendar_id: scene.calendar.id,
        event_id,
        remote_id: remote.id,
        uid: remote.uid,
        revision: remote.revision,
        base: remote.content,
        raw: remote.raw,
        created_by_us,
        updated_at: scene.world.now(),
    }
}

/// Whether a listed revision is the one we hold.
#[must_use]
pub fn unchanged(held: Option<&Revision>, listed: Option<&Revision>) -> bool {
    held.is_some() && held == listed
}
