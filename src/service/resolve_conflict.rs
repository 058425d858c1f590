//! What a person decides: conflicts, restored losers, parked writes.

use super::{Refusal, Services, write::WriteTx};
use crate::{
    domain::{
        account::PrivacyLevel,
        conflict::{Conflict, ConflictStatus, Winner},
        event::EventContent,
        ids::{AccountId, ConflictId, OutboxId},
        mapping::{Event, Mapping, Remains},
        outbox::OutboxState,
        person::Scope,
        round::Cause,
    },
    engine::{
        conflict::{Resolution, bring_up_to_date, resolution, settled},
        round::changes::to_read_again,
    },
    store::{StoreError, Tx},
};

impl Services {
    /// Settles a pending conflict: that side's version stands, the other stays in the history.
    pub async fn resolve(&self, scope: &Scope, id: ConflictId, winner: Winner) -> Result<Conflict, Refusal> {
        self.write(async |write| self.settle_conflict(write, scope, id, winner).await).await
    }

    async fn settle_conflict(
        &self,
        tx: &mut WriteTx<'_>,
        scope: &Scope,
        id: ConflictId,
        winner: Winner,
    ) -> Result<Conflict, Refusal> {
        let mut conflict = tx.conflict(scope, id).await?.ok_or(Refusal::NotFound("conflict"))?;
        if conflict.status != ConflictStatus::Pending {
            let why = "this conflict is settled already; restore its other version instead".to_owned();
            return Err(Refusal::Invalid { field: "status", why });
        }
        let event = tx.event(scope, conflict.event_id).await?.ok_or(Refusal::NotFound("event"))?;
        bring_up_to_date(&mut conflict, &event.content, event.deleted_at.is_some());
        let mapping = tx.mapping_of(conflict.event_id, conflict.calendar_id).await?;
        let level = shown_at(tx, &conflict, mapping.as_ref()).await?;
        let stands = settled(&conflict, winner, level, event.calendar_id == Some(conflict.calendar_id));
        // What the provider said is agreed now; what differs from it is owed.
        if let Some(mut mapping) = mapping {
            if let Some(remote) = &conflict.remote {
                mapping.base.clone_from(remote);
                tx.put_mappings(&[mapping]).await?;
            } else {
                tx.delete_mappings(&[mapping.id]).await?;
                // It may be made again, or be given back by a backup: then it is that very copy.
                tx.put_remains(Remains::of(&mapping, self.world.now()).as_slice()).await?;
                if let Some(entry) = tx.outbox_entry(event.id, conflict.calendar_id).await? {
                    tx.delete_outbox(entry.id).await?;
                }
            }
        }
        conflict.winner = Some(winner);
        conflict.status = ConflictStatus::Resolved;
        conflict.resolved_at = Some(self.world.now());
        tx.update_conflict(&conflict).await?;
        self.bring_to(tx, event, &conflict, stands).await?;
        Ok(conflict)
    }

    /// Brings the losing version back, here and at the provider. What it takes the place of is kept as the loser, so that a
    /// restore can be undone in the same way.
    pub async fn restore(&self, scope: &Scope, id: ConflictId) -> Result<Conflict, Refusal> {
        self.write(async |write| self.restore_loser(write, scope, id).await).await
    }

    async fn restore_loser(&self, tx: &mut WriteTx<'_>, scope: &Scope, id: ConflictId) -> Result<Conflict, Refusal> {
        let mut conflict = tx.conflict(scope, id).await?.ok_or(Refusal::NotFound("conflict"))?;
        let mapping = tx.mapping_of(conflict.event_id, conflict.calendar_id).await?;
        let level = shown_at(tx, &conflict, mapping.as_ref()).await?;
        let event = tx.event(scope, conflict.event_id).await?.ok_or(Refusal::NotFound("event"))?;
        let home = event.calendar_id == Some(conflict.calendar_id);
        let stands = match conflict.winner {
            Some(Winner::Local) => resolution(&conflict, Winner::Remote, level, home),
            Some(Winner::Remote) => resolution(&conflict, Winner::Local, level, home),
            None => {
                let why = "this conflict waits for a decision; resolve it instead".to_owned();
                return Err(Refusal::Invalid { field: "status", why });
            }
        };
        conflict.status = ConflictStatus::Restored;
        if let (Resolution::Says(_), None) = (&stands, event.deleted_at) {
            displace(&mut conflict, &event.content);
        }
        tx.update_conflict(&conflict).await?;
        self.bring_to(tx, event, &conflict, stands).await?;
        Ok(conflict)
    }

    /// Carries out what stands, and queues what that owes.
    async fn bring_to(
        &self,
        tx: &mut WriteTx<'_>,
        mut event: Event,
        conflict: &Conflict,
        stands: Resolution,
    ) -> Result<(), Refusal> {
        let user = tx.user(&event.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        let now = self.world.now();
        match stands {
            Resolution::Says(content) => {
                event.content = content;
                if event.deleted_at.take().is_some() {
                    let copies: Vec<_> = tx.mappings_of_event(event.id).await?.into_iter().map(to_read_again).collect();
                    tx.put_mappings(&copies).await?;
                }
            }
            Resolution::Deleted => event.deleted_at = Some(now),
            Resolution::CopyAgain | Resolution::NoCopy => {
                let calendar = tx.calendar(&Scope::Whole, conflict.calendar_id).await?;
                let calendar = calendar.ok_or(Refusal::NotFound("calendar"))?;
                if stands == Resolution::CopyAgain && event.deleted_at.is_none() {
                    tx.owe_copy(&event, &calendar, user.time_zone).await?;
                } else {
                    tx.withdraw_copy(&event, &calendar, user.time_zone).await?;
                }
                return Ok(());
            }
        }
        event.version += 1;
        event.updated_at = now;
        Ok(tx.put_event(&event, user.time_zone).await?)
    }

    /// Puts a parked write back into the queue.
    pub async fn retry_write(&self, scope: &Scope, account: AccountId, id: OutboxId) -> Result<(), Refusal> {
        self.write(async |write| {
            let queue = write.outbox_of(scope, account, super::RETRY_LOOKUP_MAX).await?;
            let found = queue.into_iter().find(|entry| entry.id == id);
            let mut entry = found.ok_or(Refusal::NotFound("queued write"))?;
            entry.state = OutboxState::Queued;
            entry.attempts = 0;
            entry.not_before = self.world.now();
            write.put_outbox(&entry).await?;
            write.wake(account, Cause::Requested);
            Ok(())
        })
        .await
    }
}

/// The version that a restore takes the place of becomes the loser.
fn displace(conflict: &mut Conflict, content: &EventContent) {
    if conflict.winner == Some(Winner::Remote) {
        (conflict.remote, conflict.winner) = (Some(content.clone()), Some(Winner::Local));
    } else {
        (conflict.local, conflict.winner) = (Some(content.clone()), Some(Winner::Remote));
    }
}

/// How much of the event the disputed copy may show.
async fn shown_at(tx: &mut Tx, conflict: &Conflict, copy: Option<&Mapping>) -> Result<PrivacyLevel, StoreError> {
    let account = tx.account(&Scope::Whole, conflict.account_id).await?;
    let ours = copy.is_some_and(|copy| copy.created_by_us);
    Ok(account.filter(|_| ours).map_or(PrivacyLevel::Full, |account| account.privacy))
}
