//! Focus: the clock of somebody who works, and what it does to the calendar.
//!
//! Terms. A *focus session* is one [`Focus`]; a user without an open one is idle. An *obstacle* does not yield: a meeting, or another
//! block that is locked. A *flexible* block does: it is pushed by planning again with the block at work as busy time.
//!
//! **Invariant:** at most one focus session of a user is open. What is stored as worked never shrinks, also where the clock steps back. No block
//! is put, lengthened or pulled onto an obstacle. Between inputs nothing is written: a block is lengthened when it ends, a
//! quarter of an hour at a time.

mod calendar;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Duration, NaiveDate, Utc};

use super::day::Days;
use crate::domain::{
    block::{BlockLock, TimeBlock},
    focus::{Focus, FocusState},
    ids::{BlockId, FocusId},
    proposal::PlanCause,
    task::Task,
    time::Window,
    working_hours::PastPolicy,
};

/// A block that is begun at another time than planned begins at the last of these.
pub const SNAP: Duration = Duration::minutes(5);
/// How much a block is lengthened at a time.
pub const STEP: Duration = Duration::minutes(15);
/// How long after its end a block that nobody worked on is still not given up.
pub const GRACE: Duration = Duration::minutes(30);
/// No block is lengthened beyond this: by then the clock was forgotten.
pub const BLOCK_MAX: Duration = Duration::hours(12);
/// Blocks no further apart are one group.
pub const GROUP_GAP: Duration = Duration::minutes(15);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FocusInput {
    /// Work begins on the context's task, in the context's block if it has one.
    Start {
        /// The focus session's id.
        focus: FocusId,
        /// The id of a block, should one be made.
        fresh: BlockId,
    },
    /// A break.
    Pause,
    /// Work goes on.
    Resume {
        /// The id of a block, should one be made.
        fresh: BlockId,
    },
    /// The task is finished.
    Finish,
    /// Something else first.
    Skip,
    /// Enough for now.
    Stop,
    /// Time has passed: [`alarm`] says when this is worth it.
    Tick {
        /// The id of a block, should one be made.
        fresh: BlockId,
    },
}

/// What to do. The caller stores and, where the user wants to be asked, proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FocusEffect {
    /// Make a block of the task: in progress, locked as started.
    Place(BlockId, Window),
    /// The focus session's block is here from now on: in progress, locked as started. The event is written once.
    Stretch(BlockId, Window),
    /// The block is history: worked, and cut to this.
    Close(BlockId, Window),
    /// Take the block away.
    Drop(BlockId),
    /// Move a block that follows to here.
    Pull(BlockId, Window),
    /// Add these minutes to the task's.
    Worked(u32),
    /// The task is done.
    TaskDone,
    /// Time that was planned is free again.
    Freed(Window),
    /// Plan again.
    Replan(PlanCause),
    /// Announce that the time is up, and the work is not done.
    Overrun,
    /// Offer the playlist's next piece.
    OfferNext,
    /// Nothing was done.
    Refused(FocusRefused),
}

/// Why an input did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FocusRefused {
    /// Another focus session is open: stop it first.
    AlreadyOpen,
    /// The task is not to be done any more.
    TaskClosed,
    /// No focus session is open.
    Idle,
    /// The focus session does not run.
    NotRunning,
    /// The focus session does not stand still.
    NotPaused,
}

/// Another block of the user that is not over.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    /// The block.
    pub block: &'a TimeBlock,
    /// Its task must stay where it is.
    pub pinned: bool,
    /// It may not begin before this (its task's own limit, and what it waits for).
    pub earliest: DateTime<Utc>,
    /// When its task may be done, by begin.
    pub hours: &'a [Window],
}

impl Ahead<'_> {
    /// Whether it stays where it is, whatever comes.
    fn is_fixed(&self) -> bool {
        self.pinned || self.block.lock != BlockLock::None
    }
}

/// What is around the focus session, as it is stored now.
#[derive(Clone, Copy, Debug)]
pub struct FocusContext<'a> {
    /// The focus session's task.
    pub task: &'a Task,
    /// The focus session's block.
    pub block: Option<&'a TimeBlock>,
    /// Other blocks that are in the calendar and not over, by start.
    pub ahead: &'a [Ahead<'a>],
    /// Everything else that takes time, by begin, not overlapping.
    pub meetings: &'a [Window],
    /// Where the user's latest worked block ends: history is not written over.
    pub behind: Option<DateTime<Utc>>,
}

/// One input: the focus session as it is now, and what to do. Total: an input that means nothing is refused and changes nothing.
/// `focus` is the user's open focus session, if any.
#[must_use]
pub fn step(
    focus: Option<Focus>,
    input: FocusInput,
    context: &FocusContext<'_>,
    now: DateTime<Utc>,
) -> (Option<Focus>, Vec<FocusEffect>) {
    let open = focus.filter(Focus::is_open);
    let mut effects = Vec::new();
    let Some(mut focus) = open else {
        let FocusInput::Start { focus, fresh } = input else {
            return (None, vec![FocusEffect::Refused(FocusRefused::Idle)]);
        };
        if !context.task.facts.status.is_open() {
            return (None, vec![FocusEffect::Refused(FocusRefused::TaskClosed)]);
        }
        let mut begun = begin(focus, context, now);
        calendar::settle(&mut begun, fresh, context, now, &mut effects);
        return (Some(begun), effects);
    };
    // A clock that steps back takes nothing away that was worked.
    let now = now.max(focus.since);
    match (input, focus.state) {
        (FocusInput::Start { .. }, _) => effects.push(FocusEffect::Refused(FocusRefused::AlreadyOpen)),
        (FocusInput::Pause, FocusState::Running) => {
            focus.worked = focus.segments(now).collect();
            enter(&mut focus, FocusState::Paused, now);
        }
        (FocusInput::Pause, _) => effects.push(FocusEffect::Refused(FocusRefused::NotRunning)),
        (FocusInput::Resume { fresh }, FocusState::Paused) => {
            let behind = calendar::leave(&mut focus, context, now, &mut effects);
            enter(&mut focus, FocusState::Running, now);
            calendar::settle(&mut focus, fresh, &FocusContext { behind, ..*context }, now, &mut effects);
        }
        (FocusInput::Resume { .. }, _) => effects.push(FocusEffect::Refused(FocusRefused::NotPaused)),
        (FocusInput::Finish, _) => {
            end(&mut focus, FocusState::Done, context, now, &mut effects);
            effects.push(FocusEffect::TaskDone);
            calendar::close_up(&focus, context, now, &mut effects);
            effects.push(FocusEffect::OfferNext);
        }
        (FocusInput::Skip, _) => {
            end(&mut focus, FocusState::Stopped, context, now, &mut effects);
            effects.extend([FocusEffect::Replan(PlanCause::Stopped), FocusEffect::OfferNext]);
        }
        (FocusInput::Stop, _) => {
            end(&mut focus, FocusState::Stopped, context, now, &mut effects);
            effects.push(FocusEffect::Replan(PlanCause::Stopped));
        }
        (FocusInput::Tick { fresh }, FocusState::Running) => {
            calendar::settle(&mut focus, fresh, context, now, &mut effects);
        }
        (FocusInput::Tick { .. }, _) if forgotten_at(&focus, context) <= now => {
            end(&mut focus, FocusState::Stopped, context, now, &mut effects);
            effects.push(FocusEffect::Replan(PlanCause::Stopped));
        }
        (FocusInput::Tick { .. }, _) => {}
    }
    (Some(focus), effects)
}

fn begin(id: FocusId, context: &FocusContext<'_>, now: DateTime<Utc>) -> Focus {
    Focus {
        id,
        space_id: context.task.space_id.clone(),
        user_id: context.task.user_id.clone(),
        task_id: context.task.id,
        block_id: context.block.map(|block| block.id),
        state: FocusState::Running,
        since: now,
        worked: Vec::new(),
        overrun: false,
        started_at: now,
        ended_at: None,
        version: 0,
    }
}

fn enter(focus: &mut Focus, state: FocusState, now: DateTime<Utc>) {
    (focus.state, focus.since) = (state, now);
    focus.version += 1;
}

fn end(
    focus: &mut Focus,
    state: FocusState,
    context: &FocusContext<'_>,
    now: DateTime<Utc>,
    effects: &mut Vec<FocusEffect>,
) {
    focus.worked = focus.segments(now).collect();
    enter(focus, state, now);
    focus.ended_at = Some(now);
    effects.push(FocusEffect::Worked(minutes(focus, now)));
    calendar::close(focus, context, now, effects);
}

/// When a focus session that stands still is over by itself: nobody came back for [`GRACE`] after its block's end.
fn forgotten_at(focus: &Focus, context: &FocusContext<'_>) -> DateTime<Utc> {
    context.block.map_or(focus.since, |block| block.end.max(focus.since)) + GRACE
}

/// When [`FocusInput::Tick`] is next worth it; none: not before another input. Derived from what is stored, never kept.
#[must_use]
pub fn alarm(focus: &Focus, context: &FocusContext<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match focus.state {
        FocusState::Running if focus.overrun => None,
        FocusState::Running => match context.block {
            Some(block) if block.start <= now && focus.started_at < block.end => Some(block.end),
            // What is worked on is not in the calendar yet.
            _ => Some(calendar::obstacle_over(context, now).unwrap_or(now + STEP)),
        },
        FocusState::Paused => Some(forgotten_at(focus, context)),
        FocusState::Done | FocusState::Stopped => None,
    }
}

/// Minutes worked in a focus session up to `now`, to the nearest minute of elapsed time.
#[must_use]
pub fn minutes(focus: &Focus, now: DateTime<Utc>) -> u32 {
    u32::try_from((focus.elapsed(now) + Duration::seconds(30)).num_minutes()).unwrap_or(u32::MAX)
}

/// The same by the user's dates, as elapsed time: what a day's statistics are made of.
#[must_use]
pub fn by_day(focus: &Focus, days: Days, now: DateTime<Utc>) -> Vec<(NaiveDate, Duration)> {
    let mut sums: Vec<(NaiveDate, Duration)> = Vec::new();
    for (date, part) in focus.segments(now).flat_map(|segment| days.split(segment)) {
        match sums.last_mut() {
            Some((last, sum)) if *last == date => *sum += part,
            _ => sums.push((date, part)),
        }
    }
    sums
}

/// What a block is whose end has passed and that nobody works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastBlock {
    /// Somebody may still say that it was done: look again at this instant.
    Waiting(DateTime<Utc>),
    /// Missed as of its end: its work is planned again.
    Missed,
    /// Taken to have been worked as planned: its minutes count, the task's end is asked for.
    AssumedDone,
}

/// Judges a block that nobody works on; none while it is not over, or once it is history. `worked`: something was worked in it.
#[must_use]
pub fn past(block: &TimeBlock, worked: bool, policy: PastPolicy, now: DateTime<Utc>) -> Option<PastBlock> {
    if !block.state.is_live() || worked || now < block.end {
        return None;
    }
    let until = block.end + GRACE;
    Some(match policy {
        _ if now < until => PastBlock::Waiting(until),
        PastPolicy::Missed => PastBlock::Missed,
        PastPolicy::AssumeDone => PastBlock::AssumedDone,
    })
}
