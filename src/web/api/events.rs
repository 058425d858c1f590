//! Events and series.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::emptied;
use crate::{
    domain::{
        event::{EventContent, EventStatus, Facts, Transparency, Visibility},
        ids::{CalendarId, EventId, UserId},
        mapping::Origin,
        time::{EventTime, YEARS, YEARS_WORDS},
    },
    engine::series::EditScope,
    service::{
        edit_event::NewEvent,
        patch_event::{FactsPatch, PatchEvent},
        read_events::{CutShort, EventFacts, EventsWanted},
    },
    web::{
        etag::etag,
        paging::seal,
        problem::Problem,
        request::{ApiRequest, json, nothing, versioned},
        route::HandlerResult,
    },
};

/// A date (`{"date"}`: all day), or a time (`{"date_time","time_zone"}`).
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
pub struct Time {
    /// A whole day; as an end, the day after the last.
    #[serde(default)]
    date: Option<String>,
    /// A wall time in `time_zone` (`2026-03-29T10:00:00`), or an instant with `Z` or an offset.
    #[serde(default)]
    date_time: Option<String>,
    /// IANA name of the zone; without it and without an offset the time floats.
    #[serde(default)]
    time_zone: Option<String>,
}

impl Time {
    pub(super) fn read(&self, field: &str) -> Result<EventTime, Problem> {
        match (&self.date, &self.date_time) {
            (Some(date), None) if self.time_zone.is_none() => {
                let day: Result<NaiveDate, _> = date.parse();
                let wrong = |why: &str| Problem::invalid(format!("{field}.date"), why);
                let day = day.map_err(|_| wrong(&format!("`{date}` is no date such as 2026-03-29")))?;
                if YEARS.contains(&day.year()) { Ok(EventTime::Date(day)) } else { Err(wrong(YEARS_WORDS)) }
            }
            (Some(_), None) => Err(Problem::invalid(format!("{field}.time_zone"), "a date has no time zone")),
            (None, Some(time)) => EventTime::parse(time, self.time_zone.as_deref()).map_err(|why| {
                let (part, why) = why.split_once(": ").unwrap_or(("date_time", &why));
                Problem::invalid(format!("{field}.{part}"), why)
            }),
            _ => Err(Problem::invalid(field, "give either `date`, or `date_time` with its `time_zone`")),
        }
    }
}

/// A new event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventBody {
    /// Whose.
    #[schema(value_type = String)]
    user_id: UserId,
    /// Its home; without it, it stays here.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    calendar_id: Option<CalendarId>,
    /// Title.
    title: String,
    /// When it starts.
    start: Time,
    /// When it ends, exclusive.
    end: Time,
    /// `RRULE:…`, `RDATE:…`, `EXDATE:…` lines of RFC 5545; `RRULE:` may be left out.
    #[serde(default)]
    recurrence: Vec<String>,
    /// Where.
    #[serde(default)]
    location: Option<String>,
    /// Text.
    #[serde(default)]
    description: Option<String>,
    /// `confirmed` (without it), `tentative` or `cancelled`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    status: Option<EventStatus>,
    /// `opaque` (busy, without it) or `transparent` (free).
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    transparency: Option<Transparency>,
    /// `public` (without it), `private` or `confidential`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    visibility: Option<Visibility>,
    /// A page about it.
    #[serde(default)]
    url: Option<String>,
}

/// What is to change in an event; what is left out stays, `null` empties.
#[expect(clippy::option_option, reason = "left out, emptied and set are three things to a patch")]
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventPatch {
    /// Title.
    #[serde(default)]
    title: Option<String>,
    /// When it starts; without a new end, the end moves along.
    #[serde(default)]
    start: Option<Time>,
    /// When it ends.
    #[serde(default)]
    end: Option<Time>,
    /// All recurrence lines; an empty list makes it happen once.
    #[serde(default)]
    recurrence: Option<Vec<String>>,
    /// Where.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<String>)]
    location: Option<Option<String>>,
    /// Text.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// `confirmed`, `tentative` or `cancelled`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    status: Option<EventStatus>,
    /// `opaque` or `transparent`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    transparency: Option<Transparency>,
    /// `public`, `private` or `confidential`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    visibility: Option<Visibility>,
    /// A page about it.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<String>)]
    url: Option<Option<String>>,
}

/// An event, a whole series, or one occurrence of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Ours; the occurrences of a series share it.
    #[schema(value_type = uuid::Uuid)]
    id: EventId,
    /// Whose.
    #[schema(value_type = String)]
    user_id: UserId,
    /// Its home; `null`: it lives here only.
    #[schema(value_type = Option<uuid::Uuid>)]
    calendar_id: Option<CalendarId>,
    /// Its iCalendar `UID`.
    uid: String,
    /// Title.
    title: String,
    /// When it starts.
    #[schema(value_type = Time)]
    start: EventTime,
    /// When it ends, exclusive.
    #[schema(value_type = Time)]
    end: EventTime,
    /// The lines of the whole series; empty: it happens once.
    recurrence: Vec<String>,
    /// Whether it belongs to a series.
    recurring: bool,
    /// Which occurrence this row is, by its original start.
    #[schema(value_type = Option<Time>)]
    recurrence_id: Option<EventTime>,
    /// Occurrences that differ from the series; shown with the whole series only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<OverrideView>,
    /// What it says besides.
    #[serde(flatten)]
    words: Words,
    /// `local` or `remote`: where it was first made.
    #[schema(value_type = String)]
    origin: Origin,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When somebody last changed it.
    updated_at: DateTime<Utc>,
    /// For `If-Match`.
    etag: String,
}

/// One page of events.
#[derive(Debug, Serialize)]
struct EventPage {
    /// The rows, by their start; fewer than `limit` where their texts are long.
    data: Vec<EventView>,
    /// Where the next page begins; `null`: this is the last.
    next_cursor: Option<String>,
    /// What was too much to look at: rows may be missing. Left out where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<TruncatedView>,
}

/// What a bound left out of an answer. Ask for a narrower window, or for one calendar.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Truncated)]
pub struct TruncatedView {
    /// Series with more occurrences than one answer looks for; the first twenty of them.
    #[schema(value_type = Vec<uuid::Uuid>)]
    events: Vec<EventId>,
    /// What to do.
    detail: &'static str,
}

impl From<CutShort> for TruncatedView {
    fn from(cut: CutShort) -> Self {
        let detail = if cut.unread {
            "the window holds more events than one answer reads: narrow `from` and `to`, or name a `calendar_id`"
        } else {
            "these series have more occurrences than one answer looks for: narrow `from` and `to`"
        };
        Self { events: cut.events, detail }
    }
}

/// What an event or an occurrence says besides its title and times.
#[derive(Debug, Serialize, ToSchema)]
pub struct Words {
    /// Where.
    location: Option<String>,
    /// Text.
    description: Option<String>,
    /// `confirmed`, `tentative` or `cancelled`.
    #[schema(value_type = String)]
    status: EventStatus,
    /// `opaque` (busy) or `transparent` (free).
    #[schema(value_type = String)]
    transparency: Transparency,
    /// `public`, `private` or `confidential`.
    #[schema(value_type = String)]
    visibility: Visibility,
    /// A page about it.
    url: Option<String>,
}

/// An occurrence that differs from its series.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Override)]
pub struct OverrideView {
    /// Which occurrence, by its original start.
    #[schema(value_type = Time)]
    recurrence_id: EventTime,
    /// Title.
    title: String,
    /// When it starts.
    #[schema(value_type = Time)]
    start: EventTime,
    /// When it ends.
    #[schema(value_type = Time)]
    end: EventTime,
    /// What it says besides.
    #[serde(flatten)]
    words: Words,
}

impl Words {
    fn of(facts: &mut Facts) -> Self {
        Self {
            location: facts.location.take(),
            description: facts.description.take(),
            status: facts.status,
            transparency: facts.transparency,
            visibility: facts.visibility,
            url: facts.url.take(),
        }
    }
}

impl From<EventFacts> for EventView {
    fn from(row: EventFacts) -> Self {
        let (event, mut facts) = (row.event, row.facts);
        let overrides = if row.recurrence_id.is_none() { event.content.overrides.clone() } else { Vec::new() };
        let overrides = overrides.into_iter().map(|mut held| OverrideView {
            recurrence_id: held.recurrence_id,
            words: Words::of(&mut held.facts),
            title: held.facts.title,
            start: held.facts.start,
            end: held.facts.end,
        });
        Self {
            id: event.id,
            user_id: event.user_id.clone(),
            calendar_id: event.calendar_id,
            uid: event.uid.0.clone(),
            recurring: row.recurrence_id.is_some() || !row.recurrence.is_empty(),
            recurrence: row.recurrence,
            recurrence_id: row.recurrence_id,
            overrides: overrides.collect(),
            words: Words::of(&mut facts),
            title: facts.title,
            start: facts.start,
            end: facts.end,
            origin: event.origin,
            created_at: event.created_at,
            updated_at: event.updated_at,
            etag: etag(event.version),
        }
    }
}

/// `GET /v1/events`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let Some(user_id) = request.user()? else {
        return Err(Problem::invalid("user_id", "say whose events, here or with `Calwarden-User`"));
    };
    let limit = request.limit()?;
    let wanted = EventsWanted {
        user_id,
        from: request.param("from")?,
        to: request.param("to")?,
        expand: request.param("expand")?.unwrap_or(false),
        calendar_id: request.param("calendar_id")?,
        after: request.cursor()?,
        limit,
    };
    let page = request.services().events(request.scope(), &wanted).await?;
    let next_cursor = page.rows.last().filter(|_| page.more).map(|row| seal(&row.mark));
    let truncated = page.cut.map(TruncatedView::from);
    json(200, &EventPage { data: page.rows.into_iter().map(EventView::from).collect(), next_cursor, truncated })
}

/// `POST /v1/events`
pub async fn create(request: ApiRequest) -> HandlerResult {
    let body: EventBody = request.body()?;
    let facts = Facts {
        title: body.title,
        description: body.description,
        location: body.location,
        start: body.start.read("start")?,
        end: body.end.read("end")?,
        status: body.status.unwrap_or_default(),
        transparency: body.transparency.unwrap_or_default(),
        visibility: body.visibility.unwrap_or_default(),
        url: body.url,
    };
    let new = NewEvent { user_id: body.user_id, calendar_id: body.calendar_id, content: EventContent::single(facts) };
    let event = request.services().create_event_from_lines(request.scope(), new, &body.recurrence).await?;
    versioned(201, event.version, &EventView::from(EventFacts::whole(event, chrono_tz::Tz::UTC)))
}

/// `GET /v1/events/{id}`
pub async fn get(request: ApiRequest) -> HandlerResult {
    let row = request.services().event(request.scope(), request.id("id", "event")?).await?;
    versioned(200, row.event.version, &EventView::from(row))
}

/// How far a change reaches, and from which occurrence on.
fn reach(request: &ApiRequest) -> Result<(Option<EditScope>, Option<EventTime>), Problem> {
    let scope = request.param::<String>("scope")?.map(|word| match word.as_str() {
        "this" => Ok(EditScope::This),
        "following" => Ok(EditScope::Following),
        "all" => Ok(EditScope::All),
        _ => Err(Problem::invalid("scope", "`this`, `following` or `all`")),
    });
    let occurrence = request.param::<String>("recurrence_id")?.map(|text| {
        if let Ok(day) = text.parse() {
            return Ok(EventTime::Date(day));
        }
        // A `+` that was not escaped arrives as a space.
        EventTime::parse(&text.replace(' ', "+"), None).map_err(|why| Problem::invalid("recurrence_id", why))
    });
    Ok((scope.transpose()?, occurrence.transpose()?))
}

/// `PATCH /v1/events/{id}`
pub async fn patch(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "event")?;
    let body: EventPatch = request.body()?;
    let (scope, recurrence_id) = reach(&request)?;
    let facts = FactsPatch {
        title: body.title,
        description: body.description,
        location: body.location,
        start: body.start.map(|time| time.read("start")).transpose()?,
        end: body.end.map(|time| time.read("end")).transpose()?,
        status: body.status,
        transparency: body.transparency,
        visibility: body.visibility,
        url: body.url,
    };
    let patch = PatchEvent { facts, recurrence: body.recurrence, recurrence_id, scope };
    let event = request.services().patch_event(request.scope(), id, request.if_match(), patch).await?;
    versioned(200, event.version, &EventView::from(EventFacts::whole(event, chrono_tz::Tz::UTC)))
}

/// `DELETE /v1/events/{id}`
pub async fn delete(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "event")?;
    let (scope, recurrence_id) = reach(&request)?;
    request.services().remove_event(request.scope(), id, request.if_match(), recurrence_id, scope).await?;
    Ok(nothing())
}

/// `POST /v1/events/{id}/restore`
pub async fn restore(request: ApiRequest) -> HandlerResult {
    let event = request.services().restore_event(request.scope(), request.id("id", "event")?).await?;
    versioned(200, event.version, &EventView::from(EventFacts::whole(event, chrono_tz::Tz::UTC)))
}
