//! `calwarden serve`: everything, until it is asked to stop.
//!
//! Rounds run on a runtime of their own; the actors keep time on theirs; each HTTP worker has one too. What is slow in one
//! holds up none of the others.

use std::{cell::Cell, io::Write, net::TcpListener, rc::Rc, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::runtime;

use super::{assemble, demo, look_alike::LocalSandbox};
use crate::{
    actor::{self, Spawner},
    config::Config,
    domain::ports::World,
    service::{
        Services,
        account_work::{PollIntervals, UseCases},
        port::AccountWork,
        promises,
    },
    store::InstanceLock,
    telemetry::Metrics,
    web::{self, AppState, Demo, Front, WebSettings},
};

/// How often what was measured is folded into its buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// What runs beside the server.
pub(super) struct Sandbox {
    local: LocalSandbox,
    /// Whether a household is made there and here.
    household: bool,
}

/// Serves with the look-alike of Google in the same process.
pub(super) fn with_sandbox(config: &Config, world: World, out: &mut impl Write) -> Result<()> {
    let mut config = config.clone();
    let local = LocalSandbox::new(&mut config, world.clone())?;
    writeln!(out, "a sandbox of Google: http://{}/", local.address)?;
    serve(&config, world, Some(Sandbox { local, household: false }))
}

/// Serves a household of nobody's, in a folder that is gone afterwards.
pub(super) fn demo(config: &Config, world: World, out: &mut impl Write) -> Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let mut config = config.clone();
    config.data_dir = folder.path().join("data");
    (config.database_url, config.api_base_url) = (None, None);
    let local = LocalSandbox::new(&mut config, world.clone())?;
    writeln!(out, "http://{}/demo", config.listen)?;
    out.flush()?;
    serve(&config, world, Some(Sandbox { local, household: true }))
}

/// Serves until SIGTERM or SIGINT, then lets running rounds end.
pub(super) fn serve(config: &Config, world: World, sandbox: Option<Sandbox>) -> Result<()> {
    let metrics = Metrics::install()?;
    promises::watch();
    let mut builder = runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name("work");
    if config.worker_threads > 0 {
        builder.worker_threads(usize::try_from(config.worker_threads).unwrap_or(1));
    }
    let work = builder.build().context("the worker threads cannot be started")?;
    let listener = TcpListener::bind(config.listen)
        .with_context(|| format!("cannot listen on {}: choose another address in CALWARDEN_LISTEN", config.listen))?;
    let (services, alone) = work.block_on(async {
        let store = assemble::open_store(config).await?;
        let alone = store.lock_instance().await.context("another calwarden is serving this data")?;
        let mut services = assemble::services(config, world.clone(), store)?;
        services.computing = assemble::computing(config)?;
        anyhow::Ok((Arc::new(services), alone))
    })?;
    let system = actix::System::new();
    let alone = Arc::new(alone);
    let done = system.block_on(run(
        config,
        world,
        &work,
        (Arc::clone(&services), Arc::clone(&alone)),
        metrics,
        listener,
        sandbox,
    ));
    drop(services);
    work.shutdown_timeout(Duration::from_secs(u64::from(config.shutdown_s)));
    done
}

async fn run(
    config: &Config,
    world: World,
    work: &runtime::Runtime,
    (services, alone): (Arc<Services>, Arc<InstanceLock>),
    metrics: Metrics,
    listener: TcpListener,
    sandbox: Option<Sandbox>,
) -> Result<()> {
    let every = &config.poll;
    let poll = PollIntervals {
        caldav_s: every.caldav_s,
        feed_s: every.feed_s,
        unwatched_s: every.unwatched_s,
        watched_s: every.watched_s,
    };
    let account_work: Arc<dyn AccountWork> = Arc::new(UseCases::new(Arc::clone(&services), poll));
    let limits = actor::ActorLimits {
        round_limit: Duration::from_secs(u64::from(config.round.time_limit_s)),
        allow_fault_injection: config.allow_fault_injection,
        ..actor::ActorLimits::default()
    };
    let handle = actor::start(Arc::clone(&account_work), world, Spawner::on(work.handle().clone()), limits);
    services.set_wakes(Arc::new(handle.clone()));
    let upkeep = metrics.clone();
    work.spawn(async move {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tick.tick().await;
            upkeep.upkeep();
        }
    });
    let grace_s = u64::from(config.shutdown_s);
    let settings = WebSettings {
        body_bytes_max: usize::try_from(config.limits.body_bytes).unwrap_or(usize::MAX),
        sync_per_hour: config.limits.sync_requests_per_hour,
        key_per_minute: config.limits.key_requests_per_minute,
        address_per_minute: config.limits.address_requests_per_minute,
        connections_max: connections_max(config.limits.connections),
        shutdown_s: grace_s,
    };
    let front = Arc::new(Front { handle: handle.clone(), work: account_work });
    let app = AppState::new(Arc::clone(&services), front, settings, Box::new(move || metrics.render()));
    if let Some(sandbox) = sandbox {
        run_sandbox(&app, Arc::clone(&services), sandbox)?;
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let server = web::server(app, listener, workers)?;
    let (serving, computing) = (server.handle(), services.computing.clone());
    tracing::info!(address = %config.listen, "serving");
    let taken = Rc::new(Cell::new(false));
    let lost = Rc::clone(&taken);
    actix::spawn(async move {
        tokio::select! {
            () = stop_signal() => tracing::info!("stopping: running rounds may end"),
            () = alone.lost() => {
                lost.set(true);
                tracing::error!("another calwarden has taken over this database: stopping at once");
            }
        }
        // What is computed for a caller or for nobody is owed again, or asked for again.
        computing.close();
        serving.stop(!lost.get()).await;
    });
    let ended = server.await;
    let lost = taken.get();
    handle.shutdown(if lost { Duration::ZERO } else { Duration::from_secs(grace_s) }).await;
    tracing::info!("stopped");
    if lost {
        bail!("another calwarden has taken over this database; let one process serve it");
    }
    ended.context("the HTTP server failed")
}

/// How many connections may be open. Each is a file descriptor, and the database, the rounds and the log need some too.
fn connections_max(wanted: u32) -> usize {
    if wanted > 0 {
        return usize::try_from(wanted).unwrap_or(web::CONNECTIONS_MAX);
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files = files.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    files.map_or(web::CONNECTIONS_MAX, |files| (files / 2).clamp(1, web::CONNECTIONS_MAX))
}

fn run_sandbox(app: &AppState, services: Arc<Services>, sandbox: Sandbox) -> Result<()> {
    let (shared, address) = (sandbox.local.shared.clone(), sandbox.local.address);
    sandbox.local.start()?;
    if sandbox.household {
        let users = demo::HOUSEHOLD.iter().filter_map(|(id, _)| id.parse().ok()).collect();
        // It is new: nothing was set before.
        let _ = app.demo.set(Demo { users, other_side: format!("http://{address}/") });
        actix::spawn(async move {
            if let Err(why) = demo::seed_demo(&services, &shared).await {
                tracing::error!(error = %why, "the household could not be made");
            }
        });
    }
    Ok(())
}

/// SIGTERM or SIGINT. Where neither can be waited for, nothing but SIGKILL stops the process, and that is safe too.
pub(super) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        biased;
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}
