//! The classes of failure that callers branch on. Never on a provider's name, never on a status code.

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
