//! An event that was deleted, made again as it was: brought back out of the bin under its own id, or, where Google refuses that,
//! made anew with everything that a caller may say of an event.

use serde_json::{Map, Value, json};

use super::{
    Google,
    classify::GoogleAction,
    convert, event_id,
    item::Item,
    request,
    series::{KEY_MARK, WholeSeries},
};
use crate::{
    domain::{
        event::EventContent,
        failure::FailureClass,
        ids::{RemoteCalendarId, Uid},
        mapping::{Remains, RemoteEvent},
    },
    provider::{EventWriter, ProviderError, Result},
};

/// What a caller may say of an event and we do not model.
const KEPT: &[&str] = &[
    "anyoneCanAddSelf",
    "attachments",
    "attendees",
    "colorId",
    "conferenceData",
    "extendedProperties",
    "gadget",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
    "reminders",
    "source",
];

/// Of those, what an organizer alone may say.
const ORGANIZERS: &[&str] = &[
    "anyoneCanAddSelf",
    "attendees",
    "conferenceData",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
];

impl Google {
    pub(super) async fn revive(
        &self,
        calendar: &RemoteCalendarId,
        key: &Uid,
        remains: &Remains,
        content: &EventContent,
    ) -> Result<RemoteEvent> {
        let Some(was) = WholeSeries::read(&remains.raw) else { return self.create(calendar, key, content).await };
        if *key == remains.uid {
            return self.bring_back(calendar, remains, &was, content).await;
        }
        let mut event = said(&was.master, content);
        mark(&mut event, key);
        event.insert("id".to_owned(), json!(event_id(calendar, key.as_str())));
        let url = self.at(&["calendars", calendar.as_str(), "events"]);
        let request = request::insert_whole(url, &Value::Object(event));
        let made = self.ask(request, GoogleAction::Writing("making an event again")).await?;
        self.finish(calendar, WholeSeries::single(made), content).await
    }

    /// Out of the bin: an update of its status, of exactly the version that is in it. What lives is not touched.
    async fn bring_back(
        &self,
        calendar: &RemoteCalendarId,
        remains: &Remains,
        was: &WholeSeries,
        content: &EventContent,
    ) -> Result<RemoteEvent> {
        let refused = |why| ProviderError::new(FailureClass::Conflict, why);
        let Some(binned) = self.read_kept(calendar, remains.remote_id.as_str()).await? else {
            return Err(refused("nothing is kept under the event's id any more"));
        };
        if !binned.cancelled() {
            return Err(refused("the event is there again"));
        }
        let mut event = said(&was.master, content);
        event.entry("status").or_insert_with(|| json!("confirmed"));
        let url = self.at(&["calendars", calendar.as_str(), "events", binned.id()]);
        let request = request::patch_whole(url, binned.etag(), &Value::Object(event));
        match self.ask(request, GoogleAction::Writing("bringing an event back")).await {
            Ok(master) if !master.cancelled() => {
                let whole = self.family(calendar, WholeSeries::single(master)).await?;
                self.finish(calendar, whole, content).await
            }
            Ok(_) => Err(refused("the event stays in the bin")),
            Err(error) => match error.class {
                // It cannot be brought back: it is made anew.
                FailureClass::Forbidden | FailureClass::Refused | FailureClass::Gone => {
                    Err(ProviderError { class: FailureClass::Conflict, ..error })
                }
                _ => Err(error),
            },
        }
    }
}

/// Everything that may be said of an event again: what we do not model as it was, and what it is to say.
fn said(was: &Item, content: &EventContent) -> Map<String, Value> {
    // Who was invited does not invite the others.
    let ours = was.inside("organizer").is_none_or(|organizer| organizer.get("self") == Some(&Value::Bool(true)));
    let kept = KEPT.iter().filter(|name| ours || !ORGANIZERS.contains(name));
    let kept = kept.filter_map(|name| Some(((*name).to_owned(), was.0.get(*name)?.clone())));
    let mut event: Map<String, Value> = kept.collect();
    event.extend(convert::facts(&content.facts, None));
    if content.is_series() {
        event.insert("recurrence".to_owned(), convert::recurrence(content, &[]));
    }
    event
}

/// Our mark, beside whatever else programs have noted.
fn mark(event: &mut Map<String, Value>, key: &Uid) {
    let properties = event.entry("extendedProperties").or_insert_with(|| json!({}));
    if !properties.is_object() {
        *properties = json!({});
    }
    if let Some(properties) = properties.as_object_mut() {
        let private = properties.entry("private").or_insert_with(|| json!({}));
        match private.as_object_mut() {
            Some(private) => {
                private.insert(KEY_MARK.to_owned(), json!(key.as_str()));
            }
            None => *private = json!({ KEY_MARK: key.as_str() }),
        }
    }
}
