//! When a person is busy, as a provider reports it without saying why.

use chrono::{DateTime, Utc};

/// One stretch of busy time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BusySpan {
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

/// What a provider says of one calendar's busy time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Busy in these spans and free in between; by start, not overlapping.
    Known(Vec<BusySpan>),
    /// It could not say, which is not free. The words hold no address.
    Unknown(String),
}
