//! Google's error bodies.

use serde_json::{Value, json};

use crate::sandbox::reply::Reply;

/// Why something is not done.
#[derive(Clone, Debug)]
pub(super) struct SandboxRefusal {
    status: u16,
    domain: &'static str,
    reason: String,
    message: String,
    /// Kind (`parameter` or `header`) and name of what is wrong.
    place: Option<(&'static str, String)>,
}

impl SandboxRefusal {
    pub(super) fn new(status: u16, domain: &'static str, reason: &str) -> Self {
        let message = match reason {
            "notFound" => "Not Found",
            "authError" => "Invalid Credentials",
            "badRequest" => "Bad Request",
            "parseError" => "Parse Error",
            "deleted" => "Resource has been deleted",
            "conditionNotMet" => "Precondition Failed",
            "duplicate" => "The requested identifier already exists.",
            "fullSyncRequired" => "Sync token is no longer valid, a full sync is required.",
            "updatedMinTooLongAgo" => "The requested minimum modification time lies too far in the past.",
            "timeRangeEmpty" => "The specified time range is empty.",
            "insufficientPermissions" => "Insufficient Permission",
            "requiredAccessLevel" => "You need to have writer access to this calendar.",
            "forbidden" => "Forbidden",
            "rateLimitExceeded" => "Rate Limit Exceeded",
            "quotaExceeded" => "Calendar usage limits exceeded.",
            other => other,
        };
        let place = match reason {
            "authError" => Some(("header", "Authorization")),
            "conditionNotMet" => Some(("header", "If-Match")),
            "updatedMinTooLongAgo" => Some(("parameter", "updatedMin")),
            "timeRangeEmpty" => Some(("parameter", "timeMax")),
            _ => None,
        };
        let place = place.map(|(kind, name)| (kind, name.to_owned()));
        Self { status, domain, reason: reason.to_owned(), message: message.to_owned(), place }
    }

    /// 400 about a field.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::new(400, "global", "invalid") }
    }

    /// 400 about a field that is missing.
    pub(super) fn required(message: impl Into<String>) -> Self {
        Self { reason: "required".to_owned(), ..Self::invalid(message) }
    }

    /// 400 about a query parameter whose value is not one it takes.
    pub(super) fn parameter(name: &str, message: impl Into<String>) -> Self {
        let place = Some(("parameter", name.to_owned()));
        Self { message: message.into(), place, ..Self::new(400, "global", "invalidParameter") }
    }

    /// The same, with other words.
    pub(super) fn saying(self, message: &str) -> Self {
        Self { message: message.to_owned(), ..self }
    }

    pub(super) fn reply(&self) -> Reply {
        let mut one = json!({ "domain": self.domain, "reason": self.reason, "message": self.message });
        if let (Some((kind, name)), Some(fields)) = (&self.place, one.as_object_mut()) {
            fields.insert("locationType".to_owned(), json!(kind));
            fields.insert("location".to_owned(), json!(name));
        }
        // What stands before the API itself answers in longer words, and with a word for the status.
        let (message, status) = match self.reason.as_str() {
            "authError" => (
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
                 authentication credential.",
                Some("UNAUTHENTICATED"),
            ),
            "insufficientPermissions" => ("Request had insufficient authentication scopes.", Some("PERMISSION_DENIED")),
            "fullSyncRequired" => (self.message.as_str(), Some("ABORTED")),
            _ => (self.message.as_str(), None),
        };
        let mut error = json!({ "code": self.status, "message": message, "errors": [one] });
        if let (Some(status), Some(fields)) = (status, error.as_object_mut()) {
            fields.insert("status".to_owned(), json!(status));
        }
        let mut reply = Reply::json(self.status, &Value::Object([("error".to_owned(), error)].into_iter().collect()));
        if self.status == 401 {
            let challenge = "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"";
            reply.headers.push(("www-authenticate".to_owned(), challenge.to_owned()));
        }
        reply
    }
}
