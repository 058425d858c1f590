//! Why something does not fit or has moved, with its numbers, and what a person may do about it.
//!
//! A reason is looked for from the certain to the likely: what the task lacks itself, what its hours cannot hold even if it
//! were alone, what can be counted against others, and only then who has the time that it would need. The first that holds
//! is reported.

use super::{
    certify::{Certificate, Overload},
    insert::{InsertOrder, Inserter},
    meter::{Meter, work},
    problem::{Block, BusyTicks, BusyWith, PlanProblem, TaskToPlace, Tick, TickSpan},
    score::{self, TaskProgress},
    sequence::Prepared,
    slots::Free,
};

/// What it costs to sort a span into free time.
const LOOKS_A_SPAN: u64 = 8;

/// Why a task is not, not wholly or not in time done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnplacedReason {
    /// Nobody has said how long it takes.
    NoEstimate,
    /// It may not begin before the look-ahead ends.
    StartsAfterHorizon {
        /// First tick that it may use.
        release: Tick,
        /// First tick after the look-ahead.
        horizon: Tick,
    },
    /// It is due before it may begin, or was before now.
    DeadlinePassed {
        /// When it is due.
        due: Tick,
        /// First tick that it may use.
        earliest: Tick,
    },
    /// It waits for a task that is not done, or not early enough.
    WaitsFor {
        /// The task, by index.
        task: usize,
    },
    /// Its hours have no free time at all between its release and its deadline or the horizon.
    NoAllowedHours,
    /// It would fit, were all sources of availability heard.
    AvailabilityUnknown {
        /// The source, by the caller's number.
        source: u32,
    },
    /// It would fit, were it not for blocks that may not move.
    LockedBlocks {
        /// The blocks, by the caller's numbers, in order of time.
        ids: Vec<u32>,
    },
    /// Even alone it does not fit: the gaps are too small for its pieces.
    LargestGapTooSmall {
        /// Ticks of the largest gap.
        gap: Tick,
        /// Ticks of its shortest block.
        chunk_min: Tick,
        /// Ticks that could be placed.
        placeable: Tick,
    },
    /// It and others need more time than there is.
    Overloaded(Overload),
    /// Others have the time it would need.
    Outranked {
        /// The tasks, by index, heaviest first.
        by: Vec<usize>,
    },
}

/// Why a block is not where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveReason {
    /// Its time has begun.
    Passed {
        /// First tick that may be used.
        now: Tick,
    },
    /// Something else lies there now.
    TimeTaken {
        /// What, and when.
        by: BusyTicks,
    },
    /// Its task's release, hours or lengths do not allow it any more.
    NotAllowed,
    /// What its task waits for is done later.
    WaitsFor {
        /// The task, by index.
        task: usize,
    },
    /// Other tasks have its time now.
    MadeWayFor {
        /// The tasks, by index, in order.
        tasks: Vec<usize>,
    },
    /// Its time is still free, or its own task's; the task's work lies better so.
    BetterTime {
        /// When it was to start.
        from: Tick,
        /// When it is to start.
        to: Tick,
    },
}

/// What a person may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuggestedAction {
    /// Say how long it takes.
    GiveEstimate,
    /// Plan further ahead.
    LookFurther,
    /// Give it until then; without a time, later than now.
    ExtendDeadline {
        /// A deadline that the plan keeps.
        to: Option<Tick>,
    },
    /// Allow it to begin earlier.
    StartEarlier,
    /// Allow it other hours.
    AllowHours,
    /// Allow it shorter blocks.
    ShortenChunk {
        /// Ticks that fit.
        to: Tick,
    },
    /// Ask less of it.
    ShortenEstimate {
        /// Ticks too many.
        by: Tick,
    },
    /// Let another task be late, or leave it out.
    LetSlip {
        /// The task, by index.
        task: usize,
    },
    /// See to it that another task is done.
    FinishFirst {
        /// The task, by index.
        task: usize,
    },
    /// Let a block move.
    Unlock {
        /// By the caller's number.
        id: u32,
    },
    /// Connect a source of availability again.
    Reconnect {
        /// By the caller's number.
        source: u32,
    },
    /// Make it weigh more.
    RaisePriority,
    /// Put the block back, and hold it there.
    PutBack,
    /// Hold the block where it is now.
    HoldHere,
}

/// A task that is not, not wholly or not in time done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The task, by index.
    pub task: usize,
    /// Ticks that are not placed.
    pub rest: Tick,
    /// Whether it misses its deadline.
    pub late: bool,
    /// Why.
    pub reason: UnplacedReason,
    /// What may be done about it; at least one, the mildest first.
    pub actions: Vec<SuggestedAction>,
}

/// Every task that does not fit, with its reason. When the meter is over, the dear reasons are not looked for any more: then others
/// have the time.
pub fn misfits(problem: &PlanProblem, prepared: &Prepared, blocks: &[Block], meter: &Meter<'_>) -> Vec<Misfit> {
    let progress = score::progress(problem, blocks);
    let mut cases = Vec::new();
    for (at, (task, done)) in problem.tasks.iter().zip(&progress).enumerate() {
        let due = task.due.filter(|due| *due <= problem.horizon);
        let late = task.work.is_some() && due.is_some_and(|due| done.rest > 0 || done.end > due);
        if task.work.is_some() && done.rest == 0 && !late {
            continue;
        }
        cases.push(UnplacedTask { problem, prepared, blocks, meter, progress: &progress, at, task, done: *done, late });
    }
    let asked: Vec<(usize, Tick)> = cases.iter().map(|case| (case.at, case.window().end)).collect();
    let certificate = Certificate::new(problem, &prepared.free, &progress, &asked, meter);
    let misfit = |case: &UnplacedTask| {
        let reason = case.reason(&certificate);
        let actions = case.actions(&reason);
        Misfit { task: case.at, rest: case.done.rest, late: case.late, reason, actions }
    };
    cases.iter().map(misfit).collect()
}

/// One task that does not fit.
struct UnplacedTask<'a> {
    problem: &'a PlanProblem,
    prepared: &'a Prepared,
    blocks: &'a [Block],
    meter: &'a Meter<'a>,
    progress: &'a [TaskProgress],
    at: usize,
    task: &'a TaskToPlace,
    done: TaskProgress,
    late: bool,
}

impl UnplacedTask<'_> {
    /// The time in question: until the horizon if it is not done, else until it is due.
    fn window(&self) -> TickSpan {
        let due = self.task.due.filter(|_| self.done.rest == 0).unwrap_or(self.problem.horizon);
        TickSpan { start: self.task.release.max(self.problem.now), end: due.min(self.problem.horizon) }
    }

    fn reason(&self, certificate: &Certificate<'_>) -> UnplacedReason {
        let (problem, task) = (self.problem, self.task);
        let Some(work) = task.work else { return UnplacedReason::NoEstimate };
        let earliest = task.release.max(problem.now);
        if task.release >= problem.horizon {
            return UnplacedReason::StartsAfterHorizon { release: task.release, horizon: problem.horizon };
        }
        if let Some(due) = task.due.filter(|due| *due <= earliest && self.done.rest == 0) {
            return UnplacedReason::DeadlinePassed { due, earliest };
        }
        let open = |other: &&usize| self.progress.get(**other).is_none_or(|done| done.rest > 0 || done.blocks == 0);
        if let Some(other) = task.after.iter().find(open) {
            return UnplacedReason::WaitsFor { task: *other };
        }
        if let Some(reason) = self.impossible_alone(work) {
            return reason;
        }
        if let Some(last) = task.after.iter().max_by_key(|other| self.progress.get(**other).map(|done| done.end)) {
            let from = self.progress.get(*last).map_or(0, |done| done.end);
            if self.placeable(from, |_| true) < work && !self.meter.is_over() {
                return UnplacedReason::WaitsFor { task: *last };
            }
        }
        if let Some(overload) = certificate.overload(self.at) {
            return UnplacedReason::Overloaded(overload);
        }
        let by = self.holders(self.window());
        if by.is_empty() {
            // Nobody is in its way but its own blocks, by the time that must be free around them.
            return self.gaps_too_small(self.done.placed);
        }
        UnplacedReason::Outranked { by }
    }

    /// Why it would not fit even if it were alone, if that is so.
    fn impossible_alone(&self, work: Tick) -> Option<UnplacedReason> {
        let placeable = self.placeable(0, |_| true);
        if placeable >= work || self.meter.is_over() {
            return None;
        }
        let unknown =
            |busy: &&BusyTicks| matches!(busy.with, BusyWith::Unknown(_)) && busy.span.overlaps(self.window());
        let is_known = |busy: &BusyTicks| !matches!(busy.with, BusyWith::Unknown(_));
        if let Some(BusyTicks { with: BusyWith::Unknown(source), .. }) = self.problem.busy.iter().find(unknown)
            && self.placeable(0, is_known) >= work
        {
            return Some(UnplacedReason::AvailabilityUnknown { source: *source });
        }
        if self.placeable(0, |busy| !matches!(busy.with, BusyWith::Locked(_))) >= work {
            let mut locked: Vec<&BusyTicks> =
                self.problem.busy.iter().filter(|b| b.span.overlaps(self.window())).collect();
            locked.sort_unstable();
            let id = |busy: &&BusyTicks| if let BusyWith::Locked(id) = busy.with { Some(id) } else { None };
            return Some(UnplacedReason::LockedBlocks { ids: locked.iter().filter_map(id).collect() });
        }
        if self.meter.is_over() {
            return None;
        }
        let supply = self.supply();
        if supply < work {
            let within = self.window();
            return Some(UnplacedReason::Overloaded(Overload { within, supply, demand: work, tasks: vec![self.at] }));
        }
        Some(self.gaps_too_small(placeable))
    }

    /// Ticks that may be worked of its free hours, by the caps of the days; without caps, as many as one likes.
    fn supply(&self) -> Tick {
        let free = self.prepared.free.get(self.task.map).filter(|_| !self.prepared.caps.is_empty());
        free.map_or(Tick::MAX, |free| self.prepared.caps.supply(free, self.window()))
    }

    fn gaps_too_small(&self, placeable: Tick) -> UnplacedReason {
        match self.prepared.free.get(self.task.map).map_or(0, |free| self.largest(free)) {
            0 => UnplacedReason::NoAllowedHours,
            gap => UnplacedReason::LargestGapTooSmall { gap, chunk_min: self.task.chunk_min, placeable },
        }
    }

    /// Ticks of it that fit between a tick and the end of its window, with nothing else there but what `counts`.
    fn placeable(&self, from: Tick, counts: impl Fn(&BusyTicks) -> bool) -> Tick {
        let (window, Some(ticks)) = (self.window(), self.task.work) else { return 0 };
        if self.meter.is_over() {
            return 0;
        }
        let busy = self.problem.busy.iter().filter(|busy| counts(busy)).copied().collect();
        let hours = self.problem.maps.get(self.task.map).cloned().unwrap_or_default();
        self.meter.spend(u64::from(self.problem.horizon) + work(hours.len() + self.problem.busy.len()) * LOOKS_A_SPAN);
        let alone = PlanProblem {
            busy,
            tasks: vec![TaskToPlace { after: Vec::new(), map: 0, ..self.task.clone() }],
            previous: Vec::new(),
            maps: vec![hours],
            caps: self.problem.caps.clone(),
            ..*self.problem
        };
        let order = InsertOrder { task: 0, ticks, from, until: window.end, split_cost: 0, whim: 0, whole: false };
        Inserter::new(self.meter).insert(&Prepared::new(&alone), &[], &order)
    }

    /// The largest gap in its window.
    fn largest(&self, free: &Free) -> Tick {
        let window = self.window();
        let clip = |span: &TickSpan| span.end.min(window.end).saturating_sub(span.start.max(window.start));
        free.spans().iter().map(clip).max().unwrap_or(0)
    }

    /// Who lies in its free hours, or so near that no gap is left, heaviest first; those that weigh as much as it or more, if there are such.
    fn holders(&self, window: TickSpan) -> Vec<usize> {
        let free = self.prepared.free.get(self.task.map);
        let in_the_way = |block: &&Block| {
            let (start, end) = (block.start.saturating_sub(self.problem.gap), block.end + self.problem.gap);
            let span = TickSpan { start: start.max(window.start), end: end.min(window.end) };
            block.task != self.at && !span.is_empty() && free.is_some_and(|free| free.ticks(span) > 0)
        };
        let weight = |at: &usize| self.problem.tasks.get(*at).map_or(0, |task| task.weight);
        let mut by: Vec<usize> = self.blocks.iter().filter(in_the_way).map(|block| block.task).collect();
        by.sort_unstable();
        by.dedup();
        if by.iter().any(|at| weight(at) >= self.task.weight) {
            by.retain(|at| weight(at) >= self.task.weight);
        }
        by.sort_by_key(|at| std::cmp::Reverse(weight(at)));
        by
    }

    fn actions(&self, reason: &UnplacedReason) -> Vec<SuggestedAction> {
        let end = Some(self.done.end).filter(|_| self.done.rest == 0);
        let more_time =
            if self.done.rest > 0 { SuggestedAction::LookFurther } else { SuggestedAction::ExtendDeadline { to: end } };
        let lightest = |tasks: &[usize]| {
            let others = tasks.iter().copied().filter(|task| *task != self.at);
            let weight = |at: &usize| self.problem.tasks.get(*at).map(|task| task.weight);
            others.min_by_key(weight).map(|task| SuggestedAction::LetSlip { task })
        };
        match reason {
            UnplacedReason::NoEstimate => vec![SuggestedAction::GiveEstimate],
            UnplacedReason::StartsAfterHorizon { .. } => {
                vec![SuggestedAction::LookFurther, SuggestedAction::StartEarlier]
            }
            UnplacedReason::DeadlinePassed { .. } => vec![SuggestedAction::ExtendDeadline { to: end }],
            UnplacedReason::WaitsFor { task } => vec![SuggestedAction::FinishFirst { task: *task }, more_time],
            UnplacedReason::NoAllowedHours => vec![SuggestedAction::AllowHours, more_time],
            UnplacedReason::AvailabilityUnknown { source } => vec![SuggestedAction::Reconnect { source: *source }],
            UnplacedReason::LockedBlocks { ids } => {
                ids.iter().map(|id| SuggestedAction::Unlock { id: *id }).chain([more_time]).collect()
            }
            UnplacedReason::LargestGapTooSmall { gap, chunk_min, .. } => {
                let shorter = (gap < chunk_min).then_some(SuggestedAction::ShortenChunk { to: *gap });
                shorter.into_iter().chain([SuggestedAction::AllowHours, more_time]).collect()
            }
            UnplacedReason::Overloaded(overload) => {
                let by = overload.demand.saturating_sub(overload.supply);
                let shorter = self.task.work.is_some_and(|work| by < work);
                let shorter = shorter.then_some(SuggestedAction::ShortenEstimate { by });
                let first = [more_time, SuggestedAction::AllowHours];
                first.into_iter().chain(lightest(&overload.tasks)).chain(shorter).collect()
            }
            UnplacedReason::Outranked { by } => {
                [more_time, SuggestedAction::RaisePriority].into_iter().chain(lightest(by)).collect()
            }
        }
    }
}

/// Why a block is not where it was, and what may be done about it.
pub fn why_moved(
    problem: &PlanProblem,
    prepared: &Prepared,
    schedule: (&[Block], &[TaskProgress]),
    from: Block,
    to: Block,
) -> (MoveReason, Vec<SuggestedAction>) {
    let reason = move_reason(problem, prepared, schedule, from, to);
    let actions = match &reason {
        MoveReason::Passed { .. } | MoveReason::TimeTaken { .. } | MoveReason::NotAllowed => {
            vec![SuggestedAction::HoldHere]
        }
        MoveReason::WaitsFor { task } => vec![SuggestedAction::FinishFirst { task: *task }, SuggestedAction::HoldHere],
        MoveReason::MadeWayFor { .. } | MoveReason::BetterTime { .. } => {
            vec![SuggestedAction::PutBack, SuggestedAction::HoldHere]
        }
    };
    (reason, actions)
}

fn move_reason(
    problem: &PlanProblem,
    prepared: &Prepared,
    (blocks, progress): (&[Block], &[TaskProgress]),
    from: Block,
    to: Block,
) -> MoveReason {
    if from.start < problem.now {
        return MoveReason::Passed { now: problem.now };
    }
    if let Some(by) = problem.busy.iter().filter(|busy| busy.span.overlaps(from.span())).min() {
        return MoveReason::TimeTaken { by: *by };
    }
    let stands = |job: &super::sequence::SearchTask| job.kept.iter().any(|block| block.start == from.start);
    if !prepared.jobs.get(from.task).is_some_and(stands) {
        return MoveReason::NotAllowed;
    }
    let after = problem.tasks.get(from.task).map_or(&[][..], |task| &task.after);
    if let Some(task) = after.iter().find(|at| progress.get(**at).is_some_and(|done| done.end > from.start)) {
        return MoveReason::WaitsFor { task: *task };
    }
    let near = TickSpan { start: from.start.saturating_sub(problem.gap), end: from.end + problem.gap };
    let mut tasks: Vec<usize> = blocks
        .iter()
        .filter(|block| block.task != from.task && block.span().overlaps(near))
        .map(|block| block.task)
        .collect();
    tasks.sort_unstable();
    tasks.dedup();
    if tasks.is_empty() {
        return MoveReason::BetterTime { from: from.start, to: to.start };
    }
    MoveReason::MadeWayFor { tasks }
}
