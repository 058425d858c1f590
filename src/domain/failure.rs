//! The classes of failure that callers branch on. Never on a provider's name, never on a status code.

use std::time::Duration;

use crate::words;

words! {
    /// What kind of failure a provider's answer is. Matches on it have no wildcard.
    FailureClass {
        /// May go away by itself: 5xx, time-out, reset before an answer to a read.
        Transient = "transient",
        /// Too many requests; obey `Retry-After`.
        RateLimited = "rate_limited",
        /// The credential was refused.
        Unauthorised = "unauthorised",
        /// The credential is good, this is not allowed (read-only calendar, attendee's copy).
        Forbidden = "forbidden",
        /// It is not there (404, 410 on an object).
        Gone = "gone",
        /// A precondition failed or the object exists (412, 409): read and decide again.
        Conflict = "conflict",
        /// The cursor is no longer known: list everything.
        CursorExpired = "cursor_expired",
        /// Permanently refused as it is (invalid data, too large, quota).
        Refused = "refused",
        /// The answer cannot be read: not what was asked for, truncated, an HTML page with 200.
        Malformed = "malformed",
        /// A write may or may not have been applied: read before trying again.
        Ambiguous = "ambiguous",
        /// The address may not be contacted (the SSRF guard).
        AddressNotAllowed = "address_not_allowed",
    }
}

/// A failed call. The detail is for the log and the owner: it never holds a credential, an address of a person or an
/// event's text.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{class}: {detail}")]
pub struct ProviderError {
    /// What kind.
    pub class: FailureClass,
    /// What happened, in words.
    pub detail: String,
    /// How long the provider asks us to wait.
    pub retry_after: Option<Duration>,
}

impl ProviderError {
    /// A failure of a class, with words.
    #[must_use]
    pub fn new(class: FailureClass, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into(), retry_after: None }
    }

    /// The same, with what the provider asked for.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }
}
