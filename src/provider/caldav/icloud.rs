//! What sets iCloud apart from other `CalDAV` servers, and the hosts a credential may be sent to.
//!
//! **Invariant:** a credential goes to hosts its owner named: the typed one, what lies below it, the domain of a service and the
//! other services of that domain by their whole names, or Apple's own.

use url::Url;

use crate::domain::account::ProviderKind;

/// Where discovery starts; the calendars are on a partition host (`pNN-caldav.icloud.com`) that may change.
pub const START: &str = "https://caldav.icloud.com/";

/// Labels in front of a domain that name a service rather than an owner.
const SERVICE_LABELS: [&str; 6] = ["caldav", "dav", "calendar", "www", "mail", "webmail"];

/// Labels below which strangers register: `co.uk` has no owner.
const SHARED_LABELS: [&str; 9] = ["ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"];

/// Whether `url` may see the credential of an account that started at `start`.
pub(super) fn may_see_credential(kind: ProviderKind, start: &Url, url: &Url) -> bool {
    let (Some(home), Some(host)) = (start.host_str(), url.host_str()) else { return false };
    if start.scheme() == "https" && url.scheme() != "https" {
        return false;
    }
    if kind == ProviderKind::Icloud {
        let apples = |domain| below(host, domain);
        return url.scheme() == "https" && (apples("icloud.com") || apples("icloud.com.cn"));
    }
    let same_port = start.port_or_known_default() == url.port_or_known_default();
    if host == home {
        // Another port of the same machine may be another person's; the step from http to https is the usual redirect.
        return same_port || (start.port().is_none() && url.port().is_none());
    }
    if start.domain().is_none() || url.scheme() != "https" {
        return false;
    }
    below(host, home) || is_sibling(host, home)
}

/// Whether a host is the domain of a service, or another service of it: `caldav.example.org` for `dav.example.org`. Others
/// below that domain may be anybody's.
fn is_sibling(host: &str, home: &str) -> bool {
    let Some((label, domain)) = home.split_once('.') else { return false };
    if !SERVICE_LABELS.contains(&label) || !has_an_owner(domain) {
        return false;
    }
    host == domain
        || host.split_once('.').is_some_and(|(label, rest)| rest == domain && SERVICE_LABELS.contains(&label))
}

fn below(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'))
}

fn has_an_owner(domain: &str) -> bool {
    domain.split_once('.').is_some_and(|(label, _)| !SHARED_LABELS.contains(&label))
}
