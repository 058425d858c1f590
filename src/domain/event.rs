//! What an event says, in canonical form: the content that both sides are compared by.
//!
//! A series is one event: the master's [`Facts`], its [`Recurrence`], and its [`Override`]s. Content carries only what we
//! model; everything else a provider keeps stays in the mapping's raw text and survives our writes byte for byte.
//!
//! **Invariant:** equal content has equal serialisation ([`EventContent::normalise`]), hence an equal [`ContentHash`].

use std::fmt;

use serde::{Deserialize, Serialize};

use super::time::EventTime;
use crate::words;

/// `STATUS` of RFC 5545 §3.8.1.11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// It takes place.
    #[default]
    Confirmed,
    /// It may take place.
    Tentative,
    /// It does not; on an override, this occurrence is removed from the series.
    Cancelled,
}

words! {
    /// `TRANSP` of RFC 5545 §3.8.2.7: whether the event takes up the person's time.
    #[derive(Default)]
    Transparency {
        /// Busy.
        #[default]
        Opaque = "opaque",
        /// Free.
        Transparent = "transparent",
    }
}

/// `CLASS` of RFC 5545 §3.8.1.3. An unknown class reads as private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Anyone who sees the calendar.
    #[default]
    Public,
    /// The owner.
    Private,
    /// Some people.
    Confidential,
}

/// Longest text of an event but its title, in characters; of a longer one that a provider holds the beginning is shown.
pub const TEXT_CHARS_MAX: usize = 100_000;

/// What one event, or one occurrence of a series, says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `SUMMARY`; empty when there is none.
    pub title: String,
    /// `DESCRIPTION`, plain text, lines ended by `\n`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `LOCATION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// `DTSTART`.
    pub start: EventTime,
    /// `DTEND`, exclusive; equal to `start` for a moment, the day after for one whole day. May be in another zone.
    pub end: EventTime,
    /// `STATUS`.
    #[serde(default)]
    pub status: EventStatus,
    /// `TRANSP`.
    #[serde(default)]
    pub transparency: Transparency,
    /// `CLASS`.
    #[serde(default)]
    pub visibility: Visibility,
    /// `URL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Facts {
    /// An event with a title and a time, everything else at its default.
    #[must_use]
    pub fn new(title: impl Into<String>, start: EventTime, end: EventTime) -> Self {
        Self {
            title: title.into(),
            description: None,
            location: None,
            start,
            end,
            status: EventStatus::default(),
            transparency: Transparency::default(),
            visibility: Visibility::default(),
            url: None,
        }
    }
}

/// One added occurrence: `RDATE` (RFC 5545 §3.8.5.2). A `PERIOD` brings its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedDate {
    /// When it starts.
    pub start: EventTime,
    /// When it ends, for a `PERIOD`; otherwise the master's length applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EventTime>,
}

/// How a series repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrence {
    /// `RRULE` values (`FREQ=WEEKLY;BYDAY=MO`), without the property name. Usually one; several are joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// `EXRULE` values of RFC 2445: obsolete, still met, subtracted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_rules: Vec<String>,
    /// `RDATE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<AddedDate>,
    /// `EXDATE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<EventTime>,
}

impl Recurrence {
    /// Whether the event happens once.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.added.is_empty()
    }
}

/// One occurrence that differs from its series (`RECURRENCE-ID`, RFC 5545 §3.8.4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The occurrence's original start.
    pub recurrence_id: EventTime,
    /// What this occurrence says; `status: cancelled` removes it.
    pub facts: Facts,
}

/// The whole of an event as we model it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventContent {
    /// The master's facts.
    pub facts: Facts,
    /// How it repeats.
    #[serde(default, skip_serializing_if = "Recurrence::is_empty_entirely")]
    pub recurrence: Recurrence,
    /// Occurrences that differ, by original start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Set when there is no master: we were given single occurrences only (RFC 4791 §4.1), and `facts` is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detached_from: Option<EventTime>,
}

impl Recurrence {
    fn is_empty_entirely(&self) -> bool {
        *self == Self::default()
    }
}

impl EventContent {
    /// A single event.
    #[must_use]
    pub fn single(facts: Facts) -> Self {
        Self { facts, recurrence: Recurrence::default(), overrides: Vec::new(), detached_from: None }
    }

    /// Whether there is more than one occurrence to speak of.
    #[must_use]
    pub fn is_series(&self) -> bool {
        !self.recurrence.is_empty() || !self.overrides.is_empty()
    }

    /// Puts lists in their one order, drops repeats and empty texts, so that equal meaning compares equal.
    pub fn normalise(&mut self) {
        for facts in std::iter::once(&mut self.facts).chain(self.overrides.iter_mut().map(|o| &mut o.facts)) {
            for text in [&mut facts.description, &mut facts.location, &mut facts.url] {
                if let Some(held) = text {
                    if held.contains('\r') {
                        *held = held.replace("\r\n", "\n").replace('\r', "\n");
                    }
                    if held.is_empty() {
                        *text = None;
                    }
                }
            }
        }
        self.recurrence.excluded.sort_by_key(sort_key);
        self.recurrence.excluded.dedup();
        self.recurrence.added.sort_by_key(|date| sort_key(&date.start));
        self.recurrence.added.dedup();
        self.overrides.sort_by_key(|o| sort_key(&o.recurrence_id));
        self.overrides.dedup_by(|later, kept| later.recurrence_id == kept.recurrence_id);
    }

    /// The override of one occurrence.
    #[must_use]
    pub fn override_at(&self, recurrence_id: &EventTime) -> Option<&Override> {
        self.overrides.iter().find(|o| o.recurrence_id == *recurrence_id)
    }

    /// The fingerprint of normalised content.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        use sha2::{Digest, Sha256};
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        let digest = Sha256::digest(&bytes);
        let mut half = [0; 16];
        half.copy_from_slice(digest.get(..16).unwrap_or(&[0; 16]));
        ContentHash(half)
    }
}

fn sort_key(time: &EventTime) -> (chrono::NaiveDateTime, String) {
    (time.wall(), time.zone().to_string())
}

/// Half of a SHA-256 over an event's canonical content; equal content, equal hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 16]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
