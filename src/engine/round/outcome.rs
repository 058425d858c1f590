//! From what both sides say to what is decided, and what is written for it.

use chrono::{DateTime, Duration, Utc};

use super::{changes::Changes, context::CalendarContext};
use crate::{
    domain::{
        conflict::{Conflict, ConflictKind, ConflictStatus, Severity, Winner},
        event::EventContent,
        ids::{EventId, Uid},
        mapping::{Event, Mapping, RemoteEvent},
        notice::{Notice, NoticeSubject},
        outbox::WriteOp,
    },
    engine::{
        privacy,
        sync::{
            echo,
            plan::{Action, Decision, Dispute, Local, Reason, Remote, plan, put_back},
        },
    },
};

impl Changes {
    /// Both sides of a mapping have been seen: decides and notes what follows. `sent`: what was sent and never
    /// confirmed; when the provider says exactly that, it is our own write come back (S8).
    pub fn settle(
        &mut self,
        context: &CalendarContext<'_>,
        mut mapping: Mapping,
        event: Event,
        remote: Option<RemoteEvent>,
        sent: &[EventContent],
    ) {
        let outbound = context.outbound_form(&event.content, mapping.created_by_us);
        if let Some(remote) = &remote
            && sent.contains(&remote.content)
        {
            mapping.base.clone_from(&remote.content);
        } else if let Some(remote) = &remote {
            for sent in sent {
                mapping.base = echo::agreed(&mapping.base, sent, &remote.content, &event.content);
            }
        }
        let was = context.shown(&mapping);
        let local = match event.deleted_at {
            Some(at) => Local::Gone { full: &event.content, at },
            None => Local::Here { full: &event.content, outbound: &outbound, was: &was, changed_at: event.updated_at },
        };
        let there = match &remote {
            Some(remote) => Remote::Here { content: &remote.content, changed_at: remote.changed_at },
            None => Remote::Gone,
        };
        // While a reduction may have arrived, what it hides cannot be taken for seen there.
        let level = context.account.privacy;
        let reduced = sent.iter().any(|sent| !privacy::exceeds(sent, level))
            && remote.as_ref().is_none_or(|remote| !privacy::still_shows(&remote.content, &mapping.base, level));
        let base = if reduced { &*was } else { &mapping.base };
        let decision = if context.accepts_remote {
            plan(base, local, there, context.account.policy)
        } else {
            put_back(base, local, there, event.calendar_id == Some(context.calendar.id))
        };
        self.carry_out(context, mapping, event, remote, decision);
    }

    pub(super) fn carry_out(
        &mut self,
        context: &CalendarContext<'_>,
        mut mapping: Mapping,
        mut event: Event,
        remote: Option<RemoteEvent>,
        decision: Decision,
    ) {
        let now = context.world.now();
        let reason = decision.reason;
        if let Some(dispute) = &decision.dispute {
            self.dispute(context, &mapping, &event, remote.as_ref(), dispute, reason);
        }
        let waits = decision.action == Action::Wait;
        let level = context.account.privacy;
        let reduce =
            mapping.created_by_us && remote.as_ref().is_some_and(|remote| privacy::exceeds(&remote.content, level));
        if let Some(remote) = remote {
            mapping.revision = remote.revision;
            mapping.raw = remote.raw;
            mapping.uid = remote.uid;
            // While a person decides, the base stays, so that both changes stay visible; and what is deleted here stays the
            // child of the base that it had.
            if !waits && decision.action != Action::DeleteRemote {
                mapping.base = remote.content;
            }
            mapping.updated_at = now;
        }
        let here = (event.id, context.calendar.id);
        self.decided.push((event.id, context.calendar.id, whose(&decision.action)));
        let remote_id = mapping.remote_id.clone();
        match decision.action {
            Action::Rest if reduce => {
                self.note(context, &remote_id, "update there", Reason::Reduced);
                self.owed.push(context.owed(&event, WriteOp::Update, mapping.uid.clone(), Reason::Reduced));
                self.mappings.push(mapping);
            }
            Action::Rest | Action::Wait => {
                self.settled.push(here);
                self.mappings.push(mapping);
            }
            Action::Take(agreed) => {
                self.note(context, &remote_id, "update here", reason);
                self.take(context, event, mapping, agreed, reduce.then_some(Reason::Reduced));
            }
            // Nobody could send it; what has changed here is queued when there is somebody who can.
            Action::Push if context.form.is_none() => {
                self.settled.push(here);
                self.mappings.push(mapping);
            }
            Action::Push => {
                self.note(context, &remote_id, "update there", reason);
                self.owed.push(context.owed(&event, WriteOp::Update, mapping.uid.clone(), reason));
                self.mappings.push(mapping);
            }
            Action::TakeAndPush(agreed) => {
                self.note(context, &remote_id, "merge", reason);
                self.take(context, event, mapping, agreed, Some(reason));
            }
            Action::DeleteRemote => {
                self.note(context, &remote_id, "delete there", reason);
                self.owed.push(context.owed(&event, WriteOp::Delete, mapping.uid.clone(), reason));
                self.mappings.push(mapping);
            }
            Action::DeleteLocal => {
                self.note(context, &remote_id, "delete here", reason);
                self.settled.push(here);
                self.delete_here(context, &mapping, event);
            }
            Action::Restore { content, push } => {
                self.note(context, &remote_id, "restore here", reason);
                event.deleted_at = None;
                self.restored.push(event.id);
                self.take(context, event, mapping, content, (push || reduce).then_some(reason));
            }
            Action::Recreate => {
                self.note(context, &remote_id, "create there", reason);
                self.forget(context, &mapping);
                // With its bytes at hand it is made again as it was; else under a fresh name, for servers with a bin refuse, or
                // restore oddly, a name that they have seen.
                let key = match &mapping.raw {
                    Some(_) => mapping.uid.clone(),
                    None => Uid(context.world.new_id::<uuid::Uuid>().to_string()),
                };
                self.owed.push(context.owed(&event, WriteOp::Create, key, reason));
            }
            Action::Forget => {
                self.forget(context, &mapping);
                self.settled.push(here);
            }
        }
    }

    /// A person has refused this deletion: ours stands, and is written there again. That it was deleted there is in the history,
    /// from where the deletion can be brought back.
    pub fn keep(&mut self, context: &CalendarContext<'_>, mapping: Mapping, event: Event) {
        let dispute = Dispute {
            kind: ConflictKind::DeletedRemotely,
            fields: vec!["existence".into()],
            winner: Some(Winner::Local),
        };
        let decision = Decision { action: Action::Recreate, reason: Reason::DeletionRefused, dispute: Some(dispute) };
        self.carry_out(context, mapping, event, None, decision);
    }

    /// Our side says something else now; what the provider must hear of it is owed.
    fn take(
        &mut self,
        context: &CalendarContext<'_>,
        mut event: Event,
        mapping: Mapping,
        agreed: EventContent,
        owed: Option<Reason>,
    ) {
        self.tally.updated += 1;
        self.change(&mut event, agreed, context.world.now());
        match owed {
            Some(reason) => self.owed.push(context.owed(&event, WriteOp::Update, mapping.uid.clone(), reason)),
            None => self.settled.push((event.id, context.calendar.id)),
        }
        self.mappings.push(mapping);
        self.events.push(event);
    }

    /// A copy that a person deleted stays deleted; the event itself goes only with its home calendar.
    fn delete_here(&mut self, context: &CalendarContext<'_>, mapping: &Mapping, mut event: Event) {
        self.tally.deleted += 1;
        self.forget(context, mapping);
        if event.calendar_id == Some(context.calendar.id) {
            event.deleted_at = Some(context.world.now());
            event.version += 1;
            self.spread.push(event.id);
            self.events.push(event);
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
        context: &CalendarContext<'_>,
        mapping: &Mapping,
        event: &Event,
        remote: Option<&RemoteEvent>,
        dispute: &Dispute,
        reason: Reason,
    ) {
        let now = context.world.now();
        let start = context.first_start(&event.content.facts.start);
        let severity = severity(dispute.kind, &dispute.fields, start, now);
        self.tally.conflicts += 1;
        self.conflicts.push(Conflict {
            id: context.world.new_id(),
            space_id: context.account.space_id.clone(),
            account_id: context.account.id,
            calendar_id: context.calendar.id,
            event_id: event.id,
            kind: dispute.kind,
            fields: dispute.fields.clone(),
            base: Some(mapping.base.clone()),
            local: Some(event.content.clone()),
            remote: remote.map(|remote| remote.content.clone()),
            policy: context.account.policy,
            winner: dispute.winner,
            status: if dispute.winner.is_some() { ConflictStatus::Resolved } else { ConflictStatus::Pending },
            severity,
            reason: reason.as_str().to_owned(),
            created_at: now,
            resolved_at: dispute.winner.map(|_| now),
        });
        let subject = match dispute.winner {
            Some(Winner::Remote) => NoticeSubject::EditOverwritten { conflict: dispute.kind },
            None => NoticeSubject::ConflictPending,
            Some(Winner::Local) => return,
        };
        self.tell(context, Some(event.id), subject, severity);
    }

    /// Tells the account's owner something.
    pub fn tell(
        &mut self,
        context: &CalendarContext<'_>,
        event_id: Option<EventId>,
        subject: NoticeSubject,
        severity: Severity,
    ) {
        let owner = (&context.account.space_id, &context.account.user_id);
        let notice = Notice::new(context.world.new_id(), owner, (subject, severity), context.world.now());
        self.notices.push(Notice { account_id: Some(context.account.id), event_id, ..notice });
    }
}

/// Whose version stands after an action.
fn whose(action: &Action) -> Winner {
    match action {
        Action::Push | Action::TakeAndPush(_) | Action::DeleteRemote | Action::Recreate => Winner::Local,
        Action::Rest
        | Action::Wait
        | Action::Take(_)
        | Action::DeleteLocal
        | Action::Restore { .. }
        | Action::Forget => Winner::Remote,
    }
}

/// Severity of a dispute about an event that starts at `start`.
fn severity(kind: ConflictKind, fields: &[String], start: DateTime<Utc>, now: DateTime<Utc>) -> Severity {
    let about_time = fields.iter().any(|field| {
        let name = field.rsplit('/').next().unwrap_or(field);
        matches!(name, "time" | "recurrence" | "occurrences" | "occurrence")
    });
    let soon = start >= now && start - now <= Duration::hours(24);
    match kind {
        ConflictKind::DeletedRemotely | ConflictKind::DeletedLocally => Severity::High,
        ConflictKind::Edit if about_time && soon => Severity::High,
        ConflictKind::Edit if about_time => Severity::Normal,
        ConflictKind::Edit => Severity::Low,
    }
}
