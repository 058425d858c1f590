//! From a user's tasks, blocks, hours and busy time to the planner's problem, and from its plan back to changes of blocks.
//!
//! Terms. *Fixed* blocks stay where they are: they are busy time, and their minutes are no longer to be placed. *Movable* ones are
//! the plan in force. A time map is cut to what a task may use of it: the part of the day it prefers, where that is wide enough;
//! and what lies before a hard deadline. The daily cap counts all of a day's blocks, whatever hours they lie in.
//!
//! **Invariant:** the same agenda makes the same problem, whatever order its parts come in.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

use chrono::{DateTime, Duration, Timelike, Utc};

use super::{
    day::Days,
    rest::{CHUNK_MIN, rest},
    scheduling::{
        self, Block, BusyTicks, BusyWith, Cap, MoveReason, Plan, PlanProblem, Previous, TickSpan, merged, without,
    },
    ticks::{Axis, Grid},
};
use crate::domain::{
    block::{BlockLock, BlockState, TimeBlock},
    ids::{BlockId, TaskId},
    proposal::Change,
    task::{Firmness, PartOfDay, Task},
    time::Window,
    working_hours::{PlanningRules, TimeMap, USUAL_HOURS},
};

/// Cost of one more block of the same task: two hours of a task of weight one.
const SPLIT_COST: u32 = 8;
/// Longest block where the task names none, in minutes.
const CHUNK_MAX: u32 = 120;
/// A preferred part of the day is used where it has so many times the work's room.
const ROOM_FACTOR: u32 = 2;

/// What moving a block costs the plan, in ticks of a task of weight one.
const MOVE_COST: u32 = 16;
/// How much more it costs when the block begins within a day.
const NEAR_FACTOR: u32 = 4;
/// How much a quiet plan is worth: every move costs so many times as much.
const STABILITY: u32 = 4;

/// Everything a plan follows from.
#[derive(Clone, Copy, Debug)]
pub struct Agenda<'a> {
    /// The user's days.
    pub days: Days,
    /// Now.
    pub now: DateTime<Utc>,
    /// How the user wants to be planned.
    pub rules: &'a PlanningRules,
    /// The hours of what names none.
    pub usual: &'a TimeMap,
    /// Open tasks.
    pub tasks: &'a [Task],
    /// Live blocks of these tasks.
    pub blocks: &'a [TimeBlock],
    /// Minutes of today that were worked already, in blocks that are over.
    pub worked_min: u32,
    /// Busy time, without the blocks' own events.
    pub busy: &'a [Window],
}

/// The problem, and what its numbers stand for.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The axis of its ticks.
    pub axis: Axis,
    /// What the planner gets.
    pub problem: PlanProblem,
    /// The task of each index.
    pub tasks: Vec<TaskId>,
    /// The block of each number of [`BusyWith::Locked`].
    pub held: Vec<BlockId>,
    /// The plan in force, in the order of [`PlanProblem::previous`].
    pub movable: Vec<BlockId>,
}

/// One change of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The block; `None`: it is new.
    pub block: Option<BlockId>,
    /// Whose work it is.
    pub task: TaskId,
    /// What is to be done.
    pub change: Change,
    /// Why, in one word.
    pub reason: &'static str,
}

/// What distinguishes the windows that a task may lie in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MapKey {
    hours: String,
    prefer: Option<PartOfDay>,
    until: Option<u32>,
    /// Ticks of its own that are to stay free before whatever comes next.
    apart: u32,
}

/// Makes the problem.
#[must_use]
pub fn compile(agenda: &Agenda<'_>) -> Compiled {
    let rules = agenda.rules;
    let axis = Axis::ahead(agenda.days, agenda.now, rules.look_ahead_days, Grid::Quarter);
    let now = tick(axis.up(agenda.now), axis);
    let mut tasks: Vec<&Task> = agenda.tasks.iter().filter(|task| task.facts.status.is_open()).collect();
    tasks.sort_by_key(|task| task.id);
    let pinned: BTreeMap<_, _> = tasks.iter().map(|task| (task.id, task.facts.pinned)).collect();
    let stays = |block: &&TimeBlock| {
        let held = pinned.get(&block.task_id).copied().unwrap_or(true);
        is_fixed(block, held, agenda.now, rules.freeze_min)
    };
    let mut blocks: Vec<_> = agenda.blocks.iter().filter(|block| block.end > agenda.now).collect();
    blocks.sort_by_key(|block| (block.start, block.id));
    let (held, movable): (Vec<_>, Vec<_>) = blocks.into_iter().partition(stays);

    let buffer = u32::from(rules.buffer_min);
    let mut busy: Vec<_> = axis
        .busy(agenda.busy.iter().copied(), buffer)
        .into_iter()
        .map(|span| BusyTicks { span, with: BusyWith::Event })
        .collect();
    let locked = (0..)
        .zip(&held)
        .filter_map(|(n, block)| Some(BusyTicks { span: axis.outwards(block.span())?, with: BusyWith::Locked(n) }));
    busy.extend(locked);
    busy.sort();

    let caps = caps(agenda, axis, &held);
    let placed = minutes_ahead(&held, agenda.now);
    let index: BTreeMap<_, _> = tasks.iter().enumerate().map(|(at, task)| (task.id, at)).collect();
    let taken = merged(busy.iter().map(|busy| busy.span));
    let mut maps = Maps { agenda, axis, now, taken, open: BTreeMap::new(), found: BTreeMap::new(), spans: Vec::new() };
    let planned: Vec<_> = tasks
        .iter()
        .map(|task| {
            let left = rest(task, 0).map(|left| left.minutes.saturating_sub(*placed.get(&task.id).unwrap_or(&0)));
            let work = left.filter(|minutes| *minutes > 0).map(|minutes| axis.ticks_of(minutes));
            let release =
                task.facts.not_before.as_ref().map_or(0, |time| tick(axis.up(agenda.days.release(time)), axis));
            let due = task.facts.due.as_ref().map(|due| tick(axis.down(agenda.days.deadline(due)), axis));
            let hard = task.facts.due.as_ref().is_some_and(|due| due.firmness == Firmness::Hard);
            let (least, most) = chunks(task, work.unwrap_or(1), axis);
            scheduling::TaskToPlace {
                work,
                release,
                due,
                weight: task.facts.priority.weight(),
                chunk_min: least,
                chunk_max: most,
                gap_after: task.facts.buffer_after_min.map(|minutes| axis.ticks_of(minutes)),
                map: maps.of(task, work.unwrap_or(0), due.filter(|_| hard)),
                after: task.facts.after.iter().filter_map(|before| index.get(before).copied()).collect(),
            }
        })
        .collect();
    let (mut previous, mut seen) = (Vec::new(), BTreeSet::new());
    let mut kept = Vec::new();
    for block in movable {
        let (Some(span), Some(task)) = (axis.inwards(block.span()), index.get(&block.task_id)) else { continue };
        let there = Block { start: span.start, end: span.end, task: *task };
        if seen.insert(there) {
            previous.push(Previous { block: there, move_cost: move_cost(block.start, agenda.now) });
            kept.push(block.id);
        }
    }
    let problem = PlanProblem {
        now,
        horizon: axis.ticks(),
        gap: axis.ticks_of(buffer),
        split_cost: SPLIT_COST,
        maps: maps.spans,
        busy,
        caps,
        tasks: planned,
        previous,
    };
    let held = held.iter().map(|block| block.id).collect();
    Compiled { axis, problem, tasks: tasks.iter().map(|task| task.id).collect(), held, movable: kept }
}

/// What a plan changes, by time: blocks that stay are not named; one that is elsewhere is moved, so that it is one update of
/// one event; the rest is added or taken away.
#[must_use]
pub fn moves(compiled: &Compiled, plan: &Plan) -> Vec<Move> {
    let axis = compiled.axis;
    let window = |block: &Block| axis.window(block.span());
    let in_force = compiled.problem.previous.iter().map(|held| held.block);
    let movable: BTreeMap<Block, BlockId> = in_force.zip(compiled.movable.iter().copied()).collect();
    let held = |wanted: &Block| movable.get(wanted).copied();
    let one = |change: &scheduling::BlockDiff| {
        let (block, task, reason, change) = match change {
            scheduling::BlockDiff::Kept(_) => return None,
            scheduling::BlockDiff::Moved { from, to, reason, .. } => {
                (Some(held(from)?), from.task, word(reason), Change::Move { from: window(from), to: window(to) })
            }
            scheduling::BlockDiff::Added(block) => (None, block.task, "placed", Change::Add { to: window(block) }),
            scheduling::BlockDiff::Dropped(block) => {
                (Some(held(block)?), block.task, "not_needed", Change::Remove { from: window(block) })
            }
        };
        Some(Move { block, task: *compiled.tasks.get(task)?, change, reason })
    };
    let mut out: Vec<_> = plan.changes.iter().filter_map(one).collect();
    out.sort_by_key(|one| (when(one.change), one.task));
    out
}

fn word(reason: &MoveReason) -> &'static str {
    match reason {
        MoveReason::Passed { .. } => "time_passed",
        MoveReason::TimeTaken { .. } => "time_taken",
        MoveReason::NotAllowed => "not_allowed",
        MoveReason::WaitsFor { .. } => "waits_for",
        MoveReason::MadeWayFor { .. } => "made_way",
        MoveReason::BetterTime { .. } => "better_time",
    }
}

/// How long each task can wait, in minutes; what is not on time cannot.
#[must_use]
pub fn slack(compiled: &Compiled, plan: &[Block]) -> BTreeMap<TaskId, i64> {
    let minutes = i64::from(compiled.axis.grid().minutes());
    let each = scheduling::slack(&compiled.problem, plan).into_iter();
    let each = each.map(|ticks| ticks.map_or(0, |ticks| i64::from(ticks) * minutes));
    compiled.tasks.iter().copied().zip(each).collect()
}

fn when(change: Change) -> (DateTime<Utc>, DateTime<Utc>) {
    match change {
        Change::Add { to } | Change::Move { to, .. } => (to.from, to.to),
        Change::Remove { from } => (from.from, from.to),
    }
}

/// A tick of the axis: what lies before it is its begin, what lies after is past its end.
fn tick(at: i64, axis: Axis) -> u32 {
    u32::try_from(at.max(0)).unwrap_or(u32::MAX).min(axis.ticks().saturating_add(1))
}

/// What may be worked of each of the user's days: the cap, less what was worked of it and what is held in it.
fn caps(agenda: &Agenda<'_>, axis: Axis, held: &[&TimeBlock]) -> Vec<Cap> {
    let Some(cap) = agenda.rules.daily_cap_min else { return Vec::new() };
    let mut taken: BTreeMap<_, i64> = BTreeMap::new();
    for block in held {
        *taken.entry(agenda.days.date(block.start)).or_default() += block.span().length().num_minutes();
    }
    let first = agenda.days.date(axis.span().from);
    *taken.entry(first).or_default() += i64::from(agenda.worked_min);
    let begins = iter::successors(Some((first, axis.span().from)), |(date, _)| agenda.days.after(*date));
    let cap = |(date, begin)| {
        let left = i64::from(cap) - taken.get(&date).copied().unwrap_or(0);
        Cap { from: tick(axis.up(begin), axis), ticks: u32::try_from(left).unwrap_or(0) / axis.grid().minutes() }
    };
    begins.take_while(|(_, begin)| *begin < axis.span().to).map(cap).collect()
}

/// Minutes that fixed blocks hold from now on, by task.
fn minutes_ahead(held: &[&TimeBlock], now: DateTime<Utc>) -> BTreeMap<TaskId, u32> {
    let mut sums = BTreeMap::new();
    for block in held {
        let minutes = u32::try_from((block.end - block.start.max(now)).num_minutes()).unwrap_or(0);
        *sums.entry(block.task_id).or_insert(0_u32) += minutes;
    }
    sums
}

/// Shortest and longest block of a task, in ticks.
fn chunks(task: &Task, work: u32, axis: Axis) -> (u32, u32) {
    if !task.facts.splittable {
        return (work, work);
    }
    let least = axis.ticks_of(task.facts.min_chunk_min.unwrap_or(CHUNK_MIN)).clamp(1, work);
    let most = axis.ticks_of(task.facts.max_chunk_min.unwrap_or(CHUNK_MAX)).max(least);
    (least, most)
}

/// The windows of the problem, each made once.
struct Maps<'a> {
    agenda: &'a Agenda<'a>,
    axis: Axis,
    now: u32,
    taken: Vec<TickSpan>,
    /// What is open by the hours of a name and a part of the day, before it is cut.
    open: BTreeMap<(String, Option<PartOfDay>), Vec<TickSpan>>,
    found: BTreeMap<MapKey, usize>,
    spans: Vec<Vec<TickSpan>>,
}

impl Maps<'_> {
    fn of(&mut self, task: &Task, work: u32, until: Option<u32>) -> usize {
        let apart = task.facts.buffer_after_min.map_or(0, |minutes| self.axis.ticks_of(minutes));
        let hours = task.facts.hours.clone().unwrap_or_else(|| USUAL_HOURS.to_owned());
        if let Some(prefer) = task.facts.prefer {
            let key = MapKey { hours: hours.clone(), prefer: Some(prefer), until, apart };
            let open = self.windows(&key);
            let room: u32 =
                without(&open, &self.taken).into_iter().map(|s| s.end.saturating_sub(s.start.max(self.now))).sum();
            if room >= work.saturating_mul(ROOM_FACTOR) {
                return self.add(key, &open);
            }
        }
        let key = MapKey { hours, prefer: None, until, apart };
        let open = self.windows(&key);
        self.add(key, &open)
    }

    fn add(&mut self, key: MapKey, open: &[TickSpan]) -> usize {
        let spans = &mut self.spans;
        *self.found.entry(key).or_insert_with(|| {
            spans.push(open.to_vec());
            spans.len() - 1
        })
    }

    fn windows(&mut self, key: &MapKey) -> Vec<TickSpan> {
        let until = key.until.unwrap_or(u32::MAX);
        let cut = merged(self.open(key).iter().map(|span| TickSpan { end: span.end.min(until), ..*span }));
        without(&cut, &self.before(key.apart))
    }

    /// Walking through the days of a zone is dear, and many tasks lie in the same hours.
    fn open(&mut self, key: &MapKey) -> &[TickSpan] {
        let (agenda, axis) = (self.agenda, self.axis);
        self.open.entry((key.hours.clone(), key.prefer)).or_insert_with(|| {
            let map = agenda.rules.hours.get(&key.hours).unwrap_or(agenda.usual);
            let days = axis.open(agenda.days, map, agenda.rules);
            let wanted = |span: TickSpan| part(key.prefer, span, axis, agenda.days);
            merged(days.into_iter().flat_map(|day| day.spans).flat_map(wanted))
        })
    }

    /// So many ticks before all that is busy: who keeps time free after its work keeps it before a meeting, too.
    fn before(&self, apart: u32) -> Vec<TickSpan> {
        let before = |span: &TickSpan| TickSpan { start: span.start.saturating_sub(apart), end: span.start };
        if apart == 0 { Vec::new() } else { merged(self.taken.iter().map(before)) }
    }
}

/// What of a span lies in a part of the day.
fn part(prefer: Option<PartOfDay>, span: TickSpan, axis: Axis, days: Days) -> Vec<TickSpan> {
    let Some(prefer) = prefer else { return vec![span] };
    let suits = |tick: u32| {
        let hour = days.wall(axis.instant(tick)).hour();
        match prefer {
            PartOfDay::Morning => hour < 12,
            PartOfDay::Afternoon => (12..17).contains(&hour),
            PartOfDay::Evening => hour >= 17,
        }
    };
    merged((span.start..span.end).filter(|at| suits(*at)).map(|at| TickSpan { start: at, end: at + 1 }))
}

/// Whether a plan leaves a block where it is; then it is busy time. `pinned`: its task is.
fn is_fixed(block: &TimeBlock, pinned: bool, now: DateTime<Utc>, freeze_min: u16) -> bool {
    let is_over = matches!(block.state, BlockState::Done | BlockState::Missed) || block.end <= now;
    let is_chosen = block.state == BlockState::InProgress || block.lock != BlockLock::None;
    // Somebody may be on their way to it.
    let is_soon = block.start <= now + Duration::minutes(i64::from(freeze_min));
    // An offer binds nobody.
    is_over || is_chosen || (block.state != BlockState::Proposed && (pinned || is_soon))
}

/// What moving a block costs the plan.
fn move_cost(start: DateTime<Utc>, now: DateTime<Utc>) -> u32 {
    let near = if start < now + Duration::hours(24) { NEAR_FACTOR } else { 1 };
    MOVE_COST * near * STABILITY
}
