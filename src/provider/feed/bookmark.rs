//! What a feed's cursor remembers of the last answer that was read.
//!
//! **Invariant:** it holds no event's text and no address: hashes, the publisher's own validators and the calendar's
//! name. At most [`PAIRS_MAX`] events are named in it, 16 bytes each.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::ids::SyncCursor;

/// Most events that a bookmark names; of a larger feed it names those with the smallest content hashes, the same ones
/// at each fetch.
pub(super) const PAIRS_MAX: usize = 2_000;

/// Longest validator that is worth sending back, in bytes.
const VALIDATOR_BYTES_MAX: usize = 1_024;

/// The form that this build writes.
const FORM: u8 = 1;

/// One event of the last answer: what it said, and the name it has here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BookmarkEntry {
    /// Short hash of its content.
    pub(super) content: u64,
    /// The number in its name `uid:…`.
    pub(super) name: u64,
}

/// The last answer, as far as the next one needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bookmark {
    form: u8,
    /// Which address it is of.
    source: String,
    /// `ETag` as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    /// `Last-Modified` as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_modified: Option<String>,
    /// Fingerprint of all events and their names.
    pub(super) content: String,
    /// The calendar's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// The calendar's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) time_zone: Option<String>,
    /// Seconds that the publisher asks for between polls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) interval_s: Option<u32>,
    /// The publisher makes new `UID`s at each fetch.
    #[serde(default)]
    pub(super) fresh_uids: bool,
    /// Sorted [`BookmarkEntry`]s, 16 bytes each, in Base64.
    #[serde(default)]
    pairs: String,
}

impl Bookmark {
    /// An empty one for an address.
    pub(super) fn of(source: &str) -> Self {
        Self { form: FORM, source: source.to_owned(), ..Self::default() }
    }

    /// Out of a cursor; `None`: not one of ours, so everything is read anew.
    pub(super) fn read(cursor: &SyncCursor) -> Option<Self> {
        serde_json::from_str(cursor.as_str()).ok().filter(|held: &Self| held.form == FORM)
    }

    /// As a cursor.
    pub(super) fn write(&self) -> Option<SyncCursor> {
        serde_json::to_string(self).ok().map(SyncCursor::from)
    }

    /// Whether it belongs to this address: another address's validators would hide its events for ever.
    pub(super) fn is_of(&self, source: &str) -> bool {
        self.source == source
    }

    /// Whether the publisher can be asked for changes only.
    pub(super) fn can_ask(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }

    /// Keeps a validator of sensible length.
    pub(super) fn validator(text: Option<&str>) -> Option<String> {
        text.filter(|text| (1..=VALIDATOR_BYTES_MAX).contains(&text.len()) && text.is_ascii()).map(str::to_owned)
    }

    /// The events it names.
    pub(super) fn pairs(&self) -> Vec<BookmarkEntry> {
        let bytes = STANDARD_NO_PAD.decode(&self.pairs).unwrap_or_default();
        let (words, _) = bytes.as_chunks::<8>();
        let (pairs, _) = words.as_chunks::<2>();
        let read = |[content, name]: &[[u8; 8]; 2]| BookmarkEntry {
            content: u64::from_be_bytes(*content),
            name: u64::from_be_bytes(*name),
        };
        pairs.iter().take(PAIRS_MAX).map(read).collect()
    }

    /// Names these events.
    pub(super) fn set_pairs(&mut self, mut pairs: Vec<BookmarkEntry>) {
        pairs.sort_unstable();
        pairs.truncate(PAIRS_MAX);
        let bytes: Vec<u8> =
            pairs.iter().flat_map(|pair| [pair.content.to_be_bytes(), pair.name.to_be_bytes()]).flatten().collect();
        self.pairs = STANDARD_NO_PAD.encode(bytes);
    }
}

/// The first 8 bytes of a SHA-256.
pub(super) fn short_hash(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    digest.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookmark_survives_its_cursor() {
        let mut bookmark = Bookmark { etag: Some("W/\"1\"".to_owned()), fresh_uids: true, ..Bookmark::of("a") };
        bookmark.set_pairs(vec![BookmarkEntry { content: 9, name: 1 }, BookmarkEntry { content: 2, name: u64::MAX }]);
        let read = Bookmark::read(&bookmark.write().expect("a cursor")).expect("a bookmark");
        assert_eq!(read, bookmark);
        assert_eq!(read.pairs(), [BookmarkEntry { content: 2, name: u64::MAX }, BookmarkEntry { content: 9, name: 1 }]);
    }

    #[test]
    fn a_bookmark_of_a_large_feed_stays_small() {
        let mut bookmark = Bookmark::of("a");
        bookmark.set_pairs((0..20_000).rev().map(|n| BookmarkEntry { content: n, name: n }).collect());
        assert_eq!(bookmark.pairs().len(), PAIRS_MAX);
        assert_eq!(bookmark.pairs().last(), Some(&BookmarkEntry { content: 1_999, name: 1_999 }));
        assert!(bookmark.write().expect("a cursor").as_str().len() < 44_000);
    }

    #[test]
    fn a_foreign_cursor_is_no_bookmark() {
        for text in ["", "https://example.org/sync/1", "{}", r#"{"form":2,"source":"a","content":""}"#] {
            assert_eq!(Bookmark::read(&SyncCursor::from(text)), None, "{text}");
        }
        let damaged = r#"{"form":1,"source":"a","content":"","pairs":"**"}"#;
        assert_eq!(Bookmark::read(&SyncCursor::from(damaged)).expect("a bookmark").pairs(), []);
    }

    #[test]
    fn an_absurd_validator_is_not_kept() {
        assert_eq!(Bookmark::validator(Some("\"x\"")).as_deref(), Some("\"x\""));
        for text in ["", "é", &"x".repeat(1_025)] {
            assert_eq!(Bookmark::validator(Some(text)), None);
        }
    }
}
