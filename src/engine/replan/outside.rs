//! What it means that somebody changed a block's event at the provider.
//!
//! The event is the person's own calendar, so the calendar is believed: a block that was moved is where it was moved to, one that
//! was deleted is gone. What was *meant* is only guessed, so a moved block waits for a yes, and a deleted block deletes no task.

use chrono::{DateTime, Duration, Utc};

use crate::domain::{
    block::{BlockLock, BlockState, TimeBlock},
    event::Transparency,
    ids::TaskId,
    proposal::PlanCause,
    time::Window,
};

/// Longest block that an event can become; what is longer is no slot for work.
const SLOT_MAX: Duration = Duration::hours(24);

/// What was changed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside<'a> {
    /// It is at another time, or of another length.
    Moved(Window),
    /// It is gone.
    Deleted,
    /// It has another title.
    Renamed(&'a str),
    /// It says free, or busy.
    Shown(Transparency),
}

/// What is known here of the block's task.
#[derive(Clone, Copy, Debug)]
pub struct SeenTask {
    /// The task that the block's work is for now: its own while that is open, else the open instance that goes on with it.
    pub task: Option<TaskId>,
    /// The copy said the task's title, so whoever changed it saw it.
    pub title_was_visible: bool,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockAnswer {
    /// Nothing: it is our own echo, or says nothing about the work.
    Nothing,
    /// The block goes where its event went.
    Follow {
        /// There.
        span: Window,
        /// How it stands.
        state: BlockState,
        /// Why it stays there.
        lock: BlockLock,
        /// Whose work it is now.
        task: TaskId,
        /// A person is notified, and asked to confirm.
        asks: bool,
        /// The block at work was taken from its clock, which runs on without it.
        leaves_clock: bool,
        /// A new plan is made, with the block as busy time: what it collides with, or what is left, gets other places.
        replan: Option<PlanCause>,
    },
    /// The block goes, the task does not. A new plan may not use this time for it again.
    GiveUp {
        /// Not here.
        avoid: Window,
        /// A new plan is made; `None`: there is nothing left to plan.
        replan: Option<PlanCause>,
    },
    /// The block stays as it is and has no event any more; none is made again.
    Unlink,
    /// The task has this title now, and the events of its other blocks with it.
    Rename(String),
    /// The event says this from now on, whatever its slack.
    Show(Transparency),
}

/// Decides what a change of a block's event means.
///
/// - *Moved*: it follows, waits for a confirmation and is locked meanwhile. History follows without a question; a missed
///   block that is moved ahead is planned work again, for the instance that is open by now.
/// - *Deleted*: this time is not wanted. That is no word on the task, which gets another place. What was worked stays history.
/// - *Renamed*: the title is the task's, so the task is renamed; unless the copy did not show it (privacy), when what somebody
///   wrote there is the event's own matter.
/// - *Free or busy*: a choice, which stands until somebody makes another.
#[must_use]
pub fn answer(block: &TimeBlock, outside: Outside<'_>, seen: &SeenTask) -> BlockAnswer {
    if block.state == BlockState::Proposed {
        return BlockAnswer::Nothing;
    }
    match outside {
        Outside::Moved(span) if span == block.span() => BlockAnswer::Nothing,
        Outside::Moved(span) if span.length() <= Duration::zero() || span.length() > SLOT_MAX => deleted(block, seen),
        Outside::Moved(span) => moved(block, span, seen),
        Outside::Deleted => deleted(block, seen),
        Outside::Renamed(title) => match title.trim() {
            "" => BlockAnswer::Nothing,
            title if seen.title_was_visible => BlockAnswer::Rename(title.to_owned()),
            _ => BlockAnswer::Nothing,
        },
        Outside::Shown(shown) => BlockAnswer::Show(shown),
    }
}

fn moved(block: &TimeBlock, span: Window, seen: &SeenTask) -> BlockAnswer {
    let history = |state| BlockAnswer::Follow {
        span,
        state,
        lock: block.lock,
        task: block.task_id,
        asks: false,
        leaves_clock: false,
        replan: None,
    };
    let planned = |task, leaves_clock| BlockAnswer::Follow {
        span,
        state: BlockState::Tentative,
        lock: BlockLock::External,
        task,
        asks: true,
        leaves_clock,
        replan: Some(PlanCause::MovedOutside),
    };
    match (block.state, seen.task) {
        (BlockState::Done, _) => history(BlockState::Done),
        (BlockState::Missed, Some(task)) if span.to > seen.now => planned(task, false),
        (BlockState::Missed, _) => history(BlockState::Missed),
        (state, None) => history(state),
        // Its length was changed, or its place by a little: somebody works on it all the same.
        (BlockState::InProgress, Some(task)) if span.from <= seen.now && seen.now < span.to => BlockAnswer::Follow {
            span,
            state: BlockState::InProgress,
            lock: BlockLock::Started,
            task,
            asks: false,
            leaves_clock: false,
            replan: Some(PlanCause::MovedOutside),
        },
        (state, Some(task)) => planned(task, state == BlockState::InProgress),
    }
}

fn deleted(block: &TimeBlock, seen: &SeenTask) -> BlockAnswer {
    match block.state {
        BlockState::Done | BlockState::Missed | BlockState::InProgress => BlockAnswer::Unlink,
        BlockState::Proposed | BlockState::Tentative | BlockState::Confirmed => {
            BlockAnswer::GiveUp { avoid: block.span(), replan: seen.task.map(|_| PlanCause::DeletedOutside) }
        }
    }
}

/// What a person's yes makes of a block: confirmed, and theirs, so that no plan moves it. None when nothing was asked.
#[must_use]
pub fn confirmed(block: &TimeBlock) -> Option<(BlockState, BlockLock)> {
    (block.state == BlockState::Tentative).then_some((BlockState::Confirmed, BlockLock::User))
}
