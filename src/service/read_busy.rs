//! Busy time as providers report it: kept for a rolling window, shown to those who ask.

use chrono::{DateTime, Duration, Utc};

use super::{Refusal, Services, open_account::OpenedAccount};
use crate::{
    domain::{
        availability::{Busy, BusySpan},
        failure::FailureClass,
        ids::{CalendarId, UserId},
        person::Scope,
    },
    store::Mode,
};

/// How far ahead busy time is kept, in days.
const DAYS_AHEAD: i64 = 90;
/// Busy time that is older than this is read again though nothing changed: the window has moved.
const STALE_AFTER: Duration = Duration::hours(12);
/// Spans answered at once.
const SPANS_MAX: u32 = 5_000;

impl Services {
    /// Reads the busy time of the account's selected calendars again: of those that changed, and of those read long ago.
    pub async fn refresh_busy(&self, opened: &OpenedAccount, changed: &[CalendarId], all: bool) -> Result<(), Refusal> {
        let Some(source) = opened.provider.free_busy() else { return Ok(()) };
        let selected: Vec<_> = opened.calendars.iter().filter(|held| held.selected && held.gone_at.is_none()).collect();
        let ids: Vec<_> = selected.iter().map(|held| held.id).collect();
        let now = self.world.now();
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let read = tx.busy_reads(&ids).await?;
        tx.commit().await?;
        let fresh = |id: CalendarId| read.iter().any(|row| row.calendar_id == id && now - row.read_at < STALE_AFTER);
        let due: Vec<_> =
            selected.into_iter().filter(|held| all || changed.contains(&held.id) || !fresh(held.id)).collect();
        if due.is_empty() {
            return Ok(());
        }
        let asked: Vec<_> = due.iter().map(|held| held.remote_id.clone()).collect();
        let until = now + Duration::days(DAYS_AHEAD);
        let answers = match source.busy(&asked, now, until).await {
            Ok(answers) => answers,
            // Not granted, or not known of these calendars: asked again when the window has moved.
            Err(error) if matches!(error.class, FailureClass::Forbidden | FailureClass::Refused) => {
                vec![Busy::Unknown(error.detail); due.len()]
            }
            Err(error) => return Err(Refusal::Provider(error)),
        };
        let mut tx = self.begin_write().await?;
        for (calendar, busy) in due.iter().zip(answers) {
            match busy {
                Busy::Known(spans) => tx.replace_busy(calendar.id, &spans, now, until).await?,
                // Not known is not free: what was known before is forgotten, and nothing is known from now on.
                Busy::Unknown(_) => tx.replace_busy(calendar.id, &[], now, now).await?,
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// A person's busy time within `from..to`, as their providers report it.
    pub async fn busy(
        &self,
        scope: &Scope,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<(CalendarId, BusySpan)>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.user(user).await?.ok_or(Refusal::NotFound("user"))?;
        let spans = tx.busy_in(scope, user, from, to, SPANS_MAX).await?;
        tx.commit().await?;
        Ok(spans)
    }
}
