//! What each setting may hold.

use std::{net::SocketAddr, ops::RangeInclusive};

use ipnet::IpNet;
use toml::Value;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;
const TEN_YEARS_DAYS: i64 = 3660;

/// Says what is wrong with a text, or nothing.
type Check = fn(&str) -> Result<(), String>;

/// What one setting may hold.
pub(super) enum SettingShape {
    /// A whole number.
    Number(RangeInclusive<i64>),
    /// A number over 0 and at most 1.
    Share,
    /// `true` or `false`.
    Flag,
    /// A text; may be shown.
    Text(Check),
    /// A text that is never shown.
    Secret(Check),
    /// A list of texts.
    List(Check),
}

/// Every key of `config/default.toml`, in its order.
pub(super) const SHAPES: &[(&str, SettingShape)] = &[
    ("listen", SettingShape::Text(address)),
    ("data_dir", SettingShape::Text(not_empty)),
    ("database_url", SettingShape::Secret(database_url)),
    ("api_base_url", SettingShape::Text(base_url)),
    ("token_encryption_key", SettingShape::Secret(|_| Ok(()))),
    ("allow_private_networks", SettingShape::Flag),
    ("allow_fault_injection", SettingShape::Flag),
    ("allowed_hosts", SettingShape::List(host_or_network)),
    ("return_to_hosts", SettingShape::List(host)),
    ("log", SettingShape::Text(log_filter)),
    ("log_format", SettingShape::Text(log_format)),
    ("worker_threads", SettingShape::Number(0..=1024)),
    ("shutdown_s", SettingShape::Number(0..=HOUR_S)),
    ("google.client_id", SettingShape::Text(|_| Ok(()))),
    ("google.client_secret", SettingShape::Secret(|_| Ok(()))),
    ("google.redirect_uri", SettingShape::Text(base_url)),
    ("google.auth_url", SettingShape::Text(address_of_a_service)),
    ("google.token_url", SettingShape::Text(address_of_a_service)),
    ("google.revoke_url", SettingShape::Text(address_of_a_service)),
    ("google.api_url", SettingShape::Text(address_of_a_service)),
    ("poll.caldav_s", SettingShape::Number(60..=7 * DAY_S)),
    ("poll.feed_s", SettingShape::Number(60..=7 * DAY_S)),
    ("poll.unwatched_s", SettingShape::Number(60..=7 * DAY_S)),
    ("poll.watched_s", SettingShape::Number(60..=7 * DAY_S)),
    ("poll.reconcile_s", SettingShape::Number(HOUR_S..=30 * DAY_S)),
    ("window.past_days", SettingShape::Number(0..=TEN_YEARS_DAYS)),
    ("window.future_days", SettingShape::Number(1..=TEN_YEARS_DAYS)),
    ("brake.min_events", SettingShape::Number(1..=1_000_000)),
    ("brake.share", SettingShape::Share),
    ("brake.calendar_min", SettingShape::Number(1..=1_000_000)),
    ("round.time_limit_s", SettingShape::Number(10..=DAY_S)),
    ("retention.rounds_days", SettingShape::Number(1..=TEN_YEARS_DAYS)),
    ("retention.deleted_events_days", SettingShape::Number(1..=TEN_YEARS_DAYS)),
    ("retention.conflicts_days", SettingShape::Number(1..=TEN_YEARS_DAYS)),
    ("retention.notices_days", SettingShape::Number(1..=TEN_YEARS_DAYS)),
    ("retention.audit_days", SettingShape::Number(1..=TEN_YEARS_DAYS)),
    ("limits.body_bytes", SettingShape::Number(1024..=64 * 1024 * 1024)),
    ("limits.key_requests_per_minute", SettingShape::Number(0..=10_000_000)),
    ("limits.address_requests_per_minute", SettingShape::Number(0..=10_000_000)),
    ("limits.connections", SettingShape::Number(0..=1_000_000)),
    ("limits.sync_requests_per_hour", SettingShape::Number(1..=3600)),
    ("limits.plans_per_minute", SettingShape::Number(1..=600)),
    ("limits.plans_waiting", SettingShape::Number(1..=10_000)),
];

impl SettingShape {
    /// Says what is wrong with a value, or nothing.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (Self::Number(range), Value::Integer(number)) if range.contains(number) => Ok(()),
            (Self::Share, Value::Float(share)) if *share > 0.0 && *share <= 1.0 => Ok(()),
            (Self::Flag, Value::Boolean(_)) => Ok(()),
            (Self::Text(check), Value::String(text)) => {
                check(text).map_err(|expected| format!("{text:?} will not do: {expected}"))
            }
            (Self::Secret(check), Value::String(text)) => {
                check(text).map_err(|expected| format!("its value will not do: {expected}"))
            }
            (Self::List(check), Value::Array(texts)) => texts.iter().try_for_each(|text| match text {
                Value::String(text) => check(text).map_err(|expected| format!("{text:?} will not do: {expected}")),
                _ => Err(self.expected()),
            }),
            (Self::Secret(_), _) => Err(self.expected()),
            _ => Err(format!("{value} will not do: {}", self.expected())),
        }
    }

    /// Reads the text of an environment variable as this shape; a text that does not fit stays a text, for
    /// [`SettingShape::check`] to refuse.
    pub(super) fn read(&self, text: &str) -> Value {
        let text = text.trim();
        let read = match self {
            Self::Number(_) => text.parse().ok().map(Value::Integer),
            Self::Share => text.parse().ok().map(Value::Float),
            Self::Flag => text.parse().ok().map(Value::Boolean),
            Self::List(_) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Some(Value::Array(parts.map(|part| Value::String(part.to_owned())).collect()))
            }
            Self::Text(_) | Self::Secret(_) => None,
        };
        read.unwrap_or_else(|| Value::String(text.to_owned()))
    }

    fn expected(&self) -> String {
        match self {
            Self::Number(range) => format!("write a whole number from {} to {}", range.start(), range.end()),
            Self::Share => "write a number over 0 and at most 1, such as 0.5".to_owned(),
            Self::Flag => "write true or false".to_owned(),
            Self::Text(_) | Self::Secret(_) => "write a text".to_owned(),
            Self::List(_) => "write a list of texts".to_owned(),
        }
    }
}

/// The path of a `sqlite:` URL.
pub(super) fn sqlite_path(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest))
}

fn address(text: &str) -> Result<(), String> {
    let why = "write an address and a port, such as 127.0.0.1:8080 or [::1]:8080";
    text.parse::<SocketAddr>().map(drop).map_err(|_| why.to_owned())
}

fn not_empty(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err("write a folder, such as ./data".to_owned()) } else { Ok(()) }
}

fn database_url(text: &str) -> Result<(), String> {
    let postgres = |url: Url| matches!(url.scheme(), "postgres" | "postgresql") && url.has_host();
    let known = match sqlite_path(text) {
        Some(path) => !path.is_empty(),
        None => text.is_empty() || Url::parse(text).is_ok_and(postgres),
    };
    if known { Ok(()) } else { Err("write postgres://user:password@host/name or sqlite:path".to_owned()) }
}

fn base_url(text: &str) -> Result<(), String> {
    let usable = |url: Url| {
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        matches!(url.scheme(), "http" | "https") && url.has_host() && plain
    };
    if text.is_empty() || Url::parse(text).is_ok_and(usable) {
        return Ok(());
    }
    Err("write an http or https URL, such as https://calendars.example.org".to_owned())
}

fn address_of_a_service(text: &str) -> Result<(), String> {
    if text.is_empty() { base_url("-") } else { base_url(text) }
}

fn host_or_network(text: &str) -> Result<(), String> {
    // A host that is read as an address is one only as it stands: `127.1` would be allowed as something else.
    let host = || match Host::parse(text) {
        Ok(Host::Domain(name)) => name.eq_ignore_ascii_case(text),
        Ok(address) => address.to_string().eq_ignore_ascii_case(text),
        Err(_) => false,
    };
    if text.parse::<IpNet>().is_ok() || text.parse::<std::net::IpAddr>().is_ok() || host() {
        return Ok(());
    }
    Err("write a host name, an address, or a network such as 192.168.1.0/24".to_owned())
}

fn host(text: &str) -> Result<(), String> {
    // As it stands in a URL, so that what is compared is what was meant.
    let spelt = Url::parse(&format!("https://{text}/")).ok().and_then(|url| url.host_str().map(str::to_lowercase));
    if spelt.is_some_and(|host| host == text.to_lowercase()) {
        return Ok(());
    }
    Err("write a host name or an address as a URL has it, such as app.example.org".to_owned())
}

fn log_filter(text: &str) -> Result<(), String> {
    let why = "write a level (error, warn, info, debug, trace), or several such as info,calwarden::provider=debug";
    if text.trim().is_empty() {
        return Err(why.to_owned());
    }
    EnvFilter::try_new(text).map(drop).map_err(|_| why.to_owned())
}

fn log_format(text: &str) -> Result<(), String> {
    text.parse::<super::LogFormat>().map(drop).map_err(|_| "write text or json".to_owned())
}
