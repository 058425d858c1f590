//! RFC 5545 text to and from [`domain::event`](crate::domain::event).
//!
//! - **line**: one unfolded content line that remembers its exact bytes.
//! - **resource**: the bytes of one CalDAV object, all components of one `UID` (RFC 4791 §4.1).
//! - **feed**: the bytes of a subscribed calendar, any number of events.
//! - **canonical**: content as it reads after having been written.
//!
//! **Invariant:** every function is total: hostile bytes give [`TextRefused`], never a panic, in time linear to their length.
//! **Invariant:** [`encode::edit`] changes the lines whose meaning changes and no other byte (I-7).
//! **Invariant:** no text of an event is in an error.

mod canonical;
mod component;
pub mod decode;
pub mod encode;
mod line;
mod property;
mod recurrence;
mod repair;
mod rule;
mod strict;
mod text;
mod value;
mod vtimezone;
pub mod zone;

#[cfg(test)]
mod samples;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

pub use canonical::canonical;
pub use recurrence::{parse_recurrence_lines, recurrence_lines};

use crate::domain::{
    event::{EventContent, TEXT_CHARS_MAX},
    ids::Uid,
    time::EventTime,
};

/// Why a text is refused; names the property at fault and holds no text of the event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TextRefused(pub String);

impl TextRefused {
    fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// The refusal of a property that is read whole or not at all.
fn line_too_long(name: &str, limits: &TextLimits) -> TextRefused {
    TextRefused::because(format!(
        "{name}: longer than {} bytes, the most that is read of one property",
        limits.line_bytes_max
    ))
}

/// What a text may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextLimits {
    /// Bytes of the whole text.
    pub bytes_max: usize,
    /// Components of any kind.
    pub components_max: usize,
    /// Lines that are read.
    pub lines_max: usize,
    /// Bytes of one unfolded line that we read. Longer lines are kept; of a text the beginning is shown, and only what names an
    /// event or says when it recurs refuses for it.
    pub line_bytes_max: usize,
    /// Characters of one text that are shown; [`crate::domain::event::TEXT_CHARS_MAX`], which when written fit in a line that is read whole.
    pub text_chars_max: usize,
    /// Components inside one another.
    pub depth_max: usize,
    /// `RDATE` and `EXDATE` values of one event, each.
    pub dates_max: usize,
    /// `VTIMEZONE`s with a name of their own that are compared with the zone database.
    pub custom_zones_max: usize,
}

impl Default for TextLimits {
    fn default() -> Self {
        Self {
            bytes_max: 10 * 1024 * 1024,
            components_max: 20_000,
            lines_max: 400_000,
            line_bytes_max: 512 * 1024,
            text_chars_max: TEXT_CHARS_MAX,
            depth_max: 16,
            dates_max: 20_000,
            custom_zones_max: 32,
        }
    }
}

/// One CalDAV object (RFC 4791 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// `UID` of all its components.
    pub uid: Uid,
    /// What it says, normalised.
    pub content: EventContent,
    /// The latest `LAST-MODIFIED`, else the latest `DTSTAMP`.
    pub changed_at: Option<DateTime<Utc>>,
}

/// A subscribed calendar at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSnapshot {
    /// `NAME` (RFC 7986 §5.1), else `X-WR-CALNAME`.
    pub name: Option<String>,
    /// `X-WR-TIMEZONE`: where floating times may be read.
    pub time_zone: Option<Tz>,
    /// `REFRESH-INTERVAL` (RFC 7986 §5.7), else `X-PUBLISHED-TTL`, in seconds, above 0.
    pub interval_s: Option<u32>,
    /// What could be read, in the order of the text.
    pub events: Vec<FeedEvent>,
    /// What is there and could not be read: never to be taken for deleted.
    pub unreadable: Vec<FeedUnreadable>,
}

/// One event of a feed, a series with its overrides counting as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEvent {
    /// `UID`; missing in some feeds, and not always stable.
    pub uid: Option<Uid>,
    /// What it says, normalised.
    pub content: EventContent,
    /// The latest `LAST-MODIFIED`, else the latest `DTSTAMP`; some publishers stamp at each fetch.
    pub changed_at: Option<DateTime<Utc>>,
    /// `SEQUENCE` of the master.
    pub sequence: u32,
}

/// An event of a feed that is there and cannot be read; the whole series is, if one of its components is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedUnreadable {
    /// `UID`, when that much could be read.
    pub uid: Option<Uid>,
    /// `RECURRENCE-ID` of the component at fault, when it has one.
    pub recurrence_id: Option<EventTime>,
    /// Why, without any of its text.
    pub why: String,
}
