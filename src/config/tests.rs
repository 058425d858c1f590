//! The settings: every key reaches its field, every layer overrules the one below, every mistake is reported.

use std::{collections::BTreeSet, ffi::OsString};

use toml::{Table, Value};

use super::{
    layers::{load, variable_of},
    shape::{SHAPES, SettingShape},
    *,
};

fn with(file: &str, environment: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("local.toml");
    std::fs::write(&path, file).expect("written");
    load(Some(&path), environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
}

fn mistakes(file: &str, environment: &[(&str, &str)]) -> Vec<String> {
    with(file, environment).expect_err("mistakes").0.iter().map(ToString::to_string).collect()
}

fn default_keys() -> BTreeSet<String> {
    let table: Table = DEFAULTS.parse().expect("TOML");
    let of = |(name, value): (&String, &Value)| match value {
        Value::Table(inner) => inner.keys().map(|leaf| format!("{name}.{leaf}")).collect(),
        _ => vec![name.clone()],
    };
    table.iter().flat_map(of).collect()
}

/// A value that the shape allows and that is not the default.
fn another(key: &str, shape: &SettingShape) -> String {
    match (key, shape) {
        (_, SettingShape::Number(range)) => range.end().to_string(),
        (_, SettingShape::Share) => "0.25".to_owned(),
        (_, SettingShape::Flag) => "true".to_owned(),
        ("listen", _) => "[::1]:9".to_owned(),
        ("data_dir", _) => "elsewhere".to_owned(),
        ("database_url", _) => "postgres://ada:hunter2@db/calwarden".to_owned(),
        ("api_base_url", _) => "https://calendars.example.org/".to_owned(),
        ("google.client_secret", _) => "hunter2".to_owned(),
        (key, SettingShape::Text(_)) if key.starts_with("google.") => "https://calendars.example.org/x".to_owned(),
        ("token_encryption_key", _) => "hunter2".to_owned(),
        ("allowed_hosts", _) => "nas.home, 192.168.1.0/24, ::1".to_owned(),
        ("return_to_hosts", _) => "app.example.org, localhost".to_owned(),
        ("log", _) => "warn,calwarden::provider=debug".to_owned(),
        ("log_format", _) => "json".to_owned(),
        _ => panic!("say what `{key}` may be"),
    }
}

#[test]
fn the_defaults_load_and_fill_every_field() {
    // Serde refuses a field without a key and a key without a field.
    let config = with("", &[]).expect("the defaults");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.base_url(), "http://127.0.0.1:8080");
    assert_eq!(config.database(), Database::Sqlite(PathBuf::from("./data/calwarden.db")));
    assert_eq!((config.poll.caldav_s, config.poll.feed_s, config.poll.reconcile_s), (600, 900, 86_400));
}

#[test]
fn every_key_has_a_shape_and_every_shape_a_key() {
    let shaped: BTreeSet<String> = SHAPES.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(shaped, default_keys());
}

#[test]
fn every_key_has_a_sentence_of_its_own() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    let keys = lines.iter().enumerate().filter(|(_, line)| line.contains(" = ") && !line.starts_with('#'));
    for (at, line) in keys {
        assert!(lines[at - 1].starts_with("# ") && lines[at - 1].ends_with('.'), "{line}");
    }
}

#[test]
fn every_key_changes_the_configuration_from_the_environment() {
    let plain = format!("{:?}", with("", &[]).expect("the defaults"));
    for (key, shape) in SHAPES {
        let (name, value) = (variable_of(key), another(key, shape));
        let changed = with("", &[(name.as_str(), value.as_str())]).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_ne!(format!("{changed:?}"), plain, "{name}={value}");
    }
}

#[test]
fn every_number_is_taken_at_its_bounds_and_refused_beyond_them() {
    for (key, shape) in SHAPES {
        let SettingShape::Number(range) = shape else { continue };
        let name = variable_of(key);
        for inside in [range.start(), range.end()] {
            assert!(with("", &[(&name, &inside.to_string())]).is_ok(), "{key} = {inside}");
        }
        for outside in [range.start() - 1, range.end() + 1] {
            let lines = mistakes("", &[(&name, &outside.to_string())]);
            assert!(lines[0].contains(&range.end().to_string()) && lines[0].starts_with(key), "{lines:?}");
        }
    }
}

#[test]
fn the_environment_overrules_the_file_and_the_file_the_defaults() {
    let file = "log_format = \"json\"\n[poll]\nfeed_s = 1200\ncaldav_s = 700\n";
    let config = with(file, &[("CALWARDEN_POLL_FEED_S", "1800")]).expect("a configuration");
    assert_eq!(config.log_format, LogFormat::Json);
    assert_eq!((config.poll.feed_s, config.poll.caldav_s, config.poll.reconcile_s), (1800, 700, 86_400));
}

#[test]
fn the_names_people_have_are_read_and_the_prefixed_one_wins() {
    let plain = [("DATABASE_URL", "sqlite://one.db"), ("API_BASE_URL", "https://a.example/x/")];
    let config = with("", &plain).expect("a configuration");
    assert_eq!(config.database(), Database::Sqlite(PathBuf::from("one.db")));
    assert_eq!(config.base_url(), "https://a.example/x");
    let both = [("CALWARDEN_DATABASE_URL", "sqlite:two.db"), ("DATABASE_URL", "sqlite:one.db")];
    assert_eq!(with("", &both).expect("a configuration").database(), Database::Sqlite(PathBuf::from("two.db")));
}

#[test]
fn all_mistakes_are_reported_at_once_each_with_its_key_its_place_and_what_to_do() {
    let file = "listn = \"x\"\nlog = 3\n[poll]\ncaldav_s = \"often\"\n[brake]\nshare = 1.5\n";
    let environment = [("CALWARDEN_LISTEN", "here"), ("CALWARDEN_POLL_FED_S", "900"), ("CALWARDEN_ROCKET", "1")];
    let lines = mistakes(file, &environment);
    for expected in [
        "did you mean listen?",
        "log (",
        "poll.caldav_s (",
        "brake.share (",
        "listen (CALWARDEN_LISTEN): \"here\" will not do: write an address and a port",
        "did you mean CALWARDEN_POLL_FEED_S?",
    ] {
        assert!(lines.iter().any(|line| line.contains(expected)), "{expected}: {lines:#?}");
    }
    assert_eq!(lines.len(), 6, "{lines:#?}");
}

#[test]
fn a_file_that_is_not_toml_is_reported_by_its_line_without_being_quoted() {
    let lines = mistakes("log = \"info\"\ntoken_encryption_key = hunter2\n", &[]);
    assert!(lines[0].starts_with("line 2 (") && !lines[0].contains("hunter2"), "{lines:?}");
}

#[test]
fn a_named_file_that_is_missing_is_a_mistake() {
    let why = load(Some(Path::new("no-such-folder/none.toml")), []).expect_err("refused").to_string();
    assert!(why.contains("no-such-folder/none.toml"), "{why}");
}

#[test]
fn secrets_are_neither_printed_nor_shown_in_a_mistake() {
    let good = [("DATABASE_URL", "postgres://ada:hunter2@db/x"), ("TOKEN_ENCRYPTION_KEY", "hunter2")];
    let config = with("", &good).expect("a configuration");
    assert_eq!(config.token_encryption_key.as_ref().expect("a key").expose(), "hunter2");
    let shown = format!("{config:?} {:?}", config.database());
    assert!(shown.contains("Secret") && !shown.contains("hunter2"), "{shown}");
    let wrong = "database_url = 1\n";
    for lines in [mistakes("", &[("DATABASE_URL", "mysql://ada:hunter2@db/x")]), mistakes(wrong, &[])] {
        assert!(lines[0].starts_with("database_url") && !lines[0].contains("hunter2"), "{lines:?}");
    }
}

#[test]
fn variables_of_others_with_our_prefix_are_let_be() {
    let links = [("CALWARDEN_SERVICE_HOST", "10.0.0.1"), ("CALWARDEN_PORT_8080_TCP", "tcp://10.0.0.1:8080")];
    assert!(with("", &links).is_ok());
    assert!(with("", &[("CALWARDEN_CONFIG", "x"), ("CALWARDEN_BIN", "y")]).is_ok());
}

#[test]
fn an_allowed_host_is_a_name_an_address_or_a_network() {
    let allowed = |hosts: &str| with("", &[("CALWARDEN_ALLOWED_HOSTS", hosts)]);
    let config = allowed("nas.home,192.168.1.7, fd00::/8 ,").expect("a configuration");
    assert_eq!(config.allowed_hosts, ["nas.home", "192.168.1.7", "fd00::/8"]);
    for refused in ["https://nas.home", "nas home", "127.1", "10.0.0.0/33", "nas.home:443"] {
        assert!(allowed(refused).is_err(), "{refused}");
    }
}
