//! One life of the process: real store, real HTTP client, real services and actors, on one thread and in virtual time,
//! from start to crash.

use std::{
    net::TcpListener,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use calwarden::{
    actor::{self, Spawner},
    config::Config,
    domain::{
        ids::AccountId,
        ports::{Clock, Random, World},
        round::Cause,
        secret::Secret,
    },
    engine::account::{ChannelEnd, RefreshEnd},
    provider::{google, oauth, push::Notification, registry::Endpoints},
    sandbox::{LookAlike as _, Push},
    service::{
        Services, Settings,
        account_work::{PollIntervals, UseCases},
        connections::Connections,
        port::{AccountStart, AccountState, AccountWork, ProgressSink, RoundReport, SweepKind, WorkError},
    },
    store::{self, Blocking, Store, StoreConfig},
    transport::{
        client::{ClientConfig, HttpClient},
        guard::AddressPolicy,
    },
    vault::KeyRing,
};
use chrono::{DateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use url::Url;

use super::{
    dav::Watch,
    serve::{Shared, serve},
};

/// How often everybody polls.
pub const BUSY: PollIntervals = PollIntervals { caldav_s: 600, feed_s: 900, unwatched_s: 120, watched_s: 900 };
/// The same in weeks in which little happens.
pub const SLOW: PollIntervals =
    PollIntervals { caldav_s: SLOW_S, feed_s: SLOW_S, unwatched_s: SLOW_S, watched_s: SLOW_S };
const SLOW_S: u32 = 48 * 3_600;

/// Wall time: an epoch plus what tokio's paused clock says.
struct VirtualClock {
    epoch: DateTime<Utc>,
    origin: tokio::time::Instant,
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        (self.epoch + self.origin.elapsed()).trunc_subsecs(6)
    }
}

/// Randomness from the seed.
struct SeededRandom(Mutex<StdRng>);

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("no panic holds it").fill_bytes(bytes);
    }
}

/// The real work, counted: two rounds of one account at once break I-25.
struct Counted {
    work: UseCases,
    running: Mutex<std::collections::BTreeMap<AccountId, u32>>,
    overlaps: Arc<AtomicU32>,
}

struct Running<'a>(&'a Counted, AccountId);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0.running.lock().expect("no panic holds it").get_mut(&self.1) {
            *count -= 1;
        }
    }
}

#[async_trait]
impl AccountWork for Counted {
    async fn load(&self, account: AccountId) -> Result<AccountStart, WorkError> {
        self.work.load(account).await
    }

    async fn round(&self, account: AccountId, cause: Cause, progress: ProgressSink) -> RoundReport {
        {
            let mut running = self.running.lock().expect("no panic holds it");
            let count = running.entry(account).or_default();
            *count += 1;
            if *count > 1 {
                self.overlaps.fetch_add(1, Ordering::SeqCst);
            }
        }
        let _running = Running(self, account);
        self.work.round(account, cause, progress).await
    }

    async fn clean_up(&self, account: AccountId, delete_events: bool) -> Result<(), WorkError> {
        self.work.clean_up(account, delete_events).await
    }

    async fn note_state(&self, account: AccountId, state: AccountState) {
        self.work.note_state(account, state).await;
    }

    async fn ask_reconnect(&self, account: AccountId) {
        self.work.ask_reconnect(account).await;
    }

    async fn note_quarantined(&self, account: AccountId, restarts: u32) {
        self.work.note_quarantined(account, restarts).await;
    }

    async fn account_ids(&self) -> Result<Vec<AccountId>, WorkError> {
        self.work.account_ids().await
    }

    async fn sweep(&self, sweep: SweepKind) -> Result<(), WorkError> {
        self.work.sweep(sweep).await
    }

    async fn hear(&self, told: &[Notification]) -> Result<(), WorkError> {
        self.work.hear(told).await
    }

    async fn refresh(&self, account: AccountId) -> RefreshEnd {
        self.work.refresh(account).await
    }

    async fn open_channel(&self, account: AccountId) -> ChannelEnd {
        self.work.open_channel(account).await
    }

    async fn zones(&self) -> Result<Vec<Tz>, WorkError> {
        self.work.zones().await
    }

    async fn roll(&self, zone: Tz) -> Result<Option<DateTime<Utc>>, WorkError> {
        self.work.roll(zone).await
    }

    async fn plan_due(&self) -> Result<Option<DateTime<Utc>>, WorkError> {
        self.work.plan_due().await
    }

    async fn notify_unwatched(&self, account: AccountId) {
        self.work.notify_unwatched(account).await;
    }
}

/// What one life needs.
pub struct Birth<'a> {
    pub number: usize,
    pub seed: u64,
    pub epoch: DateTime<Utc>,
    pub folder: &'a Path,
    pub listener: &'a TcpListener,
    pub outside: Shared,
    /// Rounds that ran at once for one account.
    pub overlaps: Arc<AtomicU32>,
    /// How often everybody polls.
    pub pace: PollIntervals,
}

/// How often the look-alike's notifications are looked for: so many times between two polls.
const DELIVERIES: u32 = 180;

/// Brings notifications to the process; in bad weather some are lost, and some come twice.
async fn deliver(outside: Shared, handle: actor::Handle, world: World, pace: PollIntervals) {
    loop {
        tokio::time::sleep(Duration::from_secs(pace.watched_s.into()) / DELIVERIES).await;
        let due = outside.borrow_mut().google.google.take_due(world.now());
        for push in due {
            let times = {
                let mut held = outside.borrow_mut();
                let bad = held.weather.faults_in_1000;
                match held.rng.random_range(0..1000) {
                    lost if lost < bad => 0,
                    twice if twice < 2 * bad => 2,
                    _ => 1,
                }
            };
            for _ in 0..times {
                // One that is not kept is sent again: here, the poll finds what it would have told.
                let _ = handle.notify(told(&push)).await;
            }
        }
    }
}

fn told(push: &Push) -> Notification {
    let header = |name: &str| {
        push.headers.iter().find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    google::push::parse(header).expect("a notification")
}

/// A living process, as the story sees it.
pub struct Alive {
    pub services: Arc<Services>,
    pub handle: actor::Handle,
    pub world: World,
}

/// Runs one life: `story` acts, and when it ends the process dies where it stands.
pub fn live<T>(birth: &Birth<'_>, story: impl AsyncFnOnce(&Alive) -> T) -> (T, DateTime<Utc>) {
    let system = actix::System::with_tokio_rt(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().expect("a runtime")
    });
    system.block_on(async {
        let origin = tokio::time::Instant::now();
        let clock = Arc::new(VirtualClock { epoch: birth.epoch, origin });
        let life = u64::try_from(birth.number).expect("few lives");
        let rng = StdRng::seed_from_u64(birth.seed.wrapping_mul(1000).wrapping_add(life));
        let world = World { clock, random: Arc::new(SeededRandom(Mutex::new(rng))) };
        let listener = birth.listener.try_clone().expect("a listener");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let clock = Arc::clone(&world.clock);
        birth.outside.borrow_mut().server.watch = Watch::Goes(Arc::clone(&clock));
        tokio::task::spawn_local(serve(listener, birth.outside.clone(), clock, birth.number));
        let alive = begin(birth, world).await;
        tokio::task::spawn_local(deliver(birth.outside.clone(), alive.handle.clone(), alive.world.clone(), birth.pace));
        let told = story(&alive).await;
        (told, alive.world.now())
    })
}

async fn begin(birth: &Birth<'_>, world: World) -> Alive {
    let config = StoreConfig { url: None, data_dir: birth.folder.to_owned(), readers: 1, blocking: Blocking::Inline };
    if birth.number == 0 {
        store::migrate(&config).await.expect("the tables");
    }
    let store = Store::open(config).await.expect("a store");
    let policy = AddressPolicy { allow_private: true, allow_hosts: Vec::new() };
    let http = HttpClient::new(ClientConfig { policy, ..ClientConfig::default() }).expect("a client");
    let vault = KeyRing::load(birth.folder, None, world.clone()).expect("keys");
    let at = |path: &str| -> Url {
        let port = birth.listener.local_addr().expect("an address").port();
        format!("http://127.0.0.1:{port}/google{path}").parse().expect("a URL")
    };
    let endpoints = Endpoints { google_api: at("/calendar/v3"), http: None };
    let connections = Connections::new(Arc::new(http), world.clone(), endpoints);
    let settings = calwarden::app::assemble::settings(&Config::defaults().expect("the defaults")).expect("settings");
    let app = oauth::App {
        auth_url: at("/o/oauth2/v2/auth"),
        token_url: at("/token"),
        revoke_url: at("/revoke"),
        client_id: "sim".to_owned(),
        client_secret: Secret::new("sim"),
        redirect_uri: "https://sim.example.org/connect/google/callback".parse().expect("a URL"),
    };
    let notified_under = Some("https://sim.example.org".to_owned());
    let settings = Settings { google: Some(app), notified_under, ..settings };
    let services = Arc::new(Services::new(store, world.clone(), Arc::new(vault), connections, settings));
    let work = UseCases::new(Arc::clone(&services), birth.pace);
    let counted = Counted { work, running: Mutex::default(), overlaps: Arc::clone(&birth.overlaps) };
    let spawner = Spawner::on(tokio::runtime::Handle::current());
    let limits = actor::ActorLimits { start_spread: Duration::from_secs(5), ..actor::ActorLimits::default() };
    let seldom = birth.pace.caldav_s / BUSY.caldav_s;
    let limits = actor::ActorLimits { census_every: limits.census_every * seldom, ..limits };
    let handle = actor::start(Arc::new(counted), world.clone(), spawner, limits);
    services.set_wakes(Arc::new(handle.clone()));
    Alive { services, handle, world }
}
