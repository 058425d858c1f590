//! Every refusal as a problem document (RFC 9457): one list of stable codes, one match per kind of error.
//!
//! **Invariant:** the cause of a failure goes to the log with the request's id; the caller gets the code, never the cause.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{domain::ids::AccountId, service::Refusal, store::StoreError};

macro_rules! codes {
    ($($variant:ident = $status:literal $word:literal $title:literal),+ $(,)?) => {
        /// Why a request was refused. The word never changes; the text of a problem may.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ProblemCode {
            $(#[doc = $title] $variant,)+
        }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The HTTP status it comes with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// What it means, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

codes! {
    MalformedJson = 400 "malformed_json" "The body is not JSON",
    Unauthorised = 401 "unauthorised" "A valid API key is needed",
    ForbiddenScope = 403 "forbidden_scope" "This API key may not do that",
    NotTheirs = 403 "not_theirs" "This is another person's to decide",
    NotFound = 404 "not_found" "There is no such thing",
    MethodNotAllowed = 405 "method_not_allowed" "This resource has no such method",
    BodyTooSlow = 408 "body_too_slow" "The body did not come in time",
    RequestInProgress = 409 "request_in_progress" "The same request is still being answered",
    AlreadyConnected = 409 "already_connected" "The user has connected this account already",
    ReadOnly = 409 "read_only" "The calendar takes no writes",
    AnswerNotKept = 410 "answer_not_kept" "The request was done; its answer is no longer kept",
    EventFixed = 409 "event_fixed" "The event cannot be changed from here",
    Stale = 412 "stale" "It has changed since it was read",
    BodyTooLarge = 413 "body_too_large" "The body is too large",
    UnsupportedMediaType = 415 "unsupported_media_type" "The body must be JSON",
    Invalid = 422 "invalid" "A field is wrong",
    CredentialsRefused = 422 "credentials_refused" "The calendar server refused the credentials",
    ProviderUnreachable = 422 "provider_unreachable" "The calendar server cannot be used",
    AddressNotAllowed = 422 "address_not_allowed" "The address may not be contacted",
    IdempotencyKeyReused = 422 "idempotency_key_reused" "The idempotency key belongs to another request",
    RateLimited = 429 "rate_limited" "Too many requests",
    Internal = 500 "internal" "Something failed here",
    Unavailable = 503 "unavailable" "The service cannot answer just now",
}

/// A refusal on its way out.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The stable code.
    pub code: ProblemCode,
    /// What is wrong and what to do, for the caller.
    pub detail: String,
    /// The field, query parameter or header at fault.
    pub field: Option<String>,
    /// The account that is meant.
    pub account: Option<AccountId>,
    /// More headers: `Retry-After` and the like.
    pub headers: Vec<(&'static str, String)>,
    /// What happened, for the log alone.
    pub cause: Option<String>,
}

/// The problem document.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView {
    /// Where the code is explained.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means.
    pub title: String,
    /// The HTTP status, repeated.
    pub status: u16,
    /// The stable code to branch on.
    pub code: String,
    /// What is wrong with this request, and what to do.
    pub detail: String,
    /// The field, query parameter or header at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The account that is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub account_id: Option<AccountId>,
    /// What to name when asking for help.
    pub request_id: String,
}

/// The media type of problem documents.
pub const PROBLEM_JSON: &str = "application/problem+json";

impl Problem {
    /// A refusal with words for the caller.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, account: None, headers: Vec::new(), cause: None }
    }

    /// A field that is wrong.
    #[must_use]
    pub fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(ProblemCode::Invalid, why) }
    }

    /// A thing that is not there, or not this caller's: the two are not distinguished.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(ProblemCode::NotFound, format!("there is no such {what}"))
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    fn caused(code: ProblemCode, detail: &str, cause: &impl ToString) -> Self {
        Self { cause: Some(cause.to_string()), ..Self::new(code, detail) }
    }

    /// The document.
    #[must_use]
    pub fn view(&self, request_id: &str) -> ProblemView {
        ProblemView {
            kind: format!("/docs#{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status(),
            code: self.code.as_str().to_owned(),
            detail: self.detail.clone(),
            field: self.field.clone(),
            account_id: self.account,
            request_id: request_id.to_owned(),
        }
    }

    /// The answer.
    #[must_use]
    pub fn respond(&self, request_id: &str) -> HttpResponse {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        for (name, value) in &self.headers {
            response.insert_header((*name, value.as_str()));
        }
        if self.code == ProblemCode::Unauthorised {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        response.content_type(PROBLEM_JSON);
        response.body(serde_json::to_string(&self.view(request_id)).unwrap_or_default())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::not_found("thing"),
            StoreError::Stale => stale(),
            StoreError::Busy => Self::caused(ProblemCode::Unavailable, "the database is busy; try again", &error)
                .header("Retry-After", &1),
            StoreError::Backend(_) => {
                Self::caused(ProblemCode::Unavailable, "the database does not answer; try again", &error)
                    .header("Retry-After", &5)
            }
            StoreError::Corrupt(_) => internal(&error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let words = refusal.to_string();
        match refusal {
            Refusal::NotFound(what) => Self::not_found(what),
            Refusal::Stale => stale(),
            Refusal::ReadOnly => Self::new(ProblemCode::ReadOnly, words),
            Refusal::Fixed(_) => Self::new(ProblemCode::EventFixed, words),
            Refusal::Invalid { field, why } => Self::invalid(field, why),
            Refusal::Busy { retry_after_s, .. } => {
                Self::new(ProblemCode::Unavailable, words).header("Retry-After", &retry_after_s)
            }
            Refusal::AlreadyConnected(held) => {
                Self { account: Some(held), ..Self::new(ProblemCode::AlreadyConnected, words) }
            }
            Refusal::CredentialsRefused => Self::new(ProblemCode::CredentialsRefused, words),
            Refusal::Unreachable(_) => Self::new(ProblemCode::ProviderUnreachable, words),
            Refusal::AddressNotAllowed(_) => Self::new(ProblemCode::AddressNotAllowed, words),
            Refusal::Provider(error) => {
                Self::caused(ProblemCode::ProviderUnreachable, "the calendar server cannot be used just now", &error)
            }
            Refusal::Vault(vault) => internal(&vault),
            Refusal::Store(store) => store.into(),
        }
    }
}

fn stale() -> Problem {
    Problem::new(ProblemCode::Stale, "it has changed since it was read; read it again and repeat the change")
}

/// A fault of ours.
#[must_use]
pub fn internal(cause: &impl ToString) -> Problem {
    Problem::caused(ProblemCode::Internal, "something failed here; name the request_id when asking for help", cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_word_and_a_status_that_is_an_error() {
        let words: std::collections::BTreeSet<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), ProblemCode::ALL.len());
        assert!(ProblemCode::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn the_cause_stays_here_and_the_field_goes_out() {
        let problem: Problem = StoreError::Backend("password=hunter2".into()).into();
        let text = serde_json::to_string(&problem.view("r1")).expect("json");
        assert!(!text.contains("hunter2") && problem.cause.is_some_and(|cause| cause.contains("hunter2")));
        let view = Problem::from(Refusal::Invalid { field: "end", why: "too early".into() }).view("r1");
        assert_eq!((view.status, view.field.as_deref()), (422, Some("end")));
    }
}
