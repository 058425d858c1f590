//! What was decided about a calendar's events, stored with what follows from it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{EditedBy, WriteTx};
use crate::{
    domain::{account::PrivacyLevel, calendar::Calendar, person::Scope, round::Cause},
    engine::{
        recurrence::span,
        round::{
            changes::{Changes, to_read_again},
            context::CalendarContext,
        },
    },
    store::StoreError,
};

impl WriteTx<'_> {
    /// Stores what was decided, queues what that owes to the events' other copies, and updates their blocks.
    pub async fn put_changes(&mut self, context: &CalendarContext<'_>, changes: &Changes) -> Result<(), StoreError> {
        self.put_decided(changes, context.floating_in(), context.world.now()).await?;
        self.queue_other_copies(context, changes).await?;
        let title_visible = context.account.privacy == PrivacyLevel::Full;
        let services = self.services;
        services.update_blocks(self, &changes.events, EditedBy::Provider { title_visible }).await?;
        if !changes.events.is_empty() {
            self.wake_planner();
        }
        Ok(())
    }

    async fn put_decided(&mut self, changes: &Changes, zone: Tz, now: DateTime<Utc>) -> Result<(), StoreError> {
        let spans: Vec<_> = changes.events.iter().map(|event| span(&event.content, zone)).collect();
        self.tx.put_events(&changes.events, &spans).await?;
        self.tx.delete_mappings(&changes.forgotten).await?;
        self.tx.put_remains(&changes.remains).await?;
        self.tx.put_mappings(&changes.mappings).await?;
        self.tx.delete_events(&changes.merged).await?;
        for (event, calendar) in &changes.settled {
            let Some(entry) = self.tx.outbox_entry(*event, *calendar).await? else { continue };
            if !entry.withdraws() || self.tx.mapping_of(*event, *calendar).await?.is_none() {
                self.tx.delete_outbox(entry.id).await?;
            }
        }
        for entry in &changes.owed {
            self.merge_into_queue(entry).await?;
        }
        let mut waiting = Vec::new();
        if let Some((_, calendar, _)) = changes.decided.first() {
            waiting = self.tx.pending_conflicts(*calendar).await?;
        }
        let (new, closed) = changes.closing(waiting, now);
        self.tx.insert_conflicts(&new).await?;
        for conflict in &closed {
            self.tx.update_conflict(conflict).await?;
        }
        for notice in &changes.notices {
            self.tx.put_notice(notice).await?;
        }
        Ok(())
    }

    /// The events' other copies get what changed here; what is back from its deletion goes home too.
    async fn queue_other_copies(&mut self, context: &CalendarContext<'_>, changes: &Changes) -> Result<(), StoreError> {
        for mapping in self.tx.other_mappings(&changes.spread, context.calendar.id, true).await? {
            if let Some(event) = changes.events.iter().find(|event| event.id == mapping.event_id) {
                self.merge_into_queue(&context.owed_elsewhere(event, &mapping)).await?;
                self.wake(mapping.account_id, Cause::LocalEdit);
                if changes.restored.contains(&event.id) {
                    self.tx.put_mappings(&[to_read_again(mapping)]).await?;
                }
            }
        }
        for event in changes.events.iter().filter(|event| changes.restored.contains(&event.id)) {
            let Some(home) = event.calendar_id.filter(|home| *home != context.calendar.id) else { continue };
            let mapped = self.tx.mapping_of(event.id, home).await?;
            let home = self.tx.calendar(&Scope::Whole, home).await?.filter(Calendar::takes_writes);
            if let (Some(home), None) = (home, mapped) {
                self.merge_into_queue(&context.owed_at_home(event, &home)).await?;
                self.wake(home.account_id, Cause::LocalEdit);
            }
        }
        Ok(())
    }
}
