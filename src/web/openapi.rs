//! The OpenAPI 3.1 document, made from the route table.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, http::Method};
use utoipa::{
    ToSchema as _,
    openapi::{
        ComponentsBuilder, Content, ContentBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref,
        RefOr, Required, Response, ResponseBuilder, Tag,
        path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

use super::{
    api::events::TruncatedView,
    idempotency::IDEMPOTENCY_KEY,
    problem::{PROBLEM_JSON, ProblemCode, ProblemView, internal},
    request::ApiRequest,
    route::{Gives, HandlerResult, JsonShape, Route},
    routes,
    session::{ACTS_FOR, RouteAccess},
};

/// What the document says of the API as a whole.
const ABOUT: &str = "Calendars of many providers in two-way step. Send `Authorization: Bearer <key>`; with `Calwarden-User` a \
    request sees that user's spaces only. Lists come in pages: give `next_cursor` back as `cursor`. \
    What one answer looks at is bounded: `truncated` says what that left out, and what to narrow. Each key may send so many \
    requests a minute, shown in `RateLimit-*`; beyond that, `rate_limited` with `Retry-After`. A body without a key has 64 kB at \
    most. A POST with an `Idempotency-Key` is done once in 24 hours. What has an `etag` can be changed with `If-Match`. Refusals \
    are problem documents (RFC 9457) with a stable `code`.";
const KEY: &str = "api_key";

/// `GET /openapi.json`
pub async fn serve(_: ApiRequest) -> HandlerResult {
    let text = document().to_json().map_err(|error| internal(&error))?;
    Ok(HttpResponse::Ok().content_type("application/json").insert_header(("Cache-Control", "max-age=300")).body(text))
}

/// The document.
#[must_use]
pub fn document() -> OpenApi {
    let table = routes();
    let mut schemas = BTreeMap::new();
    learn(&mut schemas, JsonShape::of::<ProblemView>());
    let mut paths = Paths::new();
    for route in &table {
        let truncated = route.truncates.then(JsonShape::of::<TruncatedView>);
        for shape in route.takes.into_iter().chain(given(route)).chain(truncated) {
            learn(&mut schemas, shape);
        }
        paths.add_path_operation(route.path, vec![method(&route.method)], operation(route));
    }
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("cw_…").build();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(KEY, SecurityScheme::Http(scheme))
        .response("Problem", problem())
        .build();
    let info = InfoBuilder::new().title("Calwarden").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).tags(Some(topics(&table))).build()
}

/// The topics of a table, in its order.
fn topics(table: &[Route]) -> Vec<Tag> {
    let mut names: Vec<&str> = Vec::new();
    for route in table {
        if !names.contains(&route.topic()) {
            names.push(route.topic());
        }
    }
    names.into_iter().map(|name| TagBuilder::new().name(name).build()).collect()
}

fn given(route: &Route) -> Option<JsonShape> {
    match route.gives {
        Gives::One(shape) | Gives::Page(shape) => Some(shape),
        Gives::Nothing | Gives::Text(_) => None,
    }
}

fn learn(schemas: &mut BTreeMap<String, RefOr<Schema>>, shape: JsonShape) {
    let mut others = Vec::new();
    (shape.others)(&mut others);
    schemas.extend(others);
    schemas.insert((shape.name)().into_owned(), (shape.schema)());
}

fn method(method: &Method) -> HttpMethod {
    match method.as_str() {
        "PUT" => HttpMethod::Put,
        "POST" => HttpMethod::Post,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn text() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).into()
}

fn refer(shape: JsonShape) -> RefOr<Schema> {
    Ref::from_schema_name((shape.name)()).into()
}

fn operation(route: &Route) -> Operation {
    let mut operation = OperationBuilder::new()
        .summary(Some(route.about))
        .operation_id(Some(operation_id(route)))
        .tag(route.topic())
        .response(route.status.to_string(), success(route))
        .response("default", RefOr::Ref(Ref::from_response_name("Problem")));
    for name in route.path_names() {
        operation = operation.parameter(parameter(name, ParameterIn::Path, ""));
    }
    for param in route.params {
        operation = operation.parameter(parameter(param.name, ParameterIn::Query, param.about));
    }
    if let RouteAccess::Key(scope) = route.access {
        operation = operation.security(SecurityRequirement::new(KEY, [scope.as_str()])).parameter(parameter(
            ACTS_FOR,
            ParameterIn::Header,
            "The user the request acts for.",
        ));
    }
    if route.honours_key() {
        let about = "The same request with the same key is done once in 24 hours and answered alike.";
        operation = operation.parameter(parameter(IDEMPOTENCY_KEY, ParameterIn::Header, about));
    }
    if route.versioned {
        let about = "The `etag` that is to be changed; another version is refused with `stale`.";
        operation = operation.parameter(parameter("If-Match", ParameterIn::Header, about));
    }
    if let Some(shape) = route.takes {
        let body = RequestBodyBuilder::new().content("application/json", json(refer(shape)));
        operation = operation.request_body(Some(body.required(Some(Required::True)).build()));
    }
    operation.build()
}

/// `get_v1_users_id`: made from method and path, so it is there and it is one.
fn operation_id(route: &Route) -> String {
    let path = route.path.replace(['{', '}'], "").replace(['/', '.'], "_");
    format!("{}{path}", route.method.as_str().to_ascii_lowercase())
}

fn parameter(name: &str, place: ParameterIn, about: &str) -> Parameter {
    let required = if matches!(place, ParameterIn::Path) { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(about).filter(|about| !about.is_empty()))
        .schema(Some(text()))
        .build()
}

fn json(schema: RefOr<Schema>) -> Content {
    ContentBuilder::new().schema(Some(schema)).build()
}

fn success(route: &Route) -> Response {
    let response = ResponseBuilder::new();
    match route.gives {
        Gives::Nothing => response.description("Done").build(),
        Gives::One(shape) => response.description(route.about).content("application/json", json(refer(shape))).build(),
        Gives::Page(shape) => {
            let nullable = SchemaType::from_iter([Type::String, Type::Null]);
            let mut page = ObjectBuilder::new()
                .property("data", ArrayBuilder::new().items(refer(shape)))
                .required("data")
                .property("next_cursor", ObjectBuilder::new().schema_type(nullable))
                .required("next_cursor");
            if route.truncates {
                page = page.property("truncated", refer(JsonShape::of::<TruncatedView>()));
            }
            response.description(route.about).content("application/json", json(page.into())).build()
        }
        Gives::Text(media_type) => response.description(route.about).content(media_type, json(text().into())).build(),
    }
}

fn problem() -> Response {
    let codes: Vec<_> =
        ProblemCode::ALL.iter().map(|code| format!("`{}` ({})", code.as_str(), code.status())).collect();
    let schema = Ref::from_schema_name(ProblemView::name()).into();
    ResponseBuilder::new()
        .description(format!("Refused. `code` is one of {}.", codes.join(", ")))
        .content(PROBLEM_JSON, json(schema))
        .build()
}
