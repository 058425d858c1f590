//! Events as their readers see them: whole series, or every occurrence in a window.
//!
//! - **mark**: a row's place in the order of a list; the next page begins after it.
//!
//! **Invariant:** walking the pages of an unchanged calendar tells every row once, in the order of the starts.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{Services, edit_event::EditError};
use crate::{
    domain::{
        event::{EventContent, Facts, Override},
        ids::{CalendarId, EventId, UserId},
        mapping::Event,
        person::Scope,
        time::{EventTime, Window, Zone, resolve_wall},
    },
    engine::recurrence::{Bounds, expand},
    ical,
    store::{Mode, Tx},
};

/// Longest window that is expanded, in days: two years, leap day included.
pub const WINDOW_DAYS_MAX: i64 = 731;
/// Events read from the store at a time.
const BATCH: u32 = 500;
/// How far the stored place of an event may be from its occurrences: floating times move with the zone they are read in.
const SLACK: Duration = Duration::days(1);
/// Batches read for one page at most: half a million events.
const BATCHES_MAX: u32 = 1_000;

/// One end of a window, as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// An instant.
    At(DateTime<Utc>),
    /// The first instant of a day, where the user is.
    Day(NaiveDate),
}

impl std::str::FromStr for Edge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(day) = text.parse() {
            return Ok(Self::Day(day));
        }
        // A `+` that was not escaped arrives as a space.
        DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
            .map(|at| Self::At(at.with_timezone(&Utc)))
            .map_err(|_| "give a date such as 2026-03-29 or an instant such as 2026-03-29T10:00:00Z".to_owned())
    }
}

impl Edge {
    fn instant(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::Day(day) => resolve_wall(day.and_time(NaiveTime::MIN), zone),
        }
    }
}

/// Which events are wanted.
#[derive(Clone, Debug)]
pub struct EventsWanted {
    /// Whose.
    pub user_id: UserId,
    /// From here on; needed to expand.
    pub from: Option<Edge>,
    /// Up to here; needed to expand.
    pub to: Option<Edge>,
    /// Every occurrence is a row.
    pub expand: bool,
    /// Of this calendar only.
    pub calendar_id: Option<CalendarId>,
    /// After this row.
    pub after: Option<Mark>,
    /// Rows at most.
    pub limit: u32,
}

/// A row's place: its start, its event, and which occurrence it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark(i64, EventId, Option<String>);

/// One row: an event, or one occurrence of it.
#[derive(Clone, Debug)]
pub struct EventFacts {
    /// The event; its content's facts are the master's.
    pub event: Event,
    /// What the row says, with its own start and end.
    pub facts: Facts,
    /// `RRULE`, `RDATE`, `EXDATE` lines of the whole series.
    pub recurrence: Vec<String>,
    /// Which occurrence it is, by its original start.
    pub recurrence_id: Option<EventTime>,
    /// Its place in a list.
    pub mark: Mark,
}

impl EventFacts {
    /// An event as a whole.
    #[must_use]
    pub fn whole(event: Event, zone: Tz) -> Self {
        let at = event.content.facts.start.instant(zone);
        Self::at(event, at)
    }

    fn at(event: Event, at: DateTime<Utc>) -> Self {
        Self {
            facts: event.content.facts.clone(),
            recurrence: ical::recurrence_lines(&event.content),
            recurrence_id: None,
            mark: Mark(at.timestamp_micros(), event.id, None),
            event,
        }
    }
}

/// The years that fit: a window without ends.
fn always() -> Window {
    let year = |year| Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).single().unwrap_or_default();
    Window { from: year(1), to: year(9999) }
}

impl Services {
    /// One event that is not deleted.
    pub async fn event(&self, scope: &Scope, id: EventId) -> Result<EventFacts, EditError> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let event = tx.event(scope, id).await?.filter(|event| event.deleted_at.is_none());
        let event = event.ok_or(EditError::NotFound("event"))?;
        tx.commit().await?;
        Ok(EventFacts::whole(event, Tz::UTC))
    }

    /// One page of events, one row more than asked for if there is one.
    pub async fn events(&self, scope: &Scope, wanted: &EventsWanted) -> Result<Vec<EventFacts>, EditError> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let user = tx.user(&wanted.user_id).await?.ok_or(EditError::NotFound("user"))?;
        let window = window(wanted, user.time_zone)?;
        let rows = if wanted.expand {
            let mut reader = Reader { tx: &mut tx, scope, wanted, zone: user.time_zone, zones: BTreeMap::new() };
            reader.occurrences(window).await?
        } else {
            let after = wanted.after.as_ref().and_then(|mark| Some((DateTime::from_timestamp_micros(mark.0)?, mark.1)));
            let limit = wanted.limit.saturating_add(1);
            let (user, calendar) = (&wanted.user_id, wanted.calendar_id);
            let found = tx.events_in(scope, user, window.from, window.to, calendar, false, after, limit).await?;
            found.into_iter().map(|(at, event)| EventFacts::at(event, at)).collect()
        };
        tx.commit().await?;
        Ok(rows)
    }
}

fn window(wanted: &EventsWanted, zone: Tz) -> Result<Window, EditError> {
    let invalid = |field, why: &str| EditError::Invalid { field, why: why.to_owned() };
    let given = |edge: Option<Edge>, field, open| match edge {
        Some(edge) => Ok(edge.instant(zone)),
        None if wanted.expand => Err(invalid(field, "needed with expand: a date or an instant")),
        None => Ok(open),
    };
    let from = given(wanted.from, "from", always().from)?;
    let to = given(wanted.to, "to", always().to)?;
    if to <= from {
        return Err(invalid("to", "the end of the window is not after its begin"));
    }
    if wanted.expand && to - from > Duration::days(WINDOW_DAYS_MAX) {
        return Err(invalid("to", "a window to expand is two years long at most"));
    }
    Ok(Window { from, to })
}

struct Reader<'a> {
    tx: &'a mut Tx,
    scope: &'a Scope,
    wanted: &'a EventsWanted,
    zone: Tz,
    zones: BTreeMap<CalendarId, Tz>,
}

impl Reader<'_> {
    /// Events come by their first instant, and no occurrence is before that of its event: once enough rows begin well before
    /// the last event read, no event still unread can come before them.
    async fn occurrences(&mut self, window: Window) -> Result<Vec<EventFacts>, EditError> {
        let wanted = self.wanted;
        let enough = usize::try_from(wanted.limit).unwrap_or(usize::MAX).saturating_add(1);
        // Rows that end before the mark were told already.
        let reached = wanted.after.as_ref().and_then(|mark| DateTime::from_timestamp_micros(mark.0));
        let window = Window { from: window.from.max(reached.unwrap_or(window.from)), to: window.to };
        let near = Window {
            from: window.from.checked_sub_signed(SLACK).unwrap_or(window.from),
            to: window.to.checked_add_signed(SLACK).unwrap_or(window.to),
        };
        let mut rows = Vec::new();
        let mut after = None;
        for _ in 0..BATCHES_MAX {
            let (user, calendar) = (&wanted.user_id, wanted.calendar_id);
            let batch = self.tx.events_in(self.scope, user, near.from, near.to, calendar, false, after, BATCH).await?;
            let Some((at, last)) = batch.last().map(|(at, event)| (*at, event.id)) else { break };
            after = Some((at, last));
            let read = batch.len();
            for (_, event) in batch {
                let zone = self.floating_in(event.calendar_id).await?;
                spread(event, window, zone, wanted.after.as_ref(), &mut rows);
            }
            let sure = (at - SLACK).timestamp_micros();
            let settled = rows.iter().filter(|row: &&EventFacts| row.mark.0 < sure).count();
            if settled >= enough || read < usize::try_from(BATCH).unwrap_or(0) {
                break;
            }
        }
        rows.sort_by(|a, b| a.mark.cmp(&b.mark));
        rows.truncate(enough);
        Ok(rows)
    }

    /// Where the floating times of a calendar are read.
    async fn floating_in(&mut self, calendar: Option<CalendarId>) -> Result<Tz, EditError> {
        let Some(id) = calendar else { return Ok(self.zone) };
        if let Some(zone) = self.zones.get(&id) {
            return Ok(*zone);
        }
        let named = self.tx.calendar(self.scope, id).await?.and_then(|calendar| calendar.time_zone);
        let zone = named.and_then(|name| name.parse().ok()).unwrap_or(self.zone);
        self.zones.insert(id, zone);
        Ok(zone)
    }
}

/// Adds the occurrences of an event that come after the mark. A rule that cannot be expanded shows as its master.
fn spread(event: Event, window: Window, zone: Tz, after: Option<&Mark>, rows: &mut Vec<EventFacts>) {
    let shown = |mark: &Mark| after.is_none_or(|after| mark > after);
    let Ok(expansion) = expand(&event.content, window, zone, &Bounds::default()) else {
        let whole = EventFacts::whole(event, zone);
        rows.extend(Some(whole).filter(|row| shown(&row.mark)));
        return;
    };
    let recurrence = ical::recurrence_lines(&event.content);
    // Rows share their event; its overrides and exceptions are not told again in each of them.
    let slim = EventContent { overrides: Vec::new(), ..event.content.clone() };
    let slim = Event { content: slim, ..event.clone() };
    for occurrence in expansion.occurrences {
        let which = occurrence.recurrence_id.map(|id| id.wall().to_string());
        let mark = Mark(occurrence.start.timestamp_micros(), event.id, which);
        if shown(&mark) {
            rows.push(EventFacts {
                event: slim.clone(),
                facts: occurrence.facts.into_owned(),
                recurrence: recurrence.clone(),
                recurrence_id: occurrence.recurrence_id,
                mark,
            });
        }
    }
}

/// Which occurrence a caller means: a date, a wall time of the series, or an instant, told as the series tells its starts.
#[must_use]
pub fn occurrence_id(content: &EventContent, asked: EventTime) -> EventTime {
    let start = content.facts.start;
    match (start, asked) {
        (EventTime::Date(_), asked) => EventTime::Date(asked.wall().date()),
        (EventTime::DateTime { local, .. }, EventTime::Date(day)) => start.with_wall(day.and_time(local.time())),
        (EventTime::DateTime { .. }, EventTime::DateTime { local, zone: Zone::Floating }) => start.with_wall(local),
        (EventTime::DateTime { zone, .. }, asked) if zone == asked.zone() => asked,
        (EventTime::DateTime { zone, .. }, asked) => {
            let at = asked.instant(Tz::UTC).naive_utc();
            match zone {
                Zone::Utc => start.with_wall(at),
                Zone::Named(tz) => start.with_wall(tz.from_utc_datetime(&at).naive_local()),
                Zone::Fixed(seconds) => start.with_wall(at + Duration::seconds(i64::from(seconds))),
                Zone::Floating => start.with_wall(asked.wall()),
            }
        }
    }
}

/// What one occurrence says now; `None`: the series has no such occurrence.
#[must_use]
pub fn occurrence_facts(content: &EventContent, id: EventTime, zone: Tz) -> Option<Facts> {
    if let Some(Override { facts, .. }) = content.override_at(&id) {
        return Some(facts.clone());
    }
    let at = id.instant(zone);
    let around = Window { from: at - Duration::days(1), to: at + Duration::days(1) };
    let expansion = expand(content, around, zone, &Bounds::default()).ok()?;
    let found = expansion.occurrences.into_iter().find(|occurrence| occurrence.recurrence_id == Some(id));
    found.map(|occurrence| occurrence.facts.into_owned())
}
