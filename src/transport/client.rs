//! The real HTTP port: one connection pool for all accounts, every answer bounded in size and time.
//!
//! - **hop**: one request and its answer; a redirect makes another, at most [`HOPS_MAX`] of them.
//! - **origin**: scheme, host and port (RFC 6454 §4).
//!
//! **Invariant:** a credential goes to the origin it was given for, or to a trusted host of the same keeper, and once
//! dropped on the way it does not come back. A request that writes leaves that circle not at all, for its body is the
//! user's.
//! **Invariant:** nothing is contacted that [`guard`] does not allow: each hop's URL is checked, and the resolver hands
//! out allowed addresses only, so the address that was checked is the one connected to.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{
    Method,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, LOCATION},
};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{
    Credential, Http, OutgoingRequest, Response,
    guard::{self, AddressPolicy, AddressRefused, address_allowed},
    unpack::Unpacker,
};
use crate::{
    domain::failure::{FailureClass, ProviderError},
    transport::error::Result,
};

/// Most redirects that one request follows.
pub const HOPS_MAX: u32 = 5;

/// How the client behaves.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// What may be contacted.
    pub policy: AddressPolicy,
    /// Largest body after decompression, in bytes.
    pub body_max: usize,
    /// Longest time until a connection stands.
    pub connect: Duration,
    /// Longest time until an answer's header is there, per hop.
    pub first_byte: Duration,
    /// Longest time for all of it, redirects and body included.
    pub whole: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            policy: AddressPolicy::default(),
            body_max: 10 * 1024 * 1024,
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(15),
            whole: Duration::from_mins(1),
        }
    }
}

/// The real port. Made once and shared.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: reqwest::Client,
    config: Arc<ClientConfig>,
}

impl HttpClient {
    /// Builds the pool. Certificates are checked against the machine's roots, or Mozilla's where the machine has none
    /// (a container without `ca-certificates`).
    pub fn new(config: ClientConfig) -> Result<Self> {
        // Fails when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Arc::new(config);
        let client = builder(&config)
            .build()
            .or_else(|_| builder(&config).tls_backend_preconfigured(mozilla_roots()).build())
            .map_err(|_| ProviderError::new(FailureClass::Refused, "the HTTP client cannot be set up"))?;
        Ok(Self { client, config })
    }

    /// One hop: the header of the answer within the first-byte limit.
    async fn hop(&self, request: &OutgoingRequest, end: Instant) -> Result<reqwest::Response> {
        guard::check_url(&request.url, &self.config.policy)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| ProviderError::new(FailureClass::Refused, "the request's method is not one of HTTP"))?;
        let mut sending = self.client.request(method, request.url.clone()).header("accept-encoding", "gzip");
        for (name, value) in &request.headers {
            sending = sending.header(*name, value);
        }
        sending = match &request.credential {
            Some(Credential::Basic { username, password }) => {
                sending.basic_auth(username.expose(), Some(password.expose()))
            }
            Some(Credential::Digest(digest)) => match digest.authorization(request.method, &request.url) {
                Some(answer) => sending.header(AUTHORIZATION, answer),
                None => sending,
            },
            Some(Credential::Bearer(token)) => sending.bearer_auth(token.expose()),
            None => sending,
        };
        if !request.body.is_empty() {
            sending = sending.body(request.body.clone());
        }
        let limit = end.min(Instant::now() + self.config.first_byte);
        match timeout_at(limit, sending.send()).await {
            Err(_) => Err(lost(request.writes, "the server did not begin to answer in time")),
            Ok(Err(error)) => Err(unsent(request.writes, &error)),
            Ok(Ok(answer)) => Ok(answer),
        }
    }

    /// The rest of the answer, within the time and size that are left.
    async fn read(&self, mut answer: reqwest::Response, request: &OutgoingRequest, end: Instant) -> Result<Response> {
        let status = answer.status().as_u16();
        let mut headers = std::mem::take(answer.headers_mut());
        let announced = answer.content_length().unwrap_or(0);
        if announced > u64::try_from(self.config.body_max).unwrap_or(u64::MAX) {
            return Err(ProviderError::too_large());
        }
        let encoding = headers.remove(CONTENT_ENCODING);
        let encoding = encoding.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut unpacker = Unpacker::new(encoding.as_deref(), self.config.body_max)?;
        if encoding.is_some() {
            // It gives the length of what was sent, not of what is handed on.
            headers.remove(CONTENT_LENGTH);
        }
        loop {
            match timeout_at(end, answer.chunk()).await {
                Err(_) => return Err(lost(request.writes, "the server did not finish its answer in time")),
                Ok(Err(_)) => return Err(lost(request.writes, "the connection broke in the middle of the answer")),
                Ok(Ok(Some(piece))) => unpacker.push(&piece)?,
                Ok(Ok(None)) => break,
            }
        }
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        Ok(Response { status, headers, body: unpacker.finish()?, url: request.url.clone() })
    }
}

#[async_trait]
impl Http for HttpClient {
    async fn send(&self, request: OutgoingRequest) -> Result<Response> {
        let began = Instant::now();
        let done = self.follow(request).await;
        let class = match &done {
            Ok(response) => match response.status {
                200..300 => "2xx",
                300..400 => "3xx",
                400..500 => "4xx",
                _ => "5xx",
            },
            Err(error) => error.class.as_str(),
        };
        metrics::counter!("calwarden_provider_requests_total", "class" => class).increment(1);
        metrics::histogram!("calwarden_provider_request_seconds").record(began.elapsed());
        done
    }
}

impl HttpClient {
    async fn follow(&self, mut request: OutgoingRequest) -> Result<Response> {
        let end = Instant::now() + self.config.whole;
        for _ in 0..=HOPS_MAX {
            let answer = self.hop(&request, end).await?;
            match next_hop(&request, &answer) {
                Some(next) => request = next,
                None => return self.read(answer, &request, end).await,
            }
        }
        Err(ProviderError::new(FailureClass::Malformed, "the server redirects in circles"))
    }
}

/// The request that a redirect asks for; `None`: the answer stands as it is.
fn next_hop(request: &OutgoingRequest, answer: &reqwest::Response) -> Option<OutgoingRequest> {
    let status = answer.status().as_u16();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = String::from_utf8_lossy(answer.headers().get(LOCATION)?.as_bytes()).into_owned();
    let url = request.url.join(location.trim()).ok()?;
    let at_home = same_origin(&request.url, &url) || both_trusted(request, &url);
    // After a write, 303 names another resource that holds the result (RFC 9110 §15.4.4): not the answer we need.
    if request.writes && (!at_home || status == 303) {
        return None;
    }
    let mut next = OutgoingRequest { url, ..request.clone() };
    if !at_home {
        next.credential = None;
        next.trusted_suffix = None;
    }
    // Those of WebDAV read as GET does, and ask for what a GET does not give (RFC 6764 §5).
    if status == 303 && !matches!(request.method, "PROPFIND" | "REPORT") {
        next.method = "GET";
        next.body = Bytes::new();
        next.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    }
    Some(next)
}

fn same_origin(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

/// Whether both ends of a redirect are `https` hosts under the request's trusted domain, on the usual port.
fn both_trusted(request: &OutgoingRequest, to: &Url) -> bool {
    let Some(suffix) = request.trusted_suffix else { return false };
    [&request.url, to].into_iter().all(|url| {
        let host = url.host_str().unwrap_or_default();
        let under = host.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        under && url.scheme() == "https" && url.port().is_none()
    })
}

/// A request whose answer never came whole.
fn lost(writes: bool, why: &str) -> ProviderError {
    let class = if writes { FailureClass::Ambiguous } else { FailureClass::Transient };
    ProviderError::new(class, why)
}

/// Classes an exchange that ended before the header of an answer. Without a connection nothing was applied.
fn unsent(writes: bool, error: &reqwest::Error) -> ProviderError {
    // The error's own text holds the URL, which may be a secret: it is not shown.
    if error.is_builder() {
        return ProviderError::new(FailureClass::Refused, "the request cannot be written as HTTP");
    }
    if !error.is_connect() {
        return lost(writes, "the connection broke before the answer");
    }
    if let Some(refused) = find_cause::<AddressRefused>(error) {
        return (*refused).into();
    }
    lost(
        false,
        match find_cause::<rustls::Error>(error) {
            Some(rustls::Error::InvalidCertificate(_)) => "the server's certificate is not trusted",
            Some(_) => "the server and this one cannot agree on an encrypted connection",
            None => "the server cannot be reached",
        },
    )
}

/// Deepest chain of causes that is looked through.
const CAUSES_MAX: usize = 16;

/// A cause of a type, in the chain of sources. An I/O error hides what it wraps from the chain, so it is opened.
fn find_cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    for _ in 0..CAUSES_MAX {
        let here = next?;
        if let Some(found) = here.downcast_ref::<E>() {
            return Some(found);
        }
        next = match here.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => here.source(),
        };
    }
    None
}

fn builder(config: &Arc<ClientConfig>) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("calwarden/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .no_gzip()
        .http1_only()
        .connect_timeout(config.connect)
        .dns_resolver(GuardedResolver(Arc::clone(config)))
}

fn mozilla_roots() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    tls
}

/// The system's resolver, minus the addresses that may not be contacted.
struct GuardedResolver(Arc<ClientConfig>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let config = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed = allowed_only(name.as_str(), found, &config.policy)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The addresses among those found that may be contacted; none left is a refusal.
fn allowed_only(
    name: &str,
    found: Vec<SocketAddr>,
    policy: &AddressPolicy,
) -> std::result::Result<Vec<SocketAddr>, AddressRefused> {
    let listed = policy.lists_host(name);
    let (allowed, refused): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|at| listed || address_allowed(at.ip(), policy));
    if allowed.is_empty() && !refused.is_empty() { Err(AddressRefused::Address) } else { Ok(allowed) }
}

#[cfg(test)]
mod tests;
