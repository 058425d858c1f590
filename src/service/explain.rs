//! Why an event is as it is, place by place: what a support person can paste to a user.

use serde::Serialize;

use super::{Refusal, Services, answer_hold::said_about};
use crate::{
    domain::{
        conflict::{ConflictStatus, Winner},
        event::EventContent,
        ids::{AccountId, CalendarId, EventId},
        outbox::{OutboxEntry, OutboxState},
        person::Scope,
    },
    engine::sync::{hold::Said, merge::differences, plan::Reason},
    store::{ConflictFilter, Mode},
};

/// Conflicts of an event that are shown; the latest.
const CONFLICTS_SHOWN: u32 = 100;

/// One event, explained.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Which event.
    pub event_id: EventId,
    /// Its version here.
    pub version: i64,
    /// Whether it is deleted here.
    pub deleted: bool,
    /// Where it lives.
    pub places: Vec<EventPlace>,
    /// Disagreements about it, latest first.
    pub conflicts: Vec<PastConflict>,
}

/// One place an event lives in, or is on its way to.
#[derive(Clone, Debug, Serialize)]
pub struct EventPlace {
    /// The account.
    pub account_id: AccountId,
    /// The calendar.
    pub calendar_id: CalendarId,
    /// What people call the calendar.
    pub calendar: String,
    /// In step, waiting to be sent, given up, …: in one sentence.
    pub summary: String,
    /// The version stamp the provider gave.
    pub remote_revision: Option<String>,
    /// Fields where our version differs from what was last agreed there.
    pub differs: Vec<String>,
    /// The last content both sides agreed on.
    pub base: Option<EventContent>,
    /// Why a write is queued, if one is.
    pub reason: Option<String>,
    /// The same as a sentence.
    pub why: Option<&'static str>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it is tried next.
    pub next_try: Option<chrono::DateTime<chrono::Utc>>,
}

/// A disagreement about the event.
#[derive(Clone, Debug, Serialize)]
pub struct PastConflict {
    /// When.
    pub at: chrono::DateTime<chrono::Utc>,
    /// The decision's reason word.
    pub reason: String,
    /// The same as a sentence.
    pub why: Option<&'static str>,
    /// Whose version stands.
    pub winner: Option<Winner>,
    /// How it stands.
    pub status: ConflictStatus,
    /// Which fields.
    pub fields: Vec<String>,
}

impl Services {
    /// Gives an event a copy in one more calendar, and says how it stands there.
    pub async fn link(&self, scope: &Scope, id: EventId, calendar: CalendarId) -> Result<EventPlace, Refusal> {
        let before: Vec<_> = self.explain(scope, id).await?.places.iter().map(|place| place.calendar_id).collect();
        self.link_event(scope, id, calendar).await?;
        // A read-only calendar's copy goes to the one it is paired with.
        let places = self.explain(scope, id).await?.places;
        let place = places.into_iter().find(|p| p.calendar_id == calendar || !before.contains(&p.calendar_id));
        place.ok_or(Refusal::NotFound("calendar"))
    }

    /// Explains one event.
    pub async fn explain(&self, scope: &Scope, id: EventId) -> Result<Explanation, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let event = tx.event(scope, id).await?.ok_or(Refusal::NotFound("event"))?;
        let mut places = Vec::new();
        let mappings = tx.mappings_of_event(id).await?;
        let mut calendars: Vec<_> = mappings.iter().map(|held| held.calendar_id).collect();
        calendars.extend(event.calendar_id.filter(|home| !calendars.contains(home)));
        for entry in tx.outbox_of_event(id).await? {
            if !calendars.contains(&entry.calendar_id) {
                calendars.push(entry.calendar_id);
            }
        }
        for calendar_id in calendars {
            let Some(calendar) = tx.calendar(scope, calendar_id).await? else { continue };
            let mapping = mappings.iter().find(|held| held.calendar_id == calendar_id);
            let entry = tx.outbox_entry(id, calendar_id).await?;
            let differs = mapping.map(|held| differences(&held.base, &event.content)).unwrap_or_default();
            let deleted = event.deleted_at.is_some();
            let behind = entry.is_some() || mapping.is_some() && (deleted || !differs.is_empty());
            let waits = behind && !calendar.takes_writes();
            let said = match mapping {
                Some(held) if !deleted => said_about(&mut tx, held).await?,
                _ => Said::Nothing,
            };
            let summary = match (missing(said, calendar.takes_writes()), calendar.selected, waits) {
                (Some(missing), ..) => missing.to_owned(),
                (None, true, _) if calendar.gone_at.is_some() => GONE.to_owned(),
                (None, false, _) => UNSELECTED.to_owned(),
                (None, true, true) => WAITS.to_owned(),
                (None, true, false) => summary(mapping.is_some(), entry.as_ref(), deleted),
            };
            places.push(EventPlace {
                account_id: calendar.account_id,
                calendar_id,
                calendar: calendar.name.clone(),
                summary,
                remote_revision: mapping.and_then(|held| held.revision.as_ref()).map(|revision| revision.0.clone()),
                differs,
                base: mapping.map(|held| held.base.clone()),
                reason: entry.as_ref().map(|entry| entry.reason.clone()),
                why: entry.as_ref().and_then(|entry| sentence(&entry.reason)),
                last_error: entry.as_ref().and_then(|entry| entry.last_error.clone()),
                next_try: entry.filter(|entry| entry.state == OutboxState::Queued).map(|entry| entry.not_before),
            });
        }
        let filter = ConflictFilter { event: Some(id), limit: CONFLICTS_SHOWN, ..ConflictFilter::default() };
        let conflicts = tx.conflicts(scope, &filter).await?;
        tx.commit().await?;
        let conflicts = conflicts.into_iter().map(|conflict| PastConflict {
            at: conflict.created_at,
            why: sentence(&conflict.reason),
            reason: conflict.reason,
            winner: conflict.winner,
            status: conflict.status,
            fields: conflict.fields,
        });
        let deleted = event.deleted_at.is_some();
        Ok(Explanation { event_id: id, version: event.version, deleted, places, conflicts: conflicts.collect() })
    }
}

fn sentence(reason: &str) -> Option<&'static str> {
    reason.parse().ok().map(Reason::sentence)
}

/// How a copy stands in a calendar that is not selected.
const UNSELECTED: &str =
    "This calendar is not kept in step. Once it is selected again, what has changed here and there comes together.";
/// How a copy stands in a calendar that its provider lists no more.
const GONE: &str = "The provider no longer lists this calendar. If it stays away for a day, its events are deleted here too; many are \
                    asked about first.";
/// How a copy stands that is behind, in a calendar that is only read.
const WAITS: &str = "This calendar takes no changes from here; what has changed is sent once it does.";

/// How a copy stands whose calendar no longer has it.
fn missing(said: Said, takes_writes: bool) -> Option<&'static str> {
    match said {
        Said::Asked => Some("Its calendar no longer has it. Whether it is deleted here waits for your answer."),
        Said::Approved => {
            Some("Its calendar no longer has it. You approved the deletion; the next sync deletes it here.")
        }
        Said::Kept if takes_writes => {
            Some("Its calendar no longer has it. You refused the deletion; the next sync writes it there again.")
        }
        Said::Kept => Some(
            "It is only here: its calendar no longer has it, you refused the deletion, and the calendar takes no changes from \
             here.",
        ),
        Said::Nothing | Said::Free => None,
    }
}

fn summary(mapped: bool, entry: Option<&OutboxEntry>, deleted: bool) -> String {
    let text = match (entry, mapped) {
        (Some(entry), _) if entry.state == OutboxState::Parked => {
            "The last change could not be sent and was put aside; it can be tried again."
        }
        (Some(entry), _) if entry.attempts > 0 => "A change is waiting; the last attempt to send it failed.",
        (Some(_), _) => "A change is waiting to be sent.",
        (None, true) => "In step: what is here is what the calendar holds.",
        (None, false) if deleted => "It is deleted, here and there.",
        (None, false) => "It lives here only; nothing is queued for this calendar.",
    };
    text.to_owned()
}
