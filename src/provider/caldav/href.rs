//! Names on the wire: hrefs, and the `ETag`s that go with them.
//!
//! - **name**: how we store a resource: the server's own spelling, without the origin when that is the collection's.
//! - **key**: how two spellings are compared: resolved and decoded (`%40` is `@`; `%2F` is not a slash).
//!
//! **Invariant:** a href is opaque; it is compared by key and sent back by name.

use std::borrow::Cow;

use url::Url;

use crate::{
    domain::ids::{RemoteEventId, Revision},
    provider::Known,
};

/// Its partitions move.
const ICLOUD: &str = "icloud.com";

/// A href has no fragment (RFC 4918 §8.3): a `#` in it belongs to a name that the server did not escape.
fn whole(href: &str) -> Cow<'_, str> {
    let href = href.trim();
    if href.contains('#') { href.replace('#', "%23").into() } else { href.into() }
}

/// Where a href leads, seen from where it was read (RFC 4918 §8.3). `None`: nowhere HTTP can go.
pub(super) fn resolve(base: &Url, href: &str) -> Option<Url> {
    let href = whole(href);
    let url = if href.starts_with("//") {
        // A network path is not a legal href; servers behind a prefix write it and mean a path.
        let mut url = base.clone();
        url.set_query(None);
        url.set_path(&href);
        url
    } else {
        base.join(&href).ok()?
    };
    let mut url = matches!(url.scheme(), "http" | "https").then_some(url)?;
    // The base's.
    url.set_fragment(None);
    Some(url)
}

/// The name of what a href leads to.
pub(super) fn name(base: &Url, href: &str) -> Option<String> {
    let href = whole(href);
    let url = resolve(base, &href)?;
    if url.origin() != base.origin() || href.starts_with('/') {
        return Some(href.into_owned());
    }
    // An absolute URL keeps the spelling of its path; a relative one is spelt from its base.
    let path = href.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
    Some(path.map_or_else(|| url.path().to_owned(), str::to_owned))
}

/// What two spellings of one resource have in common.
pub(super) fn key(base: &Url, href: &str) -> Option<String> {
    let url = resolve(base, href)?;
    let path = decode(url.path());
    let path = path.trim_end_matches('/');
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    if url.origin() == base.origin() {
        Some(format!("{path}{query}"))
    } else {
        Some(format!("{}{path}{query}", url.origin().ascii_serialization()))
    }
}

/// Where a collection is, however it is written: without its scheme, and one name for all partitions of iCloud.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let host = if host == ICLOUD || host.ends_with(&format!(".{ICLOUD}")) { ICLOUD } else { host };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("dav://{host}{port}{}", decode(url.path()).trim_end_matches('/'))
}

fn decode(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    String::from_utf8_lossy(&decoded(path)).into_owned()
}

fn decoded(path: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.get(..2)).flatten().and_then(hex);
        match escaped {
            Some(b'/') => {
                out.extend_from_slice(b"%2F");
                rest = after.get(2..).unwrap_or_default();
            }
            Some(value) => {
                out.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// Where the name leads if the server wrote it without escaping it: `SOGo` reports a change of `per%25cent.ics` as one of
/// `per%cent.ics`, Cyrus lists `question%3Fmark.ics` as `question?mark.ics`. `None`: that would be nowhere else.
pub(super) fn unescaped(name: &str) -> Option<String> {
    let at = name.rfind('/').map_or(0, |at| at + 1);
    let (folder, last) = (name.get(..at)?, name.get(at..)?);
    last.contains(['%', '?']).then(|| format!("{folder}{}", segment(last)))
}

/// Whether a name cannot be the escaped spelling of a text.
pub(super) fn is_unescaped(name: &str) -> bool {
    let bytes = decoded(name);
    let escapes = name.split('%').skip(1);
    name.contains('?')
        || escapes.into_iter().any(|after| after.as_bytes().get(..2).and_then(hex).is_none())
        || std::str::from_utf8(&bytes).is_err()
}

fn hex(pair: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
}

/// One path segment, safe anywhere in a URL (RFC 3986 §2.3).
pub(super) fn segment(text: &str) -> String {
    encode(text, "-._~")
}

fn encode(text: &str, kept: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The id of an event: the spelling under which we already hold it, else the server's.
///
/// `PROPFIND` and `REPORT` of one server may spell one href in two ways; taken for two events, each would be doubled.
pub(super) fn known_id(known: &dyn Known, name: String) -> RemoteEventId {
    let given = RemoteEventId(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._".contains(&byte);
    if given.0.bytes().all(plain) || given.0.contains("://") || known.revision(&given).is_some() {
        return given;
    }
    let decoded = decode(&given.0);
    // `%2F` is left as it was by `decode`, and `%` must then stay.
    let kept = if decoded.contains("%2F") { "%" } else { "" };
    for spelling in [format!("/-._~{kept}"), format!("/-._~@{kept}"), format!("/-._~!$&'()*+,;=:@{kept}")] {
        let other = RemoteEventId(encode(&decoded, &spelling));
        if known.revision(&other).is_some() {
            return other;
        }
    }
    let meant = unescaped(&given.0).filter(|_| is_unescaped(&given.0)).map(RemoteEventId);
    meant.filter(|meant| known.revision(meant).is_some()).unwrap_or(given)
}

/// A version stamp that may stand in `If-Match`: never weak, never `*` (RFC 9110 §8.8.3, §13.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Etag(String);

impl Etag {
    /// The stamp, if it is one to compare strongly.
    pub(super) fn strong(revision: &Revision) -> Option<Self> {
        let text = revision.as_str();
        let fits = !text.is_empty() && text != "*" && !is_weak(text);
        fits.then(|| Self(text.to_owned()))
    }

    /// The stamp without its weakness: proxies that compress add the mark. It matches what it was made from or nothing.
    pub(super) fn hardened(revision: &Revision) -> Option<Self> {
        Self::strong(&Revision(opaque(revision.as_str()).to_owned()))
    }

    /// As it goes over the wire.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the stamp of a `PUT` answer may be kept without another look: strong, and quoted as it should be.
pub(super) fn is_trustworthy(etag: &str) -> bool {
    etag.len() >= 3 && etag.starts_with('"') && etag.ends_with('"')
}

/// Whether two stamps name the same version, weakness aside (RFC 9110 §8.8.3.2).
pub(super) fn weakly_equal(one: &str, other: &str) -> bool {
    !opaque(one).is_empty() && opaque(one) == opaque(other)
}

fn is_weak(text: &str) -> bool {
    text.starts_with("W/") || text.starts_with("w/")
}

fn opaque(text: &str) -> &str {
    text.strip_prefix("W/").or_else(|| text.strip_prefix("w/")).unwrap_or(text)
}

/// The last part of a path, decoded: a name for what has none.
pub(super) fn last_segment(url: &Url) -> String {
    let path = url.path().trim_end_matches('/');
    decode(path.rsplit('/').next().unwrap_or(path))
}
