//! What a focus session does to the blocks: where its own is put, how far it is lengthened, what is left of it, what moves up.

use chrono::{DateTime, Duration, DurationRound, Utc};

use super::{Ahead, BLOCK_MAX, FocusContext, FocusEffect, GROUP_GAP, SNAP, STEP};
use crate::domain::{
    block::{BlockState, TimeBlock},
    focus::{Focus, FocusState},
    ids::BlockId,
    proposal::PlanCause,
    time::Window,
};
use crate::engine::{focus::minutes, rest::rest};

/// Sees to it that the calendar shows what is worked on now: puts the block here, or lengthens it.
pub(super) fn settle(
    focus: &mut Focus,
    fresh: BlockId,
    context: &FocusContext<'_>,
    now: DateTime<Utc>,
    effects: &mut Vec<FocusEffect>,
) {
    match context.block.filter(|block| focus.block_id == Some(block.id)) {
        Some(block) if block.start <= now && now < block.end => {
            if block.state != BlockState::InProgress {
                effects.push(FocusEffect::Stretch(block.id, block.span()));
            }
        }
        Some(block) if block.end <= now && focus.started_at < block.end => {
            lengthen(focus, block, context, now, effects);
        }
        // Not begun yet, or over before the work began: the same block, at another time.
        Some(block) => {
            let length = block.span().length();
            if let Some(span) = room(context, now, length) {
                effects.push(FocusEffect::Stretch(block.id, span));
                push_aside(context, span, length, effects);
            }
        }
        None => {
            let length = chunk(focus, context, now);
            if let Some(span) = room(context, now, length) {
                focus.block_id = Some(fresh);
                effects.push(FocusEffect::Place(fresh, span));
                push_aside(context, span, length, effects);
            }
        }
    }
}

/// What is left of the task, in one chunk.
fn chunk(focus: &Focus, context: &FocusContext<'_>, now: DateTime<Utc>) -> Duration {
    let left = rest(context.task, minutes(focus, now)).map(|rest| rest.minutes);
    let longest = context.task.facts.max_chunk_min.filter(|longest| *longest > 0).unwrap_or(u32::MAX);
    left.map_or(STEP, |left| Duration::minutes(i64::from(left.min(longest)))).min(BLOCK_MAX)
}

/// Where a block that is begun now goes: from the last five minutes on, as long as it is, up to the next obstacle. None while
/// an obstacle is here: then the calendar shows that, and the clock runs all the same.
fn room(context: &FocusContext<'_>, now: DateTime<Utc>, length: Duration) -> Option<Window> {
    if obstacle_over(context, now).is_some() {
        return None;
    }
    let snapped = now.duration_trunc(SNAP).unwrap_or(now).max(context.behind.unwrap_or(DateTime::<Utc>::MIN_UTC));
    let over = obstacles(context).map(|obstacle| obstacle.to).filter(|to| *to <= now);
    let from = over.fold(snapped, DateTime::<Utc>::max);
    let next = obstacles(context).map(|obstacle| obstacle.from).filter(|begin| *begin > now);
    let to = next.fold(from + length.max(STEP), DateTime::<Utc>::min);
    // History ends with a whole minute; where it ends later than that, the clock has stepped back, and will come by again.
    (from < to && from <= now + Duration::minutes(1)).then_some(Window { from, to })
}

/// What must be planned again because the block is here now.
fn push_aside(context: &FocusContext<'_>, span: Window, wanted: Duration, effects: &mut Vec<FocusEffect>) {
    if span.length() < wanted {
        effects.push(FocusEffect::Replan(PlanCause::CutShort));
    }
    if meets_flexible(context, span) {
        effects.push(FocusEffect::Replan(PlanCause::Pushed));
    }
}

/// Lengthens a block whose end has passed while the clock runs, in whole steps, and never onto an obstacle.
fn lengthen(
    focus: &mut Focus,
    block: &TimeBlock,
    context: &FocusContext<'_>,
    now: DateTime<Utc>,
    effects: &mut Vec<FocusEffect>,
) {
    if focus.overrun {
        return;
    }
    let steps = (now - block.end).num_seconds().div_euclid(STEP.num_seconds()) + 1;
    let wanted = block.end + Duration::seconds(STEP.num_seconds().saturating_mul(steps));
    let longest = (block.start + BLOCK_MAX).max(block.end);
    let free_until = obstacles(context)
        .filter(|obstacle| obstacle.to > block.end && obstacle.from < wanted)
        .map(|obstacle| obstacle.from.max(block.end))
        .fold(longest, DateTime::<Utc>::min);
    let span = Window { from: block.start, to: wanted.min(free_until) };
    if span.to > block.end {
        effects.push(FocusEffect::Stretch(block.id, span));
        if meets_flexible(context, Window { from: block.end, to: span.to }) {
            effects.push(FocusEffect::Replan(PlanCause::Pushed));
        }
    }
    if span.to < wanted {
        focus.overrun = true;
        effects.extend([FocusEffect::Overrun, FocusEffect::Replan(PlanCause::Overrun)]);
    }
}

/// Before work goes on: a block that ended during the break is history, and another one follows it. Answers where the user's
/// latest worked block ends now.
pub(super) fn leave(
    focus: &mut Focus,
    context: &FocusContext<'_>,
    now: DateTime<Utc>,
    effects: &mut Vec<FocusEffect>,
) -> Option<DateTime<Utc>> {
    focus.overrun = false;
    if context.block.is_none_or(|block| block.end > now) {
        return context.behind;
    }
    let closed = close(focus, context, now, effects);
    focus.block_id = None;
    context.behind.max(closed)
}

/// Cuts the focus session's block to what was worked in it; without a minute of work there is no block. One that was never
/// reached stays planned. Answers where the worked block ends.
pub(super) fn close(
    focus: &Focus,
    context: &FocusContext<'_>,
    now: DateTime<Utc>,
    effects: &mut Vec<FocusEffect>,
) -> Option<DateTime<Utc>> {
    let reached = |block: &&TimeBlock| block.start <= now || block.state == BlockState::InProgress;
    let block = context.block.filter(|block| focus.block_id == Some(block.id)).filter(reached)?;
    let inside =
        |segment: &Window| Window { from: segment.from.max(block.start), to: segment.to.min(block.end) }.length();
    let worked = focus.worked.iter().map(inside).fold(Duration::zero(), |sum, part| sum + part);
    let last = focus.worked.last().map_or(block.start, |segment| segment.to);
    let span = Window { from: block.start, to: round_up(last, Duration::minutes(1)).min(block.end) };
    if worked < Duration::minutes(1) || span.from >= span.to {
        effects.push(FocusEffect::Drop(block.id));
        return None;
    }
    effects.push(FocusEffect::Close(block.id, span));
    Some(span.to)
}

/// After a task was finished: its other blocks go, and the blocks that follow without a gap move up, up to the first that is
/// locked or may not be earlier.
pub(super) fn close_up(focus: &Focus, context: &FocusContext<'_>, now: DateTime<Utc>, effects: &mut Vec<FocusEffect>) {
    debug_assert_eq!(focus.state, FocusState::Done);
    let others = context.ahead.iter().filter(|ahead| ahead.block.task_id == focus.task_id);
    effects.extend(others.map(|ahead| FocusEffect::Drop(ahead.block.id)));
    let Some(block) = context.block.filter(|block| block.start <= now && now < block.end) else { return };
    let (mut free_from, mut edge) = (round_up(now, SNAP), block.end);
    for ahead in context.ahead {
        if ahead.block.start > edge + GROUP_GAP || lies_between(context, edge, ahead.block.start) {
            break;
        }
        if ahead.block.task_id == focus.task_id {
            edge = edge.max(ahead.block.end);
            continue;
        }
        let gap = (ahead.block.start - edge).max(Duration::zero());
        let Some(span) = pulled(context, ahead, free_from + gap) else { break };
        effects.push(FocusEffect::Pull(ahead.block.id, span));
        (free_from, edge) = (span.to, ahead.block.end.max(edge));
    }
    if free_from < edge {
        effects.push(FocusEffect::Freed(Window { from: free_from, to: edge }));
    }
}

/// Where a block goes that may begin at `from` instead; none when it stays.
fn pulled(context: &FocusContext<'_>, ahead: &Ahead<'_>, from: DateTime<Utc>) -> Option<Window> {
    let from = from.max(round_up(ahead.earliest, SNAP));
    let span = Window { from, to: from + ahead.block.span().length() };
    let open = ahead.hours.iter().any(|hours| hours.from <= span.from && span.to <= hours.to);
    let free = !obstacles(context).any(|obstacle| obstacle.overlaps(&span));
    (!ahead.is_fixed() && from < ahead.block.start && open && free).then_some(span)
}

fn lies_between(context: &FocusContext<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
    obstacles(context).any(|obstacle| obstacle.overlaps(&Window { from, to }))
}

fn meets_flexible(context: &FocusContext<'_>, span: Window) -> bool {
    context.ahead.iter().any(|ahead| !ahead.is_fixed() && ahead.block.span().overlaps(&span))
}

/// When the obstacle that is here now is over; with several in a row, the first of them.
pub(super) fn obstacle_over(context: &FocusContext<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    obstacles(context).filter(|obstacle| obstacle.from <= now && now < obstacle.to).map(|obstacle| obstacle.to).max()
}

fn obstacles<'a>(context: &'a FocusContext<'_>) -> impl Iterator<Item = Window> + 'a {
    let fixed = context.ahead.iter().filter(|ahead| ahead.is_fixed()).map(|ahead| ahead.block.span());
    context.meetings.iter().copied().chain(fixed)
}

fn round_up(at: DateTime<Utc>, step: Duration) -> DateTime<Utc> {
    let down = at.duration_trunc(step).unwrap_or(at);
    if down < at { down + step } else { at }
}
