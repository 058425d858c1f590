//! From what a person typed to where their calendars are (RFC 6764 §6, RFC 5397, RFC 4791 §6.2.1).
//!
//! - **home**: a collection whose members are calendars. An address with the fragment `#calendar` stands for one
//!   calendar by itself; the fragment never goes over the wire.

use url::Url;

use super::{
    exchange::{Exchange, MultistatusAnswer},
    href,
    request::{Depth, PropfindQuery, propfind},
    wire::{DavResponse, Principal, ResourceKind},
};
use crate::{
    domain::{account::ProviderKind, failure::FailureClass},
    provider::{ProviderError, Result},
};

const WELL_KNOWN: &str = "/.well-known/caldav";
const CALENDAR: &str = "calendar";
const HOMES_MAX: usize = 16;

/// Whether an address stands for one calendar.
pub(super) fn is_calendar(home: &Url) -> bool {
    home.fragment() == Some(CALENDAR)
}

/// Finds the homes. A refused credential ends the search at once: more attempts lock accounts.
pub(super) async fn homes(exchange: &Exchange) -> Result<Vec<Url>> {
    let mut worst: Option<ProviderError> = None;
    for candidate in candidates(exchange.start(), exchange.kind()) {
        let typed = candidate == *exchange.start();
        match look(exchange, candidate, typed).await {
            Ok(homes) if !homes.is_empty() => return Ok(homes),
            Ok(_) => {}
            Err(error) => match error.class {
                FailureClass::Unauthorised | FailureClass::RateLimited | FailureClass::AddressNotAllowed => {
                    return Err(error);
                }
                // What was typed may lead elsewhere than the well-known place: while it cannot be asked, nothing stands in for
                // it, or one lost answer would exchange a person's calendars for others.
                FailureClass::Transient | FailureClass::Ambiguous if typed => return Err(error),
                FailureClass::Transient | FailureClass::Ambiguous => worst = Some(error),
                FailureClass::Forbidden
                | FailureClass::Gone
                | FailureClass::Conflict
                | FailureClass::CursorExpired
                | FailureClass::Refused
                | FailureClass::Malformed => {
                    worst.get_or_insert(error);
                }
            },
        }
    }
    let fallback = "no calendars were found there: give the address of a calendar or of the calendar server";
    Err(match worst {
        Some(error)
            if matches!(error.class, FailureClass::Transient | FailureClass::Ambiguous | FailureClass::Forbidden) =>
        {
            error
        }
        Some(error) => ProviderError::new(FailureClass::Refused, format!("{fallback} ({})", error.detail)),
        None => ProviderError::new(FailureClass::Refused, fallback),
    })
}

/// Where to look: what was typed, the well-known place, the root. A bare host means the well-known place first, except
/// at iCloud, whose root answers.
fn candidates(start: &Url, kind: ProviderKind) -> Vec<Url> {
    let at = |path: &str| {
        let mut url = start.clone();
        url.set_path(path);
        url.set_query(None);
        url
    };
    let bare = start.path() == "/" && kind != ProviderKind::Icloud;
    let order = if bare { [at(WELL_KNOWN), start.clone(), at("/")] } else { [start.clone(), at(WELL_KNOWN), at("/")] };
    let mut found = Vec::new();
    for url in order {
        if !found.contains(&url) {
            found.push(url);
        }
    }
    found
}

/// What one address leads to; empty: nothing.
async fn look(exchange: &Exchange, url: Url, typed: bool) -> Result<Vec<Url>> {
    let answer = exchange.ask(propfind(url, Depth::Zero, PropfindQuery::Discovery), "looking for calendars").await?;
    let Some(row) = subject(&answer) else { return Ok(Vec::new()) };
    if row.is(ResourceKind::Calendar) {
        return Ok(vec![marked(&answer.url)]);
    }
    let mut homes = homes_in(&answer, row);
    if homes.is_empty() {
        let principal = match row.collection().and_then(|held| held.principal.as_ref()) {
            Some(Principal::Unauthenticated) => {
                let detail = "the server answers, but takes us for nobody: the user name or password was not accepted";
                return Err(ProviderError::new(FailureClass::Unauthorised, detail));
            }
            Some(Principal::Href(href)) => href::resolve(&answer.url, href),
            None => None,
        };
        if let Some(principal) = principal {
            homes = homes_of_principal(exchange, principal).await?;
        }
    }
    // An address below the root may itself be a home, ours or one that somebody shares with us.
    let place = row.props.is_collection && !row.is(ResourceKind::Principal) && answer.url.path() != "/";
    if typed && place && !homes.iter().any(|home| same(home, &answer.url)) {
        let listing = propfind(answer.url.clone(), Depth::One, PropfindQuery::Discovery);
        match exchange.ask(listing, "looking for calendars").await {
            Ok(inside) if inside.body.rows.iter().any(|row| row.is(ResourceKind::Calendar)) => {
                return Ok(vec![answer.url]);
            }
            Err(error) if matches!(error.class, FailureClass::Transient | FailureClass::Ambiguous) => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(homes)
}

async fn homes_of_principal(exchange: &Exchange, principal: Url) -> Result<Vec<Url>> {
    // Depth 0: a principal need not be a collection, and iCloud refuses more.
    let answer = exchange
        .ask(propfind(principal, Depth::Zero, PropfindQuery::Discovery), "asking for the calendar home")
        .await?;
    Ok(subject(&answer).map(|row| homes_in(&answer, row)).unwrap_or_default())
}

/// The response that is about the address itself: the one of its name, else the only one there can be.
fn subject(answer: &MultistatusAnswer) -> Option<&DavResponse> {
    let own = href::key(&answer.url, answer.url.as_str());
    let rows = &answer.body.rows;
    rows.iter()
        .find(|row| href::key(&answer.url, &row.href) == own)
        .or_else(|| rows.first())
        .filter(|row| row.failed().is_none())
}

fn homes_in(answer: &MultistatusAnswer, row: &DavResponse) -> Vec<Url> {
    let mut homes: Vec<Url> = Vec::new();
    for href in row.collection().map(|held| held.homes.as_slice()).unwrap_or_default() {
        if let Some(home) = href::resolve(&answer.url, href)
            && !homes.iter().any(|held| same(held, &home))
            && homes.len() < HOMES_MAX
        {
            homes.push(home);
        }
    }
    homes
}

fn same(one: &Url, other: &Url) -> bool {
    href::key(one, one.as_str()) == href::key(one, other.as_str())
}

fn marked(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(Some(CALENDAR));
    url
}
