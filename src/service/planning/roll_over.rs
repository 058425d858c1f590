//! The change of day: each user's unfinished work of the day that ended goes on in a new instance, once.
//!
//! - **turn**: one change of day of one user.
//!
//! A zone's actor asks only for users with open tasks whose day has not begun, and turns twenty of them in one transaction; where
//! that fails, each in their own. When a user moves to another zone, the use case that stores the move turns their day.
//!
//! **Invariant:** a turn is one transaction, and its row is unique by user and date: a crash repeats it as a whole or not at all,
//! and whoever comes second changes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;

use super::{
    super::{Services, write::WriteTx},
    person::{days_of, rules_of},
};
use crate::{
    domain::{
        block::{BlockLock, BlockState, TimeBlock},
        focus::FocusState,
        ids::{RolloverId, TaskId, UserId},
        person::{Scope, User},
        proposal::PlanCause,
        rollover::{OldBlock, RolledTask, Rollover},
        task::{Task, TaskFacts, TaskStatus},
    },
    engine::{
        day::Days,
        focus::minutes,
        repeating::stacked,
        rollover::{
            Afterwards, BlockEnd, DayChange, Ending, FocusClock, FoundTask, TaskOutcome, Undone, due, fate, next_alarm,
            planning_delay, undo,
        },
    },
    service::Refusal,
    store::{Mode, StoreError, Tx},
};

/// Users looked at together.
const PAGE: u32 = 500;
/// Users whose day is turned in one transaction.
const TOGETHER: usize = 20;
/// How soon a change of day that failed is tried again.
const TRIED_AGAIN: Duration = Duration::minutes(1);
/// Over which time the new plans of a zone's users are spread; who opens the product first is planned first.
const PLANS_SPREAD: Duration = Duration::minutes(20);

impl Services {
    /// The time zones that somebody lives in.
    pub async fn zones_in_use(&self) -> Result<Vec<Tz>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let zones = tx.zones_in_use().await?;
        tx.commit().await?;
        Ok(zones)
    }

    /// Turns the day of every user of a zone for whom a new one has begun; answers when the next one begins for any of them.
    pub async fn roll_zone(&self, zone: Tz) -> Result<Option<DateTime<Utc>>, Refusal> {
        if let Err(why) = self.restate_zone(zone).await {
            tracing::warn!(%zone, %why, "planned work could not be put where new rules of its zone say; it is tried again");
        }
        let now = self.world.now();
        let today = Days::of(zone).date(now);
        // Somebody may move here before the next day begins.
        let (mut after, mut next) = (None, next_alarm(Days::of(zone), today));
        loop {
            let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
            let page = tx.users_to_turn(zone, today, after.as_ref(), PAGE).await?;
            let begun = tx.last_rollover_day(zone).await?;
            tx.commit().await?;
            if begun != Some(today) {
                let mut write = self.begin_write().await?;
                write.begin_rollover_run(zone, today, now).await?;
                write.commit().await?;
            }
            let Some(last) = page.last() else { return Ok(next) };
            after = Some(last.id.clone());
            for together in page.chunks(TOGETHER) {
                next = [next, self.roll_group(together, now).await].into_iter().flatten().min();
            }
        }
    }

    /// Turns the days of some users in one transaction, or, where that fails, each in their own: one whose day cannot be turned
    /// holds up nobody else.
    pub(in crate::service) async fn roll_group(&self, users: &[User], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if let Ok(next) = again!(self.roll_users(users, now)) {
            return next;
        }
        let mut next = None;
        for user in users {
            let rolled = again!(self.roll_users(std::slice::from_ref(user), now));
            let begins = rolled.unwrap_or_else(|why| {
                tracing::warn!(%why, "a user's day could not be turned; it is tried again");
                Some(now + TRIED_AGAIN)
            });
            next = [next, begins].into_iter().flatten().min();
        }
        next
    }

    /// Turns the day of each of these users for whom a new one has begun; answers when the next one begins for any of them.
    async fn roll_users(&self, users: &[User], now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Refusal> {
        let mut write = self.begin_write().await?;
        let mut next = None;
        for user in users {
            let rules = rules_of(&mut write, &user.id).await?;
            let days = days_of(user, &rules);
            let tasks = write.open_tasks(&user.id).await?;
            let last = last_rolled(&mut write, user, days, &tasks, now).await?;
            let turn = due(days, last, now);
            if let Some(turn) = turn {
                self.turn(&mut write, user, tasks, turn, now).await?;
                write.wake_planner();
            }
            let begins = next_alarm(days, turn.map_or(last, |turn| turn.to));
            next = [next, begins].into_iter().flatten().min();
        }
        write.commit().await?;
        Ok(next)
    }

    /// One user's change of day; nothing where somebody else was here first.
    async fn turn(
        &self,
        write: &mut WriteTx<'_>,
        user: &User,
        tasks: Vec<Task>,
        turn: DayChange,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let mut rollover = Rollover {
            id: self.world.new_id(),
            space_id: user.home_space.clone(),
            user_id: user.id.clone(),
            date: turn.to,
            skipped: turn.skipped,
            tasks: Vec::new(),
            waiting: Vec::new(),
            ran_at: now,
            undone_at: None,
        };
        if !write.insert_rollover(&rollover).await? {
            return Ok(());
        }
        let mut renamed = BTreeMap::new();
        for task in &tasks {
            match self.fate_of(write, task, turn, false).await? {
                TaskOutcome::Stays(_) => {}
                TaskOutcome::Waits => rollover.waiting.push(task.id),
                TaskOutcome::Ends(ending) => {
                    let rolled = self.end_instance(write, task, ending, turn, now).await?;
                    renamed.extend(rolled.to.map(|to| (rolled.from, to)));
                    rollover.tasks.push(rolled);
                }
            }
        }
        rename_waits(write, user, &renamed).await?;
        self.stack(write, &tasks, turn, now).await?;
        if !rollover.tasks.is_empty() || !rollover.waiting.is_empty() {
            write.update_rollover(&rollover).await?;
            write.owe_plan(&user.id, PlanCause::Rollover, now + planning_delay(&user.id, PLANS_SPREAD)).await?;
        }
        Ok(())
    }

    /// Makes the instances of tasks that are to stack, whose date has come.
    async fn stack(
        &self,
        write: &mut WriteTx<'_>,
        tasks: &[Task],
        turn: DayChange,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut latest: BTreeMap<TaskId, &Task> = BTreeMap::new();
        for task in tasks {
            let Some(series) = task.series else { continue };
            let held = latest.entry(series.id).or_insert(task);
            if held.series < task.series {
                *held = task;
            }
        }
        for task in latest.into_values() {
            if let Some(next) = stacked(task, turn.to) {
                self.begin_instance(write, task, next, now).await?;
            }
        }
        Ok(())
    }

    async fn fate_of(&self, tx: &mut Tx, task: &Task, turn: DayChange, owed: bool) -> Result<TaskOutcome, Refusal> {
        let blocks = tx.blocks_of_task(task.id).await?;
        let session = tx.open_focus(&task.user_id).await?.filter(|focus| focus.task_id == task.id);
        let clock = match session.as_ref().map(|focus| focus.state) {
            Some(FocusState::Running) => FocusClock::Running,
            Some(FocusState::Paused) => FocusClock::Paused,
            _ => FocusClock::Idle,
        };
        let session_min = session.as_ref().map_or(0, |focus| minutes(focus, turn.began));
        let worked = session.map(|focus| focus.worked).unwrap_or_default();
        Ok(fate(&FoundTask { task, blocks: &blocks, worked: &worked, session_min, clock, owed }, turn))
    }

    /// An instance that waited for its clock is judged again, once that has stopped.
    pub(super) async fn roll_late(&self, write: &mut WriteTx<'_>, user: &User, task: TaskId) -> Result<(), Refusal> {
        let now = self.world.now();
        let Some(mut rollover) = write.rollovers_of(&Scope::Whole, &user.id, None, 1).await?.into_iter().next() else {
            return Ok(());
        };
        if !rollover.waiting.contains(&task) || rollover.undone_at.is_some() {
            return Ok(());
        }
        rollover.waiting.retain(|waiting| *waiting != task);
        let Some(task) = write.task(&Scope::Whole, task).await? else { return Ok(()) };
        let turn = DayChange { to: rollover.date, began: rollover.ran_at, skipped: rollover.skipped };
        if let TaskOutcome::Ends(ending) = self.fate_of(write, &task, turn, true).await? {
            let rolled = self.end_instance(write, &task, ending, turn, now).await?;
            rename_waits(write, user, &rolled.to.map(|to| (rolled.from, to)).into_iter().collect()).await?;
            rollover.tasks.push(rolled);
            write.owe_plan(&user.id, PlanCause::Rollover, now).await?;
        }
        write.update_rollover(&rollover).await?;
        Ok(())
    }

    /// Ends an instance and makes the one that goes on with it.
    async fn end_instance(
        &self,
        write: &mut WriteTx<'_>,
        task: &Task,
        ending: Ending,
        turn: DayChange,
        now: DateTime<Utc>,
    ) -> Result<RolledTask, Refusal> {
        let mut rolled =
            RolledTask { from: task.id, to: None, to_version: 0, status: task.facts.status, blocks: Vec::new() };
        let mut old = task.clone();
        if let Some(worked) = ending.session_min
            && let Some(mut session) = write.open_focus(&task.user_id).await?.filter(|focus| focus.task_id == task.id)
        {
            old.actual_min = old.actual_min.saturating_add(worked);
            (session.state, session.ended_at) = (FocusState::Stopped, Some(now));
            session.version += 1;
            write.put_focus(&session).await?;
        }
        old.facts.status = ending.status;
        old.touch(now);
        write.put_tasks(std::slice::from_ref(&old)).await?;
        let ends: BTreeMap<_, _> = ending.blocks.into_iter().collect();
        for mut block in write.blocks_of_task(task.id).await? {
            let Some(end) = ends.get(&block.id) else { continue };
            rolled.blocks.push(OldBlock { id: block.id, span: block.span(), state: block.state });
            if *end == BlockEnd::Withdrawn {
                self.withdraw_block(write, &block).await?;
                continue;
            }
            end_block(&mut block, *end, now);
            self.reflect(write, &old, std::slice::from_mut(&mut block), None).await?;
        }
        if let Some(next) = ending.next {
            let facts = TaskFacts { status: TaskStatus::Open, ..task.facts.clone() };
            let fresh = Task {
                series: task.series,
                made_from: task.made_from,
                carried_from: Some(next.carried_from),
                carry_count: next.carry_count,
                carried_actual_min: next.carried_actual_min,
                ..Task::new(self.world.new_id(), task.space_id.clone(), task.user_id.clone(), facts, now)
            };
            write.put_tasks(std::slice::from_ref(&fresh)).await?;
            (rolled.to, rolled.to_version) = (Some(fresh.id), fresh.version);
        } else if old.facts.status == TaskStatus::Skipped
            && let Some(passed) = turn.to.pred_opt()
            && let Some(next) = self.open_next(write, &old, passed, now).await?
        {
            (rolled.to, rolled.to_version) = (Some(next.id), next.version);
        }
        Ok(rolled)
    }

    /// The changes of day of a user, newest first.
    pub async fn rollovers(
        &self,
        scope: &Scope,
        user: &UserId,
        before: Option<RolloverId>,
        limit: u32,
    ) -> Result<Vec<Rollover>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.user(user).await?.ok_or(Refusal::NotFound("user"))?;
        let found = tx.rollovers_of(scope, user, before, limit.saturating_add(1)).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Takes a change of day back, as far as nothing was done with its tasks since.
    pub async fn undo_rollover(&self, scope: &Scope, id: RolloverId) -> Result<(Rollover, Vec<Undone>), Refusal> {
        self.write(async |write| {
            let rollover = write.rollover(scope, id).await?.ok_or(Refusal::NotFound("rollover"))?;
            self.carry_undoing(write, rollover).await
        })
        .await
    }

    async fn carry_undoing(
        &self,
        write: &mut WriteTx<'_>,
        mut rollover: Rollover,
    ) -> Result<(Rollover, Vec<Undone>), Refusal> {
        let now = self.world.now();
        let latest = write.rollovers_of(&Scope::Whole, &rollover.user_id, None, 1).await?;
        let last = latest.first().map_or(rollover.date, |latest| latest.date);
        let mut seen = Vec::new();
        for rolled in &rollover.tasks {
            let old = write.task(&Scope::Whole, rolled.from).await?;
            let new = match rolled.to {
                Some(to) => write.task(&Scope::Whole, to).await?,
                None => None,
            };
            let blocks = match &new {
                Some(new) => write.blocks_of_task(new.id).await?,
                None => Vec::new(),
            };
            let session = write.open_focus(&rollover.user_id).await?;
            let clock = new.as_ref().is_some_and(|new| session.is_some_and(|focus| focus.task_id == new.id));
            seen.push((old, new, blocks, clock));
        }
        let afterwards: Vec<_> = rollover
            .tasks
            .iter()
            .zip(&seen)
            .filter_map(|(rolled, (old, new, blocks, clock))| {
                let old = old.as_ref()?.facts.status;
                Some(Afterwards { rolled, old, new: new.as_ref(), blocks, clock: *clock })
            })
            .collect();
        let undone =
            undo(&rollover, last, &afterwards).map_err(|why| Refusal::Invalid { field: "id", why: why.to_string() })?;
        for one in &undone {
            self.take_back(write, one, now).await?;
        }
        rollover.undone_at = Some(now);
        rollover.waiting.clear();
        write.update_rollover(&rollover).await?;
        write.owe_plan(&rollover.user_id, PlanCause::Rollover, now).await?;
        Ok((rollover, undone))
    }

    async fn take_back(&self, write: &mut WriteTx<'_>, one: &Undone, now: DateTime<Utc>) -> Result<(), StoreError> {
        let Undone::Back { old, status, blocks, new, dropped } = one else { return Ok(()) };
        let Some(mut task) = write.task(&Scope::Whole, *old).await? else { return Ok(()) };
        for id in dropped {
            if let Some(block) = write.block(&Scope::Whole, *id).await? {
                self.withdraw_block(write, &block).await?;
            }
        }
        if let Some(new) = new {
            write.delete_task(*new).await?;
        }
        task.facts.status = *status;
        task.touch(now);
        write.put_tasks(std::slice::from_ref(&task)).await?;
        for was in blocks {
            let Some(mut block) = write.block(&Scope::Whole, was.id).await? else { continue };
            block.move_to(was.span);
            block.state = was.state;
            block.touch(now);
            self.reflect(write, &task, std::slice::from_mut(&mut block), None).await?;
        }
        Ok(())
    }
}

fn end_block(block: &mut TimeBlock, end: BlockEnd, now: DateTime<Utc>) {
    match end {
        BlockEnd::Worked(span) => (block.start, block.end, block.state) = (span.from, span.to, BlockState::Done),
        BlockEnd::Missed | BlockEnd::Withdrawn => block.state = BlockState::Missed,
    }
    block.lock = BlockLock::None;
    block.touch(now);
}

/// The date that a user's day was last turned to. For who never had one it is today: what was before was not planned here.
async fn last_rolled(
    tx: &mut Tx,
    user: &User,
    days: Days,
    tasks: &[Task],
    now: DateTime<Utc>,
) -> Result<NaiveDate, Refusal> {
    let latest = tx.rollovers_of(&Scope::Whole, &user.id, None, 1).await?;
    let oldest = || days.date(tasks.iter().map(|task| task.created_at).min().unwrap_or(now));
    Ok(latest.first().map_or_else(oldest, |latest| latest.date))
}

/// Who waits for an instance that was carried waits for the one that goes on.
async fn rename_waits(tx: &mut Tx, user: &User, renamed: &BTreeMap<TaskId, TaskId>) -> Result<(), Refusal> {
    if renamed.is_empty() {
        return Ok(());
    }
    let mut changed = Vec::new();
    for mut task in tx.open_tasks(&user.id).await? {
        if task.facts.after.iter().any(|before| renamed.contains_key(before)) {
            task.facts.after = task.facts.after.iter().map(|before| *renamed.get(before).unwrap_or(before)).collect();
            changed.push(task);
        }
    }
    tx.put_tasks(&changed).await?;
    Ok(())
}
