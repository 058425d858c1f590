//! Which tasks share which time: work as a flow from tasks into spans of free time.
//!
//! Time is cut at every release, deadline and end of free time, so that a task may use a part wholly or not at all. Nothing is
//! known here of chunks but that a span shorter than the shortest is of no use, and nothing of gaps and order: what is
//! impossible here is impossible, and what is possible here may still not be. A task whose work cannot all flow has a reason
//! that can be counted: the tasks it competes with, directly or by way of others, need more ticks than all the time that any
//! of them may use.

use std::collections::VecDeque;

use super::{
    meter::{Meter, work},
    problem::{Tick, TickSpan},
    slots::Free,
};

/// Largest table, in tasks times parts of time; what is larger is not certified.
const CELLS_MAX: usize = 400_000;

/// What a task asks of time.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Index of its time map.
    pub map: usize,
    /// When it may be worked on.
    pub within: TickSpan,
    /// Its shortest block: a free span that is shorter is of no use to it.
    pub chunk_min: Tick,
}

/// Work flowing into time. What is searched for a way is counted on its meter; when that is over, nothing more flows, and nothing
/// may be concluded from what does not.
#[derive(Clone, Debug)]
pub struct Flow<'a> {
    meter: &'a Meter<'a>,
    parts: Vec<TickSpan>,
    /// Ticks of each part that nothing flows into.
    left: Vec<Tick>,
    /// For each task and part: whether it may flow there.
    allowed: Vec<bool>,
    /// For each part and task: how much flows.
    flows: Vec<Tick>,
    tasks: usize,
}

/// What a task that cannot flow competes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tight {
    /// The tasks, itself among them, in order of their rows.
    pub rows: Vec<usize>,
    /// Ticks of free time that any of them may use.
    pub supply: Tick,
    /// From the first of these ticks to behind the last.
    pub within: TickSpan,
}

impl<'a> Flow<'a> {
    /// No work yet. None: too large.
    pub fn new(free: &[Free], demands: &[Demand], meter: &'a Meter<'a>) -> Option<Self> {
        let spans = free.iter().flat_map(Free::spans).chain(demands.iter().map(|demand| &demand.within));
        let mut cuts: Vec<Tick> = spans.flat_map(|span| [span.start, span.end]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let between = cuts.iter().zip(cuts.iter().skip(1)).map(|(start, end)| TickSpan { start: *start, end: *end });
        let parts: Vec<TickSpan> = between.filter(|part| free.iter().any(|free| free.holds(*part))).collect();
        meter.spend(work(parts.len() * demands.len()));
        if parts.len().saturating_mul(demands.len()) > CELLS_MAX || meter.is_over() {
            return None;
        }
        let may = |demand: &Demand, part: &TickSpan| {
            let Some(span) = free.get(demand.map).and_then(|free| free.after(part.start).first()) else { return false };
            let usable = TickSpan { start: span.start.max(demand.within.start), end: span.end.min(demand.within.end) };
            usable.start <= part.start && part.end <= usable.end && usable.len() >= demand.chunk_min
        };
        let allowed: Vec<bool> =
            demands.iter().flat_map(|demand| parts.iter().map(move |part| may(demand, part))).collect();
        Some(Self {
            meter,
            left: parts.iter().map(|part| part.len()).collect(),
            flows: vec![0; allowed.len()],
            tasks: demands.len(),
            allowed,
            parts,
        })
    }

    /// Lets so many ticks of a task flow, moving others aside where that helps. Answers how many do.
    pub fn add(&mut self, task: usize, ticks: Tick) -> Tick {
        if self.meter.is_over() {
            return 0;
        }
        let mut rest = ticks - self.add_directly(task, ticks);
        while rest > 0 && !self.meter.is_over() {
            let (reached, end) = self.reach(task);
            let Some(end) = end else { break };
            rest -= self.push(task, end, &reached, rest);
        }
        ticks - rest
    }

    /// The same into what nothing flows into yet: most work needs nothing else, and it is soon found.
    fn add_directly(&mut self, task: usize, ticks: Tick) -> Tick {
        let width = self.parts.len().max(1);
        self.meter.spend(work(width));
        let allowed = self.allowed.chunks_exact(width).nth(task).into_iter().flatten();
        let flows = self.flows.iter_mut().skip(task).step_by(self.tasks.max(1));
        let mut rest = ticks;
        for ((left, flow), _) in self.left.iter_mut().zip(flows).zip(allowed).filter(|(_, allowed)| **allowed) {
            let amount = rest.min(*left);
            *left -= amount;
            *flow += amount;
            rest -= amount;
        }
        ticks - rest
    }

    /// Cells of its table.
    pub fn size(&self) -> u64 {
        work(self.flows.len())
    }

    /// Takes all of a task's work out again.
    pub fn remove(&mut self, task: usize) {
        let own = self.flows.iter_mut().skip(task).step_by(self.tasks.max(1));
        for (flow, left) in own.zip(&mut self.left) {
            *left += std::mem::take(flow);
        }
    }

    /// What a task competes with that cannot flow any more.
    pub fn tight(&self, task: usize) -> Tight {
        let (reached, _) = self.reach(task);
        let mut rows: Vec<usize> = reached.tasks.iter().enumerate().filter_map(|(at, from)| from.map(|_| at)).collect();
        rows.push(task);
        rows.sort_unstable();
        rows.dedup();
        let parts: Vec<TickSpan> =
            self.parts.iter().zip(&reached.parts).filter_map(|(part, from)| from.map(|_| *part)).collect();
        let start = parts.iter().map(|part| part.start).min().unwrap_or(0);
        let end = parts.iter().map(|part| part.end).max().unwrap_or(0);
        Tight { rows, supply: parts.iter().map(|part| part.len()).sum(), within: TickSpan { start, end } }
    }

    /// Searches from a task to a part that has ticks left: over parts it may use, to tasks that flow there, and so on.
    #[expect(clippy::indexing_slicing, reason = "tables of tasks times parts, indexed by what was counted from them")]
    fn reach(&self, task: usize) -> (Reached, Option<usize>) {
        let width = self.parts.len();
        let mut reached = Reached { parts: vec![None; width], tasks: vec![None; self.tasks] };
        let mut queue = VecDeque::from([task]);
        while let Some(from) = queue.pop_front().filter(|_| !self.meter.is_over()) {
            self.meter.spend(work(width));
            for part in 0..width {
                if reached.parts[part].is_some() || !self.allowed[from * width + part] {
                    continue;
                }
                reached.parts[part] = Some(from);
                if self.left[part] > 0 {
                    return (reached, Some(part));
                }
                self.meter.spend(work(self.tasks));
                let flows = &self.flows[part * self.tasks..(part + 1) * self.tasks];
                for (other, _) in flows.iter().enumerate().filter(|(_, flow)| **flow > 0) {
                    if other != task && reached.tasks[other].is_none() {
                        reached.tasks[other] = Some(part);
                        queue.push_back(other);
                    }
                }
            }
        }
        (reached, None)
    }

    /// Sends work back along the way that was found. Answers how much.
    #[expect(clippy::indexing_slicing, reason = "the way leads over tasks and parts that were reached")]
    fn push(&mut self, task: usize, end: usize, reached: &Reached, most: Tick) -> Tick {
        let tasks = self.tasks;
        let mut amount = most.min(self.left[end]);
        let mut part = end;
        while let Some(from) = reached.parts[part] {
            let Some(before) = reached.tasks[from].filter(|_| from != task) else { break };
            amount = amount.min(self.flows[before * tasks + from]);
            part = before;
        }
        self.left[end] -= amount;
        part = end;
        while let Some(from) = reached.parts[part] {
            self.flows[part * tasks + from] += amount;
            let Some(before) = reached.tasks[from].filter(|_| from != task) else { break };
            self.flows[before * tasks + from] -= amount;
            part = before;
        }
        amount
    }
}

/// From where each part and each task was reached.
struct Reached {
    parts: Vec<Option<usize>>,
    tasks: Vec<Option<usize>>,
}
