//! From a status and a precondition to a class of failure.
//!
//! - **condition**: the element inside `DAV:error` (RFC 4918 §16) that says which rule was broken.

use chrono::{DateTime, Utc};

use super::wire;
use crate::{
    domain::failure::FailureClass,
    provider::ProviderError,
    transport::{Response, digest, retry_after},
};

/// What was being done, for the words and for what a lost answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DavAction {
    /// Nothing changes there.
    Reading(&'static str),
    /// Something may have changed there.
    Writing(&'static str),
}

/// Conditions that condemn what was sent: sending it again cannot help (RFC 4791 §5.3.2.1, RFC 4331).
const PAYLOAD: [&str; 14] = [
    "supported-calendar-data",
    "supported-calendar-component",
    "valid-calendar-data",
    "valid-calendar-object-resource",
    "valid-calendar-object",
    "calendar-collection-location-ok",
    "max-resource-size",
    "min-date-time",
    "max-date-time",
    "max-instances",
    "max-attendees-per-instance",
    "quota-not-exceeded",
    "sufficient-disk-space",
    "valid-managed-id",
];

/// Conditions that say somebody else has it (RFC 4791 §5.3.2.1, RFC 6638 §3.2.4.1).
const TAKEN: [&str; 2] = ["no-uid-conflict", "unique-scheduling-object-resource"];

/// Conditions that are about rights (RFC 3744 §7.1.1, RFC 6638 §3.2.4.2).
const RIGHTS: [&str; 5] = [
    "need-privileges",
    "allowed-attendee-scheduling-object-change",
    "allowed-organizer-scheduling-object-change",
    "same-organizer-in-all-components",
    "cannot-modify-protected-property",
];

/// The failure that an unsuccessful answer is.
pub(super) fn failure(response: &Response, doing: DavAction, now: DateTime<Utc>) -> ProviderError {
    let conditions = if (400..500).contains(&response.status) || response.status == 507 {
        wire::conditions(&response.body)
    } else {
        Vec::new()
    };
    let named =
        |known: &'static [&'static str]| known.iter().copied().find(|name| conditions.iter().any(|c| c == name));
    let wait = response.header("retry-after").and_then(|value| retry_after(value, now));
    let (class, word) = if let Some(word) = named(&TAKEN) {
        (FailureClass::Conflict, Some(word))
    } else if let Some(word) = named(&PAYLOAD) {
        (FailureClass::Refused, Some(word))
    } else if let Some(word) = named(&RIGHTS) {
        (FailureClass::Forbidden, Some(word))
    } else {
        (by_status(response.status, doing, wait.is_some()), None)
    };
    let (DavAction::Reading(what) | DavAction::Writing(what)) = doing;
    if let Some(schemes) = foreign_schemes(response) {
        let detail = format!(
            "{what}: the server wants to be convinced by {schemes}; Basic and Digest (MD5, SHA-256, qop=auth) are what can be offered"
        );
        // Not a wrong password: nobody can mend it by typing another.
        return ProviderError::new(FailureClass::Refused, detail);
    }
    let word = word.map(|word| format!(" ({word})")).unwrap_or_default();
    ProviderError::new(class, format!("{what}: the server answered {}{word}", response.status)).retry_after(wait)
}

/// The ways of authentication that a 401 names, if it is none of ours.
fn foreign_schemes(response: &Response) -> Option<String> {
    if response.status != 401 {
        return None;
    }
    let schemes: Vec<_> = digest::schemes(response).take(SCHEMES_NAMED_MAX).collect();
    let ours = ["basic", "bearer"];
    let foreign = !schemes.is_empty() && !schemes.iter().any(|scheme| ours.contains(&scheme.as_str()));
    (foreign && !digest::can_be_answered(response)).then(|| schemes.join(", "))
}

/// Schemes that are named in a failure.
const SCHEMES_NAMED_MAX: usize = 4;

fn by_status(status: u16, doing: DavAction, asks_to_wait: bool) -> FailureClass {
    let writing = matches!(doing, DavAction::Writing(_));
    match status {
        401 => FailureClass::Unauthorised,
        403 | 407 | 451 => FailureClass::Forbidden,
        404 | 410 => FailureClass::Gone,
        409 | 412 => FailureClass::Conflict,
        408 | 421 | 423 | 424 | 425 => FailureClass::Transient,
        429 => FailureClass::RateLimited,
        // iCloud and Fastmail throttle with 503.
        503 if asks_to_wait => FailureClass::RateLimited,
        507 if !writing => FailureClass::Malformed,
        400..=499 | 501 | 505 | 507 => FailureClass::Refused,
        500..=599 if writing => FailureClass::Ambiguous,
        500..=599 => FailureClass::Transient,
        _ => FailureClass::Malformed,
    }
}

/// Whether a refused report says "not with this token" or "not at all", rather than "not you" or "not now":
/// servers say so with 400, 403, 405, 409, 410, 412, 415, 501 or a whole-answer 507.
pub(super) fn report_unusable(status: u16) -> bool {
    matches!(status, 501 | 507)
        || ((400..500).contains(&status) && !matches!(status, 401 | 404 | 408 | 421 | 423 | 425 | 429))
}
