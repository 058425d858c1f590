//! The settings: `config/default.toml`, overruled by a file of the operator's, overruled by the environment.
//!
//! **Invariant:** every mistake is reported at once, each with its key and what to do.
//! **Invariant:** a value that may hold a secret is in no `Debug` and in no mistake.

mod layers;
mod shape;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use url::Url;

use crate::{domain::secret::Secret, words};

/// Every key with its default and a sentence: the text of `config/default.toml`.
pub const DEFAULTS: &str = include_str!("../config/default.toml");
/// Where the operator's file is looked for when none is named.
pub const LOCAL_FILE: &str = "config/local.toml";
/// The SQLite file's name inside the data directory.
pub const SQLITE_FILE_NAME: &str = "calwarden.db";

/// Where Google sends people back to, under the base URL.
pub const GOOGLE_CALLBACK: &str = "/connect/google/callback";

words! {
    /// The form of the log.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

/// Every setting; `config/default.toml` says what each is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the HTTP server listens.
    pub listen: SocketAddr,
    /// The folder of database and keys.
    pub data_dir: PathBuf,
    /// The database's URL as given, password included; [`Config::database`] reads it.
    #[serde(deserialize_with = "unless_empty")]
    pub database_url: Option<Secret>,
    /// The URL others use, as given; [`Config::base_url`] fills it in.
    #[serde(deserialize_with = "unless_empty")]
    pub api_base_url: Option<Url>,
    /// Sealing keys, newest first, comma-separated; `None`: `keys.toml`.
    #[serde(deserialize_with = "unless_empty")]
    pub token_encryption_key: Option<Secret>,
    /// Whether plain http and private addresses are allowed.
    pub allow_private_networks: bool,
    /// Hosts, addresses and networks that are allowed although private.
    pub allowed_hosts: Vec<String>,
    /// Hosts that people may be sent back to after a consent, beside our own.
    pub return_to_hosts: Vec<String>,
    /// Whether an actor may be made to panic.
    pub allow_fault_injection: bool,
    /// The log filter.
    pub log: String,
    /// The form of the log.
    pub log_format: LogFormat,
    /// Worker threads; 0: one for each processor.
    pub worker_threads: u32,
    /// Grace of a stopping server, in seconds.
    pub shutdown_s: u32,
    /// How we are registered with Google.
    pub google: GoogleRegistration,
    /// When accounts are looked at.
    pub poll: Poll,
    /// Which events are kept in step.
    pub window: SyncWindow,
    /// When deletions are held.
    pub brake: Brake,
    /// Bounds of a round.
    pub round: RoundLimits,
    /// How long things are kept.
    pub retention: Retention,
    /// Bounds of the HTTP API.
    pub limits: HttpLimits,
}

/// How we are registered with Google, and where it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoogleRegistration {
    /// The client's id; empty: not registered.
    pub client_id: String,
    /// The client's secret.
    #[serde(deserialize_with = "unless_empty")]
    pub client_secret: Option<Secret>,
    /// Where people come back to, as given; [`Config::google_redirect_uri`] fills it in.
    #[serde(deserialize_with = "unless_empty")]
    pub redirect_uri: Option<Url>,
    /// Where people consent.
    pub auth_url: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Url,
    /// Where grants are ended.
    pub revoke_url: Url,
    /// The root of the Calendar API.
    pub api_url: Url,
}

/// When accounts are looked at.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// Between looks at a `CalDAV` account, in seconds.
    pub caldav_s: u32,
    /// Between looks at a feed, in seconds.
    pub feed_s: u32,
    /// Between looks at an account whose provider announces changes, while no watch channel is open, in seconds.
    pub unwatched_s: u32,
    /// Between looks at an account whose provider announces changes, while its watch channels are open, in seconds.
    pub watched_s: u32,
    /// Between complete comparisons, in seconds.
    pub reconcile_s: u32,
}

/// Which events are kept in step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncWindow {
    /// Before today, in days.
    pub past_days: u32,
    /// After today, in days.
    pub future_days: u32,
}

/// When a round's deletions are held.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brake {
    /// Fewest events of an account.
    pub min_events: u32,
    /// Share of an account's events, over 0 and at most 1.
    pub share: f64,
    /// Fewest events of a calendar that would be emptied.
    pub calendar_min: u32,
}

/// Bounds of a round.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundLimits {
    /// Longest run, in seconds.
    pub time_limit_s: u32,
}

/// How long things are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Finished rounds, in days.
    pub rounds_days: u32,
    /// Deleted events, in days.
    pub deleted_events_days: u32,
    /// Settled conflicts, in days.
    pub conflicts_days: u32,
    /// Notices, in days.
    pub notices_days: u32,
    /// Audit lines, in days.
    pub audit_days: u32,
}

/// Bounds of the HTTP API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpLimits {
    /// A request's body, in bytes.
    pub body_bytes: u32,
    /// Requests per API key and minute; nought: no limit.
    pub key_requests_per_minute: u32,
    /// Requests without a good key per address and minute; nought: no limit.
    pub address_requests_per_minute: u32,
    /// Connections at once; nought: half the file descriptors.
    pub connections: u32,
    /// Syncs asked for, per account and hour.
    pub sync_requests_per_hour: u32,
    /// Plans made by themselves, per person and minute.
    pub plans_per_minute: u32,
    /// Lists that may wait to be planned.
    pub plans_waiting: u32,
}

/// Which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server, by its URL.
    Postgres(Secret),
}

impl Config {
    /// Reads the defaults, the operator's file (which must exist when it is named) and this process's environment.
    pub fn load(file: Option<&Path>) -> Result<Self, Mistakes> {
        layers::load(file, std::env::vars_os())
    }

    /// The defaults alone, whatever files and variables are around: a start for tests and for `openapi`.
    pub fn defaults() -> Result<Self, Mistakes> {
        layers::defaults()
    }

    /// Which database: the one of `database_url`, else a file in the data directory.
    #[must_use]
    pub fn database(&self) -> Database {
        match &self.database_url {
            None => Database::Sqlite(self.data_dir.join(SQLITE_FILE_NAME)),
            Some(url) => match shape::sqlite_path(url.expose()) {
                Some(path) => Database::Sqlite(PathBuf::from(path)),
                None => Database::Postgres(url.clone()),
            },
        }
    }

    /// Where people come back to from Google.
    pub fn google_redirect_uri(&self) -> Result<Url, url::ParseError> {
        match &self.google.redirect_uri {
            Some(url) => Ok(url.clone()),
            None => Url::parse(&format!("{}{GOOGLE_CALLBACK}", self.base_url())),
        }
    }

    /// The URL others use, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> String {
        match &self.api_base_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }
}

/// An empty text is no value.
fn unless_empty<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    use serde::de::{Error, value::StringDeserializer};
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    T::deserialize(StringDeserializer::<D::Error>::new(text)).map(Some).map_err(D::Error::custom)
}

/// One thing wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key, as in `config/default.toml`; for an unknown one, as it was written.
    pub key: String,
    /// Where it was written: a file or an environment variable.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.key, self.place, self.what)
    }
}

/// All that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = if self.0.len() == 1 { "mistake" } else { "mistakes" };
        write!(f, "{} {many} in the settings:", self.0.len())?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests;
