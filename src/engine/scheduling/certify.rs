//! What no plan can do: bounds that end a search early, deadlines that cannot all be kept, and how much each task can wait.

use super::{
    flow::{Demand, Flow},
    insert::{InsertOrder, Inserter},
    meter::{Meter, Unstopped, work},
    piece::NONE,
    problem::{Block, PlanProblem, TaskToPlace, Tick, TickSpan},
    score::{self, Score, TaskProgress},
    sequence::{Prepared, SearchTask},
    slots::{self, Free},
};

/// A score that no schedule is below, in any of its three parts; nought, if the meter is over before it is known. Caps of days are
/// left out of it, which makes it lower.
pub fn bound(prepared: &Prepared, meter: &Meter<'_>) -> Score {
    let alone = if prepared.caps.is_empty() { alone(prepared, meter) } else { alone(&prepared.without_caps(), meter) };
    let late = |(job, alone): &(&SearchTask, &TaskAlone)| job.due != NONE && (alone.rest > 0 || alone.end > job.due);
    let certain: u64 = prepared.jobs.iter().zip(&alone).filter(late).map(|(job, _)| job.weight).sum();
    if meter.is_over() {
        return Score::default();
    }
    let bound = Score {
        missed: certain + missed(prepared, &alone, meter),
        unplaced: unplaced(prepared, &alone, meter),
        cost: alone.iter().map(|alone| alone.cost).sum(),
    };
    if meter.is_over() { Score::default() } else { bound }
}

/// How far a task comes if it has all free time for itself.
#[derive(Clone, Copy, Debug)]
struct TaskAlone {
    /// Ticks that cannot be placed.
    rest: Tick,
    /// Earliest end, if nothing rests.
    end: Tick,
    /// Least cost.
    cost: u64,
}

fn alone(prepared: &Prepared, meter: &Meter<'_>) -> Vec<TaskAlone> {
    let mut inserter = Inserter::new(meter);
    let mut one = |task: u32, job: &SearchTask, split_cost| {
        if meter.is_over() {
            return (0, 0, 0);
        }
        let order = InsertOrder {
            task,
            ticks: job.work,
            from: prepared.now,
            until: job.until,
            split_cost,
            whim: 0,
            whole: false,
        };
        let rest = job.work - inserter.insert(prepared, &[], &order);
        let end = inserter.found.last().map_or(0, |(start, length)| start + length);
        (rest, end, u64::try_from(inserter.found.len()).unwrap_or(0))
    };
    let jobs = (0..).zip(&prepared.jobs);
    jobs.map(|(task, job)| {
        let (rest, end, _) = one(task, job, 0);
        let (_, cheap, blocks) = one(task, job, prepared.split_cost);
        let flow = |end: Tick| job.weight * u64::from(end.saturating_sub(job.release));
        let never = flow(prepared.horizon);
        let cost = if rest > 0 {
            never
        } else {
            never.min(flow(cheap) + u64::from(prepared.split_cost) * blocks.saturating_sub(1))
        };
        TaskAlone { rest, end, cost }
    })
    .collect()
}

/// The least weight of deadlines, of those that can be kept alone, that cannot all be kept together.
fn missed(prepared: &Prepared, alone: &[TaskAlone], meter: &Meter<'_>) -> u64 {
    let possible = |job: &SearchTask, alone: &TaskAlone| job.due != NONE && alone.rest == 0 && alone.end <= job.due;
    let chosen: Vec<&SearchTask> =
        prepared.jobs.iter().zip(alone).filter(|(job, alone)| possible(job, alone)).map(|(job, _)| job).collect();
    let demands: Vec<Demand> = chosen.iter().map(|job| demand(prepared, job, job.due)).collect();
    let Some(mut flow) = Flow::new(&prepared.free, &demands, meter) else { return 0 };
    let mut short = Vec::new();
    for (at, job) in chosen.iter().enumerate() {
        if flow.add(at, job.work) < job.work {
            short.push(at);
        }
    }
    // Each set that competes for too little time must lose enough of its tasks; sets that share a task are not added up.
    let mut seen = vec![false; chosen.len()];
    let mut sum = 0;
    for at in short {
        if meter.is_over() {
            return 0;
        }
        let tight = flow.tight(at);
        if tight.rows.iter().any(|task| seen.get(*task).copied().unwrap_or(true)) {
            continue;
        }
        tight.rows.iter().for_each(|task| seen.get_mut(*task).into_iter().for_each(|seen| *seen = true));
        let members: Vec<&SearchTask> = tight.rows.iter().filter_map(|task| chosen.get(*task).copied()).collect();
        let ticks: Tick = members.iter().map(|job| job.work).sum();
        sum += least_weight(&members, ticks.saturating_sub(tight.supply), meter);
    }
    sum
}

/// The least weight of some of these tasks that together have at least so much work.
fn least_weight(jobs: &[&SearchTask], ticks: Tick, meter: &Meter<'_>) -> u64 {
    meter.spend(work(jobs.len() * (ticks as usize + 1)));
    if meter.is_over() {
        return 0;
    }
    let mut least = vec![u64::MAX; ticks as usize + 1];
    if let Some(nothing) = least.first_mut() {
        *nothing = 0;
    }
    for job in jobs {
        for have in (0..least.len()).rev() {
            let without = least.get(have.saturating_sub(job.work as usize)).copied().unwrap_or(u64::MAX);
            if let Some(cell) = least.get_mut(have) {
                *cell = (*cell).min(without.saturating_add(job.weight));
            }
        }
    }
    least.last().copied().filter(|weight| *weight < u64::MAX).unwrap_or(0)
}

/// The least weight of ticks that do not fit. The heaviest task flows first: that is best, as sets of ticks that can flow
/// together have the exchange property.
fn unplaced(prepared: &Prepared, alone: &[TaskAlone], meter: &Meter<'_>) -> u64 {
    let demands: Vec<Demand> = prepared.jobs.iter().map(|job| demand(prepared, job, job.until)).collect();
    let certain = prepared.jobs.iter().zip(alone).map(|(job, alone)| job.weight * u64::from(alone.rest)).sum();
    let Some(mut flow) = Flow::new(&prepared.free, &demands, meter) else { return certain };
    let mut order: Vec<usize> = (0..prepared.jobs.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(prepared.jobs.get(*at).map_or(0, |job| job.weight)));
    let mut sum = certain;
    for at in order {
        let Some((job, alone)) = prepared.jobs.get(at).zip(alone.get(at)) else { continue };
        let ticks = job.work - alone.rest;
        sum += job.weight * u64::from(ticks - flow.add(at, ticks));
    }
    sum
}

fn demand(prepared: &Prepared, job: &SearchTask, end: Tick) -> Demand {
    let within = TickSpan { start: job.release.max(prepared.now), end: end.min(prepared.horizon) };
    Demand { map: job.map, within, chunk_min: job.chunk_min }
}

/// Tasks that need more time than there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overload {
    /// The time in question.
    pub within: TickSpan,
    /// Free ticks that any of the tasks may use before it must be done.
    pub supply: Tick,
    /// Ticks of work of the tasks.
    pub demand: Tick,
    /// The tasks, by index.
    pub tasks: Vec<usize>,
}

/// Cells of a flow that are copied in the time of one look.
const CELLS_COPIED: u64 = 4;
/// Work that [`slack`] may do; tasks that it does not come to have none.
const SLACK_WORK: u64 = 10_000_000;

/// The tasks of a schedule that are done, as work that flows, each before its deadline if it keeps it.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    meter: &'a Meter<'a>,
    flow: Option<Flow<'a>>,
    work: Vec<Tick>,
    /// The tasks that may be asked about. Their rows follow those of all tasks.
    asked: Vec<usize>,
}

impl<'a> Certificate<'a> {
    /// Lets everything flow that a schedule completes. Of some tasks it may be asked why they cannot be done before a tick.
    pub fn new(
        problem: &PlanProblem,
        free: &[Free],
        progress: &[TaskProgress],
        asked: &[(usize, Tick)],
        meter: &'a Meter<'a>,
    ) -> Self {
        let row = |at: usize, until: Tick| {
            let task = problem.tasks.get(at);
            let start = task.map_or(0, |task| task.release).max(problem.now);
            let within = TickSpan { start, end: until.min(problem.horizon) };
            Demand { map: task.map_or(0, |task| task.map), within, chunk_min: task.map_or(0, |task| task.chunk_min) }
        };
        let kept = |(task, done): (&TaskToPlace, &TaskProgress)| {
            task.due.filter(|due| done.end <= *due).unwrap_or(problem.horizon)
        };
        let ends = problem.tasks.iter().zip(progress).map(kept);
        let all = ends.enumerate().chain(asked.iter().copied()).map(|(at, until)| row(at, until));
        let mut flow = Flow::new(free, &all.collect::<Vec<_>>(), meter);
        let work: Vec<Tick> = problem.tasks.iter().map(|task| task.work.unwrap_or(0)).collect();
        if let Some(flow) = &mut flow {
            for (at, (ticks, done)) in work.iter().zip(progress).enumerate() {
                if done.rest == 0 && done.blocks > 0 {
                    flow.add(at, *ticks);
                }
            }
        }
        Self { meter, flow, work, asked: asked.iter().map(|(at, _)| *at).collect() }
    }

    /// Why a task that may be asked about cannot be done, if that can be counted, and is before the meter is over.
    pub fn overload(&self, task: usize) -> Option<Overload> {
        let mut flow = self.copy()?;
        let (row, ticks) = (self.asked.iter().position(|at| *at == task)? + self.work.len(), *self.work.get(task)?);
        flow.remove(task);
        if flow.add(row, ticks) == ticks {
            return None;
        }
        let tight = flow.tight(row);
        if self.meter.is_over() {
            return None;
        }
        let asked = |row: &usize| row.checked_sub(self.work.len()).map_or(Some(*row), |at| self.asked.get(at).copied());
        let mut tasks: Vec<usize> = tight.rows.iter().filter_map(asked).collect();
        tasks.sort_unstable();
        let demand = tasks.iter().filter_map(|task| self.work.get(*task)).sum();
        Some(Overload { within: tight.within, supply: tight.supply, demand, tasks })
    }

    /// The flow, to change it.
    fn copy(&self) -> Option<Flow<'a>> {
        let flow = self.flow.as_ref().filter(|_| !self.meter.is_over())?;
        self.meter.spend(flow.size() / CELLS_COPIED);
        Some(flow.clone())
    }
}

/// How long each task of a schedule can wait: how many ticks of other work fit before its deadline (the horizon, if it has
/// none) while every task that is on time now can still be. None: it is not on time, or too much to be counted. A task with
/// little slack holds its time; one with much could be somewhere else.
#[must_use]
pub fn slack(problem: &PlanProblem, blocks: &[Block]) -> Vec<Option<Tick>> {
    let progress = score::progress(problem, blocks);
    let meter = Meter::new(SLACK_WORK, &Unstopped);
    let certificate = Certificate::new(problem, &slots::free(problem, |_| true), &progress, &[], &meter);
    let one = |(at, (task, done)): (usize, (&TaskToPlace, &TaskProgress))| {
        let on_time = done.rest == 0 && done.blocks > 0 && task.due.is_none_or(|due| done.end <= due);
        let slack = if on_time { Some(certificate.copy()?.add(at, problem.horizon)) } else { None };
        // Less than that may be all that there was time to count.
        slack.filter(|_| !meter.is_over())
    };
    problem.tasks.iter().zip(&progress).enumerate().map(one).collect()
}
