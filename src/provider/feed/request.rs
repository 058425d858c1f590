//! The address of a feed, and the one request there is.

use url::{Url, form_urlencoded};

use super::bookmark::{Bookmark, short_hash};
use crate::{
    domain::{failure::FailureClass, secret::Secret},
    provider::{ProviderError, Result},
    transport::{Credential, OutgoingRequest},
};

/// Longest address, in bytes.
const URL_BYTES_MAX: usize = 4096;

/// Schemes that mean "subscribe to this" and are no transport.
const SUBSCRIBE_SCHEMES: [&str; 2] = ["webcal://", "webcals://"];

/// Where the feed is and how it is asked for.
pub(super) struct Source {
    url: Url,
    credential: Option<Credential>,
    /// The host, for people.
    pub(super) host: String,
    /// Distinguishes one address from another without showing it.
    pub(super) fingerprint: String,
}

impl Source {
    /// Reads what an owner pasted. No error holds any of it.
    pub(super) fn parse(text: &Secret) -> Result<Self> {
        let text = text.expose().trim();
        if text.len() > URL_BYTES_MAX {
            return Err(refused("url: longer than 4096 bytes"));
        }
        let scheme_end = text.find("://").map_or(0, |at| at + 3);
        let (scheme, rest) = text.split_at(scheme_end);
        let subscribes = SUBSCRIBE_SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let written = if subscribes { format!("https://{rest}") } else { text.to_owned() };
        let mut url =
            Url::parse(&written).map_err(|_| refused("url: not an address such as https://…/calendar.ics"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(refused("url: must begin with https:// or webcal://"));
        }
        let host = url.host_str().map(str::to_owned).ok_or_else(|| refused("url: names no host"))?;
        let credential = (!url.username().is_empty() || url.password().is_some()).then(|| Credential::Basic {
            username: Secret::new(percent_decoded(url.username())),
            password: Secret::new(percent_decoded(url.password().unwrap_or_default())),
        });
        let fingerprint = format!("{:016x}", short_hash(url.as_str().as_bytes()));
        url.set_fragment(None);
        // A URL with a host takes both.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { url, credential, host, fingerprint })
    }

    /// What the address names, however it is written: the scheme and what belongs to a page are left out.
    pub(super) fn place(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let query = self.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("feed://{}{port}{}{query}", self.host, self.url.path())
    }

    /// `GET`, conditional when a bookmark holds validators: both are sent, the publisher uses the `ETag`
    /// (RFC 9110 §13.1.3).
    pub(super) fn request(&self, since: Option<&Bookmark>) -> OutgoingRequest {
        let mut request = OutgoingRequest::new("GET", self.url.clone());
        request.credential.clone_from(&self.credential);
        request.headers.push(("accept", "text/calendar, */*;q=0.1".to_owned()));
        if let Some(bookmark) = since {
            request.headers.extend(bookmark.etag.clone().map(|tag| ("if-none-match", tag)));
            request.headers.extend(bookmark.last_modified.clone().map(|at| ("if-modified-since", at)));
        }
        request
    }
}

/// User names and passwords come percent-encoded out of a URL, and `+` is no blank there.
fn percent_decoded(text: &str) -> String {
    let form = format!("t={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn refused(why: &str) -> ProviderError {
    ProviderError::new(FailureClass::Refused, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::parse(&Secret::new(text)).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn a_subscription_is_fetched_over_https() {
        for (written, fetched) in [
            ("webcal://p01-caldav.icloud.com/published/2/x", "https://p01-caldav.icloud.com/published/2/x"),
            (" WEBCALS://example.org/a.ics?k=v#top ", "https://example.org/a.ics?k=v"),
            ("https://example.org:8443/a.ics", "https://example.org:8443/a.ics"),
            ("http://nas.lan/a.ics", "http://nas.lan/a.ics"),
        ] {
            assert_eq!(source(written).request(None).url.as_str(), fetched);
        }
    }

    #[test]
    fn a_password_in_the_address_moves_into_a_header() {
        let request = source("webcal://ada%40x:p%2Bw+&=%20@example.org/a.ics").request(None);
        assert_eq!(request.url.as_str(), "https://example.org/a.ics");
        let Some(Credential::Basic { username, password }) = request.credential else { panic!("no credential") };
        assert_eq!((username.expose(), password.expose()), ("ada@x", "p+w+&= "));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for text in ["", "calendar", "ftp://secret.example/a.ics", "webcal://", "https://", "mailto:secret@example.org"]
        {
            let why = Source::parse(&Secret::new(text)).err().unwrap_or_else(|| panic!("{text} was taken"));
            assert_eq!(why.class, FailureClass::Refused);
            assert!(!why.detail.contains("secret"), "{why}");
        }
        assert!(Source::parse(&Secret::new(format!("https://example.org/{}", "x".repeat(4096)))).is_err());
    }
}
