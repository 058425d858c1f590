//! A person's way through a consent: to the provider, and back.
//!
//! **Invariant:** a page here shows what happened in plain words, and nothing of the account: whoever holds a link sees it.

use actix_web::{
    HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    http::{
        StatusCode,
        header::{self, CONTENT_SECURITY_POLICY},
    },
};
use maud::{DOCTYPE, html};
use url::Url;

use super::{
    actors::Order,
    ask::Ask,
    problem::{Problem, internal},
    route::{Answer, Param},
};
use crate::{
    domain::{account::ProviderKind, failure::FailureClass, secret::Secret},
    service::consent::{Connected, ConsentError, GOOD_FOR, Returned, Unconnected},
};

const COOKIE: &str = "calwarden_consent";
/// The cookie goes nowhere else.
const COOKIE_PATH: &str = "/connect";
/// Nothing comes from anywhere else, nothing runs, and no address leaks into a `Referer`.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

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
    let cookie = Cookie::build(COOKIE, value)
        .path(COOKIE_PATH)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .max_age(keep)
        .finish();
    answer.add_cookie(&cookie).map_err(|error| internal(&error))
}

/// `GET /connect/google/begin`
pub async fn begin_google(ask: Ask) -> Answer {
    let ticket: String = ask.param("ticket")?.unwrap_or_default();
    match ask.services().consent_of_ticket(&ticket).await {
        Ok(begun) => {
            let mut answer = go_to(&begun.authorization_url);
            give_cookie(&mut answer, &begun.cookie, begun.secure)?;
            Ok(answer)
        }
        Err(why) => Ok(refused(&why)),
    }
}

/// `GET /connect/google/callback`
pub async fn google_callback(ask: Ask) -> Answer {
    let back = Returned {
        state: ask.param("state")?.unwrap_or_default(),
        code: ask.param::<String>("code")?.map(Secret::new),
        error: ask.param("error")?,
        cookie: ask.cookie(COOKIE),
    };
    let mut answer = match ask.services().finish_consent(ProviderKind::Google, back).await {
        Ok(connected) => {
            if connected.again {
                // What is stored holds; an actor that is not there reads it when it is built.
                let _ = ask.desk.actors.order(connected.account, Order::Reauthorised).await;
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

/// Who has proven that the consent is theirs goes back to the product, which is told why in a word; everybody else is told here.
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
    };
    page(status, "Not connected", &why.to_string(), "Nothing was stored.")
}

fn page(status: StatusCode, title: &str, words: &str, after: &str) -> HttpResponse {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/docs/style.css";
            }
            body { main { h1 { (title) } p { (words) } p { (after) } } }
        }
    };
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(text.into_string())
}
