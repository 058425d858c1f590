//! Writes: inserts under an id of ours, patches and deletes of exactly one version.
//!
//! A series is several of Google's events, so its write is several requests: the master first, then each occurrence that
//! differs. **Invariant:** every step brings the remote nearer to what is wanted and the answer holds all of it, so a write
//! that stops half-way is finished by the next one: what is still missing is what then differs.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{
    Google,
    classify::{self, GoogleAction},
    convert, event_id,
    item::Item,
    request,
    series::{KEY_MARK, WholeSeries},
};
use crate::{
    domain::{
        event::EventContent,
        failure::FailureClass,
        ids::{RemoteCalendarId, RemoteEventId, Uid},
        mapping::{Canonical, Remains, RemoteEvent},
    },
    provider::{EventWriter, Found, ProviderError, Result, WriteTarget},
};

impl Canonical for Google {
    fn canonical(&self, content: &EventContent) -> EventContent {
        convert::canonical(content, self.zone())
    }
}

#[async_trait]
impl EventWriter for Google {
    async fn create(&self, calendar: &RemoteCalendarId, key: &Uid, content: &EventContent) -> Result<RemoteEvent> {
        let mut event = convert::facts(&content.facts, None);
        let id = event_id(calendar, key.as_str());
        event.insert("id".to_owned(), json!(id));
        event.insert("extendedProperties".to_owned(), json!({ "private": { KEY_MARK: key.as_str() } }));
        if content.is_series() {
            event.insert("recurrence".to_owned(), convert::recurrence(content, &[]));
        }
        let url = self.at(&["calendars", calendar.as_str(), "events"]);
        let request = request::insert(url, &Value::Object(event));
        let made = self.ask_event(request, &id, GoogleAction::Writing("making an event")).await?;
        self.finish(calendar, WholeSeries::single(made), content).await
    }

    async fn make_again(
        &self,
        calendar: &RemoteCalendarId,
        key: &Uid,
        remains: &Remains,
        content: &EventContent,
    ) -> Result<RemoteEvent> {
        self.revive(calendar, key, remains, content).await
    }

    async fn update(&self, target: WriteTarget<'_>, content: &EventContent) -> Result<RemoteEvent> {
        let calendar = target.calendar;
        let held = match target.raw.and_then(WholeSeries::read) {
            Some(whole) => whole,
            None => self.read_whole(calendar, target.id).await?.ok_or_else(gone)?,
        };
        if held.revision() != *target.revision {
            return Err(ProviderError::new(FailureClass::Conflict, "the event is not the one that was decided about"));
        }
        writable(&held.master)?;
        let before = convert::read(&held.master)
            .map_err(|why| ProviderError::new(FailureClass::Refused, format!("the event as it is there: {why}")))?;
        let mut changes = convert::facts(&content.facts, Some(&before.facts));
        // Declined means free to us; to Google it is still a meeting.
        if convert::declined(&held.master) {
            changes.remove("transparency");
        }
        let lines = if content.is_series() { convert::recurrence(content, &held.placed(content)) } else { json!([]) };
        let had = json!(held.master.texts("recurrence"));
        if sorted(&lines) != sorted(&had) {
            // Instants are counted in the zone of the start, so both are said together.
            changes.insert("start".to_owned(), convert::write_time(&content.facts.start, Some(&before.facts.start)));
            changes.insert("end".to_owned(), convert::write_time(&content.facts.end, Some(&before.facts.end)));
            changes.insert("recurrence".to_owned(), lines);
        }
        if changes.contains_key("start") || changes.contains_key("recurrence") {
            // A series that moves may lose its exceptions there.
            self.unchanged(calendar, &held).await?;
        }
        let whole = if changes.is_empty() {
            held
        } else {
            let master = self.patch(calendar, held.master.id(), held.master.etag(), changes).await?;
            if held.exceptions.is_empty() {
                WholeSeries::single(master)
            } else {
                // What becomes of exceptions when their master changes is Google's to say.
                self.family(calendar, WholeSeries { master, exceptions: held.exceptions }).await.map_err(half)?
            }
        };
        self.finish(calendar, whole, content).await
    }

    async fn delete(&self, target: WriteTarget<'_>) -> Result<()> {
        let etag = match target.raw.and_then(WholeSeries::read) {
            Some(whole) if whole.revision() == *target.revision => {
                self.unchanged(target.calendar, &whole).await?;
                whole.master.etag().to_owned()
            }
            Some(_) => {
                return Err(ProviderError::new(
                    FailureClass::Conflict,
                    "the event is not the one that was decided about",
                ));
            }
            None => target.revision.as_str().to_owned(),
        };
        let url = self.at(&["calendars", target.calendar.as_str(), "events", target.id.as_str()]);
        let response = self.send(request::delete(url, &etag)).await?;
        classify::deleted(&response, GoogleAction::Writing("deleting an event"), self.world.now())
    }

    async fn read(&self, calendar: &RemoteCalendarId, id: &RemoteEventId) -> Result<Option<RemoteEvent>> {
        self.read_whole(calendar, id).await?.map(|whole| remote_event(&whole, calendar)).transpose()
    }

    async fn find(&self, calendar: &RemoteCalendarId, key: &Uid) -> Result<Found> {
        let id = event_id(calendar, key.as_str());
        match self.read_kept(calendar, &id).await? {
            None => Ok(Found::Nothing),
            // Google keeps what was deleted, under its id, for good.
            Some(master) if master.cancelled() => Ok(Found::Deleted),
            Some(master) => {
                let whole = self.family(calendar, WholeSeries::single(master)).await?;
                remote_event(&whole, calendar).map(Found::Here)
            }
        }
    }
}

impl Google {
    async fn read_whole(&self, calendar: &RemoteCalendarId, id: &RemoteEventId) -> Result<Option<WholeSeries>> {
        match self.read_item(calendar, id.as_str()).await? {
            Some(master) => self.family(calendar, WholeSeries::single(master)).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether the exceptions of a series are those that were decided about: `If-Match` guards the master alone.
    async fn unchanged(&self, calendar: &RemoteCalendarId, held: &WholeSeries) -> Result<()> {
        if !held.master.recurs() || self.family(calendar, held.clone()).await?.revision() == held.revision() {
            return Ok(());
        }
        Err(ProviderError::new(FailureClass::Conflict, "an occurrence is not the one that was decided about"))
    }

    pub(super) async fn patch(
        &self,
        calendar: &RemoteCalendarId,
        id: &str,
        etag: &str,
        changes: Map<String, Value>,
    ) -> Result<Item> {
        let url = self.at(&["calendars", calendar.as_str(), "events", id]);
        let request = request::patch(url, etag, &Value::Object(changes));
        self.ask_event(request, id, GoogleAction::Writing("changing an event")).await
    }
}

pub(super) fn remote_event(whole: &WholeSeries, calendar: &RemoteCalendarId) -> Result<RemoteEvent> {
    whole.event(calendar).map_err(|unreadable| ProviderError::new(FailureClass::Malformed, unreadable.why))
}

/// What certainly may not be changed is not asked for.
fn writable(item: &Item) -> Result<()> {
    match fixed_because(item) {
        Some(why) => Err(ProviderError::new(FailureClass::Forbidden, why)),
        None => Ok(()),
    }
}

/// Why nobody may change an event from here; `None`: nothing speaks against it.
pub(super) fn fixed_because(item: &Item) -> Option<&'static str> {
    let ours = item.inside("organizer").is_none_or(|organizer| organizer.get("self") == Some(&Value::Bool(true)));
    let shared = item.flag("guestsCanModify") == Some(true);
    match item.text("eventType").unwrap_or("default") {
        _ if !(ours || shared) => Some("it belongs to its organizer, who alone may change it"),
        _ if item.flag("locked") == Some(true) => Some("it is locked at Google"),
        "default" => None,
        "birthday" => Some("it is a birthday; change it where the contact is kept"),
        "fromGmail" => Some("Google made it from an e-mail and lets nobody change it"),
        "workingLocation" => Some("it is a working location; change it in Google Calendar"),
        _ => Some("Google takes changes to events of this kind in Google Calendar alone"),
    }
}

/// A later step of a write failed: what is there now has to be read.
pub(super) fn half(error: ProviderError) -> ProviderError {
    match error.class {
        FailureClass::Unauthorised | FailureClass::RateLimited | FailureClass::Forbidden => error,
        FailureClass::Transient
        | FailureClass::Gone
        | FailureClass::Conflict
        | FailureClass::CursorExpired
        | FailureClass::Refused
        | FailureClass::Malformed
        | FailureClass::Ambiguous
        | FailureClass::AddressNotAllowed => ProviderError { class: FailureClass::Ambiguous, ..error },
    }
}

pub(super) fn gone() -> ProviderError {
    ProviderError::new(FailureClass::Gone, "the event is not there any more")
}

/// Lines in one order, for their order means nothing.
fn sorted(lines: &Value) -> Vec<String> {
    let mut texts: Vec<_> =
        lines.as_array().into_iter().flatten().filter_map(|line| line.as_str().map(str::to_owned)).collect();
    texts.sort();
    texts
}
