//! From a decision to what is written for it.

use super::{changes::Changes, scene::Scene};
use crate::{
    domain::{
        conflict::{Conflict, ConflictKind, ConflictStatus, Winner},
        event::EventContent,
        ids::Uid,
        mapping::{Event, Mapping, RemoteEvent},
        notice::NoticeKind,
        outbox::WriteOp,
    },
    engine::{
        conflict::severity,
        privacy,
        sync::plan::{Action, Decision, Dispute, Reason},
    },
};

impl Changes {
    pub(super) fn carry_out(
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
        let level = scene.account.privacy;
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
        let here = (event.id, scene.calendar.id);
        self.decided.push((event.id, scene.calendar.id, whose(&decision.action)));
        let remote_id = mapping.remote_id.clone();
        match decision.action {
            Action::Rest if reduce => {
                self.note(scene, &remote_id, "update there", Reason::Reduced);
                self.owed.push(scene.owed(&event, WriteOp::Update, mapping.uid.clone(), Reason::Reduced));
                self.mappings.push(mapping);
            }
            Action::Rest | Action::Wait => {
                self.settled.push(here);
                self.mappings.push(mapping);
            }
            Action::Take(content) => {
                self.note(scene, &remote_id, "update here", reason);
                self.take(scene, event, mapping, content, reduce.then_some(Reason::Reduced));
            }
            // Nobody could send it; what has changed here is queued when there is somebody who can.
            Action::Push if scene.writer.is_none() => {
                self.settled.push(here);
                self.mappings.push(mapping);
            }
            Action::Push => {
                self.note(scene, &remote_id, "update there", reason);
                self.owed.push(scene.owed(&event, WriteOp::Update, mapping.uid.clone(), reason));
                self.mappings.push(mapping);
            }
            Action::TakeAndPush(content) => {
                self.note(scene, &remote_id, "merge", reason);
                self.take(scene, event, mapping, content, Some(reason));
            }
            Action::DeleteRemote => {
                self.note(scene, &remote_id, "delete there", reason);
                self.owed.push(scene.owed(&event, WriteOp::Delete, mapping.uid.clone(), reason));
                self.mappings.push(mapping);
            }
            Action::DeleteLocal => {
                self.note(scene, &remote_id, "delete here", reason);
                self.settled.push(here);
                self.delete_here(scene, &mapping, event);
            }
            Action::Restore { content, push } => {
                self.note(scene, &remote_id, "restore here", reason);
                event.deleted_at = None;
                self.restored.push(event.id);
                self.take(scene, event, mapping, content, (push || reduce).then_some(reason));
            }
            Action::Recreate => {
                self.note(scene, &remote_id, "create there", reason);
                self.forget(scene, &mapping);
                // With its bytes at hand it is made again as it was; else under a fresh name, for servers with a bin refuse, or
                // restore oddly, a name that they have seen.
                let key = match &mapping.raw {
                    Some(_) => mapping.uid.clone(),
                    None => Uid(scene.world.new_id::<uuid::Uuid>().to_string()),
                };
                self.owed.push(scene.owed(&event, WriteOp::Create, key, reason));
            }
            Action::Forget => {
                self.forget(scene, &mapping);
                self.settled.push(here);
            }
        }
    }

    /// A person has refused this deletion: ours stands, and is written there again. That it was deleted there is in the history,
    /// from where the deletion can be brought back.
    pub fn keep(&mut self, scene: &Scene<'_>, mapping: Mapping, event: Event) {
        let dispute = Dispute {
            kind: ConflictKind::DeletedRemotely,
            fields: vec!["existence".into()],
            winner: Some(Winner::Local),
        };
        let decision = Decision { action: Action::Recreate, reason: Reason::DeletionRefused, dispute: Some(dispute) };
        self.carry_out(scene, mapping, event, None, decision);
    }

    /// Our side says something else now; what the provider must hear of it is owed.
    fn take(
        &mut self,
        scene: &Scene<'_>,
        mut event: Event,
        mapping: Mapping,
        content: EventContent,
        owed: Option<Reason>,
    ) {
        self.tally.updated += 1;
        self.change(&mut event, content, scene.world.now());
        match owed {
            Some(reason) => self.owed.push(scene.owed(&event, WriteOp::Update, mapping.uid.clone(), reason)),
            None => self.settled.push((event.id, scene.calendar.id)),
        }
        self.mappings.push(mapping);
        self.events.push(event);
    }

    /// A copy that a person deleted stays deleted; the event itself goes only with its home calendar.
    fn delete_here(&mut self, scene: &Scene<'_>, mapping: &Mapping, mut event: Event) {
        self.tally.deleted += 1;
        self.forget(scene, mapping);
        if event.calendar_id == Some(scene.calendar.id) {
            event.deleted_at = Some(scene.world.now());
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
