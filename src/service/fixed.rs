//! Events that nobody may change from here: somebody else's invitation, a birthday, what is locked.
//!
//! **Invariant:** such an edit is refused before anything is stored: what is acknowledged can be sent.

use super::{Refusal, Services};
use crate::{
    domain::{mapping::Event, person::Scope},
    provider::registry,
    store::Tx,
};

impl Services {
    /// Refuses an edit that the event's home would refuse. Taking the event away is another matter: everybody may do that to their
    /// own copy.
    pub(super) async fn refuse_fixed(&self, tx: &mut Tx, event: &Event) -> Result<(), Refusal> {
        let Some(home) = event.calendar_id else { return Ok(()) };
        let Some(raw) = tx.mapping_of(event.id, home).await?.and_then(|copy| copy.raw) else { return Ok(()) };
        let Some(calendar) = tx.calendar(&Scope::Whole, home).await? else { return Ok(()) };
        let Some(account) = tx.account(&Scope::Whole, calendar.account_id).await? else { return Ok(()) };
        match registry::fixed_because(account.provider, &raw) {
            Some(why) => Err(Refusal::Fixed(why)),
            None => Ok(()),
        }
    }
}
