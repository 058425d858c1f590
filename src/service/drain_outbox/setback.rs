//! A write that failed: it waits, is put aside, or ends the draining.

use chrono::Duration;

use super::Desk;
use crate::{
    domain::{
        conflict::Severity,
        failure::FailureClass,
        notice::NoticeKind,
        outbox::{OutboxEntry, OutboxState},
        person::Scope,
    },
    engine::backoff::outbox_wait,
    provider::ProviderError,
    service::{
        Refusal,
        sync_round::{changes::Changes, scene::Scene},
    },
    store::Tx,
};

impl Desk<'_> {
    /// Books a failure: wait, park, or (answered as `Some`) stop draining this account.
    pub(super) async fn failed(
        &self,
        entry: &OutboxEntry,
        error: ProviderError,
    ) -> Result<Option<ProviderError>, Refusal> {
        let stops = matches!(error.class, FailureClass::Unauthorised | FailureClass::RateLimited);
        let tries_again = match error.class {
            FailureClass::Transient
            | FailureClass::RateLimited
            | FailureClass::Unauthorised
            | FailureClass::Ambiguous
            | FailureClass::Conflict
            | FailureClass::Gone => true,
            FailureClass::Forbidden
            | FailureClass::Refused
            | FailureClass::Malformed
            | FailureClass::CursorExpired
            | FailureClass::AddressNotAllowed => false,
        };
        let mut tx = self.services.begin_write(&Scope::Whole).await?;
        if let Some(mut current) = tx.outbox_entry(entry.event_id, entry.calendar_id).await? {
            let fraction = self.services.world.fraction();
            let wait = outbox_wait(current.attempts, error.retry_after, fraction);
            match wait.filter(|_| tries_again) {
                // A refused credential is nobody's fault here: the queue is kept for after the reconnect.
                _ if error.class == FailureClass::Unauthorised => {}
                Some(wait) => {
                    let wait = Duration::from_std(wait).unwrap_or_else(|_| Duration::days(1));
                    current.not_before = self.services.world.now() + wait;
                    current.last_error = Some(error.detail.clone());
                    tx.put_outbox(&current).await?;
                }
                None => self.park(&mut tx, &current, &error.detail).await?,
            }
        }
        tx.commit().await?;
        Ok(stops.then_some(error))
    }

    pub(super) async fn park(&self, tx: &mut Tx, entry: &OutboxEntry, why: &str) -> Result<(), Refusal> {
        tx.put_outbox(&put_aside(entry, why)).await?;
        if let Some(calendar) = self.opened.calendars.iter().find(|held| held.id == entry.calendar_id) {
            let mut changes = Changes::default();
            let text = format!("A change could not be sent to your calendar: {why}. It is kept; you can try it again.");
            let (account, user) = (&self.opened.account, &self.opened.user);
            let scene = Scene::new(account, user, calendar, Some(self.writer), &self.services.world);
            changes.tell(&scene, Some(entry.event_id), NoticeKind::WriteParked, Severity::Normal, text);
            changes.write(tx, scene.floating_in(), scene.world.now()).await?;
        }
        Ok(())
    }
}

/// An entry that waits until somebody has it tried again.
pub(super) fn put_aside(entry: &OutboxEntry, why: &str) -> OutboxEntry {
    OutboxEntry { state: OutboxState::Parked, last_error: Some(why.to_owned()), ..entry.clone() }
}
