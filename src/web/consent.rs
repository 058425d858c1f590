//! A person's way through a consent: to the provider, and back.
//!
//! **Invariant:** a page here shows what happened in plain words, and nothing of the account but whose it will be: whoever holds
//! a link sees it.
//! **Invariant:** a browser goes on to the provider only after its person has seen whose account it will be.

use actix_web::{
    HttpResponse,
    cookie::{Cookie, CookieBuilder, SameSite, time::Duration},
    http::{
        StatusCode,
        header::{self, CONTENT_SECURITY_POLICY},
    },
};
use maud::{DOCTYPE, Markup, html};
use url::Url;

use super::{
    actors::ActorOrder,
    problem::{Problem, internal},
    request::ApiRequest,
    route::{HandlerResult, Param},
};
use crate::{
    domain::{account::ProviderKind, failure::FailureClass, secret::Secret},
    service::consent::{Connected, ConsentError, ConsentReturn, GOOD_FOR, Invitation, Unconnected},
};

const COOKIE: &str = "calwarden_consent";
/// The cookie goes nowhere else.
const COOKIE_PATH: &str = "/connect";
/// Nothing comes from anywhere else, nothing runs, and no address leaks into a `Referer`.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What a browser that was asked brings back, beside the ticket. It comes along from our own page alone: a stranger's page that
/// sends a ticket of its own in somebody's browser does not have it.
const ASKED: &str = "calwarden_asked";
/// What such a cookie's name ends with: several may be asked for in one browser.
const PROOF_CHARS: usize = 16;

/// What a provider brings back; more than this is passed over.
pub const CALLBACK: &[Param] = &[
    Param { name: "state", about: "Which consent ends." },
    Param { name: "code", about: "What is exchanged for tokens, when the person agreed." },
    Param { name: "error", about: "Why there is no code: `access_denied` when the person did not agree." },
];
/// What a browser begins with.
pub const BEGIN: &[Param] = &[Param { name: "ticket", about: "Of a consent that has begun." }];

/// Gives the browser what it must bring back.
pub fn give_cookie(answer: &mut HttpResponse, value: &str, secure: bool) -> Result<(), Problem> {
    set_cookie(answer, value, secure, Duration::seconds(GOOD_FOR.num_seconds()))
}

fn set_cookie(answer: &mut HttpResponse, value: &str, secure: bool, keep: Duration) -> Result<(), Problem> {
    // Lax: it must come along when the provider sends the browser back here.
    put_cookie(answer, Cookie::build(COOKIE, value).same_site(SameSite::Lax), secure, keep)
}

fn put_cookie(
    answer: &mut HttpResponse,
    cookie: CookieBuilder<'_>,
    secure: bool,
    keep: Duration,
) -> Result<(), Problem> {
    let cookie = cookie.path(COOKIE_PATH).http_only(true).secure(secure).max_age(keep).finish();
    answer.add_cookie(&cookie).map_err(|error| internal(&error))
}

/// The name and the value of the cookie of a browser that was asked.
fn asked_cookie(invitation: &Invitation) -> (String, &str) {
    let end: String = invitation.proof.chars().filter(char::is_ascii_alphanumeric).take(PROOF_CHARS).collect();
    (format!("{ASKED}_{end}"), &invitation.proof)
}

/// `GET /connect/google/begin`: names whose account it will be, and asks.
pub async fn begin_google(request: ApiRequest) -> HandlerResult {
    let ticket: String = request.param("ticket")?.unwrap_or_default();
    match request.services().invitation(&ticket).await {
        Ok(invitation) => {
            let mut answer = question(&invitation, &ticket);
            let (name, proof) = asked_cookie(&invitation);
            let cookie = Cookie::build(name, proof.to_owned()).same_site(SameSite::Strict);
            put_cookie(&mut answer, cookie, invitation.secure, Duration::seconds(GOOD_FOR.num_seconds()))?;
            Ok(answer)
        }
        Err(why) => Ok(refused(&why)),
    }
}

/// `POST /connect/google/begin`: the person goes on; of several browsers with one link, the first.
pub async fn go_on_to_google(request: ApiRequest) -> HandlerResult {
    let ticket = request.form().remove("ticket").unwrap_or_default();
    let invitation = match request.services().invitation(&ticket).await {
        Ok(invitation) => invitation,
        Err(why) => return Ok(refused(&why)),
    };
    let (name, proof) = asked_cookie(&invitation);
    if request.cookie(&name).as_deref() != Some(proof) {
        let words = "This browser was not asked yet, or keeps no cookies. Open the link again and go on from there.";
        return Ok(page(StatusCode::BAD_REQUEST, "Not connected", words, "Nothing was stored."));
    }
    match request.services().exchange_ticket(&ticket).await {
        Ok(begun) => {
            let mut answer = go_to(&begun.authorization_url);
            give_cookie(&mut answer, &begun.cookie, begun.secure)?;
            Ok(answer)
        }
        Err(why) => Ok(refused(&why)),
    }
}

/// `GET /connect/google/callback`
pub async fn google_callback(request: ApiRequest) -> HandlerResult {
    let back = ConsentReturn {
        state: request.param("state")?.unwrap_or_default(),
        code: request.param::<String>("code")?.map(Secret::new),
        error: request.param("error")?,
        cookie: request.cookie(COOKIE),
    };
    let mut answer = match request.services().finish_consent(ProviderKind::Google, back).await {
        Ok(connected) => {
            if connected.again {
                // What is stored holds; an actor that is not there reads it when it is built.
                let _ = request.app.actors.order(connected.account, ActorOrder::Reauthorised).await;
            }
            welcome(&connected)
        }
        Err(ended) => turned_away(&ended),
    };
    set_cookie(&mut answer, "", false, Duration::ZERO)?;
    Ok(answer)
}

fn go_to(url: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, url))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish()
}

fn welcome(connected: &Connected) -> HttpResponse {
    if let Some(mut url) = connected.return_to.as_deref().and_then(|text| Url::parse(text).ok()) {
        url.query_pairs_mut()
            .append_pair("connected", ProviderKind::Google.as_str())
            .append_pair("account_id", &connected.account.to_string());
        return go_to(url.as_str());
    }
    let words = if connected.again {
        "Google Calendar is connected again. Changes made meanwhile are being caught up with."
    } else {
        "Google Calendar is connected. Your events are being read now."
    };
    page(StatusCode::OK, "Connected", words, "You can close this page.")
}

/// Who has proven that the consent is theirs goes back to the product, which gets the reason in a word; everybody else reads
/// it here.
fn turned_away(ended: &Unconnected) -> HttpResponse {
    let page = refused(&ended.why);
    let Some(mut url) = ended.return_to.as_deref().and_then(|text| Url::parse(text).ok()) else { return page };
    url.query_pairs_mut()
        .append_pair("error", ended.why.word())
        .append_pair("error_description", &ended.why.to_string())
        .append_pair("provider", ProviderKind::Google.as_str());
    go_to(url.as_str())
}

fn refused(why: &ConsentError) -> HttpResponse {
    let status = match why {
        ConsentError::Unknown
        | ConsentError::Denied
        | ConsentError::Missing(_)
        | ConsentError::NotLasting
        | ConsentError::OtherAccount => StatusCode::BAD_REQUEST,
        ConsentError::Provider(class, detail) => {
            tracing::warn!(class = %class, detail, "a consent failed at the provider");
            let ours = *class == FailureClass::Refused;
            if ours { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_GATEWAY }
        }
        ConsentError::Failed(cause) => {
            tracing::error!(cause, "a consent failed here");
            StatusCode::SERVICE_UNAVAILABLE
        }
        ConsentError::Store(cause) => {
            tracing::error!(%cause, "a consent could not be stored");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    page(status, "Not connected", &why.to_string(), "Nothing was stored.")
}

fn question(invitation: &Invitation, ticket: &str) -> HttpResponse {
    let name = &invitation.name;
    let title = if invitation.again { "Connect Google Calendar again" } else { "Connect Google Calendar" };
    let main = html! {
        h1 { (title) }
        p { "The Google account that you choose next will be connected for " strong { (name) } "." }
        p {
            "Go on only if you are " (name) " and have just asked for this. Whoever sent you this link would see your calendars "
            "otherwise. If you are somebody else, close this page: nothing has happened."
        }
        form method="post" action="begin" {
            input type="hidden" name="ticket" value=(ticket);
            button type="submit" { "I am " (name) ": go on to Google" }
        }
    };
    // Browsers hold the way on from a form to its own rule as well.
    let to = format!("'self' {}", invitation.goes_to.origin().ascii_serialization());
    html_page(StatusCode::OK, title, &main, &to)
}

fn page(status: StatusCode, title: &str, words: &str, after: &str) -> HttpResponse {
    html_page(status, title, &html! { h1 { (title) } p { (words) } p { (after) } }, "'none'")
}

fn html_page(status: StatusCode, title: &str, main: &Markup, forms_go_to: &str) -> HttpResponse {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/docs/style.css";
            }
            body { main { (main) } }
        }
    };
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, format!("{POLICY}; form-action {forms_go_to}")))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(text.into_string())
}
