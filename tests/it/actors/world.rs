//! A store and a provider in memory, with a seed, and a ledger of all that was asked of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, Once},
    time::Duration,
};

use async_trait::async_trait;
use calwarden::{
    actor::{self, ActorLimits, Handle, Spawner},
    domain::{
        account::AccountStatus,
        ids::AccountId,
        ports::{Clock, Random, World},
        round::{Cause, Outcome},
    },
    engine::account::CredentialKind,
    service::port::{AccountStart, AccountState, AccountWork, ProgressSink, RoundReport, SweepKind, WorkError},
};
use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use tokio::time::Instant;
use uuid::Uuid;

/// Tests panic on purpose here: only panics that nobody planned are printed.
pub fn expect_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let planned = info.payload_as_str().is_some_and(|text| text.contains("a drill"));
            if !planned {
                usual(info);
            }
        }));
    });
}

pub fn account(n: u8) -> AccountId {
    AccountId(Uuid::from_u128(u128::from(n) + 1))
}

/// The instant so many seconds after the story's beginning.
pub fn after(seconds: i64) -> DateTime<Utc> {
    "2026-03-29T00:00:00Z".parse::<DateTime<Utc>>().expect("an instant") + TimeDelta::seconds(seconds)
}

pub fn stored() -> AccountStart {
    AccountStart {
        kind: CredentialKind::Lasting,
        expires: None,
        channels: false,
        status: AccountStatus::Active,
        reason: None,
        delete_events: false,
        auto_sync: true,
        poll_every_s: 600,
        watched_every_s: None,
        provider_interval_s: None,
        failures: 0,
        next_round_at: None,
        next_outbox_at: None,
    }
}

/// What an account's rounds do.
#[derive(Clone, Copy, Debug)]
pub enum Behave {
    /// End well after a time.
    Take(Duration),
    /// End so after a second.
    End(Outcome),
    /// Never end.
    Hang,
    /// Panic after a second.
    Panic,
    /// End at once, with a write that may be tried after so many seconds, the first time.
    Owe(i64),
    /// Hold its thread, as nothing well-behaved does, until the gate opens.
    Stubborn,
    /// Whatever the seed says.
    Dice,
}

#[derive(Default)]
struct Counts {
    loads: u32,
    begun: u32,
    ended: u32,
    in_flight: u32,
    most: u32,
    cleaned: u32,
    asked: u32,
}

struct Inner {
    stored: BTreeMap<AccountId, AccountStart>,
    behave: BTreeMap<AccountId, Behave>,
    counts: BTreeMap<AccountId, Counts>,
    most_in_all: u32,
    failing_loads: u32,
    failing_clean_ups: u32,
    panicking_sweeps: u32,
    events: Vec<String>,
}

/// The ledger. Its lock is never held across an await.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Mutex<Inner>>,
    origin: Instant,
    dice: Arc<Mutex<StdRng>>,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

pub fn start(ledger: &Ledger, config: ActorLimits) -> Handle {
    start_on(ledger, config, tokio::runtime::Handle::current())
}

/// The same, with the work on a runtime of its own.
pub fn start_on(ledger: &Ledger, config: ActorLimits, runtime: tokio::runtime::Handle) -> Handle {
    let world = World { clock: Arc::new(ledger.clone()), random: Arc::new(ledger.clone()) };
    actor::start(Arc::new(ledger.clone()), world, Spawner::on(runtime), config)
}

impl Ledger {
    pub fn new(seed: u64) -> Self {
        let inner = Inner {
            stored: BTreeMap::new(),
            behave: BTreeMap::new(),
            counts: BTreeMap::new(),
            most_in_all: 0,
            failing_loads: 0,
            failing_clean_ups: 0,
            panicking_sweeps: 0,
            events: Vec::new(),
        };
        let dice = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
        Self { inner: Arc::new(Mutex::new(inner)), origin: Instant::now(), dice, gate: Arc::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics with the ledger open")
    }

    fn counted<T>(&self, account: AccountId, read: impl FnOnce(&mut Counts) -> T) -> T {
        read(self.inner().counts.entry(account).or_default())
    }

    fn event(&self, what: &str) {
        let at = self.origin.elapsed().as_secs_f64();
        self.inner().events.push(format!("{at:.3}s {what}"));
    }

    pub fn store(&self, account: AccountId, start: AccountStart) {
        self.inner().stored.insert(account, start);
    }

    /// Stores what an owner chose, before the actors are told.
    pub fn choose(&self, account: AccountId, status: AccountStatus) {
        self.inner().stored.get_mut(&account).expect("stored").status = status;
    }

    pub fn forget(&self, account: AccountId) {
        self.inner().stored.remove(&account);
    }

    pub fn behave(&self, account: AccountId, behave: Behave) {
        self.inner().behave.insert(account, behave);
    }

    pub fn fail_loads(&self, times: u32) {
        self.inner().failing_loads = times;
    }

    pub fn fail_clean_ups(&self, times: u32) {
        self.inner().failing_clean_ups = times;
    }

    pub fn panic_in_sweeps(&self, times: u32) {
        self.inner().panicking_sweeps = times;
    }

    fn open_gate(&self) {
        *self.gate.0.lock().expect("the gate") = true;
        self.gate.1.notify_all();
    }

    /// Opens the gate when it is dropped, so that a test that fails does not wait for its threads.
    pub fn gate_opener(&self) -> GateOpener {
        GateOpener(self.clone())
    }

    fn wait_at_gate(&self) {
        let shut = self.gate.0.lock().expect("the gate");
        drop(self.gate.1.wait_while(shut, |open| !*open).expect("the gate"));
    }

    pub fn status(&self, account: AccountId) -> AccountStatus {
        self.inner().stored.get(&account).expect("stored").status
    }

    pub fn loads(&self, account: AccountId) -> u32 {
        self.counted(account, |counts| counts.loads)
    }

    pub fn begun(&self, account: AccountId) -> u32 {
        self.counted(account, |counts| counts.begun)
    }

    pub fn rounds(&self, account: AccountId) -> u32 {
        self.counted(account, |counts| counts.ended)
    }

    pub fn in_flight(&self, account: AccountId) -> u32 {
        self.counted(account, |counts| counts.in_flight)
    }

    pub fn most_at_once(&self, account: AccountId) -> u32 {
        self.counted(account, |counts| counts.most)
    }

    pub fn most_in_all(&self) -> u32 {
        self.inner().most_in_all
    }

    pub fn cleaned(&self, account: AccountId) -> u32 {
        self.counted(account, |counts| counts.cleaned)
    }

    pub fn asked(&self, account: AccountId) -> u32 {
        self.counted(account, |counts| counts.asked)
    }

    pub fn events(&self) -> Vec<String> {
        self.inner().events.clone()
    }

    fn roll(&self) -> Behave {
        let mut dice = self.dice.lock().expect("dice");
        match dice.random_range(0..20) {
            0 => Behave::End(Outcome::Failed),
            1 => Behave::End(Outcome::Partial),
            2 => Behave::Hang,
            3 => Behave::Panic,
            _ => Behave::Take(Duration::from_millis(dice.random_range(5..9000))),
        }
    }
}

impl Clock for Ledger {
    fn now(&self) -> DateTime<Utc> {
        after(0) + TimeDelta::from_std(self.origin.elapsed()).expect("a short story")
    }
}

impl Random for Ledger {
    fn fill(&self, bytes: &mut [u8]) {
        self.dice.lock().expect("dice").fill_bytes(bytes);
    }
}

/// See [`Ledger::gate_opener`].
pub struct GateOpener(Ledger);

impl Drop for GateOpener {
    fn drop(&mut self) {
        self.0.open_gate();
    }
}

/// Counts a round for as long as it lives, dropped or not.
struct InFlight(Ledger, AccountId);

impl InFlight {
    fn new(ledger: &Ledger, account: AccountId) -> Self {
        ledger.counted(account, |counts| {
            counts.begun += 1;
            counts.in_flight += 1;
            counts.most = counts.most.max(counts.in_flight);
        });
        let mut inner = ledger.inner();
        let all = inner.counts.values().map(|counts| counts.in_flight).sum();
        inner.most_in_all = inner.most_in_all.max(all);
        drop(inner);
        Self(ledger.clone(), account)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.counted(self.1, |counts| counts.in_flight -= 1);
    }
}

#[async_trait]
impl AccountWork for Ledger {
    async fn load(&self, account: AccountId) -> Result<AccountStart, WorkError> {
        self.event(&format!("load {account}"));
        self.counted(account, |counts| counts.loads += 1);
        let mut inner = self.inner();
        if inner.failing_loads > 0 {
            inner.failing_loads -= 1;
            return Err(WorkError::Failed("the store is down".to_owned()));
        }
        inner.stored.get(&account).cloned().ok_or(WorkError::NotFound)
    }

    async fn round(&self, account: AccountId, cause: Cause, _: ProgressSink) -> RoundReport {
        self.event(&format!("round {account} {cause}"));
        let in_flight = InFlight::new(self, account);
        let behave = self.inner().behave.get(&account).copied().unwrap_or(Behave::Take(Duration::from_millis(300)));
        let behave = if let Behave::Dice = behave { self.roll() } else { behave };
        let mut report = RoundReport::new(Outcome::Ok);
        report.outcome = match behave {
            Behave::Take(time) => {
                tokio::time::sleep(time).await;
                Outcome::Ok
            }
            Behave::End(outcome) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                outcome
            }
            Behave::Hang | Behave::Dice => std::future::pending().await,
            Behave::Owe(seconds) => {
                let first = self.begun(account) == 1;
                report.next_outbox_at = first.then(|| self.now() + TimeDelta::seconds(seconds));
                Outcome::Ok
            }
            Behave::Stubborn => {
                self.wait_at_gate();
                Outcome::Ok
            }
            Behave::Panic => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                panic!("a drill: this account's data is poison");
            }
        };
        drop(in_flight);
        self.counted(account, |counts| counts.ended += 1);
        self.event(&format!("ended {account} {}", report.outcome));
        report
    }

    async fn clean_up(&self, account: AccountId, delete_events: bool) -> Result<(), WorkError> {
        self.event(&format!("clean up {account} {delete_events}"));
        assert_eq!(self.in_flight(account), 0, "clean-up beside a round");
        let mut inner = self.inner();
        if inner.failing_clean_ups > 0 {
            inner.failing_clean_ups -= 1;
            return Err(WorkError::Failed("the provider is down".to_owned()));
        }
        inner.counts.entry(account).or_default().cleaned += 1;
        inner.stored.remove(&account);
        Ok(())
    }

    async fn note_state(&self, account: AccountId, state: AccountState) {
        self.event(&format!("note {account} {}", state.status));
        if let Some(stored) = self.inner().stored.get_mut(&account) {
            if !matches!(stored.status, AccountStatus::Disconnecting | AccountStatus::Paused) {
                stored.status = state.status;
            }
            stored.reason = state.reason;
            stored.failures = state.failures;
            stored.next_round_at = state.next_round_at;
        }
    }

    async fn ask_reconnect(&self, account: AccountId) {
        self.event(&format!("ask {account}"));
        self.counted(account, |counts| counts.asked += 1);
    }

    async fn note_quarantined(&self, account: AccountId, restarts: u32) {
        self.event(&format!("quarantined {account} {restarts}"));
        if let Some(stored) = self.inner().stored.get_mut(&account) {
            stored.status = AccountStatus::Quarantined;
        }
    }

    async fn account_ids(&self) -> Result<Vec<AccountId>, WorkError> {
        Ok(self.inner().stored.keys().copied().collect())
    }

    async fn sweep(&self, sweep: SweepKind) -> Result<(), WorkError> {
        self.event(&format!("sweep {sweep:?}"));
        let mut inner = self.inner();
        if inner.panicking_sweeps > 0 {
            inner.panicking_sweeps -= 1;
            drop(inner);
            panic!("a drill: this sweep was told to panic");
        }
        Ok(())
    }
}
