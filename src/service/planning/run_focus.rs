//! Focus: somebody works, and the clock runs. What the engine decides is stored, and shown in the calendar, in one transaction.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::{
    super::{Services, write::WriteTx},
    availability::usual_hours,
    person::{days_of, person, rules_of},
};
use crate::{
    domain::{
        block::{BlockLock, BlockOrigin, BlockState, Placed, TimeBlock},
        conflict::Severity,
        focus::Focus,
        ids::{BlockId, TaskId, UserId},
        notice::{Notice, NoticeSubject},
        person::{Scope, User},
        proposal::PlanCause,
        task::{Task, TaskStatus},
        time::Window,
        working_hours::PlanningRules,
    },
    engine::{
        day::Days,
        focus::{
            Ahead, FocusContext, FocusEffect, FocusInput, FocusRefused, GRACE, PastBlock, alarm, minutes, past, step,
        },
        playlist::{PlannedBlock, PlaylistPiece, playlist},
        ticks::work_days,
    },
    service::Refusal,
    store::{Mode, StoreError, Tx},
};

/// How far ahead the clock looks.
const LOOK_AHEAD: Duration = Duration::hours(36);
/// Open focus sessions looked at together.
const PAGE: u32 = 200;

/// What somebody does with the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FocusAct {
    /// Begins with the playlist's next piece, or with this task.
    Start(Option<TaskId>),
    /// Takes a break.
    Pause,
    /// Goes on.
    Resume,
    /// Has finished the task.
    Finish,
    /// Does something else first.
    Skip,
    /// Stops for now.
    Stop,
}

/// How things stand.
#[derive(Clone, Debug)]
pub struct FocusFacts {
    /// The open focus session.
    pub focus: Option<Focus>,
    /// Minutes worked in it.
    pub minutes: u32,
    /// What comes next.
    pub playlist: Vec<PlaylistPiece>,
}

/// Everything around a user's clock.
struct FocusSurroundings {
    user: User,
    task: Task,
    tasks: Vec<Task>,
    blocks: Vec<TimeBlock>,
    meetings: Vec<Window>,
    hours: Vec<Vec<Window>>,
}

impl Services {
    /// The open focus session, and the playlist.
    pub async fn focus(&self, scope: &Scope, user: &UserId) -> Result<FocusFacts, Refusal> {
        let now = self.world.now();
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let user = person(&mut tx, scope, user).await?;
        let focus = tx.open_focus(&user.id).await?;
        let (tasks, blocks) = (tx.open_tasks(&user.id).await?, tx.live_blocks(&user.id, now).await?);
        tx.commit().await?;
        let minutes = focus.as_ref().map_or(0, |focus| minutes(focus, now));
        Ok(FocusFacts { focus, minutes, playlist: pieces(&user, &tasks, &blocks, &[], now) })
    }

    /// Does one thing with a user's clock.
    pub async fn act_on_focus(&self, scope: &Scope, user: &UserId, act: FocusAct) -> Result<FocusFacts, Refusal> {
        let now = self.world.now();
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let held = person(&mut tx, scope, user).await?;
        let open = tx.open_focus(user).await?;
        let (tasks, blocks) = (tx.open_tasks(user).await?, tx.live_blocks(user, now).await?);
        tx.commit().await?;
        let task = match (act, &open) {
            (_, Some(open)) => open.task_id,
            (FocusAct::Start(Some(task)), None) => task,
            (FocusAct::Start(None), None) => {
                let next = pieces(&held, &tasks, &blocks, &[], now).into_iter().next();
                let why = "nothing is planned; name a task, or make a plan first".to_owned();
                next.ok_or(Refusal::Invalid { field: "task_id", why })?.task
            }
            _ => return Err(refused(FocusRefused::Idle)),
        };
        let (fresh, id) = (self.world.new_id(), self.world.new_id());
        let input = match act {
            FocusAct::Start(_) => FocusInput::Start { focus: id, fresh },
            FocusAct::Pause => FocusInput::Pause,
            FocusAct::Resume => FocusInput::Resume { fresh },
            FocusAct::Finish => FocusInput::Finish,
            FocusAct::Skip => FocusInput::Skip,
            FocusAct::Stop => FocusInput::Stop,
        };
        self.step_focus(scope, user, task, input).await?;
        let mut facts = self.focus(scope, user).await?;
        if act == FocusAct::Skip {
            facts.playlist.retain(|piece| piece.task != task);
        }
        Ok(facts)
    }

    /// Lets time pass for every open focus session; answers when to come back.
    pub async fn tick_focuses(&self) -> Result<Option<DateTime<Utc>>, Refusal> {
        let looked_at = self.world.now();
        let (mut after, mut next): (_, Option<DateTime<Utc>>) = (None, None);
        loop {
            let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
            let page = tx.restless_focuses(looked_at, looked_at - GRACE, after, PAGE).await?;
            tx.commit().await?;
            let Some(last) = page.last() else { return Ok(next) };
            after = Some(last.id);
            for focus in page {
                let now = self.world.now();
                let around = self.around(&Scope::Whole, &focus.user_id, focus.task_id).await?;
                let due = around.with_context(Some(&focus), now, |context| alarm(&focus, context, now));
                if due.is_some_and(|at| at <= now) {
                    let fresh = self.world.new_id();
                    self.step_focus(&Scope::Whole, &focus.user_id, focus.task_id, FocusInput::Tick { fresh }).await?;
                }
                let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
                let focus = tx.open_focus(&focus.user_id).await?;
                tx.commit().await?;
                if let Some(focus) = focus {
                    let around = self.around(&Scope::Whole, &focus.user_id, focus.task_id).await?;
                    let due = around.with_context(Some(&focus), now, |context| alarm(&focus, context, now));
                    next = [next, due].into_iter().flatten().min();
                }
            }
        }
    }

    /// Judges blocks that are over and that nobody worked on; answers when the next one is to be judged.
    pub async fn judge_past_blocks(&self, user: &UserId) -> Result<Option<DateTime<Utc>>, Refusal> {
        again!(self.try_judge_past_blocks(user))
    }

    async fn try_judge_past_blocks(&self, user: &UserId) -> Result<Option<DateTime<Utc>>, Refusal> {
        let now = self.world.now();
        let mut write = self.begin_write().await?;
        let rules = rules_of(&mut write, user).await?;
        let session = write.open_focus(user).await?.and_then(|focus| focus.block_id);
        let (mut next, mut missed) = (None, false);
        for mut block in write.blocks_between(user, now - Duration::days(2), now + Duration::days(2)).await? {
            match past(&block, session == Some(block.id), rules.past, now) {
                None if block.state.is_live() && block.end > now => {
                    next = [next, Some(block.end)].into_iter().flatten().min();
                }
                None => {}
                Some(PastBlock::Waiting(until)) => next = [next, Some(until)].into_iter().flatten().min(),
                Some(judged) => {
                    let Some(mut task) = write.task(&Scope::Whole, block.task_id).await? else { continue };
                    let done = judged == PastBlock::AssumedDone;
                    block.state = if done { BlockState::Done } else { BlockState::Missed };
                    block.lock = BlockLock::None;
                    block.touch(now);
                    if done {
                        let worked = u32::try_from(block.span().length().num_minutes()).unwrap_or(0);
                        task.actual_min = task.actual_min.saturating_add(worked);
                        task.touch(now);
                        write.put_tasks(std::slice::from_ref(&task)).await?;
                    }
                    missed |= !done;
                    self.reflect(&mut write, &task, std::slice::from_mut(&mut block), None).await?;
                }
            }
        }
        if missed {
            write.owe_plan(user, PlanCause::Missed, now).await?;
        }
        write.commit().await?;
        Ok(next)
    }

    async fn step_focus(&self, scope: &Scope, user: &UserId, task: TaskId, input: FocusInput) -> Result<(), Refusal> {
        again!(self.try_step_focus(scope, user, task, input))
    }

    async fn try_step_focus(
        &self,
        scope: &Scope,
        user: &UserId,
        task: TaskId,
        input: FocusInput,
    ) -> Result<(), Refusal> {
        let now = self.world.now();
        let around = self.around(scope, user, task).await?;
        let mut write = self.begin_write().await?;
        let open = write.open_focus(user).await?;
        let (focus, effects) =
            around.with_context(open.as_ref(), now, |context| step(open.clone(), input, context, now));
        if let Some(FocusEffect::Refused(why)) = effects.first() {
            return Err(refused(*why));
        }
        // A new block comes before the focus session that names it, and what goes, after the focus session has let go of it.
        let (new, rest): (Vec<_>, Vec<_>) = effects.iter().partition(|effect| matches!(effect, FocusEffect::Place(..)));
        for effect in new {
            self.carry_out(&mut write, &around, focus.as_ref(), effect, now).await?;
        }
        if let Some(focus) = &focus {
            write.put_focus(focus).await?;
        }
        for effect in rest {
            self.carry_out(&mut write, &around, focus.as_ref(), effect, now).await?;
        }
        if focus.as_ref().is_some_and(|focus| !focus.is_open()) {
            self.roll_late(&mut write, &around.user, task).await?;
        }
        // The planner keeps the clock's alarm too.
        write.wake_planner();
        Ok(write.commit().await?)
    }

    async fn around(&self, scope: &Scope, user: &UserId, task: TaskId) -> Result<FocusSurroundings, Refusal> {
        let now = self.world.now();
        let window = Window { from: now - LOOK_AHEAD, to: now + LOOK_AHEAD };
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let user = tx.user(user).await?.ok_or(Refusal::NotFound("user"))?;
        let task = tx.task(scope, task).await?.filter(|task| task.user_id == user.id);
        let task = task.ok_or(Refusal::NotFound("task"))?;
        let tasks = tx.open_tasks(&user.id).await?;
        let blocks = tx.blocks_between(&user.id, window.from, window.to).await?;
        let rules = rules_of(&mut tx, &user.id).await?;
        tx.commit().await?;
        let events: BTreeSet<_> = blocks.iter().filter_map(|block| block.event_id).collect();
        let meetings = self.busy_time(scope, &user.id, window, Some(&events)).await?.spans;
        let days = days_of(&user, &rules);
        let hours = blocks.iter().map(|block| hours_of(&user, &rules, days, &tasks, block, window)).collect();
        Ok(FocusSurroundings { user, task, tasks, blocks, meetings, hours })
    }

    async fn carry_out(
        &self,
        write: &mut WriteTx<'_>,
        around: &FocusSurroundings,
        focus: Option<&Focus>,
        effect: &FocusEffect,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        match *effect {
            FocusEffect::Place(id, span) => {
                let placed = Placed {
                    origin: BlockOrigin::User,
                    lock: BlockLock::Started,
                    state: BlockState::InProgress,
                    reason: "started".to_owned(),
                };
                let mut block = TimeBlock::new(id, &around.task, around.user.time_zone, span, placed, now);
                self.reflect(write, &around.task, std::slice::from_mut(&mut block), None).await?;
            }
            FocusEffect::Stretch(id, span) => {
                self.shift(write, id, span, Some((BlockState::InProgress, BlockLock::Started)), now).await?;
            }
            FocusEffect::Close(id, span) => {
                self.shift(write, id, span, Some((BlockState::Done, BlockLock::None)), now).await?;
            }
            FocusEffect::Pull(id, span) => self.shift(write, id, span, None, now).await?,
            FocusEffect::Drop(id) => {
                if let Some(block) = write.block(&Scope::Whole, id).await? {
                    self.withdraw_block(write, &block).await?;
                }
            }
            FocusEffect::Worked(minutes) => {
                let worked = |task: &mut Task| {
                    task.actual_min = task.actual_min.saturating_add(minutes);
                    if task.facts.status == TaskStatus::Open {
                        task.facts.status = TaskStatus::InProgress;
                    }
                };
                self.change_worked(write, &around.task, worked).await?;
            }
            FocusEffect::TaskDone => {
                if let Some(mut task) = write.task(&Scope::Whole, around.task.id).await? {
                    task.facts.status = TaskStatus::Done;
                    task.touch(now);
                    self.close_task(write, &mut task, now).await?;
                    write.put_tasks(&[task]).await?;
                }
            }
            FocusEffect::Freed(_) => write.owe_plan(&around.user.id, PlanCause::RoomFreed, now).await?,
            FocusEffect::Replan(cause) => write.owe_plan(&around.user.id, cause, now).await?,
            FocusEffect::Overrun => write.put_notice(&self.overrun_notice(around, focus, now)).await?,
            FocusEffect::OfferNext | FocusEffect::Refused(_) => {}
        }
        Ok(())
    }

    async fn change_worked(
        &self,
        tx: &mut Tx,
        task: &Task,
        change: impl FnOnce(&mut Task),
    ) -> Result<Option<Task>, Refusal> {
        let Some(mut task) = tx.task(&Scope::Whole, task.id).await? else { return Ok(None) };
        change(&mut task);
        task.touch(self.world.now());
        tx.put_tasks(std::slice::from_ref(&task)).await?;
        Ok(Some(task))
    }

    /// The block is here from now on, and stands so.
    async fn shift(
        &self,
        write: &mut WriteTx<'_>,
        id: BlockId,
        span: Window,
        stands: Option<(BlockState, BlockLock)>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let Some(mut block) = write.block(&Scope::Whole, id).await? else { return Ok(()) };
        let Some(task) = write.task(&Scope::Whole, block.task_id).await? else { return Ok(()) };
        block.move_to(span);
        (block.state, block.lock) = stands.unwrap_or((block.state, block.lock));
        block.touch(now);
        self.reflect(write, &task, std::slice::from_mut(&mut block), None).await
    }

    fn overrun_notice(&self, around: &FocusSurroundings, focus: Option<&Focus>, now: DateTime<Utc>) -> Notice {
        let block = focus.and_then(|focus| focus.block_id);
        let block = around.blocks.iter().find(|held| Some(held.id) == block);
        let owner = (&around.task.space_id, &around.user.id);
        let notice = Notice::new(self.world.new_id(), owner, (NoticeSubject::Overrun, Severity::Normal), now);
        Notice { event_id: block.and_then(|block| block.event_id), ..notice }
    }
}

impl FocusSurroundings {
    /// What the engine looks at.
    fn with_context<T>(
        &self,
        focus: Option<&Focus>,
        now: DateTime<Utc>,
        look: impl FnOnce(&FocusContext<'_>) -> T,
    ) -> T {
        let at_work = if let Some(focus) = focus.filter(|focus| focus.is_open()) {
            focus.block_id
        } else {
            // Work begins in the block that is planned for now, or in the task's next one.
            let own = self.blocks.iter().filter(|block| block.task_id == self.task.id && block.state.is_live());
            own.filter(|block| block.end > now).min_by_key(|block| (block.start, block.id)).map(|block| block.id)
        };
        let pinned = |task: TaskId| self.tasks.iter().any(|held| held.id == task && held.facts.pinned);
        let ahead: Vec<_> = self
            .blocks
            .iter()
            .zip(&self.hours)
            .filter(|(block, _)| block.state.is_live() && block.end > now && Some(block.id) != at_work)
            .map(|(block, hours)| Ahead {
                block,
                pinned: pinned(block.task_id),
                earliest: self.earliest(block, now),
                hours,
            })
            .collect();
        let behind = self.blocks.iter().filter(|block| block.state == BlockState::Done).map(|block| block.end).max();
        look(&FocusContext {
            task: &self.task,
            block: self.blocks.iter().find(|block| Some(block.id) == at_work),
            ahead: &ahead,
            meetings: &self.meetings,
            behind,
        })
    }

    /// Before what a block may not be pulled: its task's own limit, and the blocks of what it waits for.
    fn earliest(&self, block: &TimeBlock, now: DateTime<Utc>) -> DateTime<Utc> {
        let Some(task) = self.tasks.iter().find(|task| task.id == block.task_id) else { return block.start };
        let days = Days::of(self.user.time_zone);
        let released = task.facts.not_before.as_ref().map_or(now, |time| days.release(time));
        let waits =
            self.blocks.iter().filter(|other| task.facts.after.contains(&other.task_id) && other.state.is_live());
        waits.map(|other| other.end).fold(released, Ord::max)
    }
}

fn hours_of(
    user: &User,
    rules: &PlanningRules,
    days: Days,
    tasks: &[Task],
    block: &TimeBlock,
    window: Window,
) -> Vec<Window> {
    let named = tasks.iter().find(|task| task.id == block.task_id).and_then(|task| task.facts.hours.as_deref());
    let map = rules.hours_named(named, &user.working_hours).unwrap_or_else(|| usual_hours(user, rules));
    work_days(days, &map, &rules.holidays, window).into_iter().flat_map(|day| day.windows).collect()
}

fn pieces(
    user: &User,
    tasks: &[Task],
    blocks: &[TimeBlock],
    skipped: &[TaskId],
    now: DateTime<Utc>,
) -> Vec<PlaylistPiece> {
    let planned: Vec<_> = blocks
        .iter()
        .filter_map(|block| Some(PlannedBlock { block, task: tasks.iter().find(|task| task.id == block.task_id)? }))
        .collect();
    let is_open = |id: TaskId| tasks.iter().any(|task| task.id == id);
    playlist(&planned, skipped, is_open, Days::of(user.time_zone), now)
}

fn refused(why: FocusRefused) -> Refusal {
    let why = match why {
        FocusRefused::AlreadyOpen => "a session is open; finish or stop it first",
        FocusRefused::TaskClosed => "the task is closed; open it again, or choose another",
        FocusRefused::Idle => "no session is open; start one first",
        FocusRefused::NotRunning => "the clock does not run",
        FocusRefused::NotPaused => "the clock does not stand still",
    };
    Refusal::Invalid { field: "act", why: why.to_owned() }
}
