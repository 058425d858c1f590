//! One round of an account: list, pull, decide, brake, commit; then drain the outbox. What it decides is
//! [`engine::round`](crate::engine::round)'s to say.
//!
//! A round is idempotent: every cause (poll, wake, start) runs this same path, and a crash anywhere in it is answered by
//! running it again.
//!
//! 1. **List** the calendars; a stamp shows of each whether it has to be read.
//! 2. **Pull** page after page, a batch at a time: it is decided in the transaction that also reads our side, while the next page is
//!    asked for.
//! 3. **Brake**: the deletions of all calendars are judged together. A calendar that is not listed for a day counts as emptied.
//! 4. **Commit** deletions and cursor, a transaction for each calendar. An event that the provider fails to hand out stops no
//!    other: it is asked for again for a day. An object that moved to another calendar of the account is no loss.
//! 5. **Drain** the queue of writes; read busy time again where something changed.
//!
//! **Invariant (S7):** deletions of all calendars are judged together by the brake before any of them is carried out.

mod pull;
mod removal;

use std::collections::BTreeMap;

use chrono::Duration;

use self::pull::Puller;
use super::{Refusal, Services, drain_outbox, open_account::OpenedAccount, promises};
use crate::{
    domain::{
        calendar::{Calendar, RemoteCalendar},
        failure::{FailureClass, ProviderError},
        ids::AccountId,
        person::Scope,
        promise::Promise,
        round::{Cause, Progress, Round, Tally},
    },
    engine::round::{
        calendars::{ToRead, ends_round, follow_list, is_deserted, to_read},
        changes::DryRunLine,
        context::CalendarContext,
        pulled::Pulled,
        report::{RoundSummary, RoundTotals},
    },
    store::Mode,
};

/// Called after each page.
pub type PageProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

impl Services {
    /// Runs one round and keeps its line in the sync log.
    pub async fn round(
        &self,
        id: AccountId,
        cause: Cause,
        progress: PageProgress<'_>,
    ) -> Result<RoundSummary, Refusal> {
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
        let mut run = RunningRound { services: self, opened, cause, dry: false, progress, sum: RoundTotals::default() };
        let failure = match run.all().await {
            Ok(()) => None,
            Err(Refusal::Provider(error)) => Some(error),
            Err(other) => return Err(other),
        };
        let mut report = run.sum.end(failure);
        report.tally.requests = run.opened.provider.requests_made().wrapping_sub(before);
        log.finished_at = Some(self.world.now());
        log.outcome = Some(report.outcome);
        log.tally = report.tally;
        log.note.clone_from(&report.note);
        let mut tx = self.begin_write().await?;
        tx.insert_round(&log).await?;
        report.next_outbox_at = tx.next_outbox_at(id).await?;
        tx.commit().await?;
        Ok(report)
    }

    /// Plans a round and writes nothing: every decision with its reason.
    pub async fn dry_run(&self, id: AccountId) -> Result<Vec<DryRunLine>, Refusal> {
        let opened = self.open_account(id).await?;
        let mut run = RunningRound {
            services: self,
            opened,
            cause: Cause::Requested,
            dry: true,
            progress: &|_| {},
            sum: RoundTotals::default(),
        };
        run.all().await?;
        let mut planned = run.sum.planned;
        planned.extend(drain_outbox::planned(self, &run.opened).await?);
        Ok(planned)
    }
}

struct RunningRound<'a> {
    services: &'a Services,
    opened: OpenedAccount,
    cause: Cause,
    dry: bool,
    progress: PageProgress<'a>,
    sum: RoundTotals,
}

impl RunningRound<'_> {
    async fn all(&mut self) -> Result<(), Refusal> {
        if matches!(self.cause, Cause::Requested | Cause::Connected) {
            self.opened.provider.forget_listing();
        }
        let listed = self.opened.provider.calendars().await.map_err(Refusal::Provider)?;
        self.adopt_calendars(&listed).await?;
        let mut pulled = Vec::new();
        for calendar in self.opened.calendars.clone() {
            let Some(remote) = listed.iter().find(|remote| remote.id == calendar.remote_id) else { continue };
            let wanted = self.to_read(&calendar, remote);
            if wanted == ToRead::Nothing {
                self.sum.calendars_ok += 1;
                continue;
            }
            match self.pull(&calendar, remote, wanted == ToRead::Everything).await {
                Ok(None) => {
                    self.sum.calendars_ok += 1;
                    self.reload_account().await?;
                }
                Ok(Some(result)) => {
                    self.sum.pulled(calendar.id, &result);
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
            if let Some(error) = drained.failure {
                self.sum.failed("writes", error);
            }
            self.read_busy(drained.tally.writes > 0).await?;
            self.look_at_channels().await?;
        }
        Ok(())
    }

    /// The account as its owner has it now: what is read from here on is decided by that.
    async fn reload_account(&mut self) -> Result<(), Refusal> {
        let id = self.opened.account.id;
        let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
        let account = tx.account(&Scope::Whole, id).await?;
        tx.commit().await?;
        self.opened.account = account.ok_or(Refusal::NotFound("account"))?;
        Ok(())
    }

    /// Busy time follows what changed on either side. That it cannot be read holds up nothing else.
    async fn read_busy(&mut self, wrote: bool) -> Result<(), Refusal> {
        let (changed, wrote) = (self.sum.changed(), wrote || self.cause == Cause::Connected);
        match self.services.refresh_busy(&self.opened, &changed, wrote).await {
            Err(Refusal::Provider(error)) => self.sum.failed("busy time", error),
            other => other?,
        }
        Ok(())
    }

    /// Whether a channel is missing, or failed to notify us of what this round has found.
    async fn look_at_channels(&mut self) -> Result<(), Refusal> {
        let unheard = self.sum.unheard(self.services.world.now());
        self.sum.unwatched = self.services.channels_short(&self.opened, &unheard).await?;
        Ok(())
    }

    fn to_read(&self, calendar: &Calendar, remote: &RemoteCalendar) -> ToRead {
        let every = self.services.settings.reconcile_every_s.min(self.opened.provider.facts().reconcile_every_s);
        let asked = self.opened.asked.iter().filter(|(id, _)| *id == calendar.id).map(|(_, state)| *state);
        let (asked, every) = (asked.collect::<Vec<_>>(), Duration::seconds(i64::from(every)));
        to_read(calendar, remote, &asked, every, self.services.world.now())
    }

    fn context<'s>(&'s self, calendar: &'s Calendar) -> CalendarContext<'s> {
        let (account, user) = (&self.opened.account, &self.opened.user);
        CalendarContext::new(account, user, calendar, self.opened.form(), &self.services.world)
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
        if ends_round(error.class) {
            return Err(Refusal::Provider(error));
        }
        if !self.dry {
            let mut tx = self.services.begin_write().await?;
            tx.set_calendar_error(calendar.id, &error.detail).await?;
            tx.commit().await?;
        }
        self.sum.failed(&calendar.name, error);
        Ok(())
    }

    /// Takes over calendars that are new at the provider, and notes those it lists no more. What their owner has chosen since
    /// the round began stays chosen.
    async fn adopt_calendars(&mut self, listed: &[RemoteCalendar]) -> Result<(), Refusal> {
        if self.follow_list(&mut self.opened.calendars.clone(), listed).is_empty() {
            return Ok(());
        }
        let mut write = self.services.begin_write().await?;
        let mut held = write.calendars_of(self.opened.account.id).await?;
        // Whether a calendar that takes no writes was gone, by its id.
        let closed: BTreeMap<_, _> =
            held.iter().filter(|held| !held.takes_writes()).map(|held| (held.id, held.gone_at.is_some())).collect();
        let changed = self.follow_list(&mut held, listed);
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

    fn follow_list(&self, held: &mut [Calendar], listed: &[RemoteCalendar]) -> Vec<Calendar> {
        follow_list(held, listed, &self.opened.account, &self.services.world)
    }

    /// The calendars that are gone for good, as if each had been read and nothing had been in it: their events are deleted as any others
    /// are, which the brake holds where they are many.
    async fn deserted(&self) -> Result<Vec<(Calendar, Option<String>, Pulled)>, Refusal> {
        let now = self.services.world.now();
        let mut deserted = Vec::new();
        for calendar in self.opened.calendars.iter().filter(|calendar| is_deserted(calendar, now)) {
            let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
            let held = tx.mapping_index(calendar.id).await?;
            let left = tx.unlinked_events(calendar.id).await?;
            tx.commit().await?;
            if !held.is_empty() || !left.is_empty() {
                deserted.push((calendar.clone(), None, Pulled::of_deserted(held)));
            }
        }
        Ok(deserted)
    }
}
