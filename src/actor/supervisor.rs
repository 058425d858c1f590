//! Keeps one actor per connected account: builds them from the store, rebuilds the fallen, counts and shows it.
//!
//! - **intensity**: how many failures in how long an account may have before it is *quarantined*: left alone, visible,
//!   until somebody resumes it.
//! - **census**: accounts in the store against actors here; the second line behind the exit notices.
//!
//! A panic in an account's actor, or in its round, ends that actor alone. Its exit notice reaches the supervisor, which builds
//! a new one from the store after a growing delay; the fifth end within ten minutes puts the account in quarantine.
//!
//! **Invariant:** an account that should run has an actor, or a time at which one is built, or is quarantined (I-32).
//! **Invariant:** one account's failure touches no other account.

use std::{collections::BTreeMap, time::Duration};

use actix::prelude::*;
use tokio::{sync::oneshot, time::timeout};

use super::{
    ActorLimits,
    account::{AccountActor, Tools},
    child::{Child, Stage, rebuild_wait},
    exit_notice::ExitNotice,
    health::Restart,
    janitor::Janitor,
    message::{AccountMessage, ChildExited, Command, CommandRefused, Exit, Inbox, OwnerChoice, Shutdown, WakesWait},
    planner::Planner,
    spawn::Lost,
};
use crate::{
    domain::{account::AccountStatus, ids::AccountId, round::Cause},
    engine::account::{Input, joined, status::Phase},
    service::port::{AccountStart, WorkError},
};

/// The supervisor.
pub(super) struct Supervisor {
    pub(super) tools: Tools,
    pub(super) config: ActorLimits,
    inbox: Inbox,
    pub(super) children: BTreeMap<AccountId, Child>,
    pub(super) census: u64,
    pub(super) janitor: Option<Addr<Janitor>>,
    pub(super) planner: Option<Addr<Planner>>,
    pub(super) stopping: Option<Vec<oneshot::Sender<()>>>,
}

impl Supervisor {
    pub(super) fn new(tools: Tools, config: ActorLimits, inbox: Inbox) -> Self {
        Self {
            tools,
            config,
            inbox,
            children: BTreeMap::new(),
            census: 0,
            janitor: None,
            planner: None,
            stopping: None,
        }
    }

    /// Takes an account in; it is built after `delay`.
    pub(super) fn adopt(&mut self, account: AccountId, owed: Option<Cause>, delay: Duration, ctx: &mut Context<Self>) {
        let child = Child::new(self.census, owed);
        self.children.insert(account, child);
        self.build_after(account, delay, ctx);
    }

    fn build_after(&mut self, account: AccountId, delay: Duration, ctx: &mut Context<Self>) {
        self.tools.board.change(account, |health| {
            health.state = Phase::Starting;
            (health.current, health.next_alarm, health.backoff_until) = (None, None, None);
        });
        if delay.is_zero() {
            return self.build(account, ctx);
        }
        let Some(child) = self.children.get_mut(&account) else { return };
        child.stage = Stage::Waiting(ctx.run_later(delay, move |actor, ctx| actor.build(account, ctx)));
    }

    /// Reads the store, then starts the actor.
    fn build(&mut self, account: AccountId, ctx: &mut Context<Self>) {
        let Some(child) = self.children.get_mut(&account) else { return };
        if let Stage::Waiting(handle) = std::mem::replace(&mut child.stage, Stage::Loading) {
            ctx.cancel_future(handle);
        }
        child.generation += 1;
        child.reload = false;
        let (generation, work, limit) = (child.generation, self.tools.work.clone(), self.config.load_limit);
        let load = self.tools.spawner.spawn(async move {
            let late = || WorkError::Failed("the store did not answer in time".to_owned());
            timeout(limit, work.load(account)).await.unwrap_or_else(|_| Err(late()))
        });
        ctx.spawn(load.into_actor(self).map(move |loaded, actor, ctx| actor.loaded(account, generation, loaded, ctx)));
    }

    fn loaded(
        &mut self,
        account: AccountId,
        generation: u64,
        loaded: Result<Result<AccountStart, WorkError>, Lost>,
        ctx: &mut Context<Self>,
    ) {
        let stopping = self.stopping.is_some();
        let Some(child) = self.children.get_mut(&account).filter(|child| child.generation == generation) else {
            return;
        };
        if stopping {
            return self.forget(account);
        }
        if child.reload {
            return self.build(account, ctx);
        }
        match loaded {
            Ok(Ok(start)) if start.status == AccountStatus::Quarantined && !child.released => {
                child.stage = Stage::Quarantined;
                self.tools.board.change(account, |health| health.state = Phase::Quarantined);
            }
            Ok(Ok(start)) => {
                child.loads_failed = 0;
                let notice = ExitNotice::new(account, generation, ctx.address().recipient());
                let owed = child.owed.take();
                let line = AccountActor::begin(account, &start, owed, self.tools.clone(), child.slots.clone(), notice);
                child.stage = Stage::Up(line);
            }
            Ok(Err(WorkError::NotFound)) => self.forget(account),
            Ok(Err(WorkError::Failed(why))) => {
                tracing::warn!(account.id = %account, why, "an account could not be read from the store");
                child.loads_failed = child.loads_failed.saturating_add(1);
                let wait = rebuild_wait(child.loads_failed);
                self.build_after(account, wait, ctx);
            }
            Err(_) => self.fell(account, "load_failed", ctx),
        }
    }

    /// An actor failed: it is rebuilt from the store, later each time; too often, and it is quarantined.
    pub(super) fn fell(&mut self, account: AccountId, why: &'static str, ctx: &mut Context<Self>) {
        let (window, most) = (self.config.intensity_window, self.config.intensity_max);
        let Some(child) = self.children.get_mut(&account) else { return };
        let failures = child.failed(window);
        // Whatever it was about to do is done by the next round.
        child.owed = child.owed.or(Some(Cause::Retry));
        let mut restarts = 0;
        let at = self.tools.world.now();
        self.tools.board.change(account, |health| {
            health.restarts = health.restarts.saturating_add(1);
            health.last_restart = Some(Restart { at, why });
            restarts = health.restarts;
        });
        if failures <= most {
            let wait = rebuild_wait(failures);
            tracing::error!(account.id = %account, why, failures, wait_s = wait.as_secs(), "an account's actor fell");
            return self.build_after(account, wait, ctx);
        }
        tracing::error!(account.id = %account, why, failures, "an account's actor fell too often: quarantined");
        child.stage = Stage::Quarantined;
        child.released = false;
        self.tools.board.change(account, |health| {
            health.state = Phase::Quarantined;
            (health.current, health.next_alarm, health.backoff_until) = (None, None, None);
        });
        let work = self.tools.work.clone();
        let noted = self.tools.spawner.spawn(async move { work.note_quarantined(account, restarts).await });
        ctx.spawn(noted.into_actor(self).map(move |noted, _, _| {
            if let Err(lost) = noted {
                tracing::error!(account.id = %account, why = %lost, "a quarantine could not be noted");
            }
        }));
    }

    pub(super) fn forget(&mut self, account: AccountId) {
        self.children.remove(&account);
        self.tools.board.remove(account);
        self.stopped_if_empty();
    }

    fn stopped_if_empty(&mut self) {
        let up = self.children.values().any(|child| matches!(child.stage, Stage::Up(_)));
        if let Some(waiting) = &mut self.stopping
            && !up
        {
            for asked in waiting.drain(..) {
                // Whoever asked may have stopped waiting.
                let _ = asked.send(());
            }
        }
    }

    fn wake(&mut self, account: AccountId, cause: Cause, ctx: &mut Context<Self>) {
        let Some(child) = self.children.get_mut(&account) else {
            return self.adopt(account, Some(cause), Duration::ZERO, ctx);
        };
        match &mut child.stage {
            Stage::Up(line) => {
                if !line.wake(account, cause) {
                    line.stop(Exit::MailboxFull);
                    child.owed = Some(joined(child.owed, cause));
                }
            }
            Stage::Waiting(_) => {
                child.owed = Some(joined(child.owed, cause));
                // It only waits its turn after a start: nothing is wrong with it.
                if child.failures.is_empty() && child.loads_failed == 0 {
                    self.build(account, ctx);
                }
            }
            Stage::Loading => child.owed = Some(joined(child.owed, cause)),
            // Resuming it owes a round.
            Stage::Quarantined => {}
        }
    }

    fn command(
        &mut self,
        account: AccountId,
        order: OwnerChoice,
        ctx: &mut Context<Self>,
    ) -> Result<(), CommandRefused> {
        if self.stopping.is_some() {
            return Err(CommandRefused::Stopped);
        }
        if matches!(order, OwnerChoice::Panic(_)) && !self.config.allow_fault_injection {
            return Err(CommandRefused::DrillsAreOff);
        }
        let child = self.children.get_mut(&account).ok_or(CommandRefused::Unknown)?;
        match (&mut child.stage, order) {
            (Stage::Up(line), OwnerChoice::Restart) => line.stop(Exit::Asked),
            (Stage::Up(line), OwnerChoice::Feed(input)) => {
                if !line.send(AccountMessage::Feed(input)) {
                    line.stop(Exit::MailboxFull);
                }
            }
            (Stage::Up(line), OwnerChoice::Panic(place)) => {
                if !line.send(AccountMessage::Panic(place)) {
                    line.stop(Exit::MailboxFull);
                }
            }
            (
                Stage::Quarantined,
                OwnerChoice::Restart | OwnerChoice::Feed(Input::Resume | Input::Disconnect { .. }),
            ) => {
                child.failures.clear();
                child.released = true;
                child.owed = Some(Cause::Requested);
                self.build(account, ctx);
            }
            (Stage::Waiting(_), OwnerChoice::Restart) => self.build(account, ctx),
            // The choice is in the store, and is read from there.
            (Stage::Loading, _) => child.reload = true,
            (Stage::Waiting(_) | Stage::Quarantined, OwnerChoice::Feed(_) | OwnerChoice::Panic(_)) => {}
        }
        Ok(())
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.take_census(ctx);
    }
}

impl Handler<WakesWait> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: WakesWait, ctx: &mut Self::Context) {
        for (account, cause) in self.inbox.take() {
            if self.stopping.is_none() {
                self.wake(account, cause, ctx);
            }
        }
    }
}

impl Handler<Command> for Supervisor {
    type Result = Result<(), CommandRefused>;

    fn handle(&mut self, command: Command, ctx: &mut Self::Context) -> Self::Result {
        self.command(command.account, command.order, ctx)
    }
}

impl Handler<ChildExited> for Supervisor {
    type Result = ();

    fn handle(&mut self, gone: ChildExited, ctx: &mut Self::Context) {
        let current = self
            .children
            .get(&gone.account)
            .is_some_and(|child| child.generation == gone.generation && matches!(child.stage, Stage::Up(_)));
        if !current {
            return;
        }
        if self.stopping.is_some() {
            return self.forget(gone.account);
        }
        match gone.exit {
            Exit::Closed | Exit::Forgotten | Exit::StoodDown => self.forget(gone.account),
            Exit::Asked => {
                if let Some(child) = self.children.get_mut(&gone.account) {
                    child.failures.clear();
                    child.owed = Some(Cause::Requested);
                }
                self.build_after(gone.account, Duration::ZERO, ctx);
            }
            Exit::HandlerPanicked | Exit::WorkPanicked | Exit::MailboxFull | Exit::Vanished => {
                self.fell(gone.account, gone.exit.word(), ctx);
            }
        }
    }
}

impl Handler<Shutdown> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Shutdown, _: &mut Self::Context) -> Self::Result {
        let (sender, done) = oneshot::channel();
        self.stopping.get_or_insert_default().push(sender);
        for child in self.children.values_mut() {
            if let Stage::Up(line) = &mut child.stage
                && !line.send(AccountMessage::StandDown)
            {
                line.stop(Exit::StoodDown);
            }
        }
        self.stopped_if_empty();
        Box::pin(async move {
            // A sender that is gone means the supervisor is, and its children with it.
            let _ = done.await;
        })
    }
}
