//! The change of day: each user's unfinished work of the day that ended goes on in a new instance, once.
//!
//! - **turn**: one change of day of one user.
//!
//! **Invariant:** a turn is one transaction, and its row is unique by user and date: a crash repeats it as a whole or not at all,
//! and whoever comes second changes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;

use super::super::{Services, edit_event::EditError};
use crate::{
    domain::{
        block::{BlockLock, BlockState, TimeBlock},
        focus::FocusState,
        ids::{AccountId, RolloverId, TaskId, UserId},
        person::{Scope, User},
        proposal::PlanCause,
        rollover::{OldBlock, RolledTask, Rollover},
        round::Cause,
        task::Task,
    },
    engine::{
        day::Days,
        focus::minutes,
        rollover::{
            Afterwards, BlockEnd, Clock, Ending, Fate, Found, Turn, Undone, due, fate, next_alarm, planning_delay, undo,
        },
    },
    store::{Mode, Tx},
};

/// Users looked at together.
const PAGE: u32 = 500;
/// How soon a change of day that failed is tried again.
const TRIED_AGAIN: Duration = Duration::minutes(1);
/// Over which time the new plans of a zone's users are spread; who opens the product first is planned first.
const PLANS_SPREAD: Duration = Duration::minutes(20);

impl Services {
    /// The time zones that somebody lives in.
    pub async fn zones_in_use(&self) -> Result<Vec<Tz>, EditError> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let zones = tx.zones_in_use().await?;
        tx.commit().await?;
        Ok(zones)
    }

    /// Turns the day of every user of a zone for whom a new one has begun; answers when the next one begins for any of them.
    pub async fn roll_zone(&self, zone: Tz) -> Result<Option<DateTime<Utc>>, EditError> {
        let now = self.world.now();
        let (mut after, mut next): (Option<UserId>, Option<DateTime<Utc>>) = (None, None);
        loop {
            let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
            let page = tx.users_in_zone(zone, after.as_ref(), PAGE).await?;
            tx.commit().await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            for user in page {
                let rolled = again!(self.roll_user(&user, now), EditError::Store(crate::store::StoreError::Busy));
                // One whose day cannot be turned holds up nobody else, and is tried again.
                let begins = rolled.unwrap_or_else(|why| {
                    tracing::warn!(%why, "a user's day could not be turned; it is tried again");
                    Some(now + TRIED_AGAIN)
                });
                next = [next, begins].into_iter().flatten().min();
            }
        }
        let today = Days::of(zone).date(now);
        let mut tx = self.store.begin(Mode::Write, &Scope::Whole).await?;
        tx.begin_rollover_run(zone, today, now).await?;
        tx.commit().await?;
        // Somebody may move here before the next day begins.
        Ok(next.or_else(|| next_alarm(Days::of(zone), today)))
    }

    /// Turns one user's day, if a new one has begun; answers when the next one begins.
    async fn roll_user(&self, user: &User, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, EditError> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let rules = tx.planning_rules(&user.id).await?.map(|(rules, _)| rules).unwrap_or_default();
        let days = Days { zone: user.time_zone, starts_at: rules.day_starts_at };
        let last = last_rolled(&mut tx, user, days, now).await?;
        tx.commit().await?;
        let Some(turn) = due(days, last, now) else { return Ok(next_alarm(days, last)) };
        let mut tx = self.store.begin(Mode::Write, &Scope::Whole).await?;
        let wake = self.turn(&mut tx, user, turn, now).await?;
        tx.commit().await?;
        if let Some(wake) = wake {
            self.wake_all(&wake, Cause::LocalEdit);
            self.wake_planner();
        }
        Ok(next_alarm(days, turn.to))
    }

    /// `None`: somebody else was here first.
    async fn turn(
        &self,
        tx: &mut Tx,
        user: &User,
        turn: Turn,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<AccountId>>, EditError> {
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
        if !tx.insert_rollover(&rollover).await? {
            return Ok(None);
        }
        let mut wake = Vec::new();
        let mut renamed = BTreeMap::new();
        for task in tx.open_tasks(&user.id).await? {
            match self.fate_of(tx, &task, turn, false).await? {
                Fate::Stays(_) => {}
                Fate::Waits => rollover.waiting.push(task.id),
                Fate::Ends(ending) => {
                    let (rolled, woken) = self.end_instance(tx, &task, ending, now).await?;
                    wake.extend(woken);
                    renamed.extend(rolled.to.map(|to| (rolled.from, to)));
                    rollover.tasks.push(rolled);
                }
            }
        }
        rename_waits(tx, user, &renamed).await?;
        if !rollover.tasks.is_empty() || !rollover.waiting.is_empty() {
            tx.update_rollover(&rollover).await?;
            tx.owe_plan(&user.id, PlanCause::Rollover, now + planning_delay(&user.id, PLANS_SPREAD)).await?;
        }
        Ok(Some(wake))
    }

    async fn fate_of(&self, tx: &mut Tx, task: &Task, turn: Turn, owed: bool) -> Result<Fate, EditError> {
        let blocks = tx.blocks_of_task(task.id).await?;
        let sitting = tx.open_focus(&task.user_id).await?.filter(|focus| focus.task_id == task.id);
        let clock = match sitting.as_ref().map(|focus| focus.state) {
            Some(FocusState::Running) => Clock::Running,
            Some(FocusState::Paused) => Clock::Paused,
            _ => Clock::Idle,
        };
        let sitting_min = sitting.as_ref().map_or(0, |focus| minutes(focus, turn.began));
        let worked = sitting.map(|focus| focus.worked).unwrap_or_default();
        Ok(fate(&Found { task, blocks: &blocks, worked: &worked, sitting_min, clock, owed }, turn))
    }

    /// An instance that waited for its clock is judged again, once that has stopped.
    pub(super) async fn roll_late(&self, tx: &mut Tx, user: &User, task: TaskId) -> Result<Vec<AccountId>, EditError> {
        let now = self.world.now();
        let Some(mut rollover) = tx.rollovers_of(&Scope::Whole, &user.id, None, 1).await?.into_iter().next() else {
            return Ok(Vec::new());
        };
        if !rollover.waiting.contains(&task) || rollover.undone_at.is_some() {
            return Ok(Vec::new());
        }
        rollover.waiting.retain(|waiting| *waiting != task);
        let Some(task) = tx.task(&Scope::Whole, task).await? else { return Ok(Vec::new()) };
        let turn = Turn { to: rollover.date, began: rollover.ran_at, skipped: rollover.skipped };
        let mut wake = Vec::new();
        if let Fate::Ends(ending) = self.fate_of(tx, &task, turn, true).await? {
            let (rolled, woken) = self.end_instance(tx, &task, ending, now).await?;
            wake = woken;
            rename_waits(tx, user, &rolled.to.map(|to| (rolled.from, to)).into_iter().collect()).await?;
            rollover.tasks.push(rolled);
            tx.owe_plan(&user.id, PlanCause::Rollover, now).await?;
        }
        tx.update_rollover(&rollover).await?;
        Ok(wake)
    }

    /// Ends an instance and makes the one that goes on with it.
    async fn end_instance(
        &self,
        tx: &mut Tx,
        task: &Task,
        ending: Ending,
        now: DateTime<Utc>,
    ) -> Result<(RolledTask, Vec<AccountId>), EditError> {
        let mut wake = Vec::new();
        let mut rolled = RolledTask { from: task.id, to: None, to_version: 0, status: task.status, blocks: Vec::new() };
        if ending.stops_clock
            && let Some(mut sitting) = tx.open_focus(&task.user_id).await?.filter(|focus| focus.task_id == task.id)
        {
            (sitting.state, sitting.ended_at) = (FocusState::Stopped, Some(now));
            sitting.version += 1;
            tx.put_focus(&sitting).await?;
        }
        let old = Task { status: ending.status, updated_at: now, version: task.version + 1, ..task.clone() };
        tx.put_tasks(std::slice::from_ref(&old)).await?;
        let ends: BTreeMap<_, _> = ending.blocks.into_iter().collect();
        for mut block in tx.blocks_of_task(task.id).await? {
            let Some(end) = ends.get(&block.id) else { continue };
            rolled.blocks.push(OldBlock { id: block.id, span: block.span(), state: block.state });
            if *end == BlockEnd::Withdrawn {
                wake.extend(self.withdraw_block(tx, &block).await?);
                continue;
            }
            end_block(&mut block, *end, now);
            wake.extend(self.reflect(tx, &old, std::slice::from_mut(&mut block), None).await?);
        }
        if let Some(next) = ending.next {
            let fresh = Task {
                id: self.world.new_id(),
                actual_min: 0,
                status: crate::domain::task::TaskStatus::Open,
                carried_from: Some(next.carried_from),
                carry_count: next.carry_count,
                carried_actual_min: next.carried_actual_min,
                created_at: now,
                updated_at: now,
                version: 1,
                ..task.clone()
            };
            tx.put_tasks(std::slice::from_ref(&fresh)).await?;
            (rolled.to, rolled.to_version) = (Some(fresh.id), fresh.version);
        }
        Ok((rolled, wake))
    }

    /// The changes of day of a user, newest first.
    pub async fn rollovers(
        &self,
        scope: &Scope,
        user: &UserId,
        before: Option<RolloverId>,
        limit: u32,
    ) -> Result<Vec<Rollover>, EditError> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.user(user).await?.ok_or(EditError::NotFound("user"))?;
        let found = tx.rollovers_of(scope, user, before, limit.saturating_add(1)).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Takes a change of day back, as far as nothing was done with its tasks since.
    pub async fn undo_rollover(&self, scope: &Scope, id: RolloverId) -> Result<(Rollover, Vec<Undone>), EditError> {
        again!(self.try_undo_rollover(scope, id), EditError::Store(crate::store::StoreError::Busy))
    }

    async fn try_undo_rollover(&self, scope: &Scope, id: RolloverId) -> Result<(Rollover, Vec<Undone>), EditError> {
        let now = self.world.now();
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut rollover = tx.rollover(scope, id).await?.ok_or(EditError::NotFound("rollover"))?;
        let latest = tx.rollovers_of(&Scope::Whole, &rollover.user_id, None, 1).await?;
        let last = latest.first().map_or(rollover.date, |latest| latest.date);
        let mut seen = Vec::new();
        for rolled in &rollover.tasks {
            let old = tx.task(&Scope::Whole, rolled.from).await?;
            let new = match rolled.to {
                Some(to) => tx.task(&Scope::Whole, to).await?,
                None => None,
            };
            let blocks = match &new {
                Some(new) => tx.blocks_of_task(new.id).await?,
                None => Vec::new(),
            };
            let sitting = tx.open_focus(&rollover.user_id).await?;
            let clock = new.as_ref().is_some_and(|new| sitting.is_some_and(|focus| focus.task_id == new.id));
            seen.push((old, new, blocks, clock));
        }
        let afterwards: Vec<_> = rollover
            .tasks
            .iter()
            .zip(&seen)
            .filter_map(|(rolled, (old, new, blocks, clock))| {
                let old = old.as_ref()?.status;
                Some(Afterwards { rolled, old, new: new.as_ref(), blocks, clock: *clock })
            })
            .collect();
        let undone = undo(&rollover, last, &afterwards)
            .map_err(|why| EditError::Invalid { field: "id", why: why.to_string() })?;
        let mut wake = Vec::new();
        for one in &undone {
            wake.extend(self.take_back(&mut tx, one, now).await?);
        }
        rollover.undone_at = Some(now);
        rollover.waiting.clear();
        tx.update_rollover(&rollover).await?;
        tx.owe_plan(&rollover.user_id, PlanCause::Rollover, now).await?;
        tx.commit().await?;
        self.wake_all(&wake, Cause::LocalEdit);
        self.wake_planner();
        Ok((rollover, undone))
    }

    async fn take_back(&self, tx: &mut Tx, one: &Undone, now: DateTime<Utc>) -> Result<Vec<AccountId>, EditError> {
        let Undone::Back { old, status, blocks, new, dropped } = one else { return Ok(Vec::new()) };
        let Some(mut task) = tx.task(&Scope::Whole, *old).await? else { return Ok(Vec::new()) };
        let mut wake = Vec::new();
        for id in dropped {
            if let Some(block) = tx.block(&Scope::Whole, *id).await? {
                wake.extend(self.withdraw_block(tx, &block).await?);
            }
        }
        if let Some(new) = new {
            tx.delete_task(*new).await?;
        }
        (task.status, task.updated_at, task.version) = (*status, now, task.version + 1);
        tx.put_tasks(std::slice::from_ref(&task)).await?;
        for was in blocks {
            let Some(mut block) = tx.block(&Scope::Whole, was.id).await? else { continue };
            (block.start, block.end, block.state) = (was.span.from, was.span.to, was.state);
            (block.updated_at, block.version) = (now, block.version + 1);
            wake.extend(self.reflect(tx, &task, std::slice::from_mut(&mut block), None).await?);
        }
        Ok(wake)
    }
}

fn end_block(block: &mut TimeBlock, end: BlockEnd, now: DateTime<Utc>) {
    match end {
        BlockEnd::Worked(span) => (block.start, block.end, block.state) = (span.from, span.to, BlockState::Done),
        BlockEnd::Missed | BlockEnd::Withdrawn => block.state = BlockState::Missed,
    }
    block.lock = BlockLock::None;
    (block.updated_at, block.version) = (now, block.version + 1);
}

/// The date that a user's day was last turned to. For who never had one it is today: what was before was not planned here.
async fn last_rolled(tx: &mut Tx, user: &User, days: Days, now: DateTime<Utc>) -> Result<NaiveDate, EditError> {
    let latest = tx.rollovers_of(&Scope::Whole, &user.id, None, 1).await?;
    if let Some(latest) = latest.first() {
        return Ok(latest.date);
    }
    let oldest = tx.open_tasks(&user.id).await?.into_iter().map(|task| task.created_at).min();
    Ok(days.date(oldest.unwrap_or(now)))
}

/// Who waits for an instance that was carried waits for the one that goes on.
async fn rename_waits(tx: &mut Tx, user: &User, renamed: &BTreeMap<TaskId, TaskId>) -> Result<(), EditError> {
    if renamed.is_empty() {
        return Ok(());
    }
    let mut changed = Vec::new();
    for mut task in tx.open_tasks(&user.id).await? {
        if task.after.iter().any(|before| renamed.contains_key(before)) {
            task.after = task.after.iter().map(|before| *renamed.get(before).unwrap_or(before)).collect();
            changed.push(task);
        }
    }
    tx.put_tasks(&changed).await?;
    Ok(())
}
