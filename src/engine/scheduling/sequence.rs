//! A plan as a sequence of pieces, and what times follow from it.
//!
//! Each piece is a length of one task's work; together they are all its work. They are placed in order, each as early as the
//! one before it, its release, its hours and what it waits for allow. Nothing that is scored gains by starting later, given
//! the order and the lengths, with one exception: a block of the plan in force that stays where it is. A piece may want such
//! a place. What fits nowhere is skipped and is the rest that is left unplaced; so every sequence is a legal schedule, and
//! what is searched is order and lengths alone.
//!
//! **Invariant:** the lengths of a task's pieces sum to its work, and each is at least its shortest block.

use super::{
    caps::Caps,
    meter::{LOOK, Meter, work},
    piece::{NONE, Piece},
    problem::{PlanProblem, Tick, TickSpan},
    room::{PlacedSum, Room, TaskLine},
    score::Score,
    slots::{self, Free},
};

/// What lies behind all free time: there everything fits, and nothing may.
const BEYOND: TickSpan = TickSpan { start: Tick::MAX / 2, end: Tick::MAX };

/// What a whole task's unplaced ticks weigh, times its weight, where deadlines are searched alone.
pub const WHOLE: u64 = 1_000;

/// A block of the plan in force that may still stand.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// First tick of it.
    pub start: Tick,
    /// Ticks of it.
    pub length: Tick,
    /// What it costs to move it.
    pub cost: u64,
}

/// A task as the search reads it.
#[derive(Clone, Debug)]
pub struct SearchTask {
    /// Ticks of work; nought, if the search leaves it alone.
    pub work: Tick,
    /// No block starts before.
    pub release: Tick,
    /// When it is late, or `NONE`.
    pub due: Tick,
    /// No block ends after.
    pub until: Tick,
    /// Nought without an estimate.
    pub weight: u64,
    /// What an unplaced tick weighs.
    pub tick_weight: u64,
    /// Shortest block.
    pub chunk_min: Tick,
    /// Longest block.
    pub chunk_max: Tick,
    /// Up to the next block, at least.
    pub gap_after: Tick,
    /// Index of its time map.
    pub map: usize,
    /// Tasks that must be done first.
    pub after: Vec<usize>,
    /// Tasks that wait for it.
    pub before: Vec<usize>,
    /// Its blocks of the plan in force, as far as they may still stand.
    pub kept: Vec<Kept>,
}

/// A problem as the search reads it.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// First usable tick.
    pub now: Tick,
    /// First tick that is not usable any more.
    pub horizon: Tick,
    /// Of each piece after a task's first.
    pub split_cost: u32,
    /// The tasks, by their index in the problem.
    pub jobs: Vec<SearchTask>,
    /// Free time by time map.
    pub free: Vec<Free>,
    /// How much may be worked in a day.
    pub caps: Caps,
    /// Whether any task waits for another.
    pub chained: bool,
    /// For each time map and tick: the first free span that ends after it. One look-up where [`Free`] has two.
    cells: Vec<TickSpan>,
    /// Of each task, what is to be placed.
    blank: Vec<Tick>,
    /// Nothing is placed.
    nothing: PlacedSum,
    /// Tasks with work to be placed.
    asked: usize,
    /// By task.
    lines: Vec<TaskLine>,
    /// What it would cost to move every block of the plan in force.
    moves: u64,
}

impl Prepared {
    /// Reads a problem that is valid.
    pub fn new(problem: &PlanProblem) -> Self {
        let free = slots::free(problem, |_| true);
        let caps = Caps::of(problem);
        let width = problem.horizon as usize + 1;
        let mut cells = Vec::with_capacity(free.len() * width);
        for (map, free) in free.iter().enumerate() {
            for span in free.spans() {
                cells.resize(map * width + span.end as usize, *span);
            }
            cells.resize((map + 1) * width, BEYOND);
        }
        let mut jobs: Vec<SearchTask> = problem
            .tasks
            .iter()
            .map(|task| SearchTask {
                work: task.work.unwrap_or(0),
                release: task.release,
                due: task.due.filter(|due| task.work.is_some() && *due <= problem.horizon).unwrap_or(NONE),
                until: problem.horizon,
                weight: task.work.map_or(0, |_| u64::from(task.weight)),
                tick_weight: task.work.map_or(0, |_| u64::from(task.weight)),
                chunk_min: task.chunk_min,
                // A longer one has room on no day.
                chunk_max: task.chunk_max.min(caps.longest()).max(task.chunk_min),
                gap_after: task.gap_after.unwrap_or(problem.gap),
                map: task.map,
                after: task.after.clone(),
                before: Vec::new(),
                kept: Vec::new(),
            })
            .collect();
        for (at, task) in problem.tasks.iter().enumerate() {
            for after in &task.after {
                jobs.get_mut(*after).into_iter().for_each(|job| job.before.push(at));
            }
        }
        for previous in &problem.previous {
            let block = previous.block;
            let Some(job) = jobs.get_mut(block.task) else { continue };
            let stands = block.start >= job.release
                && (job.chunk_min..=job.chunk_max.min(job.work)).contains(&block.span().len())
                && free.get(job.map).is_some_and(|free| free.holds(block.span()));
            if stands {
                let cost = u64::from(previous.move_cost);
                job.kept.push(Kept { start: block.start, length: block.span().len(), cost });
            }
        }
        let mut prepared = Self {
            now: problem.now,
            horizon: problem.horizon,
            split_cost: problem.split_cost,
            chained: jobs.iter().any(|job| !job.after.is_empty()),
            jobs,
            free,
            caps,
            cells,
            blank: Vec::new(),
            asked: 0,
            nothing: PlacedSum { missed: 0, ended: 0, open: 0, done: 0 },
            lines: Vec::new(),
            moves: problem.previous.iter().map(|previous| u64::from(previous.move_cost)).sum(),
        };
        prepared.tabulate();
        prepared
    }

    /// Writes down what is read in every step.
    fn tabulate(&mut self) {
        let width = self.horizon + 1;
        let of_map = |free: &Free| free.spans().iter().map(|span| span.len()).max().unwrap_or(0);
        let longest: Vec<Tick> = self.free.iter().map(of_map).collect();
        let line = |job: &SearchTask| TaskLine {
            weight: signed(job.weight),
            missed: if job.due == NONE { 0 } else { job.weight },
            tick: job.tick_weight,
            work: job.work,
            release: job.release,
            due: job.due,
            until: job.until,
            // What is longer than every free span has no place; it need not be looked for.
            chunk_max: job.chunk_max.min(longest.get(job.map).copied().unwrap_or(0)),
            gap_after: job.gap_after,
            cells_at: u32::try_from(job.map).unwrap_or(0) * width,
            waits: !job.after.is_empty(),
        };
        // What has nothing to place is never done, whoever waits for it.
        self.blank = self.jobs.iter().map(|job| job.work.max(1)).collect();
        self.lines = self.jobs.iter().map(line).collect();
        self.asked = self.jobs.iter().filter(|job| job.work > 0).count();
        let released = |line: &TaskLine| line.weight * i64::from(line.release.min(self.horizon));
        self.nothing = PlacedSum {
            missed: self.lines.iter().map(|line| line.missed).sum(),
            ended: -self.lines.iter().map(released).sum::<i64>(),
            open: self.lines.iter().map(|line| line.weight).sum(),
            done: 0,
        };
    }

    /// The same with deadlines alone: what would be late is not placed, so that it stands in nobody's way, and what neither
    /// has a deadline nor is waited for by what has one is left alone. What is unplaced counts as a share of its task.
    #[must_use]
    pub fn with_deadlines_alone(&self) -> Self {
        let mut prepared = self.clone();
        let mut asked: Vec<bool> = prepared.jobs.iter().map(|job| job.due != NONE).collect();
        let mut open: Vec<usize> = (0..asked.len()).filter(|at| asked.get(*at) == Some(&true)).collect();
        while let Some(job) = open.pop().and_then(|at| prepared.jobs.get(at)) {
            for after in &job.after {
                if asked.get(*after) == Some(&false) {
                    open.push(*after);
                }
                asked.get_mut(*after).into_iter().for_each(|mark| *mark = true);
            }
        }
        for (job, asked) in prepared.jobs.iter_mut().zip(asked) {
            if !asked {
                (job.work, job.weight, job.tick_weight) = (0, 0, 0);
            } else if job.due != NONE {
                job.until = job.due;
            }
            job.tick_weight = job.weight * WHOLE / u64::from(job.work.max(1));
        }
        prepared.tabulate();
        prepared
    }

    /// The same with as much work in a day as there is time.
    #[must_use]
    pub fn without_caps(&self) -> Self {
        Self { caps: Caps::default(), ..self.clone() }
    }

    /// A task as the search reads it.
    #[expect(clippy::indexing_slicing, reason = "pieces are made of the prepared's own tasks")]
    #[inline]
    pub fn job(&self, task: u32) -> &SearchTask {
        &self.jobs[task as usize]
    }

    /// Places the pieces from an index on in their order, those before it being where they are, and scores the whole.
    pub fn place(&self, pieces: &mut [Piece], from: usize, room: &mut Room<'_>) -> Score {
        self.place_below(pieces, from, u64::MAX, room).unwrap_or(Score::WORST)
    }

    /// The same; none, as soon as it is certain that the cost comes to more than a limit. The pieces are then of no use.
    pub fn place_below(&self, pieces: &mut [Piece], from: usize, limit: u64, room: &mut Room<'_>) -> Option<Score> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        room.rests.resize(self.blank.len(), 0);
        room.rests.copy_from_slice(&self.blank);
        let sum = match (self.chained, self.caps.is_empty()) {
            (false, true) => self.sum::<false, false>(pieces, from, limit, room),
            (true, true) => self.sum::<true, false>(pieces, from, limit, room),
            (false, false) => self.sum::<false, true>(pieces, from, limit, room),
            (true, false) => self.sum::<true, true>(pieces, from, limit, room),
        };
        room.meter.spend(work(room.rests.len()) + LOOK * (work(pieces.len()) + std::mem::take(&mut room.looks)));
        let sum = sum?;
        let (mut extra, mut unplaced) = (pieces.len() - sum.done, 0);
        if sum.done < self.asked {
            extra -= pieces.iter().filter(|piece| piece.start == NONE).count();
            for (line, rest) in self.lines.iter().zip(&room.rests).filter(|(_, rest)| **rest > 0) {
                extra -= usize::from(*rest < line.work);
                unplaced += line.tick * u64::from(*rest);
            }
        }
        let kept = if self.moves == 0 { 0 } else { self.kept(pieces, room.meter) };
        let flow = (sum.ended + sum.open * i64::from(self.horizon)).unsigned_abs();
        let cost = flow + u64::from(self.split_cost) * extra as u64 + self.moves - kept;
        Some(Score { missed: sum.missed, unplaced, cost })
    }

    /// The inner loop. `WAITS`: whether any task waits for another; `CAPPED`: whether any day is capped.
    #[expect(clippy::indexing_slicing, reason = "a piece's task is in bounds since the problem was read")]
    #[inline]
    fn sum<const WAITS: bool, const CAPPED: bool>(
        &self,
        pieces: &mut [Piece],
        from: usize,
        limit: i64,
        room: &mut Room<'_>,
    ) -> Option<PlacedSum> {
        let Room { rests, left, looks, .. } = room;
        let (lines, rests) = (self.lines.as_slice(), &mut rests[..self.lines.len()]);
        if CAPPED {
            left.clear();
            left.extend_from_slice(self.caps.ticks());
        }
        let mut sum = self.nothing;
        // From where another task's piece may lie, and where the last piece ends.
        let (mut open_from, mut last_end, mut last_task) = (self.now, self.now, u32::MAX);
        let (before, after) = pieces.split_at_mut(from.min(pieces.len()));
        for piece in before.iter().filter(|piece| piece.start != NONE) {
            let at = piece.task as usize;
            (last_end, last_task) = (piece.start + piece.length, piece.task);
            open_from = last_end + lines[at].gap_after;
            rests[at] -= piece.length;
            if CAPPED {
                self.caps.take(left, piece.start, piece.length);
            }
            if rests[at] == 0 {
                sum.add(&lines[at], last_end);
            }
        }
        for piece in after {
            let at = piece.task as usize;
            let line = &lines[at];
            if piece.length > line.chunk_max {
                piece.start = NONE;
                continue;
            }
            // Two pieces of one task do not touch.
            let from = open_from.max(last_end + Tick::from(last_task == piece.task));
            let from = from.max(line.release).max(piece.want);
            let start = if CAPPED {
                self.start_in_a_day(line, from, piece.length, left, looks)
            } else {
                self.start(line, from, piece.length, looks)
            };
            let end = start.wrapping_add(piece.length);
            let nowhere = end > line.until || start == NONE;
            if nowhere || (WAITS && line.waits && self.waits(piece.task, rests, looks)) {
                piece.start = NONE;
                continue;
            }
            (piece.start, last_end, last_task) = (start, end, piece.task);
            open_from = end + line.gap_after;
            if CAPPED {
                self.caps.take(left, start, piece.length);
            }
            rests[at] -= piece.length;
            if rests[at] == 0 {
                sum.add(line, end);
                // Whatever is not done yet ends later than this.
                if sum.ended + sum.open * i64::from(end) > limit {
                    return None;
                }
            }
        }
        Some(sum)
    }

    /// The earliest start of so many ticks, not before a tick; behind the horizon, if there is none.
    #[expect(clippy::indexing_slicing, reason = "a time map has a cell for each tick up to the horizon")]
    #[inline]
    fn start(&self, line: &TaskLine, from: Tick, length: Tick, looks: &mut u64) -> Tick {
        let mut from = from;
        loop {
            *looks += 1;
            let free = self.cells[(line.cells_at + from.min(self.horizon)) as usize];
            let start = free.start.max(from);
            if start + length <= free.end {
                return start;
            }
            from = free.end;
        }
    }

    /// The same, on a day of which so many ticks may still be worked.
    fn start_in_a_day(&self, line: &TaskLine, from: Tick, length: Tick, left: &[Tick], looks: &mut u64) -> Tick {
        let mut from = from;
        loop {
            let start = self.start(line, from, length, looks);
            let Some(day) = self.caps.day(start) else { return start };
            if left.get(day).is_some_and(|left| *left >= length) {
                return start;
            }
            from = self.caps.end(day);
        }
    }

    /// Of each day, the ticks that may be worked beside placed pieces.
    pub fn left(&self, pieces: &[Piece], left: &mut Vec<Tick>) {
        left.clear();
        left.extend_from_slice(self.caps.ticks());
        for piece in pieces.iter().filter(|piece| piece.is_placed()) {
            self.caps.take(left, piece.start, piece.length);
        }
    }

    /// Ticks between a piece of one task and the next piece, of another or of the same.
    #[inline]
    pub fn apart(&self, one: u32, next: u32) -> Tick {
        self.job(one).gap_after.max(Tick::from(one == next))
    }

    fn waits(&self, task: u32, rests: &[Tick], looks: &mut u64) -> bool {
        let open = |after: &usize| rests.get(*after).is_none_or(|rest| *rest > 0);
        let after = &self.job(task).after;
        *looks += work(after.len());
        after.iter().any(open)
    }

    /// What is spared by blocks of the plan in force that stay.
    fn kept(&self, pieces: &[Piece], meter: &Meter<'_>) -> u64 {
        let mut looks = 0;
        let spared = |piece: &Piece| {
            looks += work(self.job(piece.task).kept.len());
            let same = |block: &&Kept| block.start == piece.start && block.length == piece.length;
            self.job(piece.task).kept.iter().find(same).map_or(0, |block| block.cost)
        };
        let spared = pieces.iter().map(spared).sum();
        meter.spend(LOOK * looks);
        spared
    }

    /// Where a task could start in front of the piece at an index, and the end of the free time there.
    pub fn room_at(&self, pieces: &[Piece], at: usize, task: u32) -> Option<TickSpan> {
        let job = self.job(task);
        let before = pieces.get(..at)?.iter().rev().find(|piece| piece.is_placed());
        let from = before.map_or(self.now, |piece| piece.end() + self.apart(piece.task, task)).max(job.release);
        let free = self.free.get(job.map)?;
        let start = free.earliest(from, job.chunk_min)?;
        Some(TickSpan { start, end: free.after(start).first()?.end.min(job.until) })
    }
}

/// Weights and costs are far below the limit.
#[inline]
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
