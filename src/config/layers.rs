//! Defaults, file and environment laid over each other, and everything wrong with them collected.

use std::{collections::BTreeMap, ffi::OsString, fs, io, path::Path};

use serde::de::IntoDeserializer as _;
use toml::{Table, Value};

use super::{
    Config, DEFAULTS, LOCAL_FILE, Mistake, Mistakes,
    shape::{SHAPES, SettingShape},
};

/// What the defaults are called in a mistake.
const DEFAULTS_PLACE: &str = "config/default.toml";
/// How every environment variable of ours begins.
const PREFIX: &str = "CALWARDEN_";
/// Names without the prefix that people already have. The prefixed name wins over them.
const PLAIN_NAMES: &[(&str, &str)] = &[
    ("DATABASE_URL", "database_url"),
    ("TOKEN_ENCRYPTION_KEY", "token_encryption_key"),
    ("API_BASE_URL", "api_base_url"),
    ("GOOGLE_CLIENT_ID", "google.client_id"),
    ("GOOGLE_CLIENT_SECRET", "google.client_secret"),
    ("GOOGLE_REDIRECT_URI", "google.redirect_uri"),
];
/// Variables with our prefix that are no settings: of the command line, and of the test suite.
const NOT_SETTINGS: &[&str] = &[
    "CALWARDEN_CONFIG",
    "CALWARDEN_BIN",
    "CALWARDEN_CORPORA",
    "CALWARDEN_PEERS_BIN",
    "CALWARDEN_PEERS_PYTHON",
    "CALWARDEN_PEERS_NODE",
];
/// What Kubernetes puts into every container beside a service named `calwarden`.
const SERVICE_LINKS: &[&str] = &["CALWARDEN_SERVICE_", "CALWARDEN_PORT"];
/// How alike an unknown key must be to a known one to be taken for it, from 0 to 1.
const LIKENESS_MIN: f64 = 0.8;
/// The deepest table of a settings file that is looked into.
const DEPTH_MAX: usize = 8;

/// Everything written anywhere, the last word on each key, and what was wrong on the way.
#[derive(Default)]
struct Layers {
    values: BTreeMap<String, Value>,
    mistakes: Vec<Mistake>,
}

/// Reads all layers; `environment` is every variable of the process.
pub(super) fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, Mistakes> {
    let mut layers = Layers::default();
    layers.add_text(DEFAULTS, DEFAULTS_PLACE);
    match fs::read_to_string(file.unwrap_or(Path::new(LOCAL_FILE))) {
        Ok(text) => layers.add_text(&text, &file.unwrap_or(Path::new(LOCAL_FILE)).display().to_string()),
        Err(why) if file.is_none() && why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => {
            let place = file.unwrap_or(Path::new(LOCAL_FILE)).display().to_string();
            layers.wrong("the settings file", &place, format!("{why}: name a file that can be read"));
        }
    }
    layers.add_environment(environment);
    layers.finish()
}

/// Reads the defaults alone.
pub(super) fn defaults() -> Result<Config, Mistakes> {
    let mut layers = Layers::default();
    layers.add_text(DEFAULTS, DEFAULTS_PLACE);
    layers.finish()
}

impl Layers {
    fn wrong(&mut self, key: &str, place: &str, what: impl Into<String>) {
        self.mistakes.push(Mistake { key: key.to_owned(), place: place.to_owned(), what: what.into() });
    }

    fn add_text(&mut self, text: &str, place: &str) {
        let table = match text.parse::<Table>() {
            Ok(table) => table,
            Err(why) => {
                // Its own Display would quote the line, which may hold a secret.
                let start = why.span().map_or(0, |span| span.start);
                let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
                return self.wrong(&format!("line {line}"), place, format!("not TOML: {}", why.message()));
            }
        };
        let mut leaves = Vec::new();
        flatten("", table, DEPTH_MAX, &mut leaves);
        for (key, value) in leaves {
            if let Some(shape) = shape_of(&key) {
                self.set(&key, place, shape, value);
            } else {
                let meant = alike(&key, SHAPES.iter().map(|(known, _)| (*known).to_owned()));
                self.wrong(&key, place, unknown(meant, "config/default.toml lists every key"));
            }
        }
    }

    fn add_environment(&mut self, environment: impl IntoIterator<Item = (OsString, OsString)>) {
        let mut plain = Vec::new();
        let mut ours = Vec::new();
        for (name, value) in environment {
            // A name that is no Unicode is none of ours.
            let Ok(name) = name.into_string() else { continue };
            if let Some((_, key)) = PLAIN_NAMES.iter().find(|(known, _)| *known == name) {
                plain.push((name, (*key).to_owned(), value));
            } else if name.starts_with(PREFIX) && !is_not_ours(&name) {
                if let Some((key, _)) = SHAPES.iter().find(|(key, _)| variable_of(key) == name) {
                    ours.push((name, (*key).to_owned(), value));
                } else if let Some(known) = alike(&name, SHAPES.iter().map(|(key, _)| variable_of(key))) {
                    self.wrong(&name, "environment", unknown(Some(known), ""));
                }
                // Anything else with our prefix is somebody's own: a deployment's, a test's, a newer version's.
            }
        }
        for (name, key, value) in plain.into_iter().chain(ours) {
            let Some(shape) = shape_of(&key) else { continue };
            match value.into_string() {
                Ok(text) => self.set(&key, &name, shape, shape.read(&text)),
                Err(_) => self.wrong(&key, &name, "its value is not UTF-8"),
            }
        }
    }

    fn set(&mut self, key: &str, place: &str, shape: &SettingShape, value: Value) {
        let value = match (shape, value) {
            (SettingShape::Share, Value::Integer(1)) => Value::Float(1.0),
            (_, value) => value,
        };
        match shape.check(&value) {
            Ok(()) => drop(self.values.insert(key.to_owned(), value)),
            Err(what) => self.wrong(key, place, what),
        }
    }

    fn finish(mut self) -> Result<Config, Mistakes> {
        if !self.mistakes.is_empty() {
            return Err(Mistakes(self.mistakes));
        }
        let mut root = Table::new();
        for (key, value) in std::mem::take(&mut self.values) {
            match key.split_once('.') {
                None => drop(root.insert(key, value)),
                Some((table, leaf)) => {
                    let inner = root.entry(table).or_insert_with(|| Value::Table(Table::new()));
                    if let Value::Table(inner) = inner {
                        inner.insert(leaf.to_owned(), value);
                    }
                }
            }
        }
        // The shapes let nothing through that a field refuses; the test of every key's bounds holds them to it.
        serde::Deserialize::deserialize(root.into_deserializer()).map_err(|why: toml::de::Error| {
            self.wrong("the settings", DEFAULTS_PLACE, why.message());
            Mistakes(self.mistakes)
        })
    }
}

/// Every value with its dotted key.
fn flatten(stem: &str, table: Table, depth: usize, leaves: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let key = if stem.is_empty() { name } else { format!("{stem}.{name}") };
        match value {
            Value::Table(inner) if depth > 0 => flatten(&key, inner, depth - 1, leaves),
            value => leaves.push((key, value)),
        }
    }
}

fn shape_of(key: &str) -> Option<&'static SettingShape> {
    SHAPES.iter().find(|(known, _)| *known == key).map(|(_, shape)| shape)
}

/// The environment variable of a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

fn is_not_ours(name: &str) -> bool {
    NOT_SETTINGS.contains(&name) || SERVICE_LINKS.iter().any(|start| name.starts_with(start))
}

fn unknown(meant: Option<String>, otherwise: &str) -> String {
    match meant {
        Some(known) => format!("there is no such setting; did you mean {known}?"),
        None => format!("there is no such setting: remove it ({otherwise})"),
    }
}

/// The known name most like the one written, when it is like it at all.
fn alike(written: &str, known: impl Iterator<Item = String>) -> Option<String> {
    known
        .map(|name| (strsim::normalized_damerau_levenshtein(written, &name), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}
