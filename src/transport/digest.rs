//! Digest authentication (RFC 7616): the password itself is never sent.
//!
//! - **challenge**: what a server says of how to prove oneself, good for its origin and for some time.
//!
//! **Invariant:** a challenge is answered to the origin that made it and to no other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use digest_auth::{AuthContext, HttpMethod, Qop, WwwAuthenticateHeader};
use url::{Origin, Url};

use super::Response;
use crate::domain::secret::Secret;

/// Longest challenge that is read, in bytes.
const CHALLENGE_BYTES_MAX: usize = 4096;
/// Origins of one account whose challenges are kept.
const ORIGINS_MAX: usize = 8;

/// A user name and a password, and the challenges they answer.
pub struct Digest {
    username: Secret,
    password: Secret,
    cnonce: String,
    challenges: Mutex<Vec<(Origin, WwwAuthenticateHeader)>>,
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest")
    }
}

impl Digest {
    /// `cnonce`: what we add by chance to each answer.
    pub fn new(username: Secret, password: Secret, cnonce: String) -> Self {
        Self { username, password, cnonce, challenges: Mutex::default() }
    }

    /// Takes in the challenge of a 401. `None`: it has none that we can answer; else whether it says that only the challenge
    /// before it was too old (`stale`).
    pub fn challenged(&self, response: &Response) -> Option<bool> {
        let challenge = challenges(response).find_map(|text| read(&text))?;
        let (origin, stale) = (response.url.origin(), challenge.stale);
        let mut held = self.held();
        held.retain(|(known, _)| *known != origin);
        if held.len() >= ORIGINS_MAX {
            held.remove(0);
        }
        held.push((origin, challenge));
        Some(stale)
    }

    /// The `Authorization` of one request; `None`: its origin has not made a challenge yet.
    pub fn authorization(&self, method: &str, url: &Url) -> Option<String> {
        let origin = url.origin();
        let mut held = self.held();
        let (_, challenge) = held.iter_mut().find(|(known, _)| *known == origin)?;
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let body = Option::<&[u8]>::None;
        let method = HttpMethod::from(method);
        let (username, password) = (self.username.expose(), self.password.expose());
        let mut context = AuthContext::new_with_method(username, password, target, body, method);
        context.set_custom_cnonce(self.cnonce.as_str());
        challenge.respond(&context).ok().map(|answer| answer.to_header_string())
    }

    fn held(&self) -> MutexGuard<'_, Vec<(Origin, WwwAuthenticateHeader)>> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a 401 asks for Digest, and not for Basic as well.
pub fn asks_for_digest(response: &Response) -> bool {
    let mut schemes = schemes(response);
    schemes.any(|scheme| scheme == "digest") && !self::schemes(response).any(|scheme| scheme == "basic")
}

/// Whether a 401 has a Digest challenge that we can answer.
pub fn can_be_answered(response: &Response) -> bool {
    challenges(response).any(|text| read(&text).is_some())
}

/// The schemes that a 401 offers, in lower case.
pub fn schemes(response: &Response) -> impl Iterator<Item = String> {
    parts(response).into_iter().filter_map(|part| {
        let (scheme, rest) = part.split_once(' ').unwrap_or((&part, ""));
        // `realm="x"` is a parameter, `Digest realm="x"` a scheme.
        let is_scheme = !scheme.contains('=') && (rest.is_empty() || rest.contains('='));
        (is_scheme && !scheme.is_empty()).then(|| scheme.to_ascii_lowercase())
    })
}

/// Digest challenges, each whole. One header may hold several challenges of several schemes (RFC 9110 §11.6.1).
fn challenges(response: &Response) -> impl Iterator<Item = String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for part in parts(response) {
        let (first, rest) = part.split_once(' ').unwrap_or((&part, ""));
        if !first.contains('=') {
            inside = first.eq_ignore_ascii_case("digest");
            if inside {
                found.push(rest.trim().to_owned());
            }
        } else if inside && let Some(challenge) = found.last_mut() {
            challenge.push_str(", ");
            challenge.push_str(&part);
        }
    }
    found.into_iter()
}

/// What stands between the commas outside quotes, of all `WWW-Authenticate` headers.
fn parts(response: &Response) -> Vec<String> {
    let held = response.headers.iter().filter(|(name, _)| name == "www-authenticate");
    // The library that reads it takes positions of characters for positions of bytes.
    let texts = held.map(|(_, text)| text.as_str()).filter(|text| text.is_ascii() && text.len() <= CHALLENGE_BYTES_MAX);
    let mut parts = Vec::new();
    for text in texts {
        let (mut quoted, mut escaped) = (false, false);
        let split = text.split(|c: char| {
            let literal = std::mem::take(&mut escaped);
            escaped = quoted && c == '\\' && !literal;
            quoted ^= c == '"' && !literal;
            c == ',' && !quoted
        });
        parts.extend(split.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()));
    }
    parts
}

/// One challenge that we can answer: MD5 or SHA-256, with `qop=auth` or without one.
fn read(text: &str) -> Option<WwwAuthenticateHeader> {
    let mut challenge = WwwAuthenticateHeader::parse(text).ok()?;
    if let Some(offered) = &mut challenge.qop {
        // The body's digest is asked for by nobody, and would bind a request that is sent in pieces.
        offered.retain(|qop| *qop == Qop::AUTH);
        if offered.is_empty() {
            return None;
        }
    }
    Some(challenge)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn refusal(place: &str, challenges: &[&str]) -> Response {
        let headers = challenges.iter().map(|text| ("www-authenticate".to_owned(), (*text).to_owned())).collect();
        Response { status: 401, headers, body: Bytes::new(), url: Url::parse(place).expect("a URL") }
    }

    fn digest() -> Digest {
        Digest::new(
            Secret::new("Mufasa"),
            Secret::new("Circle of Life"),
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".to_owned(),
        )
    }

    const RFC: &str = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                       opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    #[test]
    fn the_examples_of_the_rfc_come_out() {
        for (algorithm, expected) in [
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ] {
            let digest = digest();
            let place = "http://www.example.org/dir/index.html";
            let answer = refusal(place, &[&format!("Digest {RFC}, algorithm={algorithm}")]);
            assert_eq!(digest.challenged(&answer), Some(false));
            let header = digest.authorization("GET", &answer.url).expect("an answer");
            assert!(header.starts_with("Digest ") && header.contains(&format!("response=\"{expected}\"")), "{header}");
            assert!(header.contains("nc=00000001"), "{header}");
            let again = digest.authorization("GET", &answer.url).expect("an answer");
            assert!(again.contains("nc=00000002") && !again.contains(expected), "{again}");
        }
    }

    #[test]
    fn a_challenge_is_answered_to_its_own_origin_alone() {
        let digest = digest();
        assert_eq!(digest.challenged(&refusal("https://dav.example.org/a", &[&format!("Digest {RFC}")])), Some(false));
        for other in ["https://dav.example.org:8443/a", "http://dav.example.org/a", "https://example.org/a"] {
            assert_eq!(digest.authorization("GET", &Url::parse(other).expect("a URL")), None, "{other}");
        }
    }

    #[test]
    fn the_first_challenge_that_can_be_answered_is_taken() {
        let odd = "Digest realm=\"a, b\", nonce=\"1\", algorithm=SHA-9, qop=\"auth\"";
        let digest = digest();
        let place = "https://dav.example.org/";
        let both = format!("Negotiate, Basic realm=\"x\", {odd}, Digest {RFC}, stale=TRUE");
        assert_eq!(digest.challenged(&refusal(place, &[&both])), Some(true));
        assert_eq!(digest.challenged(&refusal(place, &[odd])), None);
        let with_body = "Digest realm=\"a\", nonce=\"1\", qop=\"auth-int\"";
        assert_eq!(digest.challenged(&refusal(place, &[with_body])), None);
        for hostile in
            ["Digest \u{e9}realm=\"x\", nonce=\u{fffd}", "Digest realm=\"", "Digest", &"Digest a=b,".repeat(9999)]
        {
            assert_eq!(digest.challenged(&refusal(place, &[hostile])), None);
        }
    }

    #[test]
    fn schemes_are_distinguished_from_parameters() {
        let answer = refusal("https://x/", &["Basic realm=\"a, Digest b=c\", charset=\"UTF-8\"", "Negotiate"]);
        assert_eq!(schemes(&answer).collect::<Vec<_>>(), ["basic", "negotiate"]);
        assert!(!asks_for_digest(&answer));
        assert!(asks_for_digest(&refusal("https://x/", &["Digest realm=\"a\", nonce=\"1\""])));
    }
}
