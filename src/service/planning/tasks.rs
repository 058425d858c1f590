//! Tasks: made, changed, closed and opened again; their blocks follow.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::super::{Services, edit_event::EditError};
use crate::{
    domain::{
        block::{BlockState, TimeBlock},
        ids::{AccountId, ContextId, TaskId, UserId},
        person::{Scope, User},
        proposal::PlanCause,
        round::Cause,
        task::{Due, MissedPolicy, PartOfDay, Priority, Repeats, Task, TaskStatus},
        time::EventTime,
    },
    engine::{day::Days, recurrence::validate_rule},
    store::{Mode, Tx},
};

/// What a caller says of a task. Minutes worked, instances and dates of change are kept by the service.
#[derive(Clone, Debug)]
pub struct TaskFacts {
    /// The context it belongs to.
    pub context_id: Option<ContextId>,
    /// What it is called.
    pub title: String,
    /// More about it.
    pub description: Option<String>,
    /// A word of the product's own.
    pub project: Option<String>,
    /// How much it matters.
    pub priority: Priority,
    /// Minutes it takes in all.
    pub estimate_min: Option<u32>,
    /// When it is due.
    pub due: Option<Due>,
    /// Not before this.
    pub not_before: Option<EventTime>,
    /// The name of the hours it may be done in.
    pub hours: Option<String>,
    /// Shortest useful chunk, in minutes.
    pub min_chunk_min: Option<u32>,
    /// Longest chunk, in minutes.
    pub max_chunk_min: Option<u32>,
    /// Whether it may be done in several chunks.
    pub splittable: bool,
    /// What must be done before.
    pub after: Vec<TaskId>,
    /// When in the day it is best done.
    pub prefer: Option<PartOfDay>,
    /// Minutes kept free after each of its blocks.
    pub buffer_after_min: Option<u32>,
    /// An `RRULE` value, and what becomes of a missed instance.
    pub repeats: Option<(String, Option<MissedPolicy>)>,
    /// How it stands: open, in progress, done or cancelled.
    pub status: TaskStatus,
    /// Its blocks stay where they are.
    pub pinned: bool,
}

/// Which tasks are wanted.
#[derive(Clone, Debug)]
pub struct TasksWanted {
    /// Whose.
    pub user_id: UserId,
    /// Only those that are not closed.
    pub open_only: bool,
    /// Only those of this context.
    pub context_id: Option<ContextId>,
    /// After this one.
    pub after: Option<TaskId>,
    /// So many at most.
    pub limit: u32,
}

/// Longest title, in characters.
const TITLE_CHARS_MAX: usize = 1_000;
/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 100_000;
/// Longest estimate and chunk: a thousand hours.
const MINUTES_MAX: u32 = 60_000;
/// Most tasks that one task may wait for.
const AFTER_MAX: usize = 100;

fn check(facts: &TaskFacts) -> Result<(), EditError> {
    let invalid = |field, why: &str| Err(EditError::Invalid { field, why: why.to_owned() });
    if !(1..=TITLE_CHARS_MAX).contains(&facts.title.trim().chars().count()) {
        return invalid("title", "between 1 and 1000 characters");
    }
    if facts.description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX) {
        return invalid("description", "at most 100000 characters");
    }
    let minutes = [
        ("estimate_min", facts.estimate_min),
        ("min_chunk_min", facts.min_chunk_min),
        ("max_chunk_min", facts.max_chunk_min),
    ];
    for (field, value) in minutes {
        if value.is_some_and(|value| !(1..=MINUTES_MAX).contains(&value)) {
            return invalid(field, "between 1 and 60000 minutes");
        }
    }
    if facts.min_chunk_min.zip(facts.max_chunk_min).is_some_and(|(least, most)| least > most) {
        return invalid("max_chunk_min", "the longest chunk is shorter than the shortest");
    }
    if facts.after.len() > AFTER_MAX {
        return invalid("after", "at most 100 tasks");
    }
    if !matches!(facts.status, TaskStatus::Open | TaskStatus::InProgress | TaskStatus::Done | TaskStatus::Cancelled) {
        return invalid("status", "open, in_progress, done or cancelled; the others are set by the change of day");
    }
    if let Some((rule, _)) = &facts.repeats {
        validate_rule(rule).map_err(|why| EditError::Invalid { field: "repeats", why: why.to_string() })?;
    }
    Ok(())
}

impl Services {
    /// A page of tasks, by id; one more than asked for if there is one.
    pub async fn tasks(&self, scope: &Scope, wanted: &TasksWanted) -> Result<Vec<Task>, EditError> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.user(&wanted.user_id).await?.ok_or(EditError::NotFound("user"))?;
        let (user, limit) = (&wanted.user_id, wanted.limit.saturating_add(1));
        let found = tx.tasks_of(scope, user, wanted.open_only, wanted.context_id, wanted.after, limit).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// One of them.
    pub async fn task(&self, scope: &Scope, id: TaskId) -> Result<Task, EditError> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let found = tx.task(scope, id).await?.ok_or(EditError::NotFound("task"))?;
        tx.commit().await?;
        Ok(found)
    }

    /// Makes one.
    pub async fn create_task(&self, scope: &Scope, user: &UserId, facts: TaskFacts) -> Result<Task, EditError> {
        check(&facts)?;
        again!(self.try_create_task(scope, user, facts.clone()), EditError::Store(crate::store::StoreError::Busy))
    }

    async fn try_create_task(&self, scope: &Scope, user: &UserId, facts: TaskFacts) -> Result<Task, EditError> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let user = tx.user(user).await?.filter(|user| scope.admits(&user.home_space));
        let user = user.ok_or(EditError::NotFound("user"))?;
        let now = self.world.now();
        let mut task = blank(&user, self.world.new_id(), now);
        self.say(&mut tx, scope, &user, &mut task, facts).await?;
        tx.put_tasks(std::slice::from_ref(&task)).await?;
        tx.owe_plan(&user.id, PlanCause::TaskEdited, now).await?;
        tx.commit().await?;
        self.wake_planner();
        Ok(task)
    }

    /// Changes one. Its blocks' events say the same at once; where they are is for the next plan.
    pub async fn change_task(
        &self,
        scope: &Scope,
        id: TaskId,
        expected_version: Option<i64>,
        facts: TaskFacts,
    ) -> Result<Task, EditError> {
        check(&facts)?;
        again!(
            self.try_change_task(scope, id, expected_version, facts.clone()),
            EditError::Store(crate::store::StoreError::Busy)
        )
    }

    async fn try_change_task(
        &self,
        scope: &Scope,
        id: TaskId,
        expected_version: Option<i64>,
        facts: TaskFacts,
    ) -> Result<Task, EditError> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut task = tx.task(scope, id).await?.ok_or(EditError::NotFound("task"))?;
        if expected_version.is_some_and(|expected| expected != task.version) {
            return Err(EditError::Stale);
        }
        let user = tx.user(&task.user_id).await?.ok_or(EditError::NotFound("user"))?;
        let was_open = task.status.is_open();
        self.say(&mut tx, scope, &user, &mut task, facts).await?;
        let now = self.world.now();
        (task.updated_at, task.version) = (now, task.version + 1);
        let mut wake = Vec::new();
        if was_open && !task.status.is_open() {
            task.completed_at = (task.status == TaskStatus::Done).then_some(now);
            wake = self.close_blocks(&mut tx, &task, now).await?;
        }
        if task.status.is_open() {
            task.completed_at = None;
        }
        tx.put_tasks(std::slice::from_ref(&task)).await?;
        wake.extend(self.reflect_task(&mut tx, &task).await?);
        tx.owe_plan(&task.user_id, PlanCause::TaskEdited, now).await?;
        tx.commit().await?;
        self.wake_all(&wake, Cause::LocalEdit);
        self.wake_planner();
        Ok(task)
    }

    /// Deletes one, with its blocks and their events. What was worked is forgotten with it; to keep that, close it instead.
    pub async fn delete_task(&self, scope: &Scope, id: TaskId) -> Result<(), EditError> {
        again!(self.try_delete_task(scope, id), EditError::Store(crate::store::StoreError::Busy))
    }

    async fn try_delete_task(&self, scope: &Scope, id: TaskId) -> Result<(), EditError> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let task = tx.task(scope, id).await?.ok_or(EditError::NotFound("task"))?;
        let mut wake = Vec::new();
        for block in tx.blocks_of_task(id).await? {
            wake.extend(self.withdraw_block(&mut tx, &block).await?);
        }
        tx.delete_task(id).await?;
        tx.owe_plan(&task.user_id, PlanCause::TaskEdited, self.world.now()).await?;
        tx.commit().await?;
        self.wake_all(&wake, Cause::LocalEdit);
        self.wake_planner();
        Ok(())
    }

    /// A closed task keeps what is over; what goes on is cut at this instant, and what is ahead goes.
    pub(super) async fn close_blocks(
        &self,
        tx: &mut Tx,
        task: &Task,
        now: DateTime<Utc>,
    ) -> Result<Vec<AccountId>, EditError> {
        let mut wake = Vec::new();
        for mut block in tx.blocks_of_task(task.id).await? {
            if matches!(block.state, BlockState::Done | BlockState::Missed) {
                continue;
            }
            if block.start >= now || block.state == BlockState::Proposed {
                wake.extend(self.withdraw_block(tx, &block).await?);
                continue;
            }
            close(&mut block, now);
            wake.extend(self.reflect(tx, task, std::slice::from_mut(&mut block), None).await?);
        }
        Ok(wake)
    }

    async fn say(
        &self,
        tx: &mut Tx,
        scope: &Scope,
        user: &User,
        task: &mut Task,
        facts: TaskFacts,
    ) -> Result<(), EditError> {
        if let Some(context) = facts.context_id {
            let held = tx.context(scope, context).await?.filter(|context| context.user_id == user.id);
            held.ok_or(EditError::NotFound("context"))?;
        }
        if let Some(hours) = &facts.hours {
            let known = tx.planning_rules(&user.id).await?.is_some_and(|(rules, _)| rules.hours.contains_key(hours));
            if !known && hours != crate::domain::working_hours::USUAL_HOURS {
                let why = format!("there are no hours called `{hours}`; set them in the user's planning rules");
                return Err(EditError::Invalid { field: "hours", why });
            }
        }
        check_after(tx, scope, task, &facts.after).await?;
        let today = Days::of(user.time_zone).date(self.world.now());
        let series = task.repeats.as_ref().map_or((task.id, today, today), |held| (held.series, held.first, held.date));
        task.repeats = facts.repeats.map(|(rule, missed)| {
            let (series, first, date) = series;
            Repeats { series, rule, first, date, missed }
        });
        task.context_id = facts.context_id;
        facts.title.trim().clone_into(&mut task.title);
        task.description = facts.description;
        task.project = facts.project;
        task.priority = facts.priority;
        task.estimate_min = facts.estimate_min;
        task.due = facts.due;
        task.not_before = facts.not_before;
        task.hours = facts.hours;
        task.min_chunk_min = facts.min_chunk_min;
        task.max_chunk_min = facts.max_chunk_min;
        task.splittable = facts.splittable;
        task.after = facts.after;
        task.prefer = facts.prefer;
        task.buffer_after_min = facts.buffer_after_min;
        task.status = facts.status;
        task.pinned = facts.pinned;
        Ok(())
    }
}

/// What is over at this instant.
fn close(block: &mut TimeBlock, now: DateTime<Utc>) {
    block.end = block.end.min(now);
    block.state = BlockState::Done;
    (block.updated_at, block.version) = (now, block.version + 1);
}

/// A task that waits for others must find them, and not, by way of them, itself.
async fn check_after(tx: &mut Tx, scope: &Scope, task: &Task, after: &[TaskId]) -> Result<(), EditError> {
    let invalid = |why: &str| Err(EditError::Invalid { field: "after", why: why.to_owned() });
    let mut open: Vec<TaskId> = after.to_vec();
    let mut seen = BTreeSet::new();
    while !open.is_empty() {
        if open.contains(&task.id) {
            return invalid("the task would wait, by way of others, for itself");
        }
        let wanted: Vec<_> = open.drain(..).filter(|id| seen.insert(*id)).collect();
        let found = tx.tasks_by_ids(&wanted).await?;
        let ours = found.iter().filter(|held| held.user_id == task.user_id && scope.admits(&held.space_id)).count();
        if ours < wanted.len() {
            return invalid("there is no such task of this user");
        }
        open = found.into_iter().flat_map(|held| held.after).collect();
    }
    Ok(())
}

fn blank(user: &User, id: TaskId, now: DateTime<Utc>) -> Task {
    Task {
        id,
        space_id: user.home_space.clone(),
        user_id: user.id.clone(),
        context_id: None,
        title: String::new(),
        description: None,
        project: None,
        priority: Priority::None,
        estimate_min: None,
        actual_min: 0,
        due: None,
        not_before: None,
        hours: None,
        min_chunk_min: None,
        max_chunk_min: None,
        splittable: true,
        after: Vec::new(),
        prefer: None,
        buffer_after_min: None,
        repeats: None,
        status: TaskStatus::Open,
        pinned: false,
        made_from: None,
        carried_from: None,
        carry_count: 0,
        carried_actual_min: 0,
        completed_at: None,
        created_at: now,
        updated_at: now,
        version: 1,
    }
}
