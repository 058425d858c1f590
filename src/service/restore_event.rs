//! A deleted event is brought back, as long as it is kept: here, and in the calendars that it was deleted in.

use super::{Services, edit_event::EditError, edit_event::put, planning::Hand, sync_round::changes::to_read_again};
use crate::{
    domain::{ids::EventId, mapping::Event, person::Scope, round::Cause},
    store::Mode,
};

impl Services {
    /// Brings a deleted event back. What its copy at home had and we do not model is there again with it.
    pub async fn restore_event(&self, scope: &Scope, id: EventId) -> Result<Event, EditError> {
        again!(self.try_restore_event(scope, id))
    }

    async fn try_restore_event(&self, scope: &Scope, id: EventId) -> Result<Event, EditError> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut event = tx.event(scope, id).await?.ok_or(EditError::NotFound("event"))?;
        if event.deleted_at.take().is_none() {
            return Ok(event);
        }
        let user = tx.user(&event.user_id).await?.ok_or(EditError::NotFound("user"))?;
        if let Some(home) = event.calendar_id {
            let home = tx.calendar(&Scope::Whole, home).await?;
            // Its calendar is no longer there: it lives here only.
            event.calendar_id = home.filter(|home| home.gone_at.is_none()).map(|home| home.id);
        }
        event.version += 1;
        event.updated_at = self.world.now();
        let copies: Vec<_> = tx.mappings_of_event(event.id).await?.into_iter().map(to_read_again).collect();
        tx.put_mappings(&copies).await?;
        put(&mut tx, &event, user.time_zone).await?;
        let mut wake = self.owe_all(&mut tx, &event, user.time_zone).await?;
        wake.extend(self.heed(&mut tx, std::slice::from_ref(&event), Hand::Here).await?);
        tx.commit().await?;
        self.wake_all(&wake, Cause::LocalEdit);
        self.wake_planner();
        Ok(event)
    }
}
