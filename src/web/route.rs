//! One row of the route table: where, who may, what comes in and goes out, and the function behind it.

use std::{borrow::Cow, future::Future, pin::Pin, rc::Rc};

use actix_web::{HttpResponse, http::Method};
use utoipa::{
    ToSchema,
    openapi::{RefOr, schema::Schema},
};

use super::{problem::Problem, request::ApiRequest, session::RouteAccess};
use crate::domain::person::KeyScope;

/// What a handler answers.
pub type HandlerResult = Result<HttpResponse, Problem>;
type Handler = Rc<dyn Fn(ApiRequest) -> Pin<Box<dyn Future<Output = HandlerResult>>>>;

/// A parameter in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it is for, and its form.
    pub about: &'static str,
}

/// A JSON shape, for the OpenAPI document.
#[derive(Clone, Copy)]
pub struct JsonShape {
    /// Its name among the components.
    pub name: fn() -> Cow<'static, str>,
    /// Its schema.
    pub schema: fn() -> RefOr<Schema>,
    /// The schemas it refers to.
    pub others: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl JsonShape {
    /// The shape of a type.
    #[must_use]
    pub fn of<T: ToSchema>() -> Self {
        Self { name: T::name, schema: T::schema, others: T::schemas }
    }
}

/// What a route gives when all is well.
#[derive(Clone, Copy)]
pub enum Gives {
    /// Nothing: 204.
    Nothing,
    /// One JSON object.
    One(JsonShape),
    /// A page of them.
    Page(JsonShape),
    /// Another media type.
    Text(&'static str),
}

/// One row.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of a route; a row names those that it has")]
#[derive(Clone)]
pub struct Route {
    /// `GET`, `POST`, …
    pub method: Method,
    /// `/v1/accounts/{id}`
    pub path: &'static str,
    /// Who may.
    pub access: RouteAccess,
    /// What it does, in one line.
    pub about: &'static str,
    /// What may stand in the query; anything else is refused.
    pub params: &'static [Param],
    /// Whether others write the query: what is unknown in it is passed over.
    pub lenient: bool,
    /// Whether it changes something although it is a `GET`.
    pub acts: bool,
    /// The body.
    pub takes: Option<JsonShape>,
    /// The status when all is well.
    pub status: u16,
    /// What comes with it.
    pub gives: Gives,
    /// Whether rows have a version that `If-Match` may name.
    pub versioned: bool,
    /// Whether a page may say that a bound left something out.
    pub truncates: bool,
    /// Whether doing it twice makes nothing twice.
    pub harmless_twice: bool,
    /// The function behind it.
    pub handler: Handler,
}

macro_rules! methods {
    ($($(#[$about:meta])* $name:ident = $method:ident;)+) => {$(
        $(#[$about])*
        pub fn $name<F, Fut>(path: &'static str, access: impl Into<RouteAccess>, handler: F, about: &'static str) -> Route
        where
            F: Fn(ApiRequest) -> Fut + 'static,
            Fut: Future<Output = HandlerResult> + 'static,
        {
            Route::new(Method::$method, path, access.into(), Rc::new(move |request| Box::pin(handler(request))), about)
        }
    )+};
}

methods! {
    /// A row that reads.
    get = GET;
    /// A row that makes or overwrites.
    put = PUT;
    /// A row that makes or does.
    post = POST;
    /// A row that changes a part.
    patch = PATCH;
    /// A row that takes away.
    delete = DELETE;
}

impl Route {
    fn new(method: Method, path: &'static str, access: RouteAccess, handler: Handler, about: &'static str) -> Self {
        Self {
            method,
            path,
            access,
            about,
            params: &[],
            lenient: false,
            acts: false,
            takes: None,
            status: 204,
            gives: Gives::Nothing,
            versioned: false,
            truncates: false,
            harmless_twice: false,
            handler,
        }
    }

    /// Takes a JSON body.
    #[must_use]
    pub fn takes<T: ToSchema>(self) -> Self {
        Self { takes: Some(JsonShape::of::<T>()), ..self }
    }

    /// Gives one JSON object.
    #[must_use]
    pub fn gives<T: ToSchema>(self, status: u16) -> Self {
        Self { status, gives: Gives::One(JsonShape::of::<T>()), ..self }
    }

    /// Gives a page of JSON objects.
    #[must_use]
    pub fn lists<T: ToSchema>(self) -> Self {
        Self { status: 200, gives: Gives::Page(JsonShape::of::<T>()), ..self }
    }

    /// Gives a text.
    #[must_use]
    pub fn shows(self, media_type: &'static str) -> Self {
        Self { status: 200, gives: Gives::Text(media_type), ..self }
    }

    /// Knows these query parameters.
    #[must_use]
    pub fn with(self, params: &'static [Param]) -> Self {
        Self { params, ..self }
    }

    /// A browser is sent here by others: what is unknown in the query is passed over, and what it brings is acted on.
    #[must_use]
    pub fn comes_back(self) -> Self {
        Self { lenient: true, acts: true, ..self }
    }

    /// Sends a browser on.
    #[must_use]
    pub fn goes_on(self) -> Self {
        Self { status: 303, ..self }
    }

    /// Obeys `If-Match`.
    #[must_use]
    pub fn versioned(self) -> Self {
        Self { versioned: true, ..self }
    }

    /// Says in a page what a bound left out.
    #[must_use]
    pub fn truncates(self) -> Self {
        Self { truncates: true, ..self }
    }

    /// Doing it twice makes nothing twice.
    #[must_use]
    pub fn harmless_twice(self) -> Self {
        Self { harmless_twice: true, ..self }
    }

    /// Whether an `Idempotency-Key` is honoured. Where nobody is recognised it is not: a stranger's answers would fill the disk.
    #[must_use]
    pub fn honours_key(&self) -> bool {
        let changes = matches!(self.access, RouteAccess::Key(scope) if scope != KeyScope::Read);
        self.method == Method::POST && changes && !self.harmless_twice
    }

    /// The names between braces in the path.
    pub fn path_names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// The first part of the path that names a thing: what the route is about.
    #[must_use]
    pub fn topic(&self) -> &'static str {
        match self.path.trim_start_matches('/').split('/').collect::<Vec<_>>().as_slice() {
            ["v1", topic, ..] => topic,
            _ => "service",
        }
    }
}
