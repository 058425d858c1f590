//! The commands that end by themselves. Answers go to standard output, progress and logs to standard error.

use std::io::Write;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    assemble,
    cli::{ApiKeyCommand, Backup, PlanArgs, Sync},
};
use crate::{
    config::Config,
    domain::{
        ids::UserId,
        notice::counted,
        person::Scope,
        ports::World,
        proposal::{Change, PlanCause},
        round::Cause,
    },
    store::{self, Mode, Store},
    vault::KeyRing,
};

/// Accounts listed at a time.
const PAGE: u32 = 500;

/// `migrate`.
pub async fn migrate(config: &Config, out: &mut impl Write) -> Result<()> {
    let done = store::migrate(&assemble::store_config(config)).await?;
    if done.is_empty() {
        writeln!(out, "the database is up to date")?;
    }
    for name in done {
        writeln!(out, "applied {name}")?;
    }
    Ok(())
}

/// `api-key …`.
pub async fn api_key(command: ApiKeyCommand, config: &Config, world: World, out: &mut impl Write) -> Result<()> {
    let now = world.now();
    if matches!(command, ApiKeyCommand::List) {
        return list_api_keys(&assemble::look_at_store(config).await?, out).await;
    }
    let services = assemble::services(config, world, assemble::open_store(config).await?)?;
    match command {
        ApiKeyCommand::List => {}
        ApiKeyCommand::Create(wanted) => {
            let expires_at = wanted.expires_days.map(|days| now + chrono::Duration::days(i64::from(days)));
            let (key, secret) = services.create_api_key(&wanted.name, wanted.scopes, expires_at).await?;
            eprintln!("key {} was made; it is shown this once", key.id);
            writeln!(out, "{}", secret.expose())?;
        }
        ApiKeyCommand::Revoke { id } => {
            services.revoke_api_key(id).await?;
            writeln!(out, "revoked {id}")?;
        }
    }
    Ok(())
}

async fn list_api_keys(store: &Store, out: &mut impl Write) -> Result<()> {
    let mut tx = store.begin(Mode::Read, &Scope::Whole).await?;
    let keys = tx.api_keys().await?;
    tx.commit().await?;
    for key in keys {
        let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let state = match (key.revoked_at, key.expires_at) {
            (Some(at), _) => format!("revoked {}", at.format("%F")),
            (None, Some(at)) => format!("until {}", at.format("%F")),
            (None, None) => "active".to_owned(),
        };
        let made = key.created_at.format("%F");
        writeln!(out, "{}  {}  {state}  made {made}  {}", key.id, scopes.join(","), key.name)?;
    }
    Ok(())
}

/// `backup FILE`.
pub async fn back_up(asked: &Backup, config: &Config, out: &mut impl Write) -> Result<()> {
    store::back_up(&assemble::store_config(config), asked.file.clone()).await.context("no backup was made")?;
    writeln!(out, "{}; keep keys.toml too, apart from it", asked.file.display())?;
    Ok(())
}

/// `accounts`.
pub async fn accounts(config: &Config, out: &mut impl Write) -> Result<()> {
    let store = assemble::look_at_store(config).await?;
    let mut after = None;
    loop {
        let mut tx = store.begin(Mode::Read, &Scope::Whole).await?;
        let page = tx.accounts(&Scope::Whole, None, after, PAGE).await?;
        tx.commit().await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for account in page {
            let next = account.next_round_at.map_or_else(|| "-".to_owned(), |at| at.format("%F %R UTC").to_string());
            writeln!(
                out,
                "{}  {}  {}  {}  next {}  {}",
                account.id, account.provider, account.status, account.user_id, next, account.label
            )?;
        }
    }
}

/// `sync ACCOUNT [--dry-run]`.
pub async fn sync(asked: &Sync, config: &Config, world: World, out: &mut impl Write) -> Result<()> {
    let store = assemble::open_store(config).await?;
    let services = assemble::services(config, world, store)?;
    if asked.dry_run {
        let planned = services.dry_run(asked.account).await?;
        for line in &planned {
            let (reason, why) = (line.reason, line.reason.sentence());
            writeln!(out, "{}  {}  {}  ({reason}: {why})", line.what, line.remote_id, line.calendar)?;
        }
        writeln!(out, "{}; nothing was written", counted(planned.len(), "change"))?;
        return Ok(());
    }
    // Two rounds of one account at once would work against each other (I-25).
    let _alone = services
        .store
        .lock_instance()
        .await
        .context("the server is running on this data: ask it instead, with POST /v1/accounts/{id}/sync")?;
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {pos} of {len} events, {elapsed}")?);
    let report = services
        .round(asked.account, Cause::Requested, &|progress| {
            bar.set_length(u64::from(progress.total.unwrap_or(progress.done)));
            bar.set_position(u64::from(progress.done));
        })
        .await?;
    bar.finish_and_clear();
    let tally = report.tally;
    writeln!(
        out,
        "{}: {} created, {} updated, {} deleted, {} conflicts, {} requests",
        report.outcome, tally.created, tally.updated, tally.deleted, tally.conflicts, tally.requests
    )?;
    if let Some(note) = report.note {
        writeln!(out, "{note}")?;
    }
    if report.failure.is_some() {
        bail!("the round did not succeed");
    }
    Ok(())
}

/// Plans a user's own tasks; times are UTC, and tasks are shown by their ids.
pub async fn plan(user: &UserId, asked: &PlanArgs, config: &Config, world: World, out: &mut impl Write) -> Result<()> {
    let services = assemble::services(config, world, assemble::open_store(config).await?)?;
    let planned = if asked.dry_run {
        services.plan_dry(&Scope::Whole, user).await?
    } else {
        services.plan(&Scope::Whole, user, PlanCause::Asked).await?
    };
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%MZ").to_string();
    for one in planned.proposal.iter().flat_map(|proposal| &proposal.changes) {
        let what = match one.change {
            Change::Add { to } => format!("add    {} {} - {}", one.task_id, time(to.from), time(to.to)),
            Change::Move { from, to } => {
                format!("move   {} {} -> {} - {}", one.task_id, time(from.from), time(to.from), time(to.to))
            }
            Change::Remove { from } => format!("remove {} {}", one.task_id, time(from.from)),
        };
        writeln!(out, "{what}  {}", one.reason)?;
    }
    for misfit in planned.plan.misfits.iter().filter(|_| asked.explain) {
        let Some(task) = planned.task(misfit.task) else { continue };
        let rest = planned.minutes(misfit.rest);
        let late = if misfit.late { "late, " } else { "" };
        writeln!(out, "unfit  {task} {late}{rest} minutes without a place: {:?}; {:?}", misfit.reason, misfit.actions)?;
    }
    match &planned.proposal {
        None => writeln!(out, "the plan in force stays")?,
        Some(_) if asked.dry_run => writeln!(out, "nothing was offered")?,
        Some(proposal) => writeln!(out, "proposal {} is {}", proposal.id, proposal.state)?,
    }
    Ok(())
}

async fn takes_writes(store: &Store, world: &World) -> Result<String> {
    store.pulse(world.now()).await?;
    Ok("answers, takes writes, and its tables are up to date".to_owned())
}

/// `doctor`: every check, its answer, and what to mend.
pub async fn doctor(config: &Config, world: World, out: &mut impl Write) -> Result<()> {
    let mut sick = 0;
    let mut check = |name: &str, done: Result<String>| -> Result<()> {
        match done {
            Ok(well) => writeln!(out, "ok    {name}: {well}")?,
            Err(why) => {
                sick += 1;
                writeln!(out, "WRONG {name}: {why:#}")?;
            }
        }
        Ok(())
    };
    check("settings", Ok(format!("listening on {}", config.listen)))?;
    if let Some(warning) = assemble::store_config(config).unencrypted() {
        check("encryption", Err(anyhow::anyhow!(warning)))?;
    }
    let store = assemble::look_at_store(config).await;
    let answer = match &store {
        Ok(store) => takes_writes(store, &world).await,
        Err(why) => Err(anyhow::anyhow!("{why:#}")),
    };
    check("database", answer)?;
    if let Ok(store) = store {
        if !KeyRing::is_there(&config.data_dir, config.token_encryption_key.as_ref())? {
            let missing = assemble::keys_are_there(config, &store).await;
            check("sealing keys", missing.map(|()| "none yet; `calwarden serve` makes one".to_owned()))?;
            return if sick > 0 { bail!("{sick} checks failed") } else { Ok(()) };
        }
        let services = assemble::services(config, world, store);
        let keys = services.as_ref().map_err(|why| anyhow::anyhow!("{why:#}"));
        check("sealing keys", keys.and_then(|s| Ok(format!("key {} seals", s.vault.current_id()?))))?;
        if let Ok(services) = services {
            check(
                "secrets",
                services.check_secrets().await.map(|count| format!("{count} can be opened")).map_err(Into::into),
            )?;
        }
    }
    if sick > 0 {
        bail!("{sick} checks failed");
    }
    Ok(())
}
