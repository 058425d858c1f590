//! JSON bodies: bounded, strict, and refused with the path of the field at fault.

use serde::de::DeserializeOwned;

use super::problem::{Problem, ProblemCode};

/// Arrays and objects inside one another.
const DEPTH_MAX: usize = 64;
/// U+0000 in JSON.
const NUL_SPELT: &[u8] = br"\u0000";

/// Reads a body. Unknown fields are refused by the types themselves (`deny_unknown_fields`).
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if depth(bytes) > DEPTH_MAX {
        return Err(Problem::new(
            ProblemCode::MalformedJson,
            format!("more than {DEPTH_MAX} levels inside one another"),
        ));
    }
    // serde would take a list for an object, its items for the fields in the order of our source.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::invalid("body", "a JSON object is wanted, not a list"));
    }
    if let Some(field) = field_with_nul(bytes) {
        return Err(Problem::invalid(field, "a text without the character U+0000, which no database column can hold"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| refused(&error))?;
    json.end().map_err(|_| Problem::new(ProblemCode::MalformedJson, "there is something after the JSON value"))?;
    Ok(value)
}

/// The path of the first text or name that holds U+0000. PostgreSQL takes it nowhere, so it is refused on both databases alike.
fn field_with_nul(bytes: &[u8]) -> Option<String> {
    // JSON spells it in one way only; a raw one is no JSON.
    if !bytes.windows(NUL_SPELT.len()).any(|part| part == NUL_SPELT) {
        return None;
    }
    // What cannot be read is refused with better words later.
    nul_in(&serde_json::from_slice(bytes).ok()?, "")
}

fn nul_in(value: &serde_json::Value, path: &str) -> Option<String> {
    use serde_json::Value;
    let here = || if path.is_empty() { "body".to_owned() } else { path.to_owned() };
    match value {
        Value::String(text) => text.contains('\0').then(here),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| nul_in(item, &format!("{path}[{at}]"))),
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            if name.contains('\0') {
                return Some(here());
            }
            nul_in(field, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") })
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn refused(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    let words = inner.to_string();
    if !inner.is_data() {
        let what = if words.starts_with("EOF") { "the body ends too early" } else { "the body is not JSON" };
        let place = format!("{what} (line {}, column {})", inner.line(), inner.column());
        return Problem::new(ProblemCode::MalformedJson, place);
    }
    // serde's words, without their place in the text: the path says more.
    let words = words.split(" at line ").next().unwrap_or_default().to_owned();
    let path = error.path().to_string();
    let path = if path == "." { String::new() } else { path };
    let named = ["unknown field `", "missing field `"].iter().find_map(|begin| {
        let (name, _) = words.strip_prefix(begin)?.split_once('`')?;
        Some(name)
    });
    let field = match named {
        Some(name) if path.is_empty() => name.to_owned(),
        Some(name) if path == name || path.ends_with(&format!(".{name}")) => path,
        Some(name) => format!("{path}.{name}"),
        None if path.is_empty() => "body".to_owned(),
        None => path,
    };
    Problem::invalid(field, words)
}

/// How deep brackets go, those inside strings left out.
fn depth(bytes: &[u8]) -> usize {
    let (mut deepest, mut now, mut quoted, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        count: u32,
    }

    fn field(json: &str) -> String {
        let problem = read::<Outer>(json.as_bytes()).map(|outer| outer.inner.len()).expect_err("refused");
        problem.field.unwrap_or_default()
    }

    #[test]
    fn the_path_of_the_field_at_fault_is_reported() {
        assert_eq!(field(r#"{"inner":[{"count":"x"}]}"#), "inner[0].count");
        assert_eq!(field(r#"{"inner":[{"count":1,"more":2}]}"#), "inner[0].more");
        assert_eq!(field(r#"{"inner":[{}]}"#), "inner[0].count");
        assert_eq!(field("{}"), "inner");
        assert_eq!(field(r#"{"inner":[],"other":1}"#), "other");
        assert_eq!(field("[[]]"), "body");
        let good: Outer = read(br#"{"inner":[{"count":3}]}"#).expect("read");
        assert_eq!(good.inner[0].count, 3);
    }

    #[test]
    fn a_nul_is_refused_with_the_path_of_its_field() {
        let at =
            |json: &str| read::<serde_json::Value>(json.as_bytes()).expect_err("refused").field.unwrap_or_default();
        assert_eq!(at(r#"{"name":"a\u0000"}"#), "name");
        assert_eq!(at(r#"{"inner":[{"a":1},{"b":"\u0000"}]}"#), "inner[1].b");
        assert_eq!(at(r#"{"inner":{"\u0000":1}}"#), "inner");
        let spelt: serde_json::Value = read(br#"{"name":"\\u0000"}"#).expect("a backslash and letters");
        assert_eq!(spelt["name"], "\\u0000");
    }

    #[test]
    fn text_that_is_no_json_is_distinguished_from_a_wrong_field() {
        for bad in ["", "{", "{}x", "nonsense"] {
            assert_eq!(
                read::<serde_json::Value>(bad.as_bytes()).expect_err("refused").code,
                ProblemCode::MalformedJson,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_body_deeper_than_the_limit_is_refused() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(read::<serde_json::Value>(nested(DEPTH_MAX).as_bytes()).is_ok());
        let problem = read::<serde_json::Value>(nested(DEPTH_MAX + 1).as_bytes()).expect_err("refused");
        assert_eq!(problem.code, ProblemCode::MalformedJson);
        assert!(read::<serde_json::Value>(format!("\"{}\"", "[\\\"".repeat(100)).as_bytes()).is_ok());
    }
}
