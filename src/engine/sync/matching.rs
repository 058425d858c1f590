//! First-sync matching: which remote events are already here, so that connecting doubles nothing.
//!
//! **Invariant:** one-to-one, and only above [`CONFIDENCE_MIN`]; a doubtful pair is imported, never merged.

use std::collections::BTreeMap;

use crate::domain::event::EventContent;

/// Pairs must be more alike than this.
pub const CONFIDENCE_MIN: f64 = 0.85;

const TITLE_WEIGHT: f64 = 0.6;
const START_WEIGHT: f64 = 0.25;
const LOCATION_WEIGHT: f64 = 0.15;
/// One side names a place and the other does not: neither for nor against.
const LOCATION_UNKNOWN: f64 = 0.5;
/// Titles are compared up to this many characters, so that a hostile one costs nothing.
const TITLE_CHARS_MAX: usize = 200;

/// How sure we are that two events are one: title (normalised, Levenshtein), start and location. 0.0 … 1.0.
#[must_use]
pub fn confidence(a: &EventContent, b: &EventContent) -> f64 {
    if a.facts.start != b.facts.start || a.facts.end != b.facts.end || a.recurrence.rules != b.recurrence.rules {
        return 0.0;
    }
    let title = alike(&a.facts.title, &b.facts.title);
    let location = match (&a.facts.location, &b.facts.location) {
        (None, None) => 1.0,
        (Some(a), Some(b)) => alike(a, b),
        _ => LOCATION_UNKNOWN,
    };
    TITLE_WEIGHT * title + START_WEIGHT + LOCATION_WEIGHT * location
}

fn alike(a: &str, b: &str) -> f64 {
    strsim::normalized_levenshtein(&normalised(a), &normalised(b))
}

/// Lower case, one blank between words, no punctuation at the ends of words.
fn normalised(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out.chars().take(TITLE_CHARS_MAX).collect()
}

/// Local events without a remote copy, found by start.
#[derive(Debug)]
pub struct Candidates<K> {
    by_start: BTreeMap<(chrono::NaiveDateTime, bool), Vec<(K, EventContent)>>,
}

impl<K: Copy> Candidates<K> {
    /// Collects them, each as the provider would see it.
    pub fn new(local: impl IntoIterator<Item = (K, EventContent)>) -> Self {
        let mut by_start: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, content) in local {
            by_start.entry(slot(&content)).or_default().push((key, content));
        }
        Self { by_start }
    }

    /// Takes out the best match of a remote event, if one is sure enough.
    pub fn take(&mut self, remote: &EventContent) -> Option<K> {
        let slot = slot(remote);
        let bucket = self.by_start.get_mut(&slot)?;
        let best = bucket
            .iter()
            .enumerate()
            .map(|(at, (_, local))| (at, confidence(local, remote)))
            .filter(|(_, sure)| *sure > CONFIDENCE_MIN)
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        let (key, _) = bucket.swap_remove(best.0);
        if bucket.is_empty() {
            self.by_start.remove(&slot);
        }
        Some(key)
    }
}

fn slot(content: &EventContent) -> (chrono::NaiveDateTime, bool) {
    (content.facts.start.wall(), content.facts.start.is_all_day())
}
