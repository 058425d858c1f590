//! Google's error bodies.

use serde_json::json;

use crate::sandbox::reply::Reply;

/// Why something is not done.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: u16,
    domain: &'static str,
    reason: String,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, domain: &'static str, reason: &str) -> Self {
        let message = match reason {
            "notFound" => "Not Found",
            "authError" => "Invalid Credentials",
            "deleted" => "Resource has been deleted",
            "conditionNotMet" => "Precondition Failed",
            "duplicate" => "The requested identifier already exists.",
            "fullSyncRequired" => "Sync token is no longer valid, a full sync is required.",
            "insufficientPermissions" => "Request had insufficient authentication scopes.",
            "rateLimitExceeded" => "Rate Limit Exceeded",
            other => other,
        };
        Self { status, domain, reason: reason.to_owned(), message: message.to_owned() }
    }

    /// 400 about a field.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { status: 400, domain: "global", reason: "invalid".to_owned(), message: message.into() }
    }

    /// 400 about a field that is missing.
    pub(super) fn required(message: impl Into<String>) -> Self {
        Self { reason: "required".to_owned(), ..Self::invalid(message) }
    }

    pub(super) fn reply(&self) -> Reply {
        let one = json!({ "domain": self.domain, "reason": self.reason, "message": self.message });
        let body = json!({ "error": { "code": self.status, "message": self.message, "errors": [one] } });
        Reply::json(self.status, &body)
    }
}
