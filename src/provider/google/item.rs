//! One JSON object of Google's, kept whole, and the few fields of it that we read.
//!
//! Every field is optional here: a deleted event carries its id and nothing else.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// Marks an outline. Google's own names hold no dot.
const OUTLINE: &str = "calwarden.outline";

/// An object as received.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Item(pub Map<String, Value>);

impl Item {
    /// Reads an object; `None`: it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }

    pub(super) fn of(value: Value) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self(map)),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// A member that is an object.
    pub(super) fn inside(&self, name: &str) -> Option<&Map<String, Value>> {
        self.0.get(name)?.as_object()
    }

    /// The objects of its `items`.
    pub(super) fn items(&self) -> impl Iterator<Item = Item> + '_ {
        self.0.get("items").and_then(Value::as_array).into_iter().flatten().cloned().filter_map(Self::of)
    }

    /// The texts of a list.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    }

    pub(super) fn id(&self) -> &str {
        self.text("id").unwrap_or_default()
    }

    pub(super) fn etag(&self) -> &str {
        self.text("etag").unwrap_or_default()
    }

    pub(super) fn cancelled(&self) -> bool {
        self.text("status") == Some("cancelled")
    }

    /// The series that this occurrence is of.
    pub(super) fn master(&self) -> Option<&str> {
        self.text("recurringEventId")
    }

    pub(super) fn recurs(&self) -> bool {
        self.0.get("recurrence").and_then(Value::as_array).is_some_and(|lines| !lines.is_empty())
    }

    pub(super) fn updated(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(self.text("updated")?).ok().map(|at| at.with_timezone(&Utc))
    }

    /// What stands for an object that is too large to be read; carried within one pull, and never stored.
    pub(super) fn outlined(mut self) -> Self {
        self.0.insert(OUTLINE.to_owned(), Value::Bool(true));
        self
    }

    pub(super) fn is_outline(&self) -> bool {
        self.flag(OUTLINE) == Some(true)
    }

    /// One of our marks: `extendedProperties.private`.
    pub(super) fn mark(&self, name: &str) -> Option<&str> {
        self.inside("extendedProperties")?.get("private")?.get(name)?.as_str()
    }
}
