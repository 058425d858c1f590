//! The one place that knows every provider: from an account's kind and secrets to an open provider.

use std::sync::Arc;

use url::Url;

use super::{
    Provider, ProviderError,
    caldav::{Caldav, CaldavConfig},
    catalogue::{ConnectedBy, facts},
    feed::{Feed, FeedConfig},
    google::{self, Google, GoogleConfig, scopes},
    push::Notification,
};
use crate::{
    domain::{account::ProviderKind, failure::FailureClass, ports::World, secret::Secret},
    transport::{Credential, Http},
};

/// Where the providers with one address for everybody are; look-alikes stand in for tests and for the sandbox.
#[derive(Clone)]
pub struct Endpoints {
    /// Google Calendar's root (`https://www.googleapis.com/calendar/v3`).
    pub google_api: Url,
    /// What reaches these addresses, which no user chose; `None`: what reaches all others.
    pub http: Option<Arc<dyn Http>>,
}

/// What it takes to open an account.
#[derive(Clone, Debug)]
pub struct AccountAccess {
    /// Who keeps the calendars.
    pub kind: ProviderKind,
    /// What the owner typed; empty for a feed.
    pub url: String,
    /// User name.
    pub username: Option<Secret>,
    /// Password.
    pub password: Option<Secret>,
    /// Bearer token.
    pub bearer_token: Option<Secret>,
    /// An OAuth access token.
    pub access_token: Option<Secret>,
    /// What its owner granted, in the provider's words.
    pub granted: Vec<String>,
    /// A feed's address.
    pub feed_url: Option<Secret>,
}

impl AccountAccess {
    /// To a provider, with nothing known yet.
    #[must_use]
    pub fn to(kind: ProviderKind) -> Self {
        Self {
            kind,
            url: String::new(),
            username: None,
            password: None,
            bearer_token: None,
            access_token: None,
            granted: Vec::new(),
            feed_url: None,
        }
    }
}

/// Opens a provider. Makes no request.
pub fn open(
    access: AccountAccess,
    endpoints: &Endpoints,
    http: Arc<dyn Http>,
    world: &World,
) -> Result<Arc<dyn Provider>, ProviderError> {
    match access.kind {
        ProviderKind::Caldav | ProviderKind::Icloud => {
            let credential = match (access.bearer_token, access.username, access.password) {
                (Some(token), _, _) => Some(Credential::Bearer(token)),
                (None, Some(username), Some(password)) => Some(Credential::Basic { username, password }),
                _ => None,
            };
            let start = match facts(access.kind).connected_by {
                ConnectedBy::Password { start } => start,
                ConnectedBy::Address | ConnectedBy::Consent => None,
            };
            let text = Some(access.url.trim()).filter(|typed| !typed.is_empty()).or(start).unwrap_or_default();
            let config = CaldavConfig { kind: access.kind, start: parse(text)?, credential, home: None };
            Ok(Arc::new(Caldav::new(http, world.clone(), config)))
        }
        ProviderKind::Feed => {
            let url = access.feed_url.ok_or_else(|| refused("the feed has no address"))?;
            Ok(Arc::new(Feed::new(http, &FeedConfig { url })?))
        }
        ProviderKind::Google => {
            let access_token = access
                .access_token
                .ok_or_else(|| ProviderError::new(FailureClass::Unauthorised, "the account has no access token yet"))?;
            let may_write = scopes::allowed(&access.granted).write;
            let config = GoogleConfig { api: endpoints.google_api.clone(), access_token, may_write };
            Ok(Arc::new(Google::new(endpoints.http.clone().unwrap_or(http), world.clone(), config)))
        }
    }
}

/// Why nobody may change an event from here, as far as the bytes kept with its copy show; `None`: nothing speaks against it,
/// and the provider has the last word.
#[must_use]
pub fn fixed_because(kind: ProviderKind, raw: &[u8]) -> Option<&'static str> {
    match kind {
        ProviderKind::Google => google::fixed_because(raw),
        ProviderKind::Caldav | ProviderKind::Icloud | ProviderKind::Feed => None,
    }
}

fn parse(text: &str) -> Result<Url, ProviderError> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    Url::parse(&whole).map_err(|_| refused("the address is not a URL such as https://calendar.example.org/"))
}

fn refused(why: &str) -> ProviderError {
    ProviderError::new(FailureClass::Refused, why)
}

/// Reads what a provider has sent to [`ProviderFacts::notified_at`](super::ProviderFacts::notified_at), from its headers by lower-case name. `Err` says what
/// it lacks.
pub fn notifications<'h>(
    kind: ProviderKind,
    header: impl Fn(&str) -> Option<&'h str>,
) -> Result<Vec<Notification>, &'static str> {
    match kind {
        ProviderKind::Google => Ok(vec![google::push::parse(header)?]),
        ProviderKind::Caldav | ProviderKind::Icloud | ProviderKind::Feed => Err("this provider sends none"),
    }
}
