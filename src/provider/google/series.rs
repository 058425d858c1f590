//! A series put together from its parts, and the bytes it is kept as.
//!
//! **Invariant:** a cancelled occurrence is kept as long as its master lives: Google may never list it again.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{convert, event_id, item::Item};
use crate::{
    domain::{
        event::{EventContent, EventStatus},
        ids::{RemoteCalendarId, RemoteEventId, Revision, Uid},
        mapping::RemoteEvent,
        time::EventTime,
    },
    engine::recurrence::{self, Bounds},
    provider::Unreadable,
};

/// Our mark on an event that we made: the key it was made under.
pub(super) const KEY_MARK: &str = "calwardenUid";

/// One event as Google keeps it: a single one, or a master with its exceptions by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct WholeSeries {
    pub master: Item,
    pub exceptions: BTreeMap<String, Item>,
}

impl WholeSeries {
    pub(super) fn single(item: Item) -> Self {
        Self { master: item, exceptions: BTreeMap::new() }
    }

    /// Reads what [`WholeSeries::bytes`] wrote.
    pub(super) fn read(raw: &[u8]) -> Option<Self> {
        let held: Value = serde_json::from_slice(raw).ok()?;
        let master = Item::of(held.get("master")?.clone())?;
        let exceptions = held.get("exceptions").and_then(Value::as_array).into_iter().flatten();
        let exceptions = exceptions.cloned().filter_map(Item::of).map(|item| (item.id().to_owned(), item)).collect();
        Some(Self { master, exceptions })
    }

    /// As it is kept with the event.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let exceptions: Vec<_> = self.exceptions.values().map(|item| &item.0).collect();
        serde_json::to_vec(&json!({ "master": self.master.0, "exceptions": exceptions })).unwrap_or_default()
    }

    /// Changes whenever any part does. What is cancelled of a series that is none any more is no part: no read shows it.
    pub(super) fn revision(&self) -> Revision {
        use sha2::{Digest, Sha256};
        let recurs = self.master.recurs();
        let mut parts = self.exceptions.iter().filter(|(_, item)| recurs || !item.cancelled()).peekable();
        if parts.peek().is_none() {
            return Revision::from(self.master.etag());
        }
        let mut digest = Sha256::new();
        for (id, item) in parts {
            digest.update(id);
            digest.update([0]);
            // A cancelled occurrence may come without a version; then that it is cancelled is all there is to know.
            digest.update(item.text("etag").or_else(|| item.text("status")).unwrap_or_default());
            digest.update([0]);
        }
        let half = digest.finalize().iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        Revision(format!("{}+{half:016x}", self.master.etag()))
    }

    /// Original starts of its exceptions that a series has a place for: what is left out there is cancelled and needs no `EXDATE`.
    pub(super) fn placed(&self, content: &EventContent) -> Vec<EventTime> {
        let all = self.exceptions.values().filter_map(|item| convert::time(item, "originalStartTime").ok());
        let all: Vec<_> = all.map(|time| in_zone_of(time, &content.facts.start)).collect();
        let strays = unnamed(content, &all);
        all.into_iter().filter(|time| !strays.contains(time)).collect()
    }

    /// The exception of one occurrence.
    pub(super) fn exception_at(&self, original: &EventTime) -> Option<&Item> {
        let at = |item: &&Item| convert::time(item, "originalStartTime").is_ok_and(|time| same(&time, original));
        self.exceptions.values().find(at)
    }

    /// The event it is to us.
    pub(super) fn event(&self, calendar: &RemoteCalendarId) -> Result<RemoteEvent, Unreadable> {
        let id = RemoteEventId::from(self.master.id());
        let uid = uid(&self.master, calendar);
        let refused = |why| Unreadable {
            id: id.clone(),
            revision: Some(self.revision()),
            uid: Some(uid.clone()),
            why,
            may_pass: false,
        };
        let mut content = convert::read(&self.master).map_err(refused)?;
        if self.master.master().is_some() {
            // An occurrence whose series is not ours to see (RFC 4791 §4.1).
            content.detached_from = convert::time(&self.master, "originalStartTime").ok();
        }
        // What is cancelled where the series has no place is nothing: no occurrence is left out by it.
        let cancelled = self.exceptions.values().filter(|item| item.cancelled());
        let left_out = cancelled.filter_map(|item| convert::time(item, "originalStartTime").ok());
        let left_out: Vec<_> = left_out.map(|time| in_zone_of(time, &content.facts.start)).collect();
        let strays = unnamed(&content, &left_out);
        content.recurrence.excluded.extend(left_out.into_iter().filter(|time| !strays.contains(time)));
        for item in self.exceptions.values() {
            if !item.cancelled() {
                let mut one = convert::exception(item).map_err(refused)?;
                one.recurrence_id = in_zone_of(one.recurrence_id, &content.facts.start);
                if one.facts.status != EventStatus::Cancelled {
                    content.overrides.push(one);
                }
            }
        }
        convert::drop_plain_overrides(&mut content);
        content.normalise();
        let exceptions = self.exceptions.values().filter_map(Item::updated);
        let changed_at = exceptions.chain(self.master.updated()).max();
        Ok(RemoteEvent { id, uid, revision: Some(self.revision()), content, raw: Some(self.bytes()), changed_at })
    }
}

/// Its own identity: the key that we made it under, else its `iCalUID`. A mark counts only on the event it was made for: who
/// duplicates an event duplicates the mark.
pub(super) fn uid(item: &Item, calendar: &RemoteCalendarId) -> Uid {
    match item.mark(KEY_MARK).filter(|key| event_id(calendar, key) == item.id()) {
        Some(key) => Uid::from(key),
        // Occurrences share their series' `iCalUID`.
        None if item.master().is_some() => Uid::from(item.id()),
        None => Uid::from(item.text("iCalUID").unwrap_or_else(|| item.id())),
    }
}

/// Of these original starts, those that a series has no place for: its rule names others, or it is no series any more. What
/// differs there is a meeting of its own.
pub(super) fn unnamed(content: &EventContent, originals: &[EventTime]) -> Vec<EventTime> {
    if content.recurrence.is_empty() {
        return originals.to_vec();
    }
    recurrence::unnamed(content, originals, chrono_tz::UTC, &Bounds::default())
}

/// Whether two original starts are one occurrence.
pub(super) fn same(one: &EventTime, other: &EventTime) -> bool {
    one.is_all_day() == other.is_all_day() && one.instant(chrono_tz::UTC) == other.instant(chrono_tz::UTC)
}

/// An original start expressed in the zone of its series, which it is compared in.
pub(super) fn in_zone_of(time: EventTime, start: &EventTime) -> EventTime {
    use crate::domain::time::Zone;
    match (time, start.zone()) {
        (EventTime::DateTime { .. }, Zone::Named(tz)) => {
            EventTime::zoned(time.instant(chrono_tz::UTC).with_timezone(&tz).naive_local(), tz)
        }
        (EventTime::DateTime { .. }, Zone::Utc) => EventTime::utc(time.instant(chrono_tz::UTC)),
        _ => time,
    }
}
