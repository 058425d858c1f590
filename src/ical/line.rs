//! Content lines that lose nothing (RFC 5545 §3.1): unfolded for reading, with the range of their raw bytes for copying.
//!
//! **Invariant:** the raw ranges of the lines of a text are its bytes, without gap or overlap.
//! **Invariant:** folds are taken out on bytes, before any decoding: a fold may stand inside a character.

use std::{borrow::Cow, num::NonZeroU32, ops::Range};

use super::text;

/// One logical line.
#[derive(Debug)]
pub(super) struct ContentLine<'a> {
    /// Its bytes in the text, folds and line break included.
    pub raw: Range<usize>,
    text: Cow<'a, str>,
    name_end: u32,
    value_at: Option<NonZeroU32>,
    /// Longer than the limit: only its beginning was read.
    pub cut: bool,
}

impl<'a> ContentLine<'a> {
    /// A line that stands alone, already unfolded.
    pub fn of(text: &'a str) -> Self {
        Self::new(0..text.len(), Cow::Borrowed(text), false)
    }

    fn new(raw: Range<usize>, text: Cow<'a, str>, cut: bool) -> Self {
        let bytes = text.as_bytes();
        let name_end = bytes.iter().position(|b| matches!(b, b':' | b';')).unwrap_or(bytes.len());
        let value_at = value_begins(bytes, name_end);
        let value_at = value_at.and_then(|at| NonZeroU32::new(u32::try_from(at).ok()?));
        Self { raw, text, name_end: u32::try_from(name_end).unwrap_or(u32::MAX), value_at, cut }
    }

    /// The property name as spelt.
    pub fn name(&self) -> &str {
        self.text.get(..self.name_end as usize).unwrap_or_default().trim()
    }

    /// Whether the name is `wanted`, in any case.
    pub fn is(&self, wanted: &str) -> bool {
        self.name().eq_ignore_ascii_case(wanted)
    }

    /// The value, still escaped; empty for a line without a colon.
    pub fn value(&self) -> &str {
        self.value_at.and_then(|at| self.text.get(at.get() as usize..)).unwrap_or_default()
    }

    /// Whether the line has a colon, as every content line must.
    pub fn has_value(&self) -> bool {
        self.value_at.is_some()
    }

    /// The parameters as spelt, each `NAME=value`.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        let end = self.value_at.map_or(self.name_end, |at| at.get() - 1);
        let mut rest = self.text.get(self.name_end as usize..end as usize).unwrap_or_default();
        std::iter::from_fn(move || {
            rest = rest.strip_prefix(';')?;
            let mut quoted = false;
            let end = rest.bytes().position(|b| {
                quoted ^= b == b'"';
                b == b';' && !quoted
            });
            let (param, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            Some(param)
        })
    }

    /// The value of one parameter, quotes taken off and carets decoded (RFC 6868).
    pub fn param(&self, wanted: &str) -> Option<Cow<'_, str>> {
        if self.value_at.is_none_or(|at| at.get() - 1 == self.name_end) {
            return None;
        }
        self.params().find_map(|param| {
            let (name, value) = param.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| text::param_value(value))
        })
    }
}

/// Where the value begins: after the first colon outside quotes; after the first at all when a quote never closes.
fn value_begins(bytes: &[u8], name_end: usize) -> Option<usize> {
    let rest = bytes.get(name_end..)?;
    let mut quoted = false;
    let colon = rest.iter().position(|b| {
        quoted ^= *b == b'"';
        *b == b':' && !quoted
    });
    colon.or_else(|| rest.iter().position(|b| *b == b':')).map(|at| name_end + at + 1)
}

/// The logical lines of a text.
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line_bytes_max: usize,
}

impl<'a> Lines<'a> {
    pub fn new(bytes: &'a [u8], line_bytes_max: usize) -> Self {
        Self { bytes, at: 0, line_bytes_max }
    }

    /// The end of the physical line that begins at `from`, and the beginning of the next.
    fn physical(&self, from: usize) -> (usize, usize) {
        let rest = self.bytes.get(from..).unwrap_or_default();
        let Some(length) = rest.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
            return (self.bytes.len(), self.bytes.len());
        };
        let breaks = match rest.get(length..).unwrap_or_default() {
            [b'\r', b'\r', b'\n', ..] => 3,
            [b'\r', b'\n', ..] => 2,
            _ => 1,
        };
        (from + length, from + length + breaks)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = ContentLine<'a>;

    fn next(&mut self) -> Option<ContentLine<'a>> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let begin = self.at;
        let (end, mut next) = self.physical(begin);
        let first = self.bytes.get(begin..end).unwrap_or_default();
        if first.is_empty() {
            // Blank lines are one line: a text of nothing else must cost nothing else.
            let blank = |rest: &&[u8]| rest.iter().position(|b| !matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
            next += self.bytes.get(next..).as_ref().map_or(0, blank);
        }
        let mut cut = first.len() > self.line_bytes_max;
        let mut joined = Cow::Borrowed(first.get(..self.line_bytes_max).unwrap_or(first));
        while matches!(self.bytes.get(next), Some(b' ' | b'\t')) {
            let (end, after) = self.physical(next + 1);
            let piece = self.bytes.get(next + 1..end).unwrap_or_default();
            cut = cut || joined.len() + piece.len() > self.line_bytes_max;
            if !cut {
                joined.to_mut().extend_from_slice(piece);
            }
            next = after;
        }
        if cut {
            text::drop_half_a_character(&mut joined);
        }
        self.at = next;
        Some(ContentLine::new(begin..next, text::decode_line(joined), cut))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        let lines: Vec<_> = Lines::new(bytes, 100).collect();
        let ranges = lines.iter().map(|line| line.raw.clone());
        assert_eq!(ranges.flatten().collect::<Vec<_>>(), (0..bytes.len()).collect::<Vec<_>>());
        lines.iter().map(|line| line.text.clone().into_owned()).collect()
    }

    #[test]
    fn every_kind_of_line_break_ends_a_line() {
        assert_eq!(texts(b"a\r\nb\nc\rd\r\r\ne"), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn a_fold_inside_a_character_is_taken_out_before_decoding() {
        assert_eq!(texts(b"SUMMARY:caf\xc3\r\n \xa9\r\nX:1"), ["SUMMARY:caf\u{e9}", "X:1"]);
    }

    #[test]
    fn exactly_one_blank_belongs_to_the_fold() {
        assert_eq!(texts(b"a\n  b \n\tc"), ["a b c"]);
    }

    #[test]
    fn a_line_that_is_not_utf8_reads_as_windows_1252() {
        assert_eq!(texts(b"SUMMARY:caf\xe9 \x93x\x94"), ["SUMMARY:caf\u{e9} \u{201c}x\u{201d}"]);
    }

    #[test]
    fn control_characters_and_byte_order_marks_are_left_out_of_the_text() {
        assert_eq!(texts(b"\xef\xbb\xbfBEGIN:V\0X\ty\x7f"), ["BEGIN:VX\ty"]);
    }

    #[test]
    fn a_colon_in_quotes_is_not_the_separator() {
        let line = ContentLine::of(r#"ATTENDEE;CN="Doe: J; x";X=1,"a;b":mailto:j"#);
        assert_eq!(line.value(), "mailto:j");
        assert_eq!(line.param("cn").as_deref(), Some("Doe: J; x"));
        assert_eq!(line.params().collect::<Vec<_>>(), [r#"CN="Doe: J; x""#, r#"X=1,"a;b""#]);
    }

    #[test]
    fn a_quote_that_never_closes_does_not_swallow_the_value() {
        let line = ContentLine::of(r#"SUMMARY;X="oops:text"#);
        assert_eq!(line.value(), "text");
    }

    #[test]
    fn a_line_over_the_limit_is_cut_and_says_so() {
        let long = [b"X:".as_slice(), &[b'a'; 200]].concat();
        let line = Lines::new(&long, 100).next().expect("a line");
        assert!(line.cut && line.text.len() == 100 && line.raw == (0..202));
    }
}
