//! From rows and bytes to calendars and events.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use url::Url;

use super::{
    href,
    wire::{Collection, DavResponse, Privilege, ResourceKind},
};
use crate::{
    domain::{
        calendar::RemoteCalendar,
        ids::{RemoteCalendarId, RemoteEventId, Revision, SyncCursor, Uid},
        mapping::RemoteEvent,
        time::Zone,
    },
    ical::{self, TextLimits},
    provider::Unreadable,
};

/// Digits of a time in seconds, from the year 2001 to 2286.
const SECONDS_DIGITS: usize = 10;
/// How far a server's two clocks may be apart, and how long an answer may take to be made.
const SAME_SECOND_S: i64 = 2;

/// How a calendar's changes are reported, with the word for "up to here".
///
/// Its text is both the cursor and the calendar's stamp, so that an equal pair means "nothing to ask".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SyncMark {
    /// A token of `sync-collection`.
    Sync(String),
    /// A `ctag`: says that something changed, never what.
    Ctag(String),
    /// The server has neither.
    None,
}

impl SyncMark {
    /// What a collection says of itself.
    pub(super) fn of(collection: &Collection) -> Self {
        match (&collection.sync_token, &collection.ctag) {
            (Some(token), _) if syncs(collection) => Self::Sync(token.clone()),
            (_, Some(ctag)) => Self::Ctag(ctag.clone()),
            _ => Self::None,
        }
    }

    /// Whether it is a digest over all members, as Radicale's is (SHA-256 in quotes): asking such a server for a sync
    /// token makes it read and write a file for every member, and says no more than this does.
    pub(super) fn is_digest(&self) -> bool {
        let Self::Ctag(ctag) = self else { return false };
        let digits = ctag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        digits.is_some_and(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    /// Whether it is a time in whole seconds, and that of the answer it came with: what changes later in this second has the
    /// same one. `SOGo` writes its tokens and ctags so.
    pub(super) fn may_come_again(&self, now: DateTime<Utc>) -> bool {
        self.seconds().is_some_and(|at| (now.timestamp() - at).abs() <= SAME_SECOND_S)
    }

    /// The time that it ends with, if it ends with one.
    pub(super) fn seconds(&self) -> Option<i64> {
        let (Self::Sync(text) | Self::Ctag(text)) = self else { return None };
        let text = text.trim_matches('"');
        let digits = text.get(text.trim_end_matches(|c: char| c.is_ascii_digit()).len()..)?;
        if digits.len() == SECONDS_DIGITS { digits.parse().ok() } else { None }
    }

    /// The same, if it is a ctag.
    pub(super) fn only_ctag(self) -> Self {
        if matches!(self, Self::Ctag(_)) { self } else { Self::None }
    }

    /// The same, if it is more than a ctag.
    pub(super) fn without_ctag(self) -> Self {
        if matches!(self, Self::Ctag(_)) { Self::None } else { self }
    }

    /// What a cursor says; `None`: nothing of ours.
    pub(super) fn read(cursor: &SyncCursor) -> Option<Self> {
        let text = cursor.as_str();
        if let Some(token) = text.strip_prefix("sync:") {
            return Some(Self::Sync(token.to_owned()));
        }
        if let Some(ctag) = text.strip_prefix("etag:") {
            return Some(Self::Ctag(ctag.to_owned()));
        }
        (text == "none").then_some(Self::None)
    }

    /// As it is kept.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Sync(token) => format!("sync:{token}"),
            Self::Ctag(ctag) => format!("etag:{ctag}"),
            Self::None => "none".to_owned(),
        }
    }

    pub(super) fn cursor(&self) -> SyncCursor {
        SyncCursor(self.text())
    }
}

/// Whether sync reports are worth trying: the server says that it does them, or has a token and does not say.
pub(super) fn syncs(collection: &Collection) -> bool {
    collection.syncs.unwrap_or(collection.sync_token.is_some())
}

/// The calendar that a row of a listing is; `None`: it is none, or keeps no events.
pub(super) fn calendar(listing: &Url, main: &Url, row: &DavResponse) -> Option<RemoteCalendar> {
    let collection = row.collection()?;
    let usable = row.failed().is_none()
        && row.is(ResourceKind::Calendar)
        && !row.is(ResourceKind::Special)
        && collection.takes_events != Some(false);
    if !usable {
        return None;
    }
    let url = href::resolve(listing, &row.href)?;
    // Ids without an origin are resolved against the first home; one on another host keeps its own.
    let id = if url.origin() == main.origin() { href::name(listing, &row.href)? } else { url.to_string() };
    let stamp = match SyncMark::of(collection) {
        SyncMark::None => None,
        mark => Some(mark.text()),
    };
    Some(RemoteCalendar {
        name: collection.name.clone().unwrap_or_else(|| href::last_segment(&url)),
        color: collection.color.as_deref().and_then(color),
        time_zone: collection.timezone.as_deref().and_then(zone).map(|zone| zone.name().to_owned()),
        read_only: collection.privileges.as_deref().is_some_and(read_only),
        id: RemoteCalendarId(id),
        stamp,
    })
}

/// Writing takes `write`, or the right to change content together with the right to add. An empty answer says nothing.
fn read_only(privileges: &[Privilege]) -> bool {
    let has = |wanted| privileges.contains(&wanted);
    let writable = has(Privilege::Write) || (has(Privilege::WriteContent) && has(Privilege::Bind));
    !(writable || privileges.is_empty())
}

/// `#rrggbb` of `#RRGGBB` or `#RRGGBBAA`; names are nobody's standard.
fn color(text: &str) -> Option<String> {
    let digits = text.strip_prefix('#')?;
    let fits = matches!(digits.len(), 6 | 8) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(format!("#{}", digits.get(..6).filter(|_| fits)?.to_ascii_lowercase()))
}

/// The zone that a `calendar-timezone` names.
fn zone(text: &str) -> Option<Tz> {
    let tzid = text.lines().find_map(|line| line.trim().strip_prefix("TZID:"))?;
    match ical::zone::resolve(tzid)? {
        Zone::Named(zone) => Some(zone),
        Zone::Utc => Some(Tz::UTC),
        Zone::Fixed(_) | Zone::Floating => None,
    }
}

/// What an object turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Converted {
    /// An event.
    Event(Box<RemoteEvent>),
    /// A task, a journal entry: not ours to touch.
    NotAnEvent(RemoteEventId),
    /// An event that cannot be read.
    Unreadable(Unreadable),
}

/// Reads one object.
pub(super) fn object(id: RemoteEventId, revision: Option<Revision>, raw: Vec<u8>, limits: &TextLimits) -> Converted {
    if !has_event(&raw) && line_starting(&raw, b"BEGIN:VCALENDAR").is_some() {
        return Converted::NotAnEvent(id);
    }
    match ical::decode::resource(&raw, limits) {
        Ok(resource) => Converted::Event(Box::new(RemoteEvent {
            id,
            uid: resource.uid,
            revision,
            content: resource.content,
            raw: Some(raw),
            changed_at: resource.changed_at,
        })),
        Err(refused) => Converted::Unreadable(Unreadable {
            id,
            revision,
            uid: uid(&raw),
            why: refused.to_string(),
            may_pass: false,
        }),
    }
}

fn has_event(raw: &[u8]) -> bool {
    line_starting(raw, b"BEGIN:VEVENT").is_some()
}

/// The `UID`, as far as it can be had from a text that is otherwise unreadable.
fn uid(raw: &[u8]) -> Option<Uid> {
    let line = line_starting(raw, b"UID:")?;
    let text = std::str::from_utf8(line.get(4..)?).ok()?.trim();
    (!text.is_empty()).then(|| Uid::from(text))
}

fn line_starting<'a>(raw: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    // A folded line begins with a space and is no line of its own.
    raw.trim_ascii_start()
        .split(|byte| *byte == b'\n' || *byte == b'\r')
        .find(|line| line.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)))
}
