//! Tasks: made, changed, closed and opened again; their blocks follow.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    super::{Services, write::WriteTx},
    person::{days_of, person, rules_of},
};
use crate::{
    domain::{
        block::{BlockState, TimeBlock},
        ids::{ContextId, TaskId, UserId},
        person::{Scope, User},
        proposal::PlanCause,
        task::{Task, TaskFacts, TaskSeries, TaskStatus},
    },
    engine::{
        day::Days,
        recurrence::validate_rule,
        repeating::{SeriesInstance, after_close},
        replan::edit_matters,
        rollover::{LateInstance, withdraw},
    },
    service::Refusal,
    store::{Mode, StoreError, Tx},
};

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

/// Instances that one task was carried on in, at most: a month of days.
const CARRIED_MAX: usize = 31;

fn check(facts: &TaskFacts, held: TaskStatus) -> Result<(), Refusal> {
    facts.check().map_err(|(field, why)| Refusal::Invalid { field, why })?;
    let by_hand = matches!(facts.status, TaskStatus::Done | TaskStatus::Cancelled)
        || (matches!(facts.status, TaskStatus::Open | TaskStatus::InProgress) && held != TaskStatus::Carried);
    if facts.status != held && !by_hand {
        let why = if held == TaskStatus::Carried {
            "it goes on in another instance: open that one, or set this one done or cancelled"
        } else {
            "open, in_progress, done or cancelled; the others are set by the change of day"
        };
        return Err(Refusal::Invalid { field: "status", why: why.to_owned() });
    }
    if let Some(repeats) = &facts.repeats {
        validate_rule(&repeats.rule).map_err(|why| Refusal::Invalid { field: "repeats", why: why.to_string() })?;
    }
    Ok(())
}

impl Services {
    /// A page of tasks, by id; one more than asked for if there is one.
    pub async fn tasks(&self, scope: &Scope, wanted: &TasksWanted) -> Result<Vec<Task>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.user(&wanted.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        let (user, limit) = (&wanted.user_id, wanted.limit.saturating_add(1));
        let found = tx.tasks_of(scope, user, wanted.open_only, wanted.context_id, wanted.after, limit).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// One of them.
    pub async fn task(&self, scope: &Scope, id: TaskId) -> Result<Task, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let found = tx.task(scope, id).await?.ok_or(Refusal::NotFound("task"))?;
        tx.commit().await?;
        Ok(found)
    }

    /// Makes one.
    pub async fn create_task(&self, scope: &Scope, user: &UserId, facts: TaskFacts) -> Result<Task, Refusal> {
        check(&facts, TaskStatus::Open)?;
        self.write(async |write| {
            let user = person(write, scope, user).await?;
            let now = self.world.now();
            let mut task =
                Task::new(self.world.new_id(), user.home_space.clone(), user.id.clone(), TaskFacts::new(""), now);
            self.say(write, scope, &user, &mut task, facts.clone()).await?;
            write.put_tasks(std::slice::from_ref(&task)).await?;
            write.owe_plan(&user.id, PlanCause::TaskEdited, now).await?;
            Ok(task)
        })
        .await
    }

    /// Changes one: `edit` gives what it says from what it said. Its blocks' events say the same at once; where they are is for the next plan.
    pub async fn change_task(
        &self,
        scope: &Scope,
        id: TaskId,
        expected_version: Option<i64>,
        edit: impl Fn(TaskFacts) -> TaskFacts,
    ) -> Result<Task, Refusal> {
        self.write(async |write| {
            let task = write.task(scope, id).await?.ok_or(Refusal::NotFound("task"))?;
            if expected_version.is_some_and(|expected| expected != task.version) {
                return Err(Refusal::Stale);
            }
            let facts = edit(task.facts.clone());
            check(&facts, task.facts.status)?;
            self.carry_facts(write, scope, task, facts).await
        })
        .await
    }

    async fn carry_facts(
        &self,
        write: &mut WriteTx<'_>,
        scope: &Scope,
        mut task: Task,
        facts: TaskFacts,
    ) -> Result<Task, Refusal> {
        let user = write.user(&task.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        let before = task.clone();
        self.say(write, scope, &user, &mut task, facts).await?;
        let now = self.world.now();
        task.touch(now);
        if task.facts.status.is_open() {
            task.completed_at = None;
        }
        if task.facts.status.is_over() && !before.facts.status.is_over() {
            self.close_task(write, &mut task, now).await?;
        }
        write.put_tasks(std::slice::from_ref(&task)).await?;
        self.reflect_task(write, &task).await?;
        if edit_matters(Some(&before), Some(&task)) {
            write.owe_plan(&task.user_id, PlanCause::TaskEdited, now).await?;
        }
        Ok(task)
    }

    /// Deletes one, with its blocks and their events. What was worked is forgotten with it; to keep that, close it instead.
    pub async fn delete_task(&self, scope: &Scope, id: TaskId) -> Result<(), Refusal> {
        self.write(async |write| {
            let task = write.task(scope, id).await?.ok_or(Refusal::NotFound("task"))?;
            for block in write.blocks_of_task(id).await? {
                self.withdraw_block(write, &block).await?;
            }
            write.delete_task(id).await?;
            Ok(write.owe_plan(&task.user_id, PlanCause::TaskEdited, self.world.now()).await?)
        })
        .await
    }

    /// What follows from a task that is finished or given up, before it is stored: its blocks end, an instance that was made of
    /// it since goes, and if it repeats the next one comes.
    pub(super) async fn close_task(
        &self,
        write: &mut WriteTx<'_>,
        task: &mut Task,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        task.completed_at = (task.facts.status == TaskStatus::Done).then_some(now);
        self.close_blocks(write, task, now).await?;
        self.withdraw_late(write, task, now).await?;
        let user = write.user(&task.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        let rules = rules_of(write, &user.id).await?;
        let today = days_of(&user, &rules).date(now);
        self.open_next(write, task, today, now).await?;
        Ok(())
    }

    /// A closed task keeps what is over; what goes on is cut at this instant, and what is ahead goes.
    async fn close_blocks(&self, write: &mut WriteTx<'_>, task: &Task, now: DateTime<Utc>) -> Result<(), StoreError> {
        for mut block in write.blocks_of_task(task.id).await? {
            if matches!(block.state, BlockState::Done | BlockState::Missed) {
                continue;
            }
            if block.start >= now || block.state == BlockState::Proposed {
                self.withdraw_block(write, &block).await?;
                continue;
            }
            close(&mut block, now);
            self.reflect(write, task, std::slice::from_mut(&mut block), None).await?;
        }
        Ok(())
    }

    /// Somebody finished yesterday's task today: the instances that went on with it are not wanted any more.
    async fn withdraw_late(&self, write: &mut WriteTx<'_>, task: &Task, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut found = Vec::new();
        for next in carried_on(write, task.id).await? {
            let blocks = write.blocks_of_task(next.id).await?;
            found.push((next, blocks));
        }
        let late: Vec<_> = found.iter().map(|(task, blocks)| LateInstance { task, blocks }).collect();
        for end in withdraw(task.id, &late) {
            let Some((held, blocks)) = found.iter().find(|(held, _)| held.id == end.task) else { continue };
            for block in blocks.iter().filter(|block| end.dropped.contains(&block.id)) {
                self.withdraw_block(write, block).await?;
            }
            let mut held = held.clone();
            held.facts.status = end.status;
            held.completed_at = (end.status == TaskStatus::Done).then_some(now);
            held.touch(now);
            write.put_tasks(&[held]).await?;
        }
        Ok(())
    }

    /// Makes the instance that follows one that is over, if it repeats.
    pub(super) async fn open_next(
        &self,
        write: &mut WriteTx<'_>,
        over: &Task,
        passed: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Option<Task>, StoreError> {
        if over.series.is_none() {
            return Ok(None);
        }
        let Some(next) = after_close(over, &write.open_tasks(&over.user_id).await?, passed) else { return Ok(None) };
        self.begin_instance(write, over, next, now).await.map(Some)
    }

    /// Stores an instance of a series.
    pub(super) async fn begin_instance(
        &self,
        write: &mut WriteTx<'_>,
        like: &Task,
        next: SeriesInstance,
        now: DateTime<Utc>,
    ) -> Result<Task, StoreError> {
        let (space, user) = (like.space_id.clone(), like.user_id.clone());
        let task = Task { series: Some(next.series), ..Task::new(self.world.new_id(), space, user, next.facts, now) };
        write.put_tasks(std::slice::from_ref(&task)).await?;
        write.owe_plan(&task.user_id, PlanCause::TaskEdited, now).await?;
        Ok(task)
    }

    async fn say(
        &self,
        tx: &mut Tx,
        scope: &Scope,
        user: &User,
        task: &mut Task,
        facts: TaskFacts,
    ) -> Result<(), Refusal> {
        if let Some(context) = facts.context_id {
            let held = tx.context(scope, context).await?.filter(|context| context.user_id == user.id);
            held.ok_or(Refusal::NotFound("context"))?;
        }
        if let Some(hours) = &facts.hours {
            let known = tx.planning_rules(&user.id).await?.is_some_and(|(rules, _)| rules.hours.contains_key(hours));
            if !known && hours != crate::domain::working_hours::USUAL_HOURS {
                let why = format!("there are no hours called `{hours}`; set them in the user's planning rules");
                return Err(Refusal::Invalid { field: "hours", why });
            }
        }
        check_after(tx, scope, task, &facts.after).await?;
        if facts.repeats.is_some() && task.series.is_none() {
            let today = Days::of(user.time_zone).date(self.world.now());
            task.series = Some(TaskSeries { id: task.id, first: today, date: today });
        }
        task.facts = TaskFacts { title: facts.title.trim().to_owned(), ..facts };
        Ok(())
    }
}

/// The instances that went on with a task, each with the one before.
pub(super) async fn carried_on(tx: &mut Tx, task: TaskId) -> Result<Vec<Task>, StoreError> {
    let (mut found, mut last) = (Vec::new(), task);
    while let Some(next) = tx.task_carried_from(last).await?.filter(|_| found.len() < CARRIED_MAX) {
        last = next.id;
        found.push(next);
    }
    Ok(found)
}

/// What is over at this instant.
fn close(block: &mut TimeBlock, now: DateTime<Utc>) {
    block.end = block.end.min(now);
    block.state = BlockState::Done;
    block.touch(now);
}

/// Looks for tasks that are not open any more, but that are waited for by way of others.
const LOOKUPS_MAX: usize = 4;

/// A task that waits for others must find them, and not, by way of them, itself. However long the chain, it is read at once: what is
/// open in one query; what is over waits for nothing, and only the next few behind it are looked at.
async fn check_after(tx: &mut Tx, scope: &Scope, task: &Task, after: &[TaskId]) -> Result<(), Refusal> {
    let invalid = |why: &str| Err(Refusal::Invalid { field: "after", why: why.to_owned() });
    let wanted: BTreeSet<TaskId> = after.iter().copied().collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let found = tx.tasks_by_ids(&wanted.iter().copied().collect::<Vec<_>>()).await?;
    let ours = found.iter().filter(|held| held.user_id == task.user_id && scope.admits(&held.space_id)).count();
    if ours < wanted.len() {
        return invalid("there is no such task of this user");
    }
    let open = tx.open_tasks(&task.user_id).await?;
    let link = |held: Task| (held.id, held.facts.after);
    let mut links: BTreeMap<TaskId, Vec<TaskId>> = open.into_iter().chain(found).map(link).collect();
    links.insert(task.id, after.to_vec());
    for _ in 0..=LOOKUPS_MAX {
        let Some(unknown) = unread(&links, task.id) else {
            return invalid("the task would wait, by way of others, for itself");
        };
        if unknown.is_empty() {
            break;
        }
        links.extend(unknown.iter().map(|id| (*id, Vec::new())));
        links.extend(tx.tasks_by_ids(&unknown).await?.into_iter().map(link));
    }
    Ok(())
}

/// What a task waits for by way of others, as far as it was not read yet; none, if that is the task itself.
fn unread(links: &BTreeMap<TaskId, Vec<TaskId>>, task: TaskId) -> Option<Vec<TaskId>> {
    let (mut ahead, mut seen) = (links.get(&task).cloned().unwrap_or_default(), BTreeSet::new());
    let mut unknown = Vec::new();
    while let Some(id) = ahead.pop() {
        if id == task {
            return None;
        }
        if !seen.insert(id) {
            continue;
        }
        match links.get(&id) {
            Some(after) => ahead.extend(after),
            None => unknown.push(id),
        }
    }
    Some(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_walked_in_one_go_and_a_ring_is_seen() {
        let id = |number: u128| TaskId(uuid::Uuid::from_u128(number));
        let mut links: BTreeMap<TaskId, Vec<TaskId>> = (1..900).map(|at| (id(at), vec![id(at + 1)])).collect();
        assert_eq!(unread(&links, id(1)), Some(vec![id(900)]));
        links.insert(id(900), vec![id(450)]);
        assert_eq!(unread(&links, id(1)), Some(Vec::new()), "a ring that it is not part of");
        links.insert(id(900), vec![id(1)]);
        assert_eq!(unread(&links, id(1)), None);
    }
}
