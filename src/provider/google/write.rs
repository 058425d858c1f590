//! Writes: inserts under an id of ours, patches and deletes of exactly one version.
//!
//! A series is several of Google's events, so its write is several requests: the master first, then each occurrence that
//! differs. **Invariant:** every step brings the remote nearer to what is wanted and the answer tells all of it, so a write
//! that stops half-way is finished by the next one: what is still missing is what then differs.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{
    Google,
    classify::{self, Doing},
    convert, event_id,
    item::Item,
    request,
    series::{self, KEY_MARK, Whole},
};
use crate::{
    domain::{
        event::{EventContent, Facts, Override},
        failure::FailureClass,
        ids::{RemoteCalendarId, RemoteEventId, Uid},
        mapping::{Remains, RemoteEvent},
        time::EventTime,
    },
    provider::{
        EventWriter, Found, Target,
        error::{ProviderError, Result},
    },
};

#[async_trait]
impl EventWriter for Google {
    fn canonical(&self, content: &EventContent) -> EventContent {
        convert::canonical(content, self.zone())
    }

    async fn create(&self, calendar: &RemoteCalendarId, key: &Uid, content: &EventContent) -> Result<RemoteEvent> {
        let mut event = convert::facts(&content.facts, None);
        event.insert("id".to_owned(), json!(event_id(calendar, key.as_str())));
        event.insert("extendedProperties".to_owned(), json!({ "private": { KEY_MARK: key.as_str() } }));
        if content.is_series() {
            event.insert("recurrence".to_owned(), convert::recurrence(content, &[]));
        }
        let url = self.at(&["calendars", calendar.as_str(), "events"]);
        let request = request::insert(url, &Value::Object(event));
        let made = self.ask(request, Doing::Writing("making an event")).await?;
        self.finish(calendar, Whole::single(made), content).await
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

    async fn update(&self, target: Target<'_>, content: &EventContent) -> Result<RemoteEvent> {
        let calendar = target.calendar;
        let held = match target.raw.and_then(Whole::read) {
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
        let lines = if content.is_series() { convert::recurrence(content, &held.cancelled()) } else { json!([]) };
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
                Whole::single(master)
            } else {
                // What becomes of exceptions when their master changes is Google's to say.
                self.family(calendar, Whole { master, exceptions: held.exceptions }).await.map_err(half)?
            }
        };
        self.finish(calendar, whole, content).await
    }

    async fn delete(&self, target: Target<'_>) -> Result<()> {
        let etag = match target.raw.and_then(Whole::read) {
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
        match response.status {
            200..300 | 404 | 410 => Ok(()),
            _ => Err(classify::failure(&response, Doing::Writing("deleting an event"), self.world.now())),
        }
    }

    async fn read(&self, calendar: &RemoteCalendarId, id: &RemoteEventId) -> Result<Option<RemoteEvent>> {
        self.read_whole(calendar, id).await?.map(|whole| told(&whole, calendar)).transpose()
    }

    async fn find(&self, calendar: &RemoteCalendarId, key: &Uid) -> Result<Found> {
        let id = event_id(calendar, key.as_str());
        match self.read_kept(calendar, &id).await? {
            None => Ok(Found::Nothing),
            // Google keeps what was deleted, under its id, for good.
            Some(master) if master.cancelled() => Ok(Found::Deleted),
            Some(master) => {
                let whole = self.family(calendar, Whole::single(master)).await?;
                told(&whole, calendar).map(Found::Here)
            }
        }
    }
}

impl Google {
    async fn read_whole(&self, calendar: &RemoteCalendarId, id: &RemoteEventId) -> Result<Option<Whole>> {
        match self.read_item(calendar, id.as_str()).await? {
            Some(master) => self.family(calendar, Whole::single(master)).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether the exceptions of a series are those that were decided about: `If-Match` guards the master alone.
    async fn unchanged(&self, calendar: &RemoteCalendarId, held: &Whole) -> Result<()> {
        if !held.master.recurs() || self.family(calendar, held.clone()).await?.revision() == held.revision() {
            return Ok(());
        }
        Err(ProviderError::new(FailureClass::Conflict, "an occurrence is not the one that was decided about"))
    }

    async fn patch(
        &self,
        calendar: &RemoteCalendarId,
        id: &str,
        etag: &str,
        changes: Map<String, Value>,
    ) -> Result<Item> {
        let url = self.at(&["calendars", calendar.as_str(), "events", id]);
        self.ask(request::patch(url, etag, &Value::Object(changes)), Doing::Writing("changing an event")).await
    }

    /// Brings the occurrences to what is wanted, the master being there already.
    pub(super) async fn finish(
        &self,
        calendar: &RemoteCalendarId,
        mut whole: Whole,
        wanted: &EventContent,
    ) -> Result<RemoteEvent> {
        if wanted.is_series() {
            for one in &wanted.overrides {
                self.settle_occurrence(calendar, &mut whole, &one.recurrence_id, &one.facts).await.map_err(half)?;
            }
            // Occurrences that differ there and no longer do here, or that are back.
            for original in strays(&whole, wanted) {
                let facts = at_its_place(&wanted.facts, &original);
                self.settle_occurrence(calendar, &mut whole, &original, &facts).await.map_err(half)?;
            }
        }
        told(&whole, calendar)
    }

    async fn settle_occurrence(
        &self,
        calendar: &RemoteCalendarId,
        whole: &mut Whole,
        original: &EventTime,
        wanted: &Facts,
    ) -> Result<()> {
        let known = whole.exception_at(original);
        let item = match known {
            Some(item) if item.text("etag").is_some() && item.0.contains_key("start") => item.clone(),
            _ => match self.instance(calendar, whole.master.id(), original).await? {
                Some(item) => item,
                // The rule no longer has this occurrence.
                None => return Ok(()),
            },
        };
        let held = convert::read_facts(&item).ok();
        if known.is_none() && !plain(&item, held.as_ref(), whole, original) {
            return Err(ProviderError::new(FailureClass::Conflict, "the occurrence was changed there meanwhile"));
        }
        let changes = convert::facts(wanted, held.as_ref());
        if !changes.is_empty() {
            let now = self.patch(calendar, item.id(), item.etag(), changes).await?;
            whole.exceptions.insert(now.id().to_owned(), now);
        }
        Ok(())
    }

    /// One occurrence by its original start; a cancelled one too.
    async fn instance(&self, calendar: &RemoteCalendarId, master: &str, original: &EventTime) -> Result<Option<Item>> {
        let url = self.at(&["calendars", calendar.as_str(), "events", master, "instances"]);
        let request = request::instance(url, &convert::original_start(original));
        let answer = self.ask(request, Doing::Reading("reading one occurrence")).await?;
        let found = answer
            .items()
            .find(|item| convert::time(item, "originalStartTime").is_ok_and(|time| series::same(&time, original)));
        Ok(found)
    }
}

/// Occurrences with an exception there for which nothing is wanted but what the series says.
fn strays(whole: &Whole, wanted: &EventContent) -> Vec<EventTime> {
    let said = |time: &EventTime| {
        let overridden = wanted.overrides.iter().any(|one: &Override| series::same(&one.recurrence_id, time));
        overridden || wanted.recurrence.excluded.iter().any(|left_out| series::same(left_out, time))
    };
    let originals = whole.exceptions.values().filter_map(|item| convert::time(item, "originalStartTime").ok());
    originals.filter(|time| !said(time)).collect()
}

/// Whether an occurrence says there what its series says.
fn plain(item: &Item, held: Option<&Facts>, whole: &Whole, original: &EventTime) -> bool {
    let Ok(master) = convert::read_facts(&whole.master) else { return false };
    let (said, Some(held)) = (at_its_place(&master, original), held) else { return false };
    let mut held = held.clone();
    if at_its_time(item, &whole.master, &said) {
        (held.start, held.end) = (said.start, said.end);
    }
    !item.cancelled() && convert::facts(&said, Some(&held)).is_empty()
}

/// Whether an occurrence begins with its series' clock and is as long, by that clock or by elapsed time: where clocks change within
/// it, the end that is told is another one than the series' own.
fn at_its_time(item: &Item, master: &Item, said: &Facts) -> bool {
    let at = |item: &Item, field: &str| {
        let text = item.0.get(field)?.get("dateTime")?.as_str()?;
        chrono::DateTime::parse_from_rfc3339(text).ok()
    };
    let span = |item| Some((at(item, "start")?, at(item, "end")?));
    let (Some((start, end)), Some((from, to))) = (span(item), span(master)) else { return false };
    start == said.start.instant(chrono_tz::UTC) && (end == said.end.instant(chrono_tz::UTC) || end - start == to - from)
}

/// What the series says at one of its occurrences.
fn at_its_place(master: &Facts, original: &EventTime) -> Facts {
    let length = master.end.wall() - master.start.wall();
    let start = match (original, &master.start) {
        (EventTime::DateTime { .. }, EventTime::DateTime { zone: crate::domain::time::Zone::Named(tz), .. }) => {
            EventTime::zoned(original.instant(chrono_tz::UTC).with_timezone(tz).naive_local(), *tz)
        }
        _ => *original,
    };
    Facts { start, end: master.end.with_wall(start.wall() + length), ..master.clone() }
}

pub(super) fn told(whole: &Whole, calendar: &RemoteCalendarId) -> Result<RemoteEvent> {
    whole.event(calendar).map_err(|unreadable| ProviderError::new(FailureClass::Malformed, unreadable.why))
}

/// What certainly may not be changed is not asked for.
fn writable(item: &Item) -> Result<()> {
    let ours = item.inside("organizer").is_none_or(|organizer| organizer.get("self") == Some(&Value::Bool(true)));
    let shared = item.flag("guestsCanModify") == Some(true);
    let kind = item.text("eventType").unwrap_or("default");
    let why = if !(ours || shared) {
        "the event belongs to its organizer, who alone may change it"
    } else if item.flag("locked") == Some(true) {
        "the event is locked at the provider"
    } else if kind != "default" {
        "the provider lets nobody change events of this kind"
    } else {
        return Ok(());
    };
    Err(ProviderError::new(FailureClass::Forbidden, why))
}

/// A later step of a write failed: what is there now has to be read.
fn half(error: ProviderError) -> ProviderError {
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

fn gone() -> ProviderError {
    ProviderError::new(FailureClass::Gone, "the event is not there any more")
}

/// Lines in one order, for their order means nothing.
fn sorted(lines: &Value) -> Vec<String> {
    let mut texts: Vec<_> =
        lines.as_array().into_iter().flatten().filter_map(|line| line.as_str().map(str::to_owned)).collect();
    texts.sort();
    texts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whether an occurrence that begins and ends like this is what a series says that begins and ends like that, in Berlin.
    fn is_plain(series: [&str; 2], occurrence: [&str; 2], original: &str) -> bool {
        let item = |[start, end]: [&str; 2]| {
            let time = |at: &str| json!({ "dateTime": at, "timeZone": "Europe/Berlin" });
            let said =
                json!({ "id": "one", "status": "confirmed", "summary": "Run", "start": time(start), "end": time(end) });
            Item(said.as_object().expect("an object").clone())
        };
        let (whole, item) = (Whole::single(item(series)), item(occurrence));
        let original = EventTime::zoned(original.parse().expect("a time"), chrono_tz::Europe::Berlin);
        plain(&item, convert::read_facts(&item).ok().as_ref(), &whole, &original)
    }

    #[test]
    fn an_occurrence_in_the_night_of_a_clock_change_is_as_the_series_has_it() {
        let spring = ["2026-03-28T01:00:00+01:00", "2026-03-28T02:00:00+01:00"];
        assert!(is_plain(spring, ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"], "2026-03-29T01:00:00"));
        assert!(!is_plain(spring, ["2026-03-29T01:00:00+01:00", "2026-03-29T03:30:00+02:00"], "2026-03-29T01:00:00"));
        let autumn = ["2026-10-24T02:15:00+02:00", "2026-10-24T03:15:00+02:00"];
        assert!(is_plain(autumn, ["2026-10-25T02:15:00+02:00", "2026-10-25T02:15:00+01:00"], "2026-10-25T02:15:00"));
        assert!(is_plain(autumn, ["2026-10-25T02:15:00+02:00", "2026-10-25T03:15:00+01:00"], "2026-10-25T02:15:00"));
        assert!(!is_plain(autumn, ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"], "2026-10-25T02:15:00"));
    }
}
