//! The demonstration's page: both sides beside each other. There is one only when `calwarden demo` runs.

use actix_web::{
    HttpResponse,
    http::header::{self, CONTENT_SECURITY_POLICY},
};
use chrono::Duration;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    problem::{Problem, internal},
    request::ApiRequest,
    route::HandlerResult,
};
use crate::{
    domain::{
        event::{EventContent, Facts},
        ids::UserId,
        person::Scope,
        time::EventTime,
    },
    service::{
        edit_event::NewEvent,
        read_events::{Edge, EventsWanted},
    },
};

/// Whose household is shown, and where the other side is.
#[derive(Clone, Debug)]
pub struct Demo {
    /// Who lives there.
    pub users: Vec<UserId>,
    /// The look-alike's own page.
    pub other_side: String,
}

const ROWS_MAX: u32 = 400;
const REFRESHED_EVERY_S: u32 = 2;
const STYLE: &str = "body{font:1rem/1.45 system-ui,sans-serif;margin:0;color-scheme:light dark}\
    header{padding:.75rem 1.25rem}main{display:grid;grid-template-columns:1fr 1fr;gap:1rem;padding:0 1.25rem}\
    iframe{width:100%;height:72vh;border:1px solid #8886;border-radius:.4rem}\
    form{display:flex;gap:.5rem;margin:.5rem 0}input,select,button{font:inherit;padding:.3rem .6rem}input{flex:1}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem;border-top:1px solid #8884;vertical-align:top}\
    small{opacity:.7}@media(max-width:50rem){main{grid-template-columns:1fr}}";

fn demo(request: &ApiRequest) -> Result<Demo, Problem> {
    request.app.demo.get().cloned().ok_or_else(|| Problem::not_found("demonstration here; calwarden demo runs one"))
}

/// `GET /demo`
pub async fn page(request: ApiRequest) -> HandlerResult {
    let demo = demo(&request)?;
    let body = html! {
        header {
            h1 { "Calwarden, both sides" }
            p { "Left is the product's own calendar, right is (a sandbox of) Google. Add something on either side: it is on the \
                other a moment later. " a href="/docs" { "The API" } ", " a href="/metrics" { "the metrics" } "." }
        }
        main {
            section aria-label="The product" {
                h2 { "Here" }
                form method="post" action="/demo/events" {
                    select name="user" aria-label="Whose" { @for user in &demo.users { option { (user.as_str()) } } }
                    input name="title" aria-label="What" placeholder="Something tomorrow at noon" required maxlength="100";
                    button { "Add here" }
                }
                iframe src="/demo/events" title="Events here" {}
            }
            section aria-label="Google" {
                h2 { "At Google" }
                iframe src=(demo.other_side) title="Events at Google" {}
            }
        }
    };
    Ok(shown(&demo, &body, None))
}

/// `GET /demo/events`
pub async fn events(request: ApiRequest) -> HandlerResult {
    let demo = demo(&request)?;
    let services = request.services();
    let mut rows = Vec::new();
    for user in &demo.users {
        let now = services.world.now();
        let wanted = EventsWanted {
            user_id: user.clone(),
            calendar_id: None,
            from: Some(Edge::At(now)),
            to: Some(Edge::At(now + Duration::days(14))),
            expand: true,
            after: None,
            limit: ROWS_MAX,
        };
        for facts in services.events(&Scope::Whole, &wanted).await.map_err(Problem::from)?.rows {
            rows.push((facts.facts.start, user.clone(), facts.facts.title));
        }
    }
    rows.sort_by_key(|(start, ..)| start.instant(chrono_tz::Europe::Paris));
    let accounts = services.accounts(&Scope::Whole, None, None, ROWS_MAX).await?;
    let body = html! {
        p { @for facts in &accounts {
            small { (facts.account.user_id.as_str()) ": " (facts.account.status.as_str())
                @if let Some(round) = &facts.last_round { ", last round " (round.cause.as_str()) } " · " }
        } }
        table {
            @for (start, user, title) in &rows {
                tr { td { (start.wall().format("%a %d %b, %H:%M")) } td { (user.as_str()) } td { (title) } }
            }
        }
    };
    Ok(shown(&demo, &body, Some(REFRESHED_EVERY_S)))
}

/// `POST /demo/events`
pub async fn add(request: ApiRequest) -> HandlerResult {
    let demo = demo(&request)?;
    let form: std::collections::BTreeMap<String, String> = request.form();
    let given = |name: &str| form.get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let title = given("title").ok_or_else(|| Problem::invalid("title", "say what it is"))?;
    let user = demo.users.iter().find(|user| given("user").as_deref() == Some(user.as_str()));
    let user = user.ok_or_else(|| Problem::invalid("user", "somebody of the household"))?;
    let zone = chrono_tz::Europe::Paris;
    let tomorrow = request.services().world.now().with_timezone(&zone).date_naive() + Duration::days(1);
    let noon = tomorrow.and_hms_opt(12, 0, 0).ok_or_else(|| internal(&"no noon"))?;
    let facts = Facts::new(title, EventTime::zoned(noon, zone), EventTime::zoned(noon + Duration::hours(1), zone));
    let accounts = request.services().accounts(&Scope::Whole, Some(user), None, 1).await?;
    let calendar = accounts.iter().flat_map(|facts| &facts.calendars).find(|calendar| calendar.selected);
    let new = NewEvent {
        user_id: user.clone(),
        calendar_id: calendar.map(|calendar| calendar.id),
        content: EventContent::single(facts),
    };
    request.services().create_event(&Scope::Whole, new).await.map_err(Problem::from)?;
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "/demo")).finish())
}

fn shown(demo: &Demo, body: &Markup, refresh: Option<u32>) -> HttpResponse {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if let Some(seconds) = refresh { meta http-equiv="refresh" content=(seconds); }
                title { "Calwarden, a demonstration" }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self' {}; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'self'",
        demo.other_side
    );
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .body(text.into_string())
}
