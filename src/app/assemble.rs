//! Puts the parts together: settings in, use cases out.

use std::{sync::Arc, thread};

use anyhow::{Context as _, Result, bail};
use url::Url;

use crate::{
    config::{Config, Database},
    domain::{notice::counted, person::Scope, ports::World},
    engine::sync::brake::BrakeRules,
    provider::{oauth, registry::Endpoints},
    service::{
        Services, Settings,
        connections::Connections,
        consent::ReturnHosts,
        planning::compute::{Computing, Pool},
    },
    store::{self, Blocking, Mode, SchemaState, Store, StoreConfig},
    transport::{
        client::{ClientConfig, HttpClient},
        guard::AddressPolicy,
    },
    vault::{KEY_FILE_NAME, KeyRing},
};

/// Reading connections to the database; more than processors do not help.
const READERS_MAX: usize = 8;

/// Where the database is and how it is opened.
#[must_use]
pub fn store_config(config: &Config) -> StoreConfig {
    let url = match config.database() {
        Database::Sqlite(path) => path.to_string_lossy().into_owned(),
        Database::Postgres(url) => url.expose().to_owned(),
    };
    let readers = thread::available_parallelism().map_or(2, usize::from).clamp(2, READERS_MAX);
    StoreConfig { url: Some(url), data_dir: config.data_dir.clone(), readers, blocking: Blocking::Pool }
}

/// Brings the database up to date and opens it. Run on the runtime that does the work.
pub async fn open_store(config: &Config) -> Result<Store> {
    let store_config = store_config(config);
    if let Some(warning) = store_config.unencrypted() {
        tracing::warn!("{warning}");
    }
    store::migrate(&store_config).await.context("the database cannot be brought up to date")?;
    let store = Store::open(store_config).await.context("the database cannot be opened")?;
    keys_are_there(config, &store).await?;
    Ok(store)
}

/// Opens a database that is there and up to date, to look at it: nothing is made and nothing is migrated.
pub async fn look_at_store(config: &Config) -> Result<Store> {
    let store_config = store_config(config);
    match store::schema_state(&store_config).await.context("the database cannot be read")? {
        SchemaState::Current => {}
        SchemaState::Missing => bail!("there is no database yet: `calwarden serve` or `calwarden migrate` makes it"),
        SchemaState::Behind(count) => {
            bail!("the database is of an older version, by {}: run `calwarden migrate`", counted(count, "migration"))
        }
        SchemaState::Ahead(version) => {
            bail!("a newer calwarden has changed the database (migration {version}): run that version")
        }
    }
    Store::open(store_config).await.context("the database cannot be opened")
}

/// A lost key file must not be made anew beside secrets that only the lost one opens.
pub async fn keys_are_there(config: &Config, store: &Store) -> Result<()> {
    if KeyRing::is_there(&config.data_dir, config.token_encryption_key.as_ref())? {
        return Ok(());
    }
    let mut tx = store.begin(Mode::Read, &Scope::Whole).await?;
    let sealed = !tx.secrets_not_under("", 1).await?.is_empty();
    tx.commit().await?;
    if sealed {
        bail!(
            "{} is missing, and the database holds credentials that only its keys open: put it back from its backup, or set \
             TOKEN_ENCRYPTION_KEY to a key that it held",
            config.data_dir.join(KEY_FILE_NAME).display()
        );
    }
    Ok(())
}

/// Where a server computes plans: beside everything else, and one processor is left to that.
pub fn computing(config: &Config) -> Result<Computing> {
    let threads = thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).max(1);
    let waiting = usize::try_from(config.limits.plans_waiting).unwrap_or(usize::MAX);
    Ok(Computing::Beside(Arc::new(
        Pool::start(threads, waiting).context("the threads of the planner cannot be started")?,
    )))
}

/// The use cases on a store.
pub fn services(config: &Config, world: World, store: Store) -> Result<Services> {
    let policy =
        AddressPolicy { allow_private: config.allow_private_networks, allow_hosts: config.allowed_hosts.clone() };
    let http = Arc::new(HttpClient::new(ClientConfig { policy: policy.clone(), ..ClientConfig::default() })?);
    let vault = KeyRing::load(&config.data_dir, config.token_encryption_key.as_ref(), world.clone())?;
    let connections = Connections::new(http, world.clone(), endpoints(config, policy)?);
    Ok(Services::new(store, world, Arc::new(vault), connections, settings(config)?))
}

/// The providers with one address for everybody. A look-alike may be on a private address: the operator chose it, and no
/// user's own URL goes through the client that may reach it.
fn endpoints(config: &Config, mut policy: AddressPolicy) -> Result<Endpoints> {
    let google = &config.google;
    let chosen = [&google.token_url, &google.revoke_url, &google.api_url];
    policy.allow_hosts.extend(chosen.into_iter().filter_map(|url| url.host_str().map(str::to_owned)));
    let http = Arc::new(HttpClient::new(ClientConfig { policy, ..ClientConfig::default() })?);
    Ok(Endpoints { google_api: google.api_url.clone(), http: Some(http) })
}

/// How we are registered with Google, if we are.
fn google(config: &Config) -> Result<Option<oauth::App>> {
    let google = &config.google;
    if google.client_id.is_empty() {
        return Ok(None);
    }
    let secret = google.client_secret.clone().context("google.client_id is set: set google.client_secret too")?;
    Ok(Some(oauth::App {
        auth_url: google.auth_url.clone(),
        token_url: google.token_url.clone(),
        revoke_url: google.revoke_url.clone(),
        client_id: google.client_id.clone(),
        client_secret: secret,
        redirect_uri: config.google_redirect_uri().context("google.redirect_uri")?,
    }))
}

/// The operator's choices, in the use cases' terms.
pub fn settings(config: &Config) -> Result<Settings> {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let base = Url::parse(&config.base_url()).context("api_base_url")?;
    Ok(Settings {
        brake: BrakeRules {
            account_min: count(config.brake.min_events),
            share_max: config.brake.share,
            calendar_min: count(config.brake.calendar_min),
        },
        reconcile_every_s: config.poll.reconcile_s,
        rounds_kept_days: config.retention.rounds_days,
        deleted_kept_days: config.retention.deleted_events_days,
        conflicts_kept_days: config.retention.conflicts_days,
        notices_kept_days: config.retention.notices_days,
        audit_kept_days: config.retention.audit_days,
        plans_per_minute: config.limits.plans_per_minute,
        google: google(config)?,
        return_to: ReturnHosts::new(&base, &config.return_to_hosts),
        notified_under: config.api_base_url.as_ref().map(|_| config.base_url()),
    })
}
