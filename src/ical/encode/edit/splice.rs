//! Ranges of bytes and what stands there instead.

use std::ops::Range;

/// A range of the raw bytes and what stands there instead.
#[derive(Debug)]
pub(super) struct Splice {
    at: Range<usize>,
    text: Vec<u8>,
}

impl Splice {
    pub fn replace(at: Range<usize>, text: Vec<u8>) -> Self {
        Self { at, text }
    }

    pub fn remove(at: Range<usize>) -> Self {
        Self { at, text: Vec::new() }
    }

    pub fn insert(at: usize, text: Vec<u8>) -> Self {
        Self { at: at..at, text }
    }
}

/// The bytes of `range` with the splices applied; of two at one place the first comes first, insertions before the rest.
pub(super) fn apply(raw: &[u8], range: Range<usize>, mut splices: Vec<Splice>) -> Vec<u8> {
    splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let mut out = Vec::with_capacity(range.len() + 256);
    let mut at = range.start;
    for splice in splices {
        if splice.at.start > at {
            out.extend_from_slice(raw.get(at..splice.at.start).unwrap_or_default());
        }
        out.extend_from_slice(&splice.text);
        at = at.max(splice.at.end);
    }
    out.extend_from_slice(raw.get(at..range.end).unwrap_or_default());
    out
}
