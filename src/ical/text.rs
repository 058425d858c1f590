//! TEXT values, parameter values and folds (RFC 5545 §3.1, §3.3.11; RFC 6868).

use std::borrow::Cow;

use icalendar::parser::ParseString;

/// Octets of a physical line, the break not counted (RFC 5545 §3.1).
const FOLD_AT: usize = 75;

/// The text of an unfolded line: UTF-8, else Windows-1252; without control characters and byte order mark.
pub(super) fn decode_line(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    let text = match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map_or_else(|_| windows_1252(bytes), Cow::Borrowed),
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Cow::Owned(text),
            Err(not_utf8) => Cow::Owned(windows_1252(not_utf8.as_bytes()).into_owned()),
        },
    };
    if text.starts_with('\u{feff}') || text.bytes().any(|b| is_control(char::from(b)) && b != b'\t') {
        return Cow::Owned(text.trim_start_matches('\u{feff}').chars().filter(|c| !is_control(*c)).collect());
    }
    text
}

fn windows_1252(bytes: &[u8]) -> Cow<'_, str> {
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0
}

/// A character that no content line may hold (RFC 5545 §3.1, `CONTROL`).
fn is_control(c: char) -> bool {
    (c < ' ' && c != '\t') || c == '\u{7f}'
}

/// A TEXT value as it reads: `\n`, `\,`, `\;` and `\\` undone; a needless `\"` too.
pub(super) fn unescape(value: &str) -> String {
    if !value.contains('\\') {
        return value.to_owned();
    }
    let repaired = if value.contains("\\\"") { Cow::Owned(unescape_quotes(value)) } else { Cow::Borrowed(value) };
    ParseString::from(repaired.as_ref()).unescape_text().as_str().to_owned()
}

/// Takes off the first bytes of a character whose last ones were cut off. Other bytes that are no UTF-8 stay.
pub(super) fn drop_half_a_character(bytes: &mut Cow<'_, [u8]>) {
    let Err(error) = std::str::from_utf8(bytes) else { return };
    if error.error_len().is_none() {
        let whole = error.valid_up_to();
        match bytes {
            Cow::Borrowed(held) => *held = held.get(..whole).unwrap_or(held),
            Cow::Owned(held) => held.truncate(whole),
        }
    }
}

/// Undoes `\"`, which RFC 5545 does not know and some producers write; leaves every other escape alone.
fn unescape_quotes(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('"') => out.push('"'),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// A text as a TEXT value.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
    out
}

/// A text as it can be written: lines ended by `\n`, no control characters.
pub(super) fn writable(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").chars().filter(|c| *c == '\n' || !is_control(*c)).collect()
}

/// A URI as it can be written: on one line, no control characters, no blanks around it.
pub(super) fn writable_uri(uri: &str) -> String {
    let kept: String = uri.chars().filter(|c| *c != '\t' && !is_control(*c)).collect();
    kept.trim().to_owned()
}

/// A parameter's value as it reads: without its quotes, carets decoded (RFC 6868).
pub(super) fn param_value(spelt: &str) -> Cow<'_, str> {
    let spelt = spelt.trim();
    let bare = spelt.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(spelt);
    if !bare.contains('^') {
        return Cow::Borrowed(bare);
    }
    let mut out = String::with_capacity(bare.len());
    let mut chars = bare.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('^', Some('n')) => out.push('\n'),
            ('^', Some('\'')) => out.push('"'),
            ('^', Some('^')) => out.push('^'),
            _ => {
                out.push(c);
                continue;
            }
        }
        chars.next();
    }
    Cow::Owned(out)
}

/// A parameter's value as it is written (RFC 6868), quoted where it must be.
pub(super) fn spell_param(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    for c in value.chars().filter(|c| *c == '\n' || !is_control(*c)) {
        match c {
            '^' => out.push_str("^^"),
            '"' => out.push_str("^'"),
            '\n' => out.push_str("^n"),
            _ => out.push(c),
        }
    }
    if out.contains([':', ';', ',']) { format!("\"{out}\"") } else { out }
}

/// Writes one content line, folded on character borders.
pub(super) fn fold(line: &str, line_break: &str, out: &mut Vec<u8>) {
    let mut rest = line;
    let mut room = FOLD_AT;
    while rest.len() > room {
        let border = (1..=room).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(border);
        out.extend_from_slice(piece.as_bytes());
        out.extend_from_slice(line_break.as_bytes());
        out.push(b' ');
        rest = after;
        room = FOLD_AT - 1;
    }
    out.extend_from_slice(rest.as_bytes());
    out.extend_from_slice(line_break.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ical::line::Lines;

    #[test]
    fn escapes_are_undone_in_one_pass() {
        assert_eq!(unescape(r#"a\, b\; c\\n d\N e\" f\x\"#), "a, b; c\\n d\n e\" f\\x\\");
    }

    #[test]
    fn carets_stand_for_what_quotes_cannot_hold() {
        assert_eq!(param_value("\"a^'b^^n^nc^x\""), "a\"b^n\nc^x");
        assert_eq!(spell_param("a\"b^:\n"), "\"a^'b^^:^n\"");
    }

    proptest! {
        #[test]
        fn a_text_survives_escaping_and_folding(text in "[ -~\t\né€😀\\\\,;]{0,300}") {
            let mut bytes = Vec::new();
            fold(&format!("SUMMARY:{}", escape(&text)), "\r\n", &mut bytes);
            prop_assert!(bytes.split(|b| *b == b'\n').all(|line| line.len() <= FOLD_AT + 1));
            prop_assert!(std::str::from_utf8(&bytes).expect("UTF-8").split("\r\n").all(|l| l.len() <= FOLD_AT));
            let lines: Vec<_> = Lines::new(&bytes, 10_000).collect();
            prop_assert_eq!(lines.len(), 1);
            prop_assert_eq!(unescape(lines[0].value()), text);
        }

        #[test]
        fn a_parameter_survives_spelling(text in "[ -~\né]{0,60}") {
            let text = text.trim().to_owned();
            let spelt = format!("X;P={}:1", spell_param(&text));
            let line = crate::ical::line::ContentLine::of(&spelt);
            prop_assert_eq!(line.value(), "1");
            prop_assert_eq!(line.param("P").expect("a value").into_owned(), text);
        }
    }
}
