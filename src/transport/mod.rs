//! One HTTP exchange as two values, and the port through which it goes, whatever it is about.
//!
//! - **guard**: which addresses may be contacted at all.
//! - **digest**: how a password is proven without being sent.
//! - **client**: the real port. **unpack**: how much of an answer it takes. **throttle**: the pace of one account.

pub mod client;
pub mod digest;
pub mod error;
pub mod guard;
pub mod throttle;
mod unpack;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use self::error::Result;
use crate::domain::secret::Secret;

/// What to send.
#[derive(Clone, Debug)]
pub struct OutgoingRequest {
    /// `GET`, `PUT`, `PROPFIND`, …
    pub method: &'static str,
    /// Where to.
    pub url: Url,
    /// Headers besides the credential.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// The credential; sent to `url`'s origin only, never along a redirect to another.
    pub credential: Option<Credential>,
    /// A domain whose hosts all belong to the same keeper (`icloud.com` and its partition hosts): when `url` is in it, a
    /// redirect to another `https` host in it keeps the credential.
    pub trusted_suffix: Option<&'static str>,
    /// Whether a lost answer leaves it open whether it was applied.
    pub writes: bool,
}

impl OutgoingRequest {
    /// A request without headers, body or credential that may be repeated.
    #[must_use]
    pub fn new(method: &'static str, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Bytes::new(),
            credential: None,
            trusted_suffix: None,
            writes: false,
        }
    }
}

/// How a request proves whose it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// RFC 7617.
    Basic {
        /// User name.
        username: Secret,
        /// Password.
        password: Secret,
    },
    /// RFC 7616: without a challenge nothing is sent, and the first answer is a 401 that has one.
    Digest(Arc<digest::Digest>),
    /// RFC 6750.
    Bearer(Secret),
}

/// What came back, whole.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body after decompression, within the size limit.
    pub body: Bytes,
    /// Where the answer came from, after redirects.
    pub url: Url,
}

impl Response {
    /// The first value of a header (name in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }
}

/// The HTTP port. The real one guards addresses, bounds sizes and times, follows redirects itself and keeps pace.
///
/// It answers `Ok` for every status; the adapter classes them. `Err` only when there is no whole answer:
/// `Transient` (or `Ambiguous` when [`OutgoingRequest::writes`]), `AddressNotAllowed`, `Malformed` (too large, bad encoding).
#[async_trait]
pub trait Http: Send + Sync {
    /// One exchange.
    async fn send(&self, request: OutgoingRequest) -> Result<Response>;
}

#[async_trait]
impl<H: Http + ?Sized> Http for Arc<H> {
    async fn send(&self, request: OutgoingRequest) -> Result<Response> {
        (**self).send(request).await
    }
}

/// Reads `Retry-After` (RFC 9110 §10.2.3): seconds, or an HTTP date measured against `now`. Absurd values are capped at a day.
#[must_use]
pub fn retry_after(value: &str, now: chrono::DateTime<chrono::Utc>) -> Option<Duration> {
    const DAY_S: u64 = 86_400;
    let text = value.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds.min(DAY_S)));
    }
    let at = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    let wait = at.with_timezone(&chrono::Utc).signed_duration_since(now).num_seconds();
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0).min(DAY_S)))
}
