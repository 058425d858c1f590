//! What a person decides: conflicts, restored losers, held deletions, parked writes.

use super::{Services, edit_event::EditError};
use crate::{
    domain::{
        conflict::{Conflict, ConflictStatus, Hold, HoldState, Winner},
        event::EventContent,
        ids::{ConflictId, HoldId, OutboxId},
        mapping::Event,
        outbox::OutboxState,
        person::Scope,
        round::Cause,
    },
    engine::recurrence::span,
    store::{Mode, Tx},
};

impl Services {
    /// Settles a pending conflict: that side's version stands, the other stays in the history.
    pub async fn resolve(&self, scope: &Scope, id: ConflictId, winner: Winner) -> Result<Conflict, EditError> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut conflict = tx.conflict(scope, id).await?.ok_or(EditError::NotFound("conflict"))?;
        if conflict.status != ConflictStatus::Pending {
            let why = "this conflict is settled already; restore its other version instead".to_owned();
            return Err(EditError::Invalid { field: "status", why });
        }
        let chosen = conflict.wanted_by(winner).cloned();
        // What the provider said is agreed now; what differs from it is owed.
        if let Some(mut mapping) = tx.mapping_of(conflict.event_id, conflict.calendar_id).await? {
            match &conflict.remote {
                Some(remote) => {
                    mapping.base.clone_from(remote);
                    tx.put_mappings(&[mapping]).await?;
                }
                None => {
                    tx.delete_mappings(&[mapping.id]).await?;
                }
            }
        }
        conflict.winner = Some(winner);
        conflict.status = ConflictStatus::Resolved;
        conflict.resolved_at = Some(self.world.now());
        tx.update_conflict(&conflict).await?;
        let wake = self.bring_to(&mut tx, scope, &conflict, chosen).await?;
        tx.commit().await?;
        self.wake_all(&wake, Cause::LocalEdit);
        Ok(conflict)
    }

    /// Brings the losing version back, here and at the provider.
    pub async fn restore(&self, scope: &Scope, id: ConflictId) -> Result<Conflict, EditError> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut conflict = tx.conflict(scope, id).await?.ok_or(EditError::NotFound("conflict"))?;
        let loser = match conflict.winner {
            Some(Winner::Local) => conflict.wanted_by(Winner::Remote).cloned(),
            Some(Winner::Remote) => conflict.wanted_by(Winner::Local).cloned(),
            None => {
                let why = "this conflict waits for a decision; resolve it instead".to_owned();
                return Err(EditError::Invalid { field: "status", why });
            }
        };
        conflict.status = ConflictStatus::Restored;
        tx.update_conflict(&conflict).await?;
        let wake = self.bring_to(&mut tx, scope, &conflict, loser).await?;
        tx.commit().await?;
        self.wake_all(&wake, Cause::LocalEdit);
        Ok(conflict)
    }

    /// Makes the event say this (`None`: deletes it) and queues what that owes.
    async fn bring_to(
        &self,
        tx: &mut Tx,
        scope: &Scope,
        conflict: &Conflict,
        content: Option<EventContent>,
    ) -> Result<Vec<crate::domain::ids::AccountId>, EditError> {
        let mut event: Event = tx.event(scope, conflict.event_id).await?.ok_or(EditError::NotFound("event"))?;
        let user = tx.user(&event.user_id).await?.ok_or(EditError::NotFound("user"))?;
        let now = self.world.now();
        match content {
            Some(content) => {
                event.content = content;
                event.deleted_at = None;
            }
            None => event.deleted_at = Some(now),
        }
        event.version += 1;
        event.updated_at = now;
        let extent = span(&event.content, user.time_zone);
        tx.put_events(std::slice::from_ref(&event), &[extent]).await?;
        Ok(self.owe_all(tx, &event, user.time_zone).await?)
    }

    /// Approves or refuses held deletions. Approved, the next round carries them out; refused, nothing is deleted and nobody
    /// is asked again until more is missing.
    pub async fn decide_hold(&self, scope: &Scope, id: HoldId, approve: bool) -> Result<Hold, EditError> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut hold = tx.hold(scope, id).await?.ok_or(EditError::NotFound("hold"))?;
        hold.state = if approve { HoldState::Approved } else { HoldState::Refused };
        hold.decided_at = Some(self.world.now());
        tx.put_hold(&hold).await?;
        tx.commit().await?;
        self.wake(hold.account_id, Cause::Requested);
        Ok(hold)
    }

    /// Puts a parked write back into the queue.
    pub async fn retry_write(
        &self,
        scope: &Scope,
        account: crate::domain::ids::AccountId,
        id: OutboxId,
    ) -> Result<(), EditError> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let queue = tx.outbox_of(scope, account, super::RETRY_LOOKUP_MAX).await?;
        let found = queue.into_iter().find(|entry| entry.id == id);
        let mut entry = found.ok_or(EditError::NotFound("queued write"))?;
        entry.state = OutboxState::Queued;
        entry.attempts = 0;
        entry.not_before = self.world.now();
        tx.put_outbox(&entry).await?;
        tx.commit().await?;
        self.wake(account, Cause::Requested);
        Ok(())
    }
}
