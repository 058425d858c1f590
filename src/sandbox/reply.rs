//! One HTTP exchange of a look-alike as two values.

use std::collections::BTreeMap;

use serde_json::Value;

/// What was asked.
#[derive(Clone, Debug, Default)]
pub struct SandboxRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, its pieces still escaped.
    pub path: String,
    /// The query, unescaped, in order.
    pub query: Vec<(String, String)>,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl SandboxRequest {
    /// Reads a request target such as `/a/b?c=d`.
    #[must_use]
    pub fn target(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { method: method.to_owned(), path: path.to_owned(), query, ..Self::default() }
    }

    /// The first value of a query parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a repeated parameter.
    #[must_use]
    pub fn params(&self, name: &str) -> Vec<&str> {
        self.query.iter().filter(|(held, _)| held == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a parameter says `true`.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.param(name) == Some("true")
    }

    /// A header by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body as JSON; an empty one is an empty object.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        if self.body.is_empty() {
            Some(Value::Object(serde_json::Map::new()))
        } else {
            serde_json::from_slice(&self.body).ok()
        }
    }

    /// The body as a form.
    #[must_use]
    pub fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The pieces of the path, unescaped.
    #[must_use]
    pub fn pieces(&self) -> Vec<String> {
        self.path.split('/').filter(|piece| !piece.is_empty()).map(unescaped).collect()
    }
}

fn unescaped(piece: &str) -> String {
    let mut bytes = Vec::with_capacity(piece.len());
    let mut rest = piece.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (*first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            (byte, _) => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long the answer takes, in milliseconds.
    pub delay_ms: u64,
    /// The connection is closed without an answer.
    pub dropped: bool,
}

impl Reply {
    /// JSON with a status.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        Self::with(status, "application/json; charset=UTF-8", value.to_string().into_bytes())
    }

    /// A page.
    #[must_use]
    pub fn page(status: u16, html: String) -> Self {
        Self::with(status, "text/html; charset=utf-8", html.into_bytes())
    }

    /// Nothing, with a status.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// To another place.
    #[must_use]
    pub fn redirect(to: &str) -> Self {
        Self { status: 302, headers: vec![("location".to_owned(), to.to_owned())], ..Self::default() }
    }

    /// A body of a type.
    #[must_use]
    pub fn with(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body, ..Self::default() }
    }
}
