//! Google's own description of its API, held against what is sent and what is answered.

use std::{collections::BTreeMap, fs, sync::OnceLock};

use serde_json::{Map, Value};

use super::corpora;

/// The description, read once.
pub struct Document(Value);

/// The description of Google Calendar, as Google publishes it.
pub fn document() -> &'static Document {
    static READ: OnceLock<Document> = OnceLock::new();
    READ.get_or_init(|| {
        let text = fs::read_to_string(corpora().join("specs/google-calendar.swagger.json")).expect("the description");
        Document(serde_json::from_str(&text).expect("JSON"))
    })
}

impl Document {
    /// What is wrong with a request, its path below the API's root.
    pub fn request(&self, method: &str, path: &str, query: &[(String, String)], body: &[u8]) -> Vec<String> {
        let Some((template, operation)) = self.operation(method, path) else {
            return vec![format!("{method} {path}: there is no such operation")];
        };
        let place = format!("{method} {template}");
        let mut wrong = Vec::new();
        let known = self.parameters(template, operation);
        for (name, value) in query {
            match known.get(name.as_str()).filter(|parameter| parameter["in"] == "query") {
                Some(parameter) => {
                    let schema = if parameter["type"] == "array" { &parameter["items"] } else { *parameter };
                    wrong.extend(text_fits(value, schema).err().map(|why| format!("{place}?{name}: {why}")));
                }
                None => wrong.push(format!("{place}?{name}: there is no such parameter")),
            }
        }
        let missing = known.iter().filter(|(name, parameter)| {
            parameter["in"] == "query" && parameter["required"] == true && !query.iter().any(|(held, _)| held == *name)
        });
        wrong.extend(missing.map(|(name, _)| format!("{place}?{name}: it is required")));
        let schema = known.values().find(|parameter| parameter["in"] == "body").map(|parameter| &parameter["schema"]);
        match (schema, body.is_empty()) {
            (Some(schema), false) => match serde_json::from_slice(body) {
                Ok(value) => self.hold(&value, schema, &place, &mut wrong),
                Err(why) => wrong.push(format!("{place}: the body is no JSON: {why}")),
            },
            (None, false) => wrong.push(format!("{place}: it takes no body")),
            (_, true) => {}
        }
        wrong
    }

    /// What is wrong with an answer of success.
    pub fn answer(&self, method: &str, path: &str, status: u16, body: &[u8]) -> Vec<String> {
        let Some((template, operation)) = self.operation(method, path) else { return Vec::new() };
        let place = format!("{status} {method} {template}");
        let schema = operation["responses"].as_object().and_then(|all| all.values().find_map(|one| one.get("schema")));
        let mut wrong = Vec::new();
        match (schema, body.is_empty()) {
            (Some(schema), false) => match serde_json::from_slice(body) {
                Ok(value) => self.hold(&value, schema, &place, &mut wrong),
                Err(why) => wrong.push(format!("{place}: no JSON: {why}")),
            },
            (Some(_), true) => wrong.push(format!("{place}: a body is missing")),
            (None, false) => wrong.push(format!("{place}: a body where there is none")),
            (None, true) => {}
        }
        wrong
    }

    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let given: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
        let fits = |template: &str| {
            let pieces: Vec<&str> = template.split('/').filter(|piece| !piece.is_empty()).collect();
            pieces.len() == given.len()
                && pieces.iter().zip(&given).all(|(piece, given)| piece.starts_with('{') || piece == given)
        };
        let mut found: Vec<_> = self.0["paths"].as_object()?.iter().filter(|(template, _)| fits(template)).collect();
        // `events/import` is no event.
        found.sort_by_key(|(template, _)| template.matches('{').count());
        found.into_iter().find_map(|(template, item)| Some((template.as_str(), item.get(method.to_lowercase())?)))
    }

    fn parameters<'d>(&'d self, template: &str, operation: &'d Value) -> BTreeMap<&'d str, &'d Value> {
        let shared = self.0["paths"][template]["parameters"].as_array();
        let own = operation["parameters"].as_array();
        let all = shared.into_iter().flatten().chain(own.into_iter().flatten());
        all.filter_map(|parameter| {
            let parameter = self.resolved(parameter);
            Some((parameter["name"].as_str()?, parameter))
        })
        .collect()
    }

    fn resolved<'d>(&'d self, value: &'d Value) -> &'d Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(path) => self.0.pointer(path.trim_start_matches('#')).expect("what is referred to"),
            None => value,
        }
    }

    fn hold(&self, value: &Value, schema: &Value, place: &str, wrong: &mut Vec<String>) {
        let schema = self.resolved(schema);
        let mut refuse = |why: &str| wrong.push(format!("{place}: {why}: {value}"));
        match (schema["type"].as_str(), value) {
            // What a patch takes away.
            (_, Value::Null) if place.starts_with("PATCH") => {}
            (Some("object"), Value::Object(fields)) => self.hold_fields(fields, schema, place, wrong),
            (Some("array"), Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    self.hold(item, &schema["items"], &format!("{place}[{at}]"), wrong);
                }
            }
            (Some("string"), Value::String(text)) => {
                if let Err(why) = text_fits(text, schema) {
                    refuse(&why);
                }
            }
            (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => {}
            (Some(kind), _) => refuse(&format!("it is no {kind}")),
        }
    }

    fn hold_fields(&self, fields: &Map<String, Value>, schema: &Value, place: &str, wrong: &mut Vec<String>) {
        for (name, inside) in fields {
            let place = format!("{place}.{name}");
            match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
                Some(schema) => self.hold(inside, schema, &place, wrong),
                None => wrong.push(format!("{place}: there is no such field")),
            }
        }
    }
}

/// Whether a text is what a schema or a parameter wants.
fn text_fits(text: &str, schema: &Value) -> Result<(), String> {
    let among = schema["enum"].as_array().is_none_or(|all| all.iter().any(|one| one == text));
    let formed = match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("boolean"), _) => matches!(text, "true" | "false"),
        (Some("integer"), _) | (_, Some("int64")) => text.parse::<i64>().is_ok(),
        (_, Some("date")) => chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        (_, Some("date-time")) => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        _ => true,
    };
    let number = text.parse::<i64>().ok();
    let large = schema["minimum"].as_i64().zip(number).is_none_or(|(least, given)| given >= least);
    let small = schema["maximum"].as_i64().zip(number).is_none_or(|(most, given)| given <= most);
    if among && formed && large && small { Ok(()) } else { Err(format!("{text:?} will not do")) }
}
