//! A calendar that its provider lists no more: for a day that may be an error of its own; then its events are deleted as any
//! others are, which the brake holds where they are many.

use chrono::Duration;

use super::Run;
use crate::{
    domain::{calendar::Calendar, person::Scope, round::Tally},
    engine::{round::pulled::Pulled, sync::brake::Evidence},
    service::Refusal,
    store::Mode,
};

/// For so long a calendar may be missing from its account's list before its events are taken for deleted.
const PATIENCE: Duration = Duration::hours(24);

impl Run<'_> {
    /// The calendars that are gone for good, as if each had been read and nothing had been in it.
    pub(super) async fn deserted(&self) -> Result<Vec<(Calendar, Option<String>, Pulled)>, Refusal> {
        let now = self.services.world.now();
        let long_gone = |calendar: &&Calendar| calendar.gone_at.is_some_and(|at| now - at >= PATIENCE);
        let mut deserted = Vec::new();
        for calendar in self.opened.calendars.iter().filter(|held| held.selected).filter(long_gone) {
            let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
            let held = tx.mapping_index(calendar.id).await?;
            let left = tx.unlinked_events(calendar.id).await?;
            tx.commit().await?;
            if held.is_empty() && left.is_empty() {
                continue;
            }
            let result = Pulled {
                mapped: held.len(),
                removed: held.into_iter().map(|key| key.remote_id).collect(),
                evidence: Evidence::NoCalendar,
                cursor: None,
                awaited: None,
                reconciled: true,
                lagging: false,
                interval_s: None,
                tally: Tally::default(),
                planned: Vec::new(),
                changed: true,
                newest: None,
            };
            deserted.push((calendar.clone(), None, result));
        }
        Ok(deserted)
    }
}
