//! One round of an account: list, pull, decide, brake, commit; then drain the outbox.
//!
//! A round is idempotent: every cause (poll, wake, start) runs this same path, and a crash anywhere in it is answered by
//! running it again.
//!
//! 1. **List** the calendars; a stamp tells of each whether it has to be read.
//! 2. **Pull** page after page; each is decided in the transaction that also reads our side, while the next one is asked for.
//! 3. **Brake**: the deletions of all calendars are judged together. A calendar that is not listed for a day counts as emptied.
//! 4. **Commit** deletions and cursor, a transaction for each calendar. An event that the provider fails to hand out stops no
//!    other: it is asked for again for a day ([`engine::round::sweep`](crate::engine::round::sweep)). An object that moved to another calendar of the account is no loss
//!    ([`engine::round::moved`](crate::engine::round::moved)).
//! 5. **Drain** the queue of writes; read busy time again where something changed.
//!
//! **Invariant (S7):** deletions of all calendars are judged together by the brake before any of them is carried out.

mod deserted;
mod pull;
mod removal;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};

use crate::{
    domain::{
        account::Account,
        calendar::{Calendar, Direction, RemoteCalendar},
        conflict::HoldState,
        failure::FailureClass,
        ids::{AccountId, CalendarId},
        mapping::Canonical,
        notice::counted,
        person::{Scope, User},
        promise::Promise,
        round::{Cause, Outcome, Progress, Round, Tally},
    },
    engine::round::{changes::Planned, context::CalendarContext, pulled::Pulled},
    provider::{EventWriter, Provider, ProviderError},
    service::{Refusal, Services, drain_outbox, promises},
    store::Mode,
};
use pull::Puller;

/// A notification comes within this time of its change, or not at all.
const TOLD_WITHIN: Duration = Duration::minutes(2);

/// What a round came to.
#[derive(Clone, Debug)]
pub struct RoundReport {
    /// How it ended.
    pub outcome: Outcome,
    /// The failure that ended it or a part of it.
    pub failure: Option<ProviderError>,
    /// What it did.
    pub tally: Tally,
    /// When the queue wants attention again.
    pub next_outbox_at: Option<DateTime<Utc>>,
    /// What the provider asks for between polls, in seconds.
    pub interval_s: Option<u32>,
    /// Not every calendar is watched that should be.
    pub unwatched: bool,
    /// In words for the owner.
    pub note: Option<String>,
}

/// An account, opened: everything a round needs that does not change while it runs.
pub struct Opened {
    /// The account.
    pub account: Account,
    /// Its owner.
    pub user: User,
    /// Its calendars.
    pub calendars: Vec<Calendar>,
    /// Those of them with deletions that were held when it was opened, and are not carried out or kept yet.
    pub asked: Vec<(CalendarId, HoldState)>,
    /// Its provider.
    pub provider: Arc<dyn Provider>,
}

/// Told after each page.
pub type ProgressSink<'a> = &'a (dyn Fn(Progress) + Send + Sync);

impl Services {
    /// Loads an account and opens its provider.
    pub async fn open_account(&self, id: AccountId) -> Result<Opened, Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let account = tx.account(&Scope::Whole, id).await?.ok_or(Refusal::NotFound("account"))?;
        let user = tx.user(&account.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        let calendars = tx.calendars_of(id).await?;
        let mut asked = Vec::new();
        for state in [HoldState::Held, HoldState::Approved, HoldState::Refused] {
            asked.extend(
                tx.holds(&Scope::Whole, Some(id), Some(state)).await?.into_iter().map(|hold| (hold.calendar_id, state)),
            );
        }
        let mut secrets = tx.secrets_of(id).await?;
        let mut grant = tx.grant_of(id).await?;
        tx.commit().await?;
        if let Some(held) = &grant {
            self.ensure_fresh(id, held).await?;
            let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
            secrets = tx.secrets_of(id).await?;
            grant = tx.grant_of(id).await?;
            tx.commit().await?;
        }
        let provider = self.connections.get(&account, &secrets, grant.as_ref(), &self.vault)?;
        Ok(Opened { account, user, calendars, asked, provider })
    }

    /// Runs one round and keeps its line in the sync log.
    pub async fn round(&self, id: AccountId, cause: Cause, progress: ProgressSink<'_>) -> Result<RoundReport, Refusal> {
        let Some(_alone) = self.under_way.begin(id) else {
            promises::broken(Promise::OneRound, id);
            let detail = "another round of this account is under way";
            return Err(Refusal::Provider(ProviderError::new(FailureClass::Transient, detail)));
        };
        let opened = self.open_account(id).await?;
        let mut log = Round {
            id: self.world.new_id(),
            space_id: opened.account.space_id.clone(),
            account_id: id,
            cause,
            started_at: self.world.now(),
            finished_at: None,
            outcome: None,
            tally: Tally::default(),
            note: None,
        };
        let before = opened.provider.requests_made();
        let mut run = Run { services: self, opened, cause, dry: false, progress, sum: Sum::default() };
        let ended = run.all().await;
        let mut report = run.report(ended)?;
        report.tally.requests = run.opened.provider.requests_made().wrapping_sub(before);
        log.finished_at = Some(self.world.now());
        log.outcome = Some(report.outcome);
        log.tally = report.tally;
        log.note.clone_from(&report.note);
        let mut tx = self.begin_write(&Scope::Whole).await?;
        tx.insert_round(&log).await?;
        report.next_outbox_at = tx.next_outbox_at(id).await?;
        tx.commit().await?;
        Ok(report)
    }

    /// Plans a round and writes nothing: every decision with its reason.
    pub async fn dry_run(&self, id: AccountId) -> Result<Vec<Planned>, Refusal> {
        let opened = self.open_account(id).await?;
        let mut run =
            Run { services: self, opened, cause: Cause::Requested, dry: true, progress: &|_| {}, sum: Sum::default() };
        run.all().await?;
        let mut planned = run.sum.planned;
        planned.extend(drain_outbox::planned(self, &run.opened).await?);
        Ok(planned)
    }
}

#[derive(Default)]
struct Sum {
    tally: Tally,
    planned: Vec<Planned>,
    failures: Vec<(String, ProviderError)>,
    calendars_ok: usize,
    interval_s: Option<u32>,
    /// Calendars with changes, and when the newest was made, as their provider says.
    changed: Vec<(CalendarId, Option<DateTime<Utc>>)>,
    unwatched: bool,
}

struct Run<'a> {
    services: &'a Services,
    opened: Opened,
    cause: Cause,
    dry: bool,
    progress: ProgressSink<'a>,
    sum: Sum,
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), Refusal> {
        if matches!(self.cause, Cause::Requested | Cause::Connected) {
            self.opened.provider.forget_listing();
        }
        let listed = self.opened.provider.calendars().await.map_err(Refusal::Provider)?;
        self.adopt_calendars(&listed).await?;
        let mut pulled = Vec::new();
        for calendar in self.opened.calendars.clone() {
            let Some(remote) = listed.iter().find(|remote| remote.id == calendar.remote_id) else { continue };
            let Some(reconcile) = self.wants_pull(&calendar, remote) else {
                self.sum.calendars_ok += 1;
                continue;
            };
            match self.pull(&calendar, remote, reconcile).await {
                Ok(None) => self.sum.calendars_ok += 1,
                Ok(Some(result)) => {
                    self.sum.calendars_ok += 1;
                    if result.changed {
                        self.sum.changed.push((calendar.id, result.newest));
                    }
                    pulled.push((calendar, remote.stamp.clone(), result));
                }
                Err(Refusal::Provider(error)) => self.calendar_failed(&calendar, error).await?,
                Err(other) => return Err(other),
            }
        }
        pulled.extend(self.deserted().await?);
        self.settle_removals(pulled).await?;
        if !self.dry {
            let drained = drain_outbox::drain(self.services, &self.opened).await?;
            self.sum.tally += drained.tally;
            self.sum.failures.extend(drained.failure.map(|error| ("writes".to_owned(), error)));
            self.read_busy(drained.tally.writes > 0).await?;
            self.look_at_channels().await?;
        }
        Ok(())
    }

    /// Busy time follows what changed on either side. That it cannot be read holds up nothing else.
    async fn read_busy(&mut self, wrote: bool) -> Result<(), Refusal> {
        let changed: Vec<_> = self.sum.changed.iter().map(|(calendar, _)| *calendar).collect();
        match self.services.refresh_busy(&self.opened, &changed, wrote || self.cause == Cause::Connected).await {
            Err(Refusal::Provider(error)) => self.sum.failures.push(("busy time".to_owned(), error)),
            other => other?,
        }
        Ok(())
    }

    /// Whether a channel is missing, or failed to tell of what this round has found.
    async fn look_at_channels(&mut self) -> Result<(), Refusal> {
        let now = self.services.world.now();
        let known = self.sum.changed.iter().filter_map(|(calendar, newest)| Some((*calendar, (*newest)?)));
        let unheard: Vec<_> = known.filter(|(_, at)| now - *at > TOLD_WITHIN).collect();
        self.sum.unwatched = self.services.channels_short(&self.opened, &unheard).await?;
        Ok(())
    }

    /// Whether a calendar must be read at all, and if so whether completely.
    fn wants_pull(&self, calendar: &Calendar, remote: &RemoteCalendar) -> Option<bool> {
        if !calendar.selected {
            return None;
        }
        let every = self.services.settings.reconcile_every_s.min(self.opened.provider.facts().reconcile_every_s);
        let due = calendar
            .reconciled_at
            .is_none_or(|at| self.services.world.now() - at >= Duration::seconds(i64::from(every)));
        // A calendar that is back where it was has its events back, and what was said of their deletion ends with that.
        let asked = self
            .opened
            .asked
            .iter()
            .any(|(id, state)| *id == calendar.id && (*state != HoldState::Refused || calendar.takes_writes()));
        let same = !asked && remote.stamp.is_some() && remote.stamp == calendar.stamp && calendar.cursor.is_some();
        if same && !due { None } else { Some(due) }
    }

    fn context<'s>(&'s self, calendar: &'s Calendar) -> CalendarContext<'s> {
        let (account, user) = (&self.opened.account, &self.opened.user);
        CalendarContext::new(account, user, calendar, form(self.opened.provider.writer()), &self.services.world)
    }

    async fn pull(
        &mut self,
        calendar: &Calendar,
        remote: &RemoteCalendar,
        reconcile: bool,
    ) -> Result<Option<Pulled>, Refusal> {
        let puller = Puller {
            services: self.services,
            context: self.context(calendar),
            provider: self.opened.provider.as_ref(),
            dry: self.dry,
            progress: self.progress,
        };
        puller.run(remote, reconcile).await
    }

    /// One calendar failed: the others go on, unless nothing at this provider can work now.
    async fn calendar_failed(&mut self, calendar: &Calendar, error: ProviderError) -> Result<(), Refusal> {
        let stops = match error.class {
            FailureClass::Unauthorised | FailureClass::RateLimited | FailureClass::AddressNotAllowed => true,
            FailureClass::Transient
            | FailureClass::Forbidden
            | FailureClass::Gone
            | FailureClass::Conflict
            | FailureClass::CursorExpired
            | FailureClass::Refused
            | FailureClass::Malformed
            | FailureClass::Ambiguous => false,
        };
        if stops {
            return Err(Refusal::Provider(error));
        }
        if !self.dry {
            let mut tx = self.services.begin_write(&Scope::Whole).await?;
            tx.set_calendar_error(calendar.id, &error.detail).await?;
            tx.commit().await?;
        }
        self.sum.failures.push((calendar.name.clone(), error));
        Ok(())
    }

    /// Takes over calendars that are new at the provider, and notes those it lists no more. What their owner has chosen since
    /// the round began stays chosen.
    async fn adopt_calendars(&mut self, listed: &[RemoteCalendar]) -> Result<(), Refusal> {
        if self.compare(&mut self.opened.calendars.clone(), listed).is_empty() {
            return Ok(());
        }
        let mut write = self.services.begin_write(&Scope::Whole).await?;
        let mut held = write.calendars_of(self.opened.account.id).await?;
        // Whether a calendar that takes no writes was gone, by its id.
        let closed: BTreeMap<_, _> =
            held.iter().filter(|held| !held.takes_writes()).map(|held| (held.id, held.gone_at.is_some())).collect();
        let changed = self.compare(&mut held, listed);
        if !self.dry {
            write.put_calendars(&changed).await?;
            for calendar in changed.iter().filter(|held| held.takes_writes()) {
                match closed.get(&calendar.id) {
                    // What was planned there may still stand there: the pull looks first.
                    Some(true) => self.services.resume_writes(&mut write, calendar).await?,
                    Some(false) => self.services.take_writes_again(&mut write, calendar).await?,
                    None => {}
                }
            }
            self.opened.calendars = write.calendars_of(self.opened.account.id).await?;
            write.commit().await?;
        }
        Ok(())
    }

    /// Brings what we hold of calendars up to what is listed; answers those that are new or were changed.
    fn compare(&self, held: &mut [Calendar], listed: &[RemoteCalendar]) -> Vec<Calendar> {
        let mut changed = Vec::new();
        for remote in listed {
            match held.iter_mut().find(|held| held.remote_id == remote.id) {
                None => changed.push(new_calendar(self.services, &self.opened.account, remote)),
                Some(held) => {
                    if held.follow(remote) {
                        changed.push(held.clone());
                    }
                }
            }
        }
        for held in held {
            let listed = listed.iter().any(|remote| remote.id == held.remote_id);
            if !listed && held.gone_at.is_none() {
                held.gone_at = Some(self.services.world.now());
                held.version += 1;
                changed.push(held.clone());
            }
        }
        changed
    }

    fn report(&mut self, ended: Result<(), Refusal>) -> Result<RoundReport, Refusal> {
        match ended {
            Ok(()) => {}
            Err(Refusal::Provider(error)) => {
                self.sum.calendars_ok = 0;
                self.sum.failures.push(("account".to_owned(), error));
            }
            Err(other) => return Err(other),
        }
        let tally = self.sum.tally;
        let refused = self.sum.failures.iter().any(|(_, error)| error.class == FailureClass::Unauthorised);
        let outcome = if refused {
            Outcome::Unauthorised
        } else if !self.sum.failures.is_empty() && self.sum.calendars_ok == 0 {
            Outcome::Failed
        } else if tally.held > 0 {
            Outcome::Held
        } else if !self.sum.failures.is_empty() || tally.unreadable > 0 {
            Outcome::Partial
        } else {
            Outcome::Ok
        };
        let mut notes: Vec<_> =
            self.sum.failures.iter().map(|(place, error)| format!("{place}: {}", error.detail)).collect();
        if tally.unreadable > 0 {
            let events = counted(tally.unreadable as usize, "event");
            notes.push(format!("{events} could not be read; nothing here was changed for that"));
        }
        if tally.held > 0 {
            notes.push(format!("{} held until you approve", counted(tally.held as usize, "deletion")));
        }
        let failure = self.sum.failures.drain(..).map(|(_, error)| error).next();
        Ok(RoundReport {
            outcome,
            failure,
            tally,
            next_outbox_at: None,
            interval_s: self.sum.interval_s,
            unwatched: self.sum.unwatched,
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        })
    }
}

/// What a provider makes of content, where it takes any.
pub(in crate::service) fn form(writer: Option<&dyn EventWriter>) -> Option<&dyn Canonical> {
    writer.map(|writer| -> &dyn Canonical { writer })
}

/// A calendar as it begins its life with us: selected, and flowing whichever ways its provider allows.
#[must_use]
pub fn new_calendar(services: &Services, account: &Account, remote: &RemoteCalendar) -> Calendar {
    Calendar {
        id: services.world.new_id(),
        account_id: account.id,
        space_id: account.space_id.clone(),
        remote_id: remote.id.clone(),
        name: remote.name.clone(),
        color: remote.color.clone(),
        time_zone: remote.time_zone.clone(),
        read_only: remote.read_only,
        selected: true,
        direction: if remote.read_only { Direction::FromProvider } else { Direction::Both },
        makes_tasks: false,
        cursor: None,
        stamp: None,
        reconciled_at: None,
        gone_at: None,
        last_error: None,
        version: 1,
    }
}
