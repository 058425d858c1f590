//! People and the spaces they share.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::ids::{ApiKeyId, SpaceId, UserId};
use crate::words;

/// A household, team or tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// The caller's id.
    pub id: SpaceId,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The caller's id.
    pub id: UserId,
    /// What people call them.
    pub name: String,
    /// Where floating times and days are read.
    pub time_zone: Tz,
    /// When they work.
    pub working_hours: WorkingHours,
    /// The space made for them alone; accounts land there unless another is named.
    pub home_space: SpaceId,
    /// When they were first seen.
    pub created_at: DateTime<Utc>,
    /// Grows with every change: the `ETag` of the resource.
    pub version: i64,
}

words! {
    /// A day of the week.
    Weekday {
        /// Monday.
        Mon = "mon",
        /// Tuesday.
        Tue = "tue",
        /// Wednesday.
        Wed = "wed",
        /// Thursday.
        Thu = "thu",
        /// Friday.
        Fri = "fri",
        /// Saturday.
        Sat = "sat",
        /// Sunday.
        Sun = "sun",
    }
}

/// Spans of wall time per weekday, `{"mon":[["09:00","17:00"]]}`; a day left out is free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkingHours(pub BTreeMap<Weekday, Vec<WorkSpan>>);

/// From and to, `["09:00","17:00"]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(String, String)", into = "(String, String)")]
pub struct WorkSpan {
    /// Begin.
    pub from: NaiveTime,
    /// End, after the begin; `24:00` is written `23:59`.
    pub to: NaiveTime,
}

impl TryFrom<(String, String)> for WorkSpan {
    type Error = String;
    fn try_from((from, to): (String, String)) -> Result<Self, Self::Error> {
        let read = |text: &str| {
            NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| format!("`{text}` is not a time such as 09:00"))
        };
        let span = Self { from: read(&from)?, to: read(&to)? };
        if span.from < span.to { Ok(span) } else { Err(format!("{from} is not before {to}")) }
    }
}

impl From<WorkSpan> for (String, String) {
    fn from(span: WorkSpan) -> Self {
        (span.from.format("%H:%M").to_string(), span.to.format("%H:%M").to_string())
    }
}

words! {
    /// What an API key may do.
    KeyScope {
        /// Look.
        Read = "read",
        /// Change.
        Write = "write",
        /// Operate the service.
        Operate = "operate",
    }
}

/// An API key as stored: never the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Ours.
    pub id: ApiKeyId,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: Vec<u8>,
    /// What it may do.
    pub scopes: Vec<KeyScope>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Whose rows a transaction may see. There is no transaction without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The service itself, or an API key that acts for no user: every space.
    Whole,
    /// These spaces and no others.
    Spaces(Vec<SpaceId>),
}

impl Scope {
    /// Whether a row of `space` may be seen.
    #[must_use]
    pub fn admits(&self, space: &SpaceId) -> bool {
        match self {
            Self::Whole => true,
            Self::Spaces(spaces) => spaces.contains(space),
        }
    }
}
