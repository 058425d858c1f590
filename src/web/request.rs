//! What a handler is given: one request, already recognised, its body already read.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, str::FromStr, sync::Arc};

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use super::{
    AppState,
    actors::ActorOrder,
    body,
    etag::{etag, if_match},
    paging::{self, LIMIT_DEFAULT, LIMIT_MAX},
    problem::{Problem, ProblemCode, internal},
    route::Route,
    session::{ACTS_FOR, Caller},
};
use crate::{
    domain::{
        ids::{AccountId, UserId},
        person::Scope,
        time::{YEARS_WORDS, is_in_years},
    },
    service::Services,
};

/// Orders to actors about what is not durable yet.
#[derive(Clone, Default)]
pub struct Orders(Rc<RefCell<Vec<(AccountId, ActorOrder)>>>);

impl Orders {
    /// Gives them: what they are about is durable now.
    pub async fn give(&self, app: &AppState) {
        let noted = self.0.take();
        for (account, order) in noted {
            notify_actor(app, account, order).await;
        }
    }
}

/// What is stored holds whether its actor hears of it or not: one that is built later reads it there.
async fn notify_actor(app: &AppState, account: AccountId, order: ActorOrder) {
    if let Err(problem) = app.actors.order(account, order).await {
        tracing::info!(detail = problem.detail, "an account's actor reads a change from the store when it is built");
    }
}

/// One request.
pub struct ApiRequest {
    /// What stands behind the API.
    pub app: Arc<AppState>,
    /// Who asks.
    pub caller: Caller,
    services: Arc<Services>,
    orders: Option<Orders>,
    /// Cancelled when the caller hangs up. What only computes ends then; what has begun to write is carried through.
    pub gone: CancellationToken,
    request: HttpRequest,
    query: Vec<(String, String)>,
    body: Bytes,
}

/// An instant of a body, if it is one that can be computed with.
pub fn instant(field: &str, at: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
    if is_in_years(at) { Ok(at) } else { Err(Problem::invalid(field, YEARS_WORDS)) }
}

impl ApiRequest {
    /// A request whose query holds nothing but what its route knows.
    pub fn new(
        app: Arc<AppState>,
        caller: Caller,
        request: HttpRequest,
        body: Bytes,
        route: &Route,
    ) -> Result<Self, Problem> {
        let params = route.params;
        let mut query: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
            if !params.iter().any(|param| param.name == name) {
                if route.lenient {
                    continue;
                }
                let known: Vec<_> = params.iter().map(|param| param.name).collect();
                let why = match known.as_slice() {
                    [] => "this takes no query parameters".to_owned(),
                    _ => format!("this knows no such query parameter, only {}", known.join(", ")),
                };
                return Err(Problem::invalid(name, why));
            }
            if query.iter().any(|(held, _)| *held == name) {
                return Err(Problem::invalid(name, "give this query parameter once"));
            }
            if value.contains('\0') {
                return Err(Problem::invalid(name, "a text without the character U+0000"));
            }
            query.push((name.into_owned(), value.into_owned()));
        }
        let services = Arc::clone(&app.services);
        let gone = request.extensions().get::<CancellationToken>().cloned().unwrap_or_default();
        Ok(Self { app, caller, services, orders: None, gone, request, query, body })
    }

    /// The same request, whose changes become durable together with its answer; orders to actors are noted until then.
    #[must_use]
    pub fn within(self, services: Arc<Services>, orders: Orders) -> Self {
        Self { services, orders: Some(orders), ..self }
    }

    /// The use cases.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Notifies an account's actor of what was stored, once it is durable.
    pub async fn notify_actor(&self, account: AccountId, order: ActorOrder) {
        match &self.orders {
            Some(orders) => orders.0.borrow_mut().push((account, order)),
            None => notify_actor(&self.app, account, order).await,
        }
    }

    /// What the caller may see.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.caller.scope
    }

    /// Whether the caller may hand over an account of this user: consent belongs to the person, and a space that is shared gives
    /// its members no right to it. A key that acts for nobody is the product's own backend.
    pub async fn may_connect(&self, owner: &UserId) -> Result<(), Problem> {
        if self.caller.user.as_ref().is_none_or(|user| user == owner) {
            return Ok(());
        }
        if !self.services().shares_a_space(self.scope(), owner).await? {
            return Err(Problem::not_found("user"));
        }
        let detail = format!(
            "only {owner} may connect an account of {owner}: act for them (`{ACTS_FOR}: {owner}`), or for nobody in particular"
        );
        Err(Problem { field: Some("user_id".to_owned()), ..Problem::new(ProblemCode::NotTheirs, detail) })
    }

    /// An id of ours in the path; what is no id names nothing.
    pub fn id<T: FromStr>(&self, name: &str, what: &str) -> Result<T, Problem> {
        self.request.match_info().query(name).parse().map_err(|_| Problem::not_found(what))
    }

    /// An id of the caller's in the path.
    pub fn own_id<T>(&self, name: &str) -> Result<T, Problem>
    where
        T: FromStr,
        T::Err: ToString,
    {
        self.request.match_info().query(name).parse().map_err(|why: T::Err| Problem::invalid(name, why.to_string()))
    }

    /// The body, as JSON.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        body::read(&self.body)
    }

    /// Whether there is a body at all.
    #[must_use]
    pub fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// A query parameter; an empty one is none.
    pub fn param<T>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T: FromStr,
        T::Err: ToString,
    {
        let given = self.query.iter().find(|(held, value)| held == name && !value.is_empty());
        given.map(|(_, value)| value.parse().map_err(|why: T::Err| Problem::invalid(name, why.to_string()))).transpose()
    }

    /// An instant in the query.
    pub fn instant(&self, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
        // A `+` that was not escaped arrives as a space.
        let given = self.param::<String>(name)?.map(|text| DateTime::parse_from_rfc3339(&text.replace(' ', "+")));
        let given = given.transpose().map_err(|_| Problem::invalid(name, "an instant such as 2026-03-29T10:00:00Z"))?;
        given.map(|at| instant(name, at.with_timezone(&Utc))).transpose()
    }

    /// The user whose own rows are asked for: the one named in the query, else the one the request acts for.
    pub fn user(&self) -> Result<Option<UserId>, Problem> {
        Ok(self.param("user_id")?.or_else(|| self.caller.user.clone()))
    }

    /// Rows of the page.
    pub fn limit(&self) -> Result<u32, Problem> {
        match self.param("limit")?.unwrap_or(LIMIT_DEFAULT) {
            limit @ 1..=LIMIT_MAX => Ok(limit),
            _ => Err(Problem::invalid("limit", format!("1 to {LIMIT_MAX}"))),
        }
    }

    /// Where the page begins.
    pub fn cursor<C: DeserializeOwned>(&self) -> Result<Option<C>, Problem> {
        self.param::<String>("cursor")?.map(|cursor| paging::open(&cursor)).transpose()
    }

    /// `If-Match`.
    #[must_use]
    pub fn if_match(&self) -> Option<i64> {
        if_match(self.request.headers().get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default()))
    }

    /// The body, as a form of a page.
    #[must_use]
    pub fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name)?.to_str().ok()
    }

    /// A cookie.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.request.cookie(name).map(|cookie| cookie.value().to_owned())
    }

    /// Whether the caller prefers a media type to JSON.
    #[must_use]
    pub fn prefers(&self, media_type: &str) -> bool {
        let accept = self.request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
        accept.and_then(|accept| accept.split(',').next()).is_some_and(|first| {
            first.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(media_type))
        })
    }
}

/// An answer of JSON.
pub fn json<T: Serialize>(status: u16, value: &T) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| internal(&error))?;
    let status = StatusCode::from_u16(status).map_err(|error| internal(&error))?;
    Ok(HttpResponse::build(status).content_type("application/json").body(body))
}

/// An answer of JSON that has a version.
pub fn versioned<T: Serialize>(status: u16, version: i64, value: &T) -> Result<HttpResponse, Problem> {
    let mut response = json(status, value)?;
    let tag = header::HeaderValue::from_str(&etag(version)).map_err(|error| internal(&error))?;
    response.headers_mut().insert(header::ETAG, tag);
    Ok(response)
}

/// An answer without a body.
#[must_use]
pub fn nothing() -> HttpResponse {
    HttpResponse::NoContent().finish()
}
