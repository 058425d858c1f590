//! The actor of one account: holds its machine, feeds it, runs what it begins, keeps one alarm.
//!
//! **Invariant:** no handler waits: work runs through the [`Spawner`], and its end comes back as an input.
//! **Invariant:** at most one round or clean-up of an account is in flight, its predecessor's included (I-25): the work
//! itself holds the account's slot, not the actor, so that it outlives a panic of the actor.

use std::{sync::Arc, time::Duration};

use actix::prelude::*;
use chrono::{DateTime, SubsecRound as _, Utc};
use tokio::sync::{Notify, Semaphore, oneshot};

use super::{
    exit_notice::ExitNotice,
    health::{Current, HealthBoard, Last, MailboxCount},
    message::{AccountMessage, Exit, Inbox, PanicIn},
    run::{WorkEnd, WorkSlots, run},
    spawn::{Lost, Spawner},
};
use crate::{
    domain::{ids::AccountId, ports::World, round::Cause},
    engine::account::{
        AccountMachine, ChannelLife, CredentialState, Effect, Finished, Input, Moment, RoundState, Work, deadline,
        status::{phase, standing},
        step,
    },
    service::port::{AccountStart, AccountState, AccountWork, ProgressSink, RoundReport},
};

/// The longest sleep before looking at the clock again: a wall clock that was set is noticed within this time.
const ALARM_MAX: Duration = Duration::from_mins(15);

/// What every account's actor shares.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) work: Arc<dyn AccountWork>,
    pub(super) world: World,
    pub(super) spawner: Spawner,
    pub(super) board: HealthBoard,
    /// Turns: rounds in flight in the whole process.
    pub(super) turns: Arc<Semaphore>,
    pub(super) round_limit: Duration,
    /// Rung when something may be due to be planned.
    pub(super) bell: Arc<Notify>,
}

/// How its supervisor reaches an actor.
#[derive(Debug)]
pub(super) struct ActorLine {
    pub(super) addr: Addr<AccountActor>,
    mailbox: MailboxCount,
    wakes: Inbox,
    stop: Option<oneshot::Sender<Exit>>,
}

impl ActorLine {
    /// Sends it a message; `false`: the mailbox is full.
    pub(super) fn send(&self, message: AccountMessage) -> bool {
        self.mailbox.came();
        let taken = self.addr.try_send(message);
        if taken.is_err() {
            self.mailbox.went();
        }
        // A closed mailbox is the exit notice's business.
        !matches!(taken, Err(SendError::Full(_)))
    }

    /// Wakes it; a wake that is already waiting is enough.
    pub(super) fn wake(&self, account: AccountId, cause: Cause) -> bool {
        !self.wakes.put(account, cause) || self.send(AccountMessage::Wake)
    }

    /// Ends it, whatever its mailbox holds.
    pub(super) fn stop(&mut self, exit: Exit) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself meanwhile.
            let _ = stop.send(exit);
        }
    }
}

/// What the owner was last sent, and what is still to be sent.
struct OwnersView {
    /// Why, from the last round.
    reason: Option<String>,
    /// As last given to be kept.
    noted: AccountState,
    /// It is being kept; one at a time, so that an older state never lands after a newer one.
    noting: bool,
    /// They are still to be asked to connect again.
    ask: bool,
    /// They are still to be notified that no channel opens.
    notify_unwatched: bool,
}

/// One account's actor.
pub(super) struct AccountActor {
    account: AccountId,
    machine: AccountMachine,
    owed: Option<Cause>,
    tools: Tools,
    slots: WorkSlots,
    progress: ProgressSink,
    mailbox: MailboxCount,
    wakes: Inbox,
    stop: Option<oneshot::Receiver<Exit>>,
    alarm: Option<(DateTime<Utc>, SpawnHandle)>,
    in_flight: u32,
    current: Option<Current>,
    owner: OwnersView,
    standing_down: bool,
    panic_in_work: bool,
    notice: ExitNotice,
}

impl AccountActor {
    /// Starts the actor of an account as the store remembers it. `owed`: a wake came meanwhile, or the actor before
    /// this one failed.
    pub(super) fn begin(
        account: AccountId,
        remembered: &AccountStart,
        owed: Option<Cause>,
        tools: Tools,
        slots: WorkSlots,
        notice: ExitNotice,
    ) -> ActorLine {
        let (progress, watched) = ProgressSink::new();
        let (stop, stopped) = oneshot::channel();
        let (mailbox, wakes) = (MailboxCount::default(), Inbox::default());
        tools.board.attach(account, mailbox.clone(), watched);
        let moment = Moment { now: tools.world.now(), fraction: tools.world.fraction() };
        let actor = Self {
            account,
            machine: AccountMachine::remembered(&remembered.past(), moment),
            owed,
            tools,
            slots,
            progress,
            mailbox: mailbox.clone(),
            wakes: wakes.clone(),
            stop: Some(stopped),
            alarm: None,
            in_flight: 0,
            current: None,
            owner: OwnersView {
                reason: remembered.reason.clone(),
                noted: remembered.state(),
                noting: false,
                ask: false,
                notify_unwatched: false,
            },
            standing_down: false,
            panic_in_work: false,
            notice,
        };
        ActorLine { addr: actor.start(), mailbox, wakes, stop: Some(stop) }
    }

    fn feed(&mut self, input: Input, ctx: &mut Context<Self>) {
        let moment = Moment { now: self.tools.world.now(), fraction: self.tools.world.fraction() };
        let (machine, effects) = step(self.machine, input, moment);
        self.machine = machine;
        for effect in effects {
            match effect {
                Effect::Begin(work) => self.begin_work(work, ctx),
                Effect::AskReconnect => self.owner.ask = true,
                Effect::NotifyUnwatched => self.owner.notify_unwatched = true,
                Effect::Stop => return self.leave(Exit::Closed, ctx),
            }
        }
        self.arm(ctx);
        self.note(ctx);
        self.show();
        self.leave_when_idle(ctx);
    }

    fn begin_work(&mut self, work: Work, ctx: &mut Context<Self>) {
        if self.standing_down {
            return;
        }
        let (name, cause) = match work {
            Work::Round { cause } => ("round", Some(cause)),
            Work::Refresh => ("refresh", None),
            Work::OpenChannel => ("open_channel", None),
            Work::CleanUp { .. } => ("clean_up", None),
        };
        self.in_flight += 1;
        self.current = Some(Current { work: name, cause, since: self.tools.world.now() });
        let drill = std::mem::take(&mut self.panic_in_work);
        let work = run(work, self.account, &self.tools, &self.slots, self.progress.clone(), drill);
        let done = self.tools.spawner.spawn(work).into_actor(self);
        ctx.spawn(done.map(move |done, actor, ctx| actor.came_back(name, done, ctx)));
    }

    fn came_back(&mut self, name: &'static str, done: Result<WorkEnd, Lost>, ctx: &mut Context<Self>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.current.as_ref().is_some_and(|current| current.work == name) {
            self.current = None;
        }
        self.progress.clear();
        let finished = match done {
            Ok(WorkEnd::Round(report)) => {
                self.round_ended(&report);
                self.owner.reason.clone_from(&report.note);
                Finished::Round(report.end())
            }
            Ok(WorkEnd::Refresh(end)) => Finished::Refresh(end),
            Ok(WorkEnd::Channel(end)) => Finished::Channel(end),
            Ok(WorkEnd::CleanUp(Ok(()))) => Finished::CleanUp(true),
            Ok(WorkEnd::CleanUp(Err(why))) => {
                tracing::warn!(account.id = %self.account, why = %why, "clean-up failed and will be tried again");
                Finished::CleanUp(false)
            }
            Err(lost) => return self.lost(name, lost, ctx),
        };
        self.feed(Input::Finished(finished), ctx);
    }

    fn round_ended(&self, report: &RoundReport) {
        let at = self.tools.world.now();
        let last = Last { outcome: report.outcome, at, tally: report.tally, note: report.note.clone() };
        self.tools.board.change(self.account, |health| {
            health.rounds += 1;
            health.last = Some(last);
        });
    }

    /// Work without an answer: nothing is known of what it did, so the store is asked.
    fn lost(&mut self, name: &'static str, lost: Lost, ctx: &mut Context<Self>) {
        tracing::error!(account.id = %self.account, work = name, why = %lost, "work was lost; rebuilding from the store");
        let exit = match lost {
            Lost::Panicked => Exit::WorkPanicked,
            Lost::Cancelled => Exit::Vanished,
        };
        self.leave(exit, ctx);
    }

    fn leave(&mut self, exit: Exit, ctx: &mut Context<Self>) {
        self.notice.explain(exit);
        ctx.stop();
    }

    fn leave_when_idle(&mut self, ctx: &mut Context<Self>) {
        if self.standing_down && self.in_flight == 0 && !self.owner.noting {
            self.leave(Exit::StoodDown, ctx);
        }
    }

    /// Keeps the one alarm at the machine's deadline.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        let wanted = deadline(&self.machine).filter(|_| !self.standing_down);
        if self.alarm.map(|(at, _)| at) == wanted {
            return;
        }
        if let Some((_, handle)) = self.alarm.take() {
            ctx.cancel_future(handle);
        }
        if let Some(at) = wanted {
            let wait = (at - self.tools.world.now()).to_std().unwrap_or_default();
            let handle = ctx.run_later(wait.clamp(Duration::from_millis(1), ALARM_MAX), |actor, ctx| {
                actor.alarm = None;
                actor.feed(Input::Tick, ctx);
            });
            self.alarm = Some((at, handle));
        }
    }

    /// Has the owner's view kept when it changed. A round in flight is no change of it: the store then holds a
    /// `next_round_at` that has passed, and a restart owes the round again.
    fn note(&mut self, ctx: &mut Context<Self>) {
        if self.owner.noting || self.standing_down {
            return;
        }
        let standing = standing(&self.machine);
        let mut state = AccountState {
            status: standing.status,
            reason: self.owner.reason.clone(),
            failures: standing.failures,
            next_round_at: standing.next_round_at,
        };
        if matches!(self.machine.round, RoundState::Owed { .. } | RoundState::Running { .. }) {
            state.next_round_at = self.owner.noted.next_round_at;
        }
        if self.owner.noted == state && !self.owner.ask && !self.owner.notify_unwatched {
            return;
        }
        self.owner.noted = state.clone();
        self.owner.noting = true;
        let (work, account, ask) = (Arc::clone(&self.tools.work), self.account, std::mem::take(&mut self.owner.ask));
        let notify_unwatched = std::mem::take(&mut self.owner.notify_unwatched);
        let noting = self.tools.spawner.spawn(async move {
            if ask {
                work.ask_reconnect(account).await;
            }
            if notify_unwatched {
                work.notify_unwatched(account).await;
            }
            work.note_state(account, state).await;
        });
        ctx.spawn(noting.into_actor(self).map(|done, actor, ctx| {
            actor.owner.noting = false;
            match done {
                Ok(()) => actor.note(ctx),
                Err(lost) => actor.lost("note", lost, ctx),
            }
            actor.leave_when_idle(ctx);
        }));
    }

    fn show(&self) {
        let machine = &self.machine;
        self.tools.board.change(self.account, |health| {
            health.state = phase(machine);
            health.current.clone_from(&self.current);
            health.next_alarm = deadline(machine).map(|at| at.trunc_subsecs(3));
            health.failures = machine.failures;
            health.backoff_until = match machine.round {
                RoundState::BackingOff { until, .. } => Some(until),
                RoundState::Idle { .. } | RoundState::Owed { .. } | RoundState::Running { .. } => None,
            };
            health.channel_until = match machine.channel {
                ChannelLife::Open { until, .. } => Some(until),
                ChannelLife::Unsupported
                | ChannelLife::Absent { .. }
                | ChannelLife::Opening { .. }
                | ChannelLife::Lapsed { .. } => None,
            };
            health.token_expires = match machine.credential {
                CredentialState::Fresh { expires, .. } => expires,
                CredentialState::Stale { .. } | CredentialState::Refreshing { .. } | CredentialState::Revoked => None,
            };
        });
    }
}

impl Actor for AccountActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(stop) = self.stop.take() {
            ctx.spawn(stop.into_actor(self).map(|exit, actor, ctx| actor.leave(exit.unwrap_or(Exit::Vanished), ctx)));
        }
        let owed = self.owed.take();
        self.feed(Input::Started { owed }, ctx);
    }
}

impl Handler<AccountMessage> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: AccountMessage, ctx: &mut Self::Context) {
        self.mailbox.went();
        match message {
            AccountMessage::Wake => {
                if let Some(cause) = self.wakes.take().remove(&self.account) {
                    self.feed(Input::Wake(cause), ctx);
                }
            }
            AccountMessage::Feed(input) => self.feed(input, ctx),
            AccountMessage::StandDown => {
                self.standing_down = true;
                self.feed(Input::Pause, ctx);
            }
            AccountMessage::Panic(PanicIn::Handler) => panic!("a drill: this handler was ordered to panic"),
            AccountMessage::Panic(PanicIn::Work) => {
                self.panic_in_work = true;
                self.feed(Input::Wake(Cause::Requested), ctx);
            }
        }
    }
}
