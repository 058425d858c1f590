//! The API as a page: made from the OpenAPI document, readable offline, without a line of script.

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY},
};
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use super::{
    openapi::document,
    problem::{ProblemCode, internal},
    request::ApiRequest,
    route::HandlerResult,
};

const STYLE: &str = include_str!("docs.css");
/// Nothing comes from anywhere else, and nothing runs.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// `GET /docs/style.css`
pub async fn style(_: ApiRequest) -> HandlerResult {
    let mut answer = HttpResponse::Ok();
    Ok(answer.content_type("text/css; charset=utf-8").insert_header((CACHE_CONTROL, "max-age=3600")).body(STYLE))
}

/// `GET /docs`
pub async fn page(_: ApiRequest) -> HandlerResult {
    let document = serde_json::to_value(document()).map_err(|error| internal(&error))?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((CACHE_CONTROL, "max-age=300"))
        .body(whole(&document).into_string()))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn fields<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(name).and_then(Value::as_object).into_iter().flatten()
}

fn whole(document: &Value) -> Markup {
    let info = document.get("info").unwrap_or(&Value::Null);
    let topics: Vec<&str> = list(document, "tags").map(|tag| text(tag, "name")).collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (text(info, "title")) " API" }
                link rel="stylesheet" href="/docs/style.css";
            }
            body {
                a.skip href="#main" { "Skip to the routes" }
                header {
                    h1 { (text(info, "title")) " API " small { (text(info, "version")) } }
                    p { (ticked(text(info, "description"))) }
                    p { "For programs: " a href="/openapi.json" { "openapi.json" } "." }
                    nav aria-label="Topics" {
                        @for topic in &topics { a href={ "#" (topic) } { (topic) } " " }
                        a href="#codes" { "codes" } " " a href="#shapes" { "shapes" }
                    }
                }
                main id="main" {
                    @for topic in &topics {
                        section aria-labelledby=(topic) {
                            h2 id=(topic) { (topic) }
                            @for (path, method, operation) in of_topic(document, topic) { (route(path, method, operation)) }
                        }
                    }
                    (codes())
                    (shapes(document))
                }
            }
        }
    }
}

fn of_topic<'a>(document: &'a Value, topic: &'a str) -> impl Iterator<Item = (&'a String, &'static str, &'a Value)> {
    let operations = fields(document, "paths")
        .flat_map(|(path, item)| METHODS.into_iter().filter_map(move |method| Some((path, method, item.get(method)?))));
    operations.filter(move |(_, _, operation)| list(operation, "tags").any(|tag| tag.as_str() == Some(topic)))
}

fn route(path: &str, method: &str, operation: &Value) -> Markup {
    let id = text(operation, "operationId");
    let scope = list(operation, "security").flat_map(|one| list(one, "api_key")).find_map(Value::as_str);
    let body = operation.pointer("/requestBody/content/application~1json/schema");
    html! {
        details id=(id) {
            summary {
                code.method.(method) { (method.to_uppercase()) } " " code { (path) }
                span { (ticked(text(operation, "summary"))) }
            }
            p { @match scope { Some(scope) => { "Key with scope " code { (scope) } "." }, None => "Open to all." } }
            @if let Some(schema) = body { p { "Body: " (shape(schema)) } }
            table {
                caption { "Parameters" }
                @for parameter in list(operation, "parameters") {
                    tr {
                        th scope="row" { code { (text(parameter, "name")) } }
                        td { (text(parameter, "in")) }
                        td { (ticked(text(parameter, "description"))) }
                    }
                }
            }
            @for (status, response) in fields(operation, "responses").filter(|(status, _)| *status != "default") {
                p {
                    "Gives " code { (status) }
                    @for (media, content) in fields(response, "content") {
                        " " code { (media) } " " (content.get("schema").map(shape).unwrap_or_default())
                    }
                }
            }
        }
    }
}

/// A schema in a few characters, its names linked to their table.
fn shape(schema: &Value) -> Markup {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return html! { a href={ "#shape-" (name) } { (name) } };
    }
    if let Some(rows) = schema.pointer("/properties/data/items").filter(|_| schema.get("title").is_none()) {
        return html! { "page of " (shape(rows)) };
    }
    if let Some(items) = schema.get("items") {
        return html! { "list of " (shape(items)) };
    }
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        return html! { @for (at, choice) in choices.iter().enumerate() { @if at > 0 { " or " } (shape(choice)) } };
    }
    match schema.get("type") {
        Some(Value::String(one)) => html! { (one) },
        Some(Value::Array(many)) => {
            let words: Vec<_> = many.iter().filter_map(Value::as_str).collect();
            html! { (words.join(" or ")) }
        }
        _ => html! { "any" },
    }
}

fn codes() -> Markup {
    html! {
        section aria-labelledby="codes" {
            h2 id="codes" { "Codes of refusals" }
            table {
                @for code in ProblemCode::ALL {
                    tr id=(code.as_str()) {
                        th scope="row" { code { (code.as_str()) } }
                        td { (code.status()) }
                        td { (code.title()) }
                    }
                }
            }
        }
    }
}

fn shapes(document: &Value) -> Markup {
    let components = document.get("components").unwrap_or(&Value::Null);
    html! {
        section aria-labelledby="shapes" {
            h2 id="shapes" { "Shapes" }
            @for (name, schema) in fields(components, "schemas") {
                h3 id={ "shape-" (name) } { (name) }
                p { (ticked(text(schema, "description"))) }
                @let parts: Vec<&Value> = list(schema, "allOf").chain([schema]).collect();
                table {
                    @for part in parts {
                        @if part.get("$ref").is_some() { tr { td colspan="4" { "everything of " (shape(part)) } } }
                        @for (field, inner) in fields(part, "properties") {
                            tr {
                                th scope="row" { code { (field) } }
                                td { (shape(inner)) }
                                td { @if list(part, "required").any(|name| name == field) { "always" } }
                                td { (ticked(text(inner, "description"))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Text whose `code` stands between back-ticks.
fn ticked(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
