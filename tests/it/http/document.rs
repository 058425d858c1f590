//! The OpenAPI document and the docs page say what the route table says, and nothing else.

use std::collections::BTreeSet;

use actix_web::test::TestRequest;
use calwarden::web::{openapi, problem::ProblemCode, routes, session::RouteAccess};
use serde_json::Value;

use super::app::App;

fn document() -> Value {
    serde_json::to_value(openapi::document()).expect("json")
}

#[test]
fn the_document_and_the_table_have_the_same_routes() {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let told: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| item.as_object().expect("methods").keys().map(|verb| (path.clone(), verb.clone())))
        .collect();
    let known: BTreeSet<(String, String)> =
        routes().iter().map(|route| (route.path.to_owned(), route.method.as_str().to_lowercase())).collect();
    assert_eq!(told, known);
    assert_eq!(routes().len(), known.len(), "no row stands twice");
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
}

#[test]
fn every_row_is_told_with_its_parameters_bodies_and_rights() {
    let document = document();
    for route in routes() {
        let told = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        let place = format!("{} {}", route.method, route.path);
        let named = |wanted: &str| {
            let parameters = told["parameters"].as_array().into_iter().flatten();
            parameters
                .filter(|one| one["in"] == wanted)
                .map(|one| one["name"].as_str().expect("a name"))
                .collect::<Vec<_>>()
        };
        assert_eq!(named("path"), route.path_names().collect::<Vec<_>>(), "{place}");
        assert_eq!(named("query"), route.params.iter().map(|param| param.name).collect::<Vec<_>>(), "{place}");
        assert_eq!(told["requestBody"].is_object(), route.takes.is_some(), "{place}");
        assert!(told["responses"][route.status.to_string()].is_object(), "{place}");
        let scope = told["security"][0]["api_key"][0].as_str();
        let wanted = match route.access {
            RouteAccess::Open => None,
            RouteAccess::Key(scope) => Some(scope.as_str()),
        };
        assert_eq!(scope, wanted, "{place}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|inner| references(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.contains("#/components/schemas/Event"), "{found:?}");
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[actix_web::test]
async fn the_docs_page_is_whole_without_script_and_without_the_network() {
    let app = App::start().await;
    let served = app.send(TestRequest::get().uri("/openapi.json")).await.ok();
    assert_eq!(served, document());
    let page = app.send(TestRequest::get().uri("/docs")).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    for banned in ["<script", "style=\"", "http://", "https://", "//cdn", "onclick"] {
        assert!(!page.text.contains(banned), "{banned}");
    }
    for route in routes() {
        assert!(page.text.contains(&format!("<code>{}</code>", route.path)), "{}", route.path);
    }
    for code in ProblemCode::ALL {
        assert!(page.text.contains(&format!("id=\"{}\"", code.as_str())), "{}", code.as_str());
    }
    let style = app.send(TestRequest::get().uri("/docs/style.css")).await;
    assert_eq!((style.status.as_u16(), style.header("content-type")), (200, "text/css; charset=utf-8"));
}
