//! Time blocks as people handle them: put somewhere, moved, confirmed, taken away.

use chrono::{DateTime, Duration, SubsecRound, Utc};

use super::{
    super::{Services, write::WriteTx},
    imports::is_import,
};
use crate::{
    domain::{
        block::{BlockLock, BlockOrigin, BlockState, Placed, TimeBlock},
        ids::{BlockId, TaskId, UserId},
        person::Scope,
        proposal::PlanCause,
        task::Task,
        time::Window,
    },
    engine::replan::confirmed,
    service::Refusal,
    store::Mode,
};

/// Longest block that somebody may make.
const LENGTH_MAX: Duration = Duration::hours(24);

/// A span that a block may have, in whole seconds as its event will say it.
fn checked(span: Window) -> Result<Window, Refusal> {
    let span = Window { from: span.from.trunc_subsecs(0), to: span.to.trunc_subsecs(0) };
    let invalid = |field, why: &str| Err(Refusal::Invalid { field, why: why.to_owned() });
    if span.length() <= Duration::zero() {
        return invalid("end", "the end is not after the start");
    }
    if span.length() > LENGTH_MAX {
        return invalid("end", "a block is 24 hours long at most; make several");
    }
    Ok(span)
}

impl Services {
    /// The blocks of a task, by start.
    pub async fn blocks_of_task(&self, scope: &Scope, task: TaskId) -> Result<Vec<TimeBlock>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.task(scope, task).await?.ok_or(Refusal::NotFound("task"))?;
        let mut found = tx.blocks_of_task(task).await?;
        tx.commit().await?;
        found.sort_by_key(|block| (block.start, block.id));
        Ok(found)
    }

    /// The blocks of a user that share an instant with a window, by start.
    pub async fn blocks_between(
        &self,
        scope: &Scope,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<TimeBlock>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.user(user).await?.ok_or(Refusal::NotFound("user"))?;
        let mut found = tx.blocks_between(user, from, to).await?;
        tx.commit().await?;
        found.retain(|block| scope.admits(&block.space_id));
        found.sort_by_key(|block| (block.start, block.id));
        Ok(found)
    }

    /// One of them.
    pub async fn block(&self, scope: &Scope, id: BlockId) -> Result<TimeBlock, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let found = tx.block(scope, id).await?.ok_or(Refusal::NotFound("block"))?;
        tx.commit().await?;
        Ok(found)
    }

    /// Puts a block where a person wants it: confirmed, and theirs.
    pub async fn create_block(&self, scope: &Scope, task: TaskId, span: Window) -> Result<TimeBlock, Refusal> {
        let span = checked(span)?;
        self.write(async |write| {
            let task = write.task(scope, task).await?.ok_or(Refusal::NotFound("task"))?;
            if !task.facts.status.is_open() {
                let why = "the task is closed; open it again".to_owned();
                return Err(Refusal::Invalid { field: "task_id", why });
            }
            let user = write.user(&task.user_id).await?.ok_or(Refusal::NotFound("user"))?;
            let placed = Placed {
                origin: BlockOrigin::User,
                lock: BlockLock::User,
                state: BlockState::Confirmed,
                reason: "placed_by_user".to_owned(),
            };
            let block = TimeBlock::new(self.world.new_id(), &task, user.time_zone, span, placed, self.world.now());
            self.put_block(write, &task, block).await
        })
        .await
    }

    /// Stores a block as a person wants it, with its event; the rest of the plan may have to give way.
    async fn put_block(
        &self,
        write: &mut WriteTx<'_>,
        task: &Task,
        mut block: TimeBlock,
    ) -> Result<TimeBlock, Refusal> {
        self.reflect(write, task, std::slice::from_mut(&mut block), None).await?;
        write.owe_plan(&task.user_id, PlanCause::TaskEdited, self.world.now()).await?;
        Ok(block)
    }

    /// Moves a block, or changes its length: one update of its event. It is the person's from now on.
    pub async fn move_block(
        &self,
        scope: &Scope,
        id: BlockId,
        expected_version: Option<i64>,
        span: Window,
    ) -> Result<TimeBlock, Refusal> {
        let span = checked(span)?;
        self.amend_block(scope, id, expected_version, |block| {
            if !block.state.is_live() {
                let why = "the block is over, or only offered; make a new one".to_owned();
                return Err(Refusal::Invalid { field: "state", why });
            }
            block.move_to(span);
            (block.state, block.lock) = match block.state {
                BlockState::InProgress => (BlockState::InProgress, block.lock),
                _ => (BlockState::Confirmed, BlockLock::User),
            };
            block.origin = BlockOrigin::User;
            Ok(())
        })
        .await
    }

    /// A person's yes to a block that was moved at its provider.
    pub async fn confirm_block(
        &self,
        scope: &Scope,
        id: BlockId,
        expected_version: Option<i64>,
    ) -> Result<TimeBlock, Refusal> {
        self.amend_block(scope, id, expected_version, |block| {
            let Some(yes) = confirmed(block) else {
                let why = "only a tentative block waits for a confirmation".to_owned();
                return Err(Refusal::Invalid { field: "state", why });
            };
            (block.state, block.lock) = yes;
            Ok(())
        })
        .await
    }

    /// Lets the planner move a block again.
    pub async fn release_block(
        &self,
        scope: &Scope,
        id: BlockId,
        expected_version: Option<i64>,
    ) -> Result<TimeBlock, Refusal> {
        self.amend_block(scope, id, expected_version, |block| {
            if block.state == BlockState::Confirmed {
                block.lock = BlockLock::None;
            }
            Ok(())
        })
        .await
    }

    async fn amend_block(
        &self,
        scope: &Scope,
        id: BlockId,
        expected_version: Option<i64>,
        change: impl Fn(&mut TimeBlock) -> Result<(), Refusal>,
    ) -> Result<TimeBlock, Refusal> {
        self.write(async |write| {
            let mut block = write.block(scope, id).await?.ok_or(Refusal::NotFound("block"))?;
            if expected_version.is_some_and(|expected| expected != block.version) {
                return Err(Refusal::Stale);
            }
            let task = write.task(&Scope::Whole, block.task_id).await?.ok_or(Refusal::NotFound("task"))?;
            if is_import(&task, &block) {
                let why = "the block is an event of an imported calendar; move the event".to_owned();
                return Err(Refusal::Invalid { field: "id", why });
            }
            change(&mut block)?;
            block.touch(self.world.now());
            self.put_block(write, &task, block).await
        })
        .await
    }

    /// Takes a block away, and its event with it; the task stays.
    pub async fn delete_block(&self, scope: &Scope, id: BlockId) -> Result<(), Refusal> {
        self.write(async |write| {
            let block = write.block(scope, id).await?.ok_or(Refusal::NotFound("block"))?;
            self.withdraw_block(write, &block).await?;
            Ok(write.owe_plan(&block.user_id, PlanCause::TaskEdited, self.world.now()).await?)
        })
        .await
    }
}
