//! Whose a token is: `tokeninfo`, `userinfo`, and where the endpoints are.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    GoogleLookAlike,
    oauth::{Token, refused, subject},
};
use crate::sandbox::reply::{Reply, SandboxRequest};

/// Scopes under which an address is shown.
const SHOW_EMAIL: [&str; 2] = ["email", "https://www.googleapis.com/auth/userinfo.email"];
/// Scopes under which it is shown who somebody is.
const SHOW_PERSON: [&str; 3] = ["openid", "profile", "https://www.googleapis.com/auth/userinfo.profile"];

fn grants(token: &Token, any: &[&str]) -> bool {
    token.scopes.iter().any(|scope| any.contains(&scope.as_str()))
}

impl GoogleLookAlike {
    fn presented(&self, now: DateTime<Utc>, asked: &SandboxRequest) -> Option<&Token> {
        let bearer = asked.header("authorization").and_then(|text| text.strip_prefix("Bearer ")).map(str::to_owned);
        let form = asked.form();
        let named = asked.param("access_token").map(str::to_owned).or_else(|| form.get("access_token").cloned());
        self.tokens.get(&named.or(bearer)?).filter(|token| token.expires > now)
    }

    pub(super) fn token_info(&self, now: DateTime<Utc>, asked: &SandboxRequest) -> Reply {
        let Some(token) = self.presented(now, asked) else {
            return refused(400, "invalid_token", "Invalid Value");
        };
        let left = (token.expires - now).num_seconds();
        let mut body = json!({
            "azp": token.client, "aud": token.client, "scope": token.scopes.join(" "), "exp": token.expires.timestamp().to_string(),
            "expires_in": left.to_string(), "access_type": if token.grant.is_some() { "offline" } else { "online" },
        });
        if let Some(fields) = body.as_object_mut() {
            if grants(token, &SHOW_PERSON) {
                fields.insert("sub".to_owned(), json!(subject(&token.email)));
            }
            if grants(token, &SHOW_EMAIL) {
                fields.insert("email".to_owned(), json!(token.email));
                fields.insert("email_verified".to_owned(), json!("true"));
            }
        }
        Reply::json(200, &body)
    }

    /// Who somebody is; `old`: in the words of the second version.
    pub(super) fn user_info(&self, now: DateTime<Utc>, asked: &SandboxRequest, old: bool) -> Reply {
        let Some(token) = self.presented(now, asked) else {
            return refused(401, "invalid_request", "Invalid Credentials");
        };
        if !grants(token, &SHOW_PERSON) && !grants(token, &SHOW_EMAIL) {
            return refused(401, "invalid_request", "Invalid Credentials");
        }
        let (id, verified) = if old { ("id", "verified_email") } else { ("sub", "email_verified") };
        let mut body = Map::new();
        body.insert(id.to_owned(), json!(subject(&token.email)));
        if grants(token, &SHOW_EMAIL) {
            body.insert("email".to_owned(), json!(token.email));
            body.insert(verified.to_owned(), json!(true));
        }
        Reply::json(200, &Value::Object(body))
    }
}

/// Where everything is, seen from where the question came to.
pub(super) fn configuration(asked: &SandboxRequest) -> Reply {
    let root = format!("http://{}", asked.header("host").unwrap_or("localhost"));
    let at = |path: &str| format!("{root}{path}");
    let body = json!({
        "issuer": "https://accounts.google.com",
        "authorization_endpoint": at("/o/oauth2/v2/auth"), "token_endpoint": at("/token"), "revocation_endpoint": at("/revoke"),
        "userinfo_endpoint": at("/v1/userinfo"), "jwks_uri": at("/oauth2/v3/certs"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"], "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "id_token_signing_alg_values_supported": ["none"], "scopes_supported": ["openid", "email", "profile"],
    });
    Reply::json(200, &body)
}
