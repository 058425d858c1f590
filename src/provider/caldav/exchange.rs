//! One account's way to its server: credentials where they may go, redirects with the method kept, requests counted.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use url::Url;

use super::{
    classify::{self, DavAction},
    href, icloud, request,
    wire::{self, Multistatus},
};
use crate::{
    domain::{account::ProviderKind, failure::FailureClass, ids::Revision, ports::World},
    provider::{ProviderError, Result},
    transport::{
        Credential, Http, OutgoingRequest, Response,
        digest::{Digest, asks_for_digest},
    },
};

/// Challenges answered for one request.
const CHALLENGES_MAX: u32 = 2;
/// Redirects followed for one request.
const REDIRECTS_MAX: usize = 5;

/// A multistatus and where it came from.
pub(super) struct MultistatusAnswer {
    /// What it says.
    pub body: Multistatus,
    /// Its final address: hrefs are resolved against this.
    pub url: Url,
    /// `Date` of RFC 9110 §6.6.1: the server's own clock.
    pub date: Option<DateTime<Utc>>,
}

/// One object as read by `GET`.
pub(super) struct Object {
    /// Its bytes.
    pub raw: Bytes,
    /// Its version, when the server sent one.
    pub revision: Option<Revision>,
}

pub(super) struct Exchange {
    http: Arc<dyn Http>,
    world: World,
    kind: ProviderKind,
    start: Url,
    credential: Option<Credential>,
    /// How the credential is proven once the server has asked for Digest.
    digest: Mutex<Option<Arc<Digest>>>,
    requests: AtomicU32,
}

impl Exchange {
    pub(super) fn new(
        http: Arc<dyn Http>,
        world: World,
        kind: ProviderKind,
        start: Url,
        credential: Option<Credential>,
    ) -> Self {
        Self { http, world, kind, start, credential, digest: Mutex::new(None), requests: AtomicU32::new(0) }
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn world(&self) -> &World {
        &self.world
    }

    pub(super) fn start(&self) -> &Url {
        &self.start
    }

    pub(super) fn kind(&self) -> ProviderKind {
        self.kind
    }

    /// Sends one request; every status is an answer here.
    ///
    /// The port follows redirects, but drops the credential on the way to another host, and asks with `GET` after a 303:
    /// where that ended badly the request is sent again to where it ended. A redirect that the port hands back is
    /// followed here. Method and body are kept (RFC 6764 §5 needs that for `PROPFIND`).
    pub(super) async fn send(&self, mut request: OutgoingRequest) -> Result<Response> {
        let mut challenges = 0;
        for _ in 0..=REDIRECTS_MAX {
            self.admit(&request.url)?;
            request.url.set_fragment(None);
            request.credential = self.proof();
            self.requests.fetch_add(1, Ordering::Relaxed);
            let response = self.http.send(request.clone()).await?;
            if response.status == 401 && self.may_answer(&response, &mut challenges) {
                request.url.clone_from(&response.url);
                continue;
            }
            match next_place(&request, &response) {
                Some(url) if url != request.url => request.url = url,
                _ => return Ok(response),
            }
        }
        Err(ProviderError::new(FailureClass::Malformed, "the server redirects in circles"))
    }

    /// The credential as the server wants it proven.
    fn proof(&self) -> Option<Credential> {
        let digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        digest.map(Credential::Digest).or_else(|| self.credential.clone())
    }

    /// Whether a 401 is a challenge that the same request may be repeated with: the first of this request, or a newer one in
    /// place of one that was too old. A second refusal is of the password.
    fn may_answer(&self, response: &Response, challenges: &mut u32) -> bool {
        let Some(Credential::Basic { username, password }) = &self.credential else { return false };
        if !asks_for_digest(response) || self.admit(&response.url).is_err() {
            return false;
        }
        let mut held = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = held.get_or_insert_with(|| {
            let cnonce = self.world.new_id::<uuid::Uuid>().simple().to_string();
            Arc::new(Digest::new(username.clone(), password.clone(), cnonce))
        });
        let Some(stale) = digest.challenged(response) else { return false };
        *challenges += 1;
        *challenges == 1 || (stale && *challenges <= CHALLENGES_MAX)
    }

    fn admit(&self, url: &Url) -> Result<()> {
        if self.credential.is_none() || icloud::may_see_credential(self.kind, &self.start, url) {
            return Ok(());
        }
        let host = url.host_str().unwrap_or("another host");
        let detail = format!(
            "the server sends us on to {}://{host}, which may not be given this account's password; \
             if that is right, connect with an address on that host",
            url.scheme()
        );
        Err(ProviderError::new(FailureClass::Forbidden, detail))
    }

    /// The failure an answer is.
    pub(super) fn failure(&self, response: &Response, doing: DavAction) -> ProviderError {
        classify::failure(response, doing, self.world.now())
    }

    /// Reads a 207; anything else is its failure.
    pub(super) fn multistatus(&self, response: &Response, what: &'static str) -> Result<MultistatusAnswer> {
        if response.status != 207 && response.status != 200 {
            return Err(self.failure(response, DavAction::Reading(what)));
        }
        let body = wire::multistatus(&response.body)
            .map_err(|why| ProviderError::new(FailureClass::Malformed, format!("{what}: {why}")))?;
        let date = response.header("date").and_then(http_date);
        Ok(MultistatusAnswer { body, url: response.url.clone(), date })
    }

    /// Sends a request whose answer is a multistatus.
    pub(super) async fn ask(&self, request: OutgoingRequest, what: &'static str) -> Result<MultistatusAnswer> {
        let response = self.send(request).await?;
        self.multistatus(&response, what)
    }

    /// Reads one object; `None`: it is not there.
    pub(super) async fn object(&self, url: &Url) -> Result<Option<Object>> {
        let response = self.send(request::get(url.clone())).await?;
        match response.status {
            200 if is_page(&response.body) => {
                let detail = "the server answered with a web page in place of an event";
                Err(ProviderError::new(FailureClass::Transient, detail))
            }
            200 => {
                let revision =
                    response.header("etag").map(str::trim).filter(|etag| !etag.is_empty()).map(Revision::from);
                Ok(Some(Object { raw: response.body, revision }))
            }
            404 | 410 => Ok(None),
            _ => Err(self.failure(&response, DavAction::Reading("reading one event"))),
        }
    }
}

/// Whether a body is a web page: whoever stands between us and the server (a login, a proxy, maintenance) says so for a while, of
/// any event. Taken for the event, it would be one that cannot be read, and not be looked at again until it changes.
fn is_page(body: &[u8]) -> bool {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start().starts_with(b"<")
}

/// An HTTP date (RFC 9110 §5.6.7).
pub(super) fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.with_timezone(&Utc))
}

/// Where else to send a request, after an answer.
fn next_place(request: &OutgoingRequest, response: &Response) -> Option<Url> {
    // Its fragment is for who looks at the page.
    let to = || href::resolve(&response.url, response.header("location")?.split('#').next()?);
    let strayed = response.url.origin() != request.url.origin();
    let asks = matches!(request.method, "PROPFIND" | "REPORT");
    match response.status {
        301 | 302 | 307 | 308 => to(),
        // After a write, it leads to a text about the result (RFC 9110 §15.4.4).
        303 if !request.writes => to(),
        401 if strayed => Some(response.url.clone()),
        200 | 404 | 405 if asks => Some(response.url.clone()),
        _ => None,
    }
}
