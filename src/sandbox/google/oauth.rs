//! Consent, tokens and revocation (RFC 6749, RFC 7636), with Google's parameters.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use maud::{DOCTYPE, Markup, html};
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

use super::GoogleLookAlike;
use crate::sandbox::reply::{Reply, SandboxRequest};

/// How long a code is good.
const CODE_TTL: Duration = Duration::minutes(10);

/// Most live refresh tokens of one account and one client: the oldest ends when there is one more.
const GRANTS_MAX: usize = 100;
/// The same for the tokens that `/control/users` hands out.
const CONTROL_GRANTS_MAX: usize = 10_000;
/// Most codes, and most access tokens, that are good at a time: the oldest end first.
const CODES_MAX: usize = 10_000;
const TOKENS_MAX: usize = 100_000;
/// What the consent page sends beside its ticks.
const SHOWN: &str = "scopes_shown";
/// The client of what `/control/users` hands out.
pub(super) const CONTROL: &str = "control";

/// A consent that was given and not yet exchanged.
#[derive(Clone, Debug)]
pub(super) struct ConsentCode {
    email: String,
    client: String,
    redirect: String,
    challenge: Option<String>,
    scopes: Vec<String>,
    offline: bool,
    expires: DateTime<Utc>,
}

/// A refresh token.
#[derive(Clone, Debug)]
pub(super) struct StoredGrant {
    pub email: String,
    pub client: String,
    pub scopes: Vec<String>,
    /// Grows from one to the next.
    made: u64,
}

/// An access token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub email: String,
    pub client: String,
    pub scopes: Vec<String>,
    pub grant: Option<String>,
    pub expires: DateTime<Utc>,
}

impl GoogleLookAlike {
    /// The consent page, and what its buttons do.
    pub(super) fn consent(&mut self, now: DateTime<Utc>, asked: &SandboxRequest) -> Reply {
        let form = if asked.method == "POST" { asked.form() } else { asked.query.iter().cloned().collect() };
        let given = |name: &str| form.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let (Some(client), Some(redirect), Some("code")) =
            (given("client_id"), given("redirect_uri"), given("response_type"))
        else {
            return error_page("invalid_request", "client_id, redirect_uri and response_type=code are needed.");
        };
        let Ok(mut back) = Url::parse(redirect) else {
            return error_page("redirect_uri_mismatch", "redirect_uri is no URL.");
        };
        if given("code_challenge").is_some() && given("code_challenge_method") != Some("S256") {
            return error_page("invalid_request", "code_challenge_method must be S256.");
        }
        let asked_for: Vec<String> = given("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        let hint = given("login_hint").filter(|email| self.people.contains_key(*email));
        let chosen = given("account").or(hint.filter(|_| self.settings.auto_approve)).map(str::to_owned);
        let chosen = chosen.or_else(|| self.people.keys().next().filter(|_| self.settings.auto_approve).cloned());
        let decision = given("decision").or(self.settings.auto_approve.then_some("allow"));
        let (Some(email), Some(decision)) = (chosen, decision) else {
            return self.consent_page(&form, &asked_for);
        };
        {
            let mut query = back.query_pairs_mut();
            if let Some(state) = given("state") {
                query.append_pair("state", state);
            }
            if decision != "allow" || !self.people.contains_key(&email) {
                query.append_pair("error", "access_denied");
                drop(query);
                return Reply::redirect(back.as_str());
            }
        }
        // The page names what is ticked; who answers without it names what is not.
        let page = form.contains_key(SHOWN);
        let ticked = |scope: &String| {
            if page {
                form.contains_key(&format!("yes:{scope}"))
            } else {
                !form.contains_key(&format!("no:{scope}")) && !self.settings.unticked.contains(scope)
            }
        };
        let mut scopes: Vec<String> = asked_for.into_iter().filter(ticked).collect();
        if scopes.is_empty() {
            back.query_pairs_mut().append_pair("error", "access_denied");
            return Reply::redirect(back.as_str());
        }
        if given("include_granted_scopes") == Some("true") {
            let earlier = self.grants.values().filter(|grant| grant.email == email && grant.client == client);
            scopes.extend(earlier.flat_map(|grant| grant.scopes.clone()));
        }
        scopes.sort();
        scopes.dedup();
        let first = !self.grants.values().any(|grant| grant.email == email && grant.client == client);
        let offline = self.settings.lasting
            && given("access_type") == Some("offline")
            && (first || given("prompt").is_some_and(|p| p.contains("consent")));
        let code = format!("4/{}", self.invent("code"));
        back.query_pairs_mut().append_pair("code", &code).append_pair("scope", &scopes.join(" "));
        let expires = now + CODE_TTL;
        let challenge = given("code_challenge").map(str::to_owned);
        let (client, redirect) = (client.to_owned(), redirect.to_owned());
        self.codes.retain(|_, held| held.expires > now);
        while self.codes.len() >= CODES_MAX {
            self.codes.pop_first();
        }
        self.codes.insert(code, ConsentCode { email, client, redirect, challenge, scopes, offline, expires });
        Reply::redirect(back.as_str())
    }

    fn consent_page(&self, form: &std::collections::BTreeMap<String, String>, scopes: &[String]) -> Reply {
        page(
            200,
            &html! {
                h1 { "Sandbox Google: choose an account" }
                form method="post" {
                    @for (name, value) in form { input type="hidden" name=(name) value=(value); }
                    @for email in self.people.keys() {
                        p { label { input type="radio" name="account" required value=(email); " " (email) } }
                    }
                    p { "The application asks for these; what is unticked is not granted:" }
                    input type="hidden" name=(SHOWN) value="1";
                    @for scope in scopes {
                        p { label {
                            input type="checkbox" name=(format!("yes:{scope}")) value="1" checked[!self.settings.unticked.contains(scope)];
                            " " code { (scope) }
                        } }
                    }
                    button name="decision" value="allow" { "Allow" } " "
                    button name="decision" value="deny" formnovalidate { "Deny" }
                }
            },
        )
    }

    /// The token endpoint.
    pub(super) fn token(&mut self, now: DateTime<Utc>, asked: &SandboxRequest) -> Reply {
        let mut form = asked.form();
        if let Some((id, secret)) = basic(asked) {
            form.entry("client_id".to_owned()).or_insert(id);
            form.entry("client_secret".to_owned()).or_insert(secret);
        }
        let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default().to_owned();
        if given("client_id").is_empty() || given("client_secret").is_empty() {
            return refused(401, "invalid_client", "The OAuth client was not found.");
        }
        match given("grant_type").as_str() {
            "authorization_code" => {
                let Some(code) = self.codes.remove(&given("code")).filter(|code| code.expires > now) else {
                    return refused(400, "invalid_grant", "Malformed auth code.");
                };
                let proven = code.challenge.as_ref().is_none_or(|challenge| {
                    *challenge == URL_SAFE_NO_PAD.encode(Sha256::digest(given("code_verifier")))
                });
                if !proven || code.client != given("client_id") {
                    return refused(400, "invalid_grant", "Invalid code verifier.");
                }
                if code.redirect != given("redirect_uri") {
                    return refused(400, "redirect_uri_mismatch", "Bad Request");
                }
                let grant = code.offline.then(|| format!("1//{}", self.invent("refresh")));
                if let Some(name) = &grant {
                    self.add_grant(name, &code.email, &code.client, &code.scopes);
                }
                self.issue(now, &code.email, &code.scopes, grant.as_deref(), grant.as_deref(), &code.client)
            }
            "refresh_token" => {
                let name = given("refresh_token");
                match self.grants.get(&name).filter(|grant| grant.client == given("client_id")).cloned() {
                    Some(grant) => self.issue(now, &grant.email, &grant.scopes, Some(&name), None, &grant.client),
                    None => refused(400, "invalid_grant", "Token has been expired or revoked."),
                }
            }
            _ => refused(400, "unsupported_grant_type", "Invalid grant_type"),
        }
    }

    fn issue(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        scopes: &[String],
        grant: Option<&str>,
        shown: Option<&str>,
        client: &str,
    ) -> Reply {
        let access = self.make_token(now, email, scopes, grant, client);
        let mut body = json!({
            "access_token": access, "expires_in": self.settings.token_ttl_s, "scope": scopes.join(" "), "token_type": "Bearer",
        });
        if let (Some(shown), Some(fields)) = (shown, body.as_object_mut()) {
            fields.insert("refresh_token".to_owned(), json!(shown));
        }
        if scopes.iter().any(|scope| scope == "openid")
            && let Some(fields) = body.as_object_mut()
        {
            let claims = json!({ "iss": "https://accounts.google.com", "aud": client, "sub": subject(email), "email": email,
                "iat": now.timestamp(), "exp": now.timestamp() + 3_600 });
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            fields.insert(
                "id_token".to_owned(),
                json!(format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims.to_string()))),
            );
        }
        Reply::json(200, &body)
    }

    /// Keeps a refresh token; where there are too many of an account and a client, the oldest ends.
    pub(super) fn add_grant(&mut self, name: &str, email: &str, client: &str, scopes: &[String]) {
        let most = if client == CONTROL { CONTROL_GRANTS_MAX } else { GRANTS_MAX };
        let same: Vec<_> =
            self.grants.iter().filter(|(_, held)| held.email == email && held.client == client).collect();
        let oldest = same.iter().min_by_key(|(_, held)| held.made).map(|(name, _)| (*name).clone());
        if let Some(oldest) = oldest.filter(|_| same.len() >= most) {
            self.end_grant(&oldest);
        }
        let (email, client) = (email.to_owned(), client.to_owned());
        let grant = StoredGrant { email, client, scopes: scopes.to_vec(), made: self.made };
        self.grants.insert(name.to_owned(), grant);
    }

    pub(super) fn make_token(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        scopes: &[String],
        grant: Option<&str>,
        client: &str,
    ) -> String {
        let name = format!("ya29.{}", self.invent("access"));
        let expires = now + Duration::seconds(self.settings.token_ttl_s);
        let token = Token {
            email: email.to_owned(),
            client: client.to_owned(),
            scopes: scopes.to_vec(),
            grant: grant.map(str::to_owned),
            expires,
        };
        if self.tokens.len() >= TOKENS_MAX {
            self.tokens.retain(|_, held| held.expires > now);
            while self.tokens.len() >= TOKENS_MAX {
                self.tokens.pop_first();
            }
        }
        self.tokens.insert(name.clone(), token);
        name
    }

    /// The revocation endpoint: any token of a grant ends all of it.
    pub(super) fn revoke(&mut self, asked: &SandboxRequest) -> Reply {
        let form = asked.form();
        let token = form.get("token").map(String::as_str).or_else(|| asked.param("token")).unwrap_or_default();
        let grant = match self.tokens.get(token) {
            Some(held) => held.grant.clone(),
            None => self.grants.contains_key(token).then(|| token.to_owned()),
        };
        if grant.is_none() && !self.tokens.contains_key(token) {
            return refused(400, "invalid_token", "Token expired or revoked");
        }
        self.tokens.remove(token);
        if let Some(grant) = grant {
            self.end_grant(&grant);
        }
        Reply::json(200, &json!({}))
    }

    pub(super) fn end_grant(&mut self, grant: &str) {
        self.grants.remove(grant);
        self.tokens.retain(|_, token| token.grant.as_deref() != Some(grant));
    }
}

/// The stable number of a person.
pub(super) fn subject(email: &str) -> String {
    let digest = Sha256::digest(email);
    let number = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{number:021}")
}

fn basic(asked: &SandboxRequest) -> Option<(String, String)> {
    let text = asked.header("authorization")?.strip_prefix("Basic ")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let plain =
        |text: &str| url::form_urlencoded::parse(format!("x={text}").as_bytes()).next().map(|(_, v)| v.into_owned());
    let (id, secret) = text.split_once(':')?;
    Some((plain(id)?, plain(secret)?))
}

pub(super) fn refused(status: u16, error: &str, words: &str) -> Reply {
    Reply::json(status, &json!({ "error": error, "error_description": words }))
}

fn page(status: u16, inside: &Markup) -> Reply {
    const STYLE: &str = "body{font:16px system-ui;max-width:36rem;margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.4rem 1.2rem}";
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Sandbox Google" } style { (STYLE) } }
            body { (inside) }
        }
    };
    Reply::page(status, text.into_string())
}

/// A consent that cannot be asked for, and why.
fn error_page(why: &str, words: &str) -> Reply {
    page(400, &html! { h1 { "Error 400: " (why) } p { (words) } })
}
