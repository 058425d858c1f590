//! Events as their readers see them: whole series, or every occurrence in a window.
//!
//! **Invariant:** walking the pages of an unchanged calendar shows every row once, in the order of the starts.
//! **Invariant:** what one request reads, expands and answers is bounded; what that leaves out is reported ([`EventsPage::cut`]).

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Datelike as _, Duration, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::{Refusal, Services};
pub use crate::engine::listing::Mark;
use crate::{
    domain::{
        event::{EventContent, Facts, Override},
        ids::{CalendarId, EventId, UserId},
        mapping::Event,
        person::Scope,
        time::{EventTime, Window, YEARS, YEARS_WORDS, Zone, is_in_years, resolve_wall},
    },
    engine::{
        listing::Listing,
        recurrence::{Bounds, ExpansionBudget, expand},
    },
    ical,
    store::{EventFilter, Mode, Tx},
};

/// Longest window that is expanded, in days: two years, leap day included.
pub const WINDOW_DAYS_MAX: i64 = 731;
/// Events read from the store at a time.
const BATCH: u32 = 200;
/// How far the stored place of an event may be from its occurrences: floating times move with the zone they are read in.
const SLACK: Duration = Duration::days(1);
/// Batches read for one page, or for one person's busy time, at most: twenty thousand events.
pub(super) const BATCHES_MAX: u32 = 100;
/// Bytes of text in one page, about; a page that would be longer ends earlier.
const PAGE_TEXT_MAX: usize = 4 * 1024 * 1024;

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
        if let Ok(day) = text.parse::<NaiveDate>() {
            return if YEARS.contains(&day.year()) { Ok(Self::Day(day)) } else { Err(YEARS_WORDS.to_owned()) };
        }
        // A `+` that was not escaped arrives as a space.
        let at = DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
            .map_err(|_| "give a date such as 2026-03-29 or an instant such as 2026-03-29T10:00:00Z".to_owned())?;
        let at = at.with_timezone(&Utc);
        if is_in_years(at) { Ok(Self::At(at)) } else { Err(YEARS_WORDS.to_owned()) }
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

/// One row: an event, or one occurrence of it.
#[derive(Clone, Debug)]
pub struct EventFacts {
    /// The event, which other rows may share; its content's facts are the master's.
    pub event: Arc<Event>,
    /// What the row says, with its own start and end.
    pub facts: Facts,
    /// `RRULE`, `RDATE`, `EXDATE` lines of the whole series.
    pub recurrence: Vec<String>,
    /// Which occurrence it is, by its original start.
    pub recurrence_id: Option<EventTime>,
    /// Its place in a list.
    pub mark: Mark,
}

/// What a bound left out of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CutShort {
    /// Series whose occurrences could not all be looked for; the first of them.
    pub events: Vec<EventId>,
    /// There are more events in the window than one answer reads.
    pub unread: bool,
}

impl CutShort {
    /// What was left out; `None`: nothing.
    pub(super) fn of(events: &[EventId], unread: bool) -> Option<Self> {
        (unread || !events.is_empty()).then(|| Self { events: events.to_vec(), unread })
    }
}

/// One page of events.
#[derive(Clone, Debug)]
pub struct EventsPage {
    /// The rows.
    pub rows: Vec<EventFacts>,
    /// Whether rows follow these.
    pub more: bool,
    /// What may be missing.
    pub cut: Option<CutShort>,
}

impl EventsPage {
    /// A page of rows, one more than asked for where there is one. It ends early where its text would be too long.
    fn cut_to(mut rows: Vec<EventFacts>, limit: u32, cut: Option<CutShort>) -> Self {
        let mut room = PAGE_TEXT_MAX;
        let fit = rows.iter().take_while(|row| {
            let fits = room > 0;
            room = room.saturating_sub(row.text_bytes());
            fits
        });
        let kept = fit.count().min(usize::try_from(limit).unwrap_or(usize::MAX));
        let more = rows.len() > kept;
        rows.truncate(kept);
        Self { rows, more, cut }
    }
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
            event: Arc::new(event),
        }
    }

    /// How long its texts are: what a row costs in an answer.
    fn text_bytes(&self) -> usize {
        let facts = |facts: &Facts| {
            let texts = [&facts.description, &facts.location, &facts.url];
            facts.title.len() + texts.into_iter().flatten().map(String::len).sum::<usize>()
        };
        let overrides = &self.event.content.overrides;
        let overrides = if self.recurrence_id.is_some() { &[] } else { overrides.as_slice() };
        facts(&self.facts)
            + self.recurrence.iter().map(String::len).sum::<usize>()
            + overrides.iter().map(|own| facts(&own.facts)).sum::<usize>()
    }
}

/// The years that fit: a window without ends.
fn always() -> Window {
    let year = |year| Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).single().unwrap_or_default();
    Window { from: year(1), to: year(9_999) }
}

impl Services {
    /// One event that is not deleted.
    pub async fn event(&self, scope: &Scope, id: EventId) -> Result<EventFacts, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let event = tx.event(scope, id).await?.filter(|event| event.deleted_at.is_none());
        let event = event.ok_or(Refusal::NotFound("event"))?;
        tx.commit().await?;
        Ok(EventFacts::whole(event, Tz::UTC))
    }

    /// One page of events.
    pub async fn events(&self, scope: &Scope, wanted: &EventsWanted) -> Result<EventsPage, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let user = tx.user(&wanted.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        let window = window(wanted, user.time_zone)?;
        let page = if wanted.expand {
            let near = near(window, wanted.after.as_ref().and_then(Mark::at));
            let shown = EventFilter { calendar: wanted.calendar_id, ..EventFilter::new(&wanted.user_id, near) };
            let mut reader = EventReader::new(&mut tx, scope, shown, user.time_zone);
            self.occurrences(&mut reader, window, wanted).await?
        } else {
            let after = wanted.after.as_ref().and_then(|mark| Some((mark.at()?, mark.1)));
            let limit = wanted.limit.saturating_add(1);
            let shown = EventFilter { calendar: wanted.calendar_id, ..EventFilter::new(&wanted.user_id, window) };
            let found = tx.events_in(scope, shown, after, limit).await?;
            let rows = found.into_iter().map(|(at, event)| EventFacts::at(event, at)).collect();
            EventsPage::cut_to(rows, wanted.limit, None)
        };
        tx.commit().await?;
        Ok(page)
    }

    /// Events come by their first instant, and no occurrence is before that of its event: once the last row of the page is well
    /// before the last event read, no event still unread can come before it.
    async fn occurrences(
        &self,
        reader: &mut EventReader<'_>,
        window: Window,
        wanted: &EventsWanted,
    ) -> Result<EventsPage, Refusal> {
        let enough = usize::try_from(wanted.limit).unwrap_or(usize::MAX).saturating_add(1);
        let mut listing = Listing::new(window, wanted.after.clone(), enough, ExpansionBudget::REQUEST);
        let mut unread = true;
        for _ in 0..BATCHES_MAX {
            let Some(batch) = reader.next().await? else {
                unread = false;
                break;
            };
            let last = batch.last_at;
            listing = self
                .offload
                .run(move || {
                    for (event, zone) in batch.events {
                        listing.add(&Arc::new(event), zone);
                    }
                    listing
                })
                .await?;
            if listing.is_settled(last - SLACK) {
                unread = false;
                break;
            }
        }
        let cut = CutShort::of(listing.unfinished(), unread);
        let rows = listing.into_rows().into_iter().map(|(mark, row)| EventFacts {
            facts: row.facts(),
            recurrence: ical::recurrence_lines(&row.event.content),
            recurrence_id: row.recurrence_id,
            event: row.event,
            mark,
        });
        Ok(EventsPage::cut_to(rows.collect(), wanted.limit, cut))
    }
}

/// The window that events are read by, for occurrences in a window that start no earlier than `reached`.
pub(super) fn near(window: Window, reached: Option<DateTime<Utc>>) -> Window {
    let from = reached.map_or(window.from, |reached| reached.max(window.from));
    Window {
        from: from.checked_sub_signed(SLACK).unwrap_or(from),
        to: window.to.checked_add_signed(SLACK).unwrap_or(window.to),
    }
}

fn window(wanted: &EventsWanted, zone: Tz) -> Result<Window, Refusal> {
    let invalid = |field, why: &str| Refusal::Invalid { field, why: why.to_owned() };
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

/// Some events, each with the zone its floating times are read in.
pub(super) struct EventBatch {
    pub(super) events: Vec<(Event, Tz)>,
    /// The stored begin of the last of them.
    last_at: DateTime<Utc>,
}

/// Reads a person's events, batch after batch, by their first instant.
pub(super) struct EventReader<'a> {
    tx: &'a mut Tx,
    scope: &'a Scope,
    wanted: EventFilter<'a>,
    zone: Tz,
    zones: BTreeMap<CalendarId, Tz>,
    after: Option<(DateTime<Utc>, EventId)>,
    ended: bool,
}

impl<'a> EventReader<'a> {
    pub(super) fn new(tx: &'a mut Tx, scope: &'a Scope, wanted: EventFilter<'a>, zone: Tz) -> Self {
        Self { tx, scope, wanted, zone, zones: BTreeMap::new(), after: None, ended: false }
    }

    /// The next events; `None`: there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<EventBatch>, Refusal> {
        if self.ended {
            return Ok(None);
        }
        let read = self.tx.events_in(self.scope, self.wanted, self.after, BATCH).await?;
        self.ended = read.len() < usize::try_from(BATCH).unwrap_or(0);
        let Some((last_at, last)) = read.last().map(|(at, event)| (*at, event.id)) else { return Ok(None) };
        self.after = Some((last_at, last));
        let mut events = Vec::with_capacity(read.len());
        for (_, event) in read {
            let zone = self.floating_in(event.calendar_id).await?;
            events.push((event, zone));
        }
        Ok(Some(EventBatch { events, last_at }))
    }

    /// Where the floating times of a calendar are read.
    async fn floating_in(&mut self, calendar: Option<CalendarId>) -> Result<Tz, Refusal> {
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

/// Which occurrence a caller means: a date, a wall time of the series, or an instant, in the form of the series' own starts.
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
