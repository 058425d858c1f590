//! The occurrences of a series that are not what their series says.
//!
//! **Invariant:** every step brings the remote nearer to what is wanted. An occurrence that the series has no place for is
//! cancelled, and never made plain: Google keeps it as a meeting otherwise.

use serde_json::{Map, json};

use super::{
    Google,
    classify::{self, GoogleAction},
    convert,
    item::Item,
    request,
    series::{self, WholeSeries},
    write::{gone, half, remote_event},
};
use crate::{
    domain::{
        event::{EventContent, Facts},
        failure::FailureClass,
        ids::RemoteCalendarId,
        mapping::RemoteEvent,
        time::EventTime,
    },
    provider::{ProviderError, Result},
};

impl Google {
    /// Brings the occurrences to what is wanted, the master being there already.
    pub(super) async fn finish(
        &self,
        calendar: &RemoteCalendarId,
        mut whole: WholeSeries,
        wanted: &EventContent,
    ) -> Result<RemoteEvent> {
        for one in &wanted.overrides {
            self.settle_occurrence(calendar, &mut whole, &one.recurrence_id, &one.facts).await.map_err(half)?;
        }
        for (original, end) in strays(&whole, wanted) {
            match end {
                Ends::Plain => {
                    let facts = at_its_place(&wanted.facts, &original);
                    self.settle_occurrence(calendar, &mut whole, &original, &facts).await.map_err(half)?;
                }
                Ends::Cancelled(item) => {
                    let changes = Map::from_iter([("status".to_owned(), json!("cancelled"))]);
                    let now = self.patch(calendar, item.id(), item.etag(), changes).await.map_err(half)?;
                    whole.exceptions.insert(now.id().to_owned(), now);
                }
            }
        }
        remote_event(&whole, calendar)
    }

    async fn settle_occurrence(
        &self,
        calendar: &RemoteCalendarId,
        whole: &mut WholeSeries,
        original: &EventTime,
        wanted: &Facts,
    ) -> Result<()> {
        let known = whole.exception_at(original);
        let item = match known {
            Some(item) if item.text("etag").is_some() && item.0.contains_key("start") => item.clone(),
            _ => match self.instance(calendar, whole.master.id(), original).await? {
                Some(item) => item,
                None => return self.has_no_place(calendar, &whole.master).await,
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
        } else if known.is_some() {
            // What is held of it may be older than what was just read.
            whole.exceptions.insert(item.id().to_owned(), item);
        }
        Ok(())
    }

    /// A series has no such occurrence: its rule leaves it out, which is well. One that was deleted or changed meanwhile has none
    /// either, and that is no answer to a write.
    async fn has_no_place(&self, calendar: &RemoteCalendarId, master: &Item) -> Result<()> {
        let now = self.read_item(calendar, master.id()).await?.ok_or_else(gone)?;
        if now.etag() == master.etag() {
            return Ok(());
        }
        Err(ProviderError::new(FailureClass::Conflict, "the series was changed there meanwhile"))
    }

    /// One occurrence by its original start; a cancelled one too.
    async fn instance(&self, calendar: &RemoteCalendarId, master: &str, original: &EventTime) -> Result<Option<Item>> {
        let url = self.at(&["calendars", calendar.as_str(), "events", master, "instances"]);
        let request = request::instance(url, &convert::original_start(original));
        let response = self.send(request).await?;
        let answer = classify::list(&response, GoogleAction::Reading("reading one occurrence"), self.world.now())?;
        let found = answer
            .items()
            .find(|item| convert::time(item, "originalStartTime").is_ok_and(|time| series::same(&time, original)));
        Ok(found)
    }
}

/// How an exception ends that is not wanted.
enum Ends {
    /// Its occurrence says what the series says.
    Plain,
    /// There is no such occurrence: a meeting that stood in its place would be one that nobody has called.
    Cancelled(Item),
}

/// Exceptions there that nothing is wanted of: occurrences that differ no longer, that are back or left out, or that the series has
/// no place for since it was cut or moved. Where somebody cancelled one of the latter it stays cancelled.
fn strays(whole: &WholeSeries, wanted: &EventContent) -> Vec<(EventTime, Ends)> {
    let overridden = |time: &EventTime| wanted.overrides.iter().any(|one| series::same(&one.recurrence_id, time));
    let left_out = |time: &EventTime| wanted.recurrence.excluded.iter().any(|other| series::same(other, time));
    let of = |item: &Item| {
        convert::time(item, "originalStartTime").ok().map(|time| series::in_zone_of(time, &wanted.facts.start))
    };
    let all: Vec<_> = whole.exceptions.values().filter_map(|item| Some((of(item)?, item))).collect();
    let times: Vec<_> = all.iter().map(|(time, _)| *time).collect();
    let unnamed = series::unnamed(wanted, &times);
    let ends = |(time, item): (EventTime, &Item)| {
        let nothing = unnamed.contains(&time) || left_out(&time);
        match (nothing, item.cancelled()) {
            _ if overridden(&time) => None,
            (false, _) => Some((time, Ends::Plain)),
            (true, false) => Some((time, Ends::Cancelled(item.clone()))),
            (true, true) => None,
        }
    };
    all.into_iter().filter_map(ends).collect()
}

/// Whether an occurrence says there what its series says.
fn plain(item: &Item, held: Option<&Facts>, whole: &WholeSeries, original: &EventTime) -> bool {
    let Ok(master) = convert::read_facts(&whole.master) else { return false };
    let (said, Some(held)) = (at_its_place(&master, original), held) else { return false };
    let mut held = held.clone();
    if at_its_time(item, &whole.master, &said) {
        (held.start, held.end) = (said.start, said.end);
    }
    !item.cancelled() && convert::facts(&said, Some(&held)).is_empty()
}

/// Whether an occurrence begins with its series' clock and is as long, by that clock or by elapsed time: where clocks change within
/// it, the end that Google gives is another one than the series' own.
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
        let (whole, item) = (WholeSeries::single(item(series)), item(occurrence));
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
