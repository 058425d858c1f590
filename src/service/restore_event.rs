//! A deleted event is brought back, as long as it is kept: here, and in the calendars that it was deleted in.

use super::{Refusal, Services, write::WriteTx};
use crate::{
    domain::{ids::EventId, mapping::Event, person::Scope},
    engine::round::changes::to_read_again,
};

impl Services {
    /// Brings a deleted event back. What its copy at home had and we do not model is there again with it.
    pub async fn restore_event(&self, scope: &Scope, id: EventId) -> Result<Event, Refusal> {
        self.write(async |write| self.bring_event_back(write, scope, id).await).await
    }

    async fn bring_event_back(&self, write: &mut WriteTx<'_>, scope: &Scope, id: EventId) -> Result<Event, Refusal> {
        let mut event = write.event(scope, id).await?.ok_or(Refusal::NotFound("event"))?;
        if event.deleted_at.take().is_none() {
            return Ok(event);
        }
        let user = write.user(&event.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        if let Some(home) = event.calendar_id {
            let home = write.calendar(&Scope::Whole, home).await?;
            // Its calendar is no longer there: it lives here only.
            event.calendar_id = home.filter(|home| home.gone_at.is_none()).map(|home| home.id);
        }
        event.version += 1;
        event.updated_at = self.world.now();
        let copies: Vec<_> = write.mappings_of_event(event.id).await?.into_iter().map(to_read_again).collect();
        write.put_mappings(&copies).await?;
        write.put_event(&event, user.time_zone).await?;
        Ok(event)
    }
}
