//! What kind of failure an answer is: by status and the first error's `reason`.
//!
//! **Invariant:** no word of Google's messages goes further: they quote addresses.
//!
//! **Invariant:** that something is gone, forbidden or deleted counts only in Google's own form: a network that wants a log-in
//! first, or a proxy, answers with pages of its own.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::item::Item;
use crate::{
    domain::failure::FailureClass,
    provider::{ProviderError, Result},
    transport::{Response, retry_after},
};

/// Usage limits of a user or a calendar last for hours, whatever is asked meanwhile.
const QUOTA_WAIT: Duration = Duration::from_hours(1);

/// What was being done.
#[derive(Clone, Copy, Debug)]
pub(super) enum GoogleAction {
    /// Reading something.
    Reading(&'static str),
    /// Reading a calendar's changes: 410 is about the token.
    Listing,
    /// Writing: a failure of theirs leaves open whether it was applied.
    Writing(&'static str),
}

impl GoogleAction {
    fn words(self) -> &'static str {
        match self {
            Self::Reading(what) | Self::Writing(what) => what,
            Self::Listing => "reading a calendar's events",
        }
    }

    /// What a good status with something else in it is.
    fn unreadable(self) -> FailureClass {
        match self {
            Self::Writing(_) => FailureClass::Ambiguous,
            Self::Reading(_) | Self::Listing => FailureClass::Malformed,
        }
    }

    /// What a refusal is that Google itself did not write.
    fn unproven(self) -> FailureClass {
        match self {
            Self::Writing(_) => FailureClass::Ambiguous,
            Self::Reading(_) | Self::Listing => FailureClass::Transient,
        }
    }
}

/// The object that a good answer is.
pub(super) fn object(response: &Response, doing: GoogleAction, now: DateTime<Utc>) -> Result<Item> {
    if !(200..300).contains(&response.status) {
        return Err(failure(response, doing, now));
    }
    Item::read(&response.body).ok_or_else(|| {
        ProviderError::new(doing.unreadable(), format!("{}: the answer is not a JSON object", doing.words()))
    })
}

/// The page of a list that a good answer is. Google leaves neither out, however empty the page is.
pub(super) fn list(response: &Response, doing: GoogleAction, now: DateTime<Utc>) -> Result<Item> {
    let page = object(response, doing, now)?;
    if page.0.get("items").is_some_and(Value::is_array)
        || page.text("kind").is_some_and(|kind| kind.starts_with("calendar#"))
    {
        return Ok(page);
    }
    Err(ProviderError::new(FailureClass::Malformed, format!("{}: the answer is no list", doing.words())))
}

/// The event that a good answer is: the one that was asked for, or written.
pub(super) fn event(response: &Response, id: &str, doing: GoogleAction, now: DateTime<Utc>) -> Result<Item> {
    let item = object(response, doing, now)?;
    if item.id() == id && !item.etag().is_empty() {
        return Ok(item);
    }
    Err(ProviderError::new(doing.unreadable(), format!("{}: the answer is not the event", doing.words())))
}

/// What came of a deletion. Only an empty answer, or Google's own word that the event is gone, says that it is done.
pub(super) fn deleted(response: &Response, doing: GoogleAction, now: DateTime<Utc>) -> Result<()> {
    match response.status {
        204 => Ok(()),
        200..300 => {
            let why = format!("{}: the answer is not one to a deletion", doing.words());
            Err(ProviderError::new(FailureClass::Ambiguous, why))
        }
        _ => match failure(response, doing, now) {
            gone if gone.class == FailureClass::Gone => Ok(()),
            other => Err(other),
        },
    }
}

/// The failure that any other answer is.
pub(super) fn failure(response: &Response, doing: GoogleAction, now: DateTime<Utc>) -> ProviderError {
    let reason = reason(&response.body);
    let class = class(response.status, reason.as_deref(), doing);
    let named = reason.as_deref().filter(|word| word.bytes().all(|b| b.is_ascii_alphanumeric())).unwrap_or("no reason");
    let detail = format!("{}: the provider answered {} ({named})", doing.words(), response.status);
    let asked = response.header("retry-after").and_then(|value| retry_after(value, now));
    let quota =
        matches!(reason.as_deref(), Some("quotaExceeded" | "calendarUsageLimitsExceeded" | "dailyLimitExceeded"));
    let asked = asked.or_else(|| wait_in_message(&response.body, now).filter(|_| class == FailureClass::RateLimited));
    ProviderError::new(class, detail).retry_after(asked.or(quota.then_some(QUOTA_WAIT)))
}

/// `Retry after 2026-07-18T12:00:00.000Z`: some limits say so in their message alone.
fn wait_in_message(body: &[u8], now: DateTime<Utc>) -> Option<Duration> {
    let error: Value = serde_json::from_slice(body).ok()?;
    let message = error.get("error")?.get("message")?.as_str()?;
    let at = message.split("Retry after ").nth(1)?.split_whitespace().next()?;
    (at.parse::<DateTime<Utc>>().ok()? - now).to_std().ok()
}

fn reason(body: &[u8]) -> Option<String> {
    let error: Value = serde_json::from_slice(body).ok()?;
    error.get("error")?.get("errors")?.get(0)?.get("reason")?.as_str().map(str::to_owned)
}

fn class(status: u16, reason: Option<&str>, doing: GoogleAction) -> FailureClass {
    match (status, reason) {
        (401, _) => FailureClass::Unauthorised,
        (429, _)
        | (
            403,
            Some(
                "rateLimitExceeded"
                | "userRateLimitExceeded"
                | "quotaExceeded"
                | "calendarUsageLimitsExceeded"
                | "dailyLimitExceeded",
            ),
        ) => FailureClass::RateLimited,
        (403 | 404 | 410, None) => doing.unproven(),
        (403, _) => FailureClass::Forbidden,
        // 410 has two meanings: on a list it is the token, on an item it is the item.
        (410, _) if matches!(doing, GoogleAction::Listing) => FailureClass::CursorExpired,
        (404 | 410, _) => FailureClass::Gone,
        (409 | 412, _) => FailureClass::Conflict,
        (408 | 500..=599, _) if matches!(doing, GoogleAction::Writing(_)) => FailureClass::Ambiguous,
        (408 | 500..=599, _) => FailureClass::Transient,
        (300..=399, _) => FailureClass::Malformed,
        _ => FailureClass::Refused,
    }
}
