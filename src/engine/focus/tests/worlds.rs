//! Random worlds: somebody starts, breaks, finishes and forgets, meetings come up, the clock steps back, and after each input
//! the promises of the module are held against a second account of the same facts.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use uuid::Uuid;

use super::super::*;
use crate::domain::{block::BlockState, ids::TaskId, task::TaskStatus};
use crate::engine::samples::{Dice, at, block, block_id, task, task_id};

struct World {
    dice: Dice,
    now: DateTime<Utc>,
    tasks: BTreeMap<TaskId, Task>,
    blocks: BTreeMap<BlockId, TimeBlock>,
    meetings: Vec<Window>,
    focus: Option<Focus>,
    /// What the open focus session has worked, counted as time goes by.
    counted: Duration,
    /// The latest that the clock ever showed.
    furthest: DateTime<Utc>,
    /// How far time was counted.
    latest: DateTime<Utc>,
    hours: [Window; 1],
    made: u128,
    seen: BTreeMap<&'static str, u32>,
}

impl World {
    fn new(seed: u64) -> Self {
        // A night in which Berlin puts its clocks back is inside.
        let now = at("2026-10-23T08:00:00Z");
        let hours = [Window { from: at("2026-10-01T00:00:00Z"), to: at("2027-01-01T00:00:00Z") }];
        let mut world = Self {
            dice: Dice(seed),
            now,
            tasks: (1..=12).map(|number| (task_id(number), task(number))).collect(),
            blocks: BTreeMap::new(),
            meetings: Vec::new(),
            focus: None,
            counted: Duration::zero(),
            latest: now,
            furthest: now,
            hours,
            made: 100,
            seen: BTreeMap::new(),
        };
        for _ in 0..6 {
            world.meet();
        }
        for number in 1..=12 {
            let length = Duration::minutes(15 * i64::from(1 + world.dice.below(6)));
            let from = world.free_after(now, length);
            let mut planned = block(number, number, Window { from, to: from + length });
            if world.dice.below(4) == 0 {
                planned.lock = BlockLock::User;
            }
            world.blocks.insert(planned.id, planned);
        }
        world
    }

    fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// A meeting comes up, perhaps on a block; two meetings never overlap.
    fn meet(&mut self) {
        let from = self.now + Duration::minutes(5 * i64::from(self.dice.below(12 * 30)));
        let meeting = Window { from, to: from + Duration::minutes(5 * i64::from(1 + self.dice.below(18))) };
        if !self.meetings.iter().any(|other| other.overlaps(&meeting)) {
            self.meetings.push(meeting);
            self.meetings.sort();
        }
    }

    /// The first place of so much time that nothing is in.
    fn free_after(&self, from: DateTime<Utc>, length: Duration) -> DateTime<Utc> {
        let mut span = Window { from, to: from + length };
        loop {
            let blocks = self.blocks.values().filter(|block| block.state != BlockState::Missed).map(TimeBlock::span);
            match blocks.chain(self.meetings.iter().copied()).filter(|taken| taken.overlaps(&span)).map(|t| t.to).max()
            {
                Some(to) => span = Window { from: to, to: to + length },
                None => return span.from,
            }
        }
    }

    fn with_context<T>(
        &self,
        piece: Option<(TaskId, Option<BlockId>)>,
        look: impl FnOnce(&FocusContext<'_>) -> T,
    ) -> T {
        let (task, own) = match (&self.focus, piece) {
            (Some(focus), _) => (focus.task_id, focus.block_id),
            (None, Some(piece)) => piece,
            (None, None) => (task_id(1), None),
        };
        let mut others: Vec<_> =
            self.blocks.values().filter(|b| b.state.is_live() && Some(b.id) != own && b.end > self.now).collect();
        others.sort_by_key(|block| (block.start, block.id));
        let earliest = self.hours[0].from;
        let ahead: Vec<_> =
            others.iter().map(|block| Ahead { block, pinned: false, earliest, hours: &self.hours }).collect();
        let over = self.blocks.values().filter(|block| block.state == BlockState::Done);
        look(&FocusContext {
            task: &self.tasks[&task],
            block: own.and_then(|id| self.blocks.get(&id)),
            ahead: &ahead,
            meetings: &self.meetings,
            behind: over.map(|block| block.end).max(),
        })
    }

    fn pass_time(&mut self) {
        let ahead = match self.dice.below(20) {
            0 => Duration::hours(i64::from(self.dice.below(20))),
            1 => -self.dice.seconds(3_600),
            2 => Duration::zero(),
            _ => self.dice.seconds(1_500),
        };
        self.now += ahead;
        self.furthest = self.furthest.max(self.now);
        // The clock of a focus session goes back no further than to its last change.
        let now = self.focus.as_ref().map_or(self.now, |focus| self.now.max(focus.since));
        if self.focus.as_ref().is_some_and(|focus| focus.state == FocusState::Running) {
            self.counted += now - self.latest;
        }
        self.latest = now;
    }

    fn choose(&mut self) -> (FocusInput, Option<(TaskId, Option<BlockId>)>) {
        self.made += 1;
        let (fresh, focus) = (block_id(self.made), FocusId(Uuid::from_u128(self.made)));
        let task = task_id(u128::from(1 + self.dice.below(12)));
        let mut own = self.blocks.values().filter(|block| block.task_id == task && block.state.is_live());
        let piece = (task, own.next().map(|block| block.id).filter(|_| !self.made.is_multiple_of(5)));
        let running = self.focus.as_ref().map(|focus| focus.state == FocusState::Running);
        let input = match (self.dice.below(16), running) {
            (0..=7, None) | (0, _) => FocusInput::Start { focus, fresh },
            (1 | 2, Some(true)) | (3, _) => FocusInput::Pause,
            (1..=7, Some(false)) | (4, _) => FocusInput::Resume { fresh },
            (5 | 8, _) => FocusInput::Finish,
            (6, _) => FocusInput::Skip,
            (7, _) => FocusInput::Stop,
            _ => FocusInput::Tick { fresh },
        };
        (input, Some(piece))
    }

    fn turn(&mut self) {
        self.pass_time();
        if self.dice.below(10) == 0 {
            self.meet();
        }
        let before = self.focus.clone();
        let (input, piece) = self.choose();
        let now = self.now;
        let (after, effects) = self.with_context(piece, |context| step(before.clone(), input, context, now));
        if effects.iter().any(|effect| matches!(effect, FocusEffect::Refused(_))) {
            assert_eq!((effects.len(), &after), (1, &before), "refused, and yet something was done");
            self.saw("refused");
        }
        if before.is_none() && after.is_some() {
            // A focus session that begins after the clock stepped back begins then.
            (self.counted, self.latest) = (Duration::zero(), now);
            self.saw("started");
        }
        self.focus = after;
        self.judge_clock(before.as_ref());
        for effect in &effects {
            self.carry_out(*effect);
        }
        if let Some(ended) = self.focus.take_if(|focus| !focus.is_open()) {
            let reported: u32 =
                effects.iter().map(|e| if let FocusEffect::Worked(minutes) = e { *minutes } else { 0 }).sum();
            assert_eq!(reported, minutes(&ended, now + Duration::hours(9)), "an ended session grows no more");
            self.saw("ended");
        }
        self.judge_alarm(input);
        self.judge_calendar();
    }

    fn judge_clock(&self, before: Option<&Focus>) {
        let Some(focus) = &self.focus else { return };
        let now = self.now.max(focus.since);
        let segments: Vec<_> = focus.segments(now).collect();
        assert!(segments.iter().all(|segment| segment.from < segment.to), "{segments:?}");
        assert!(segments.windows(2).all(|pair| pair[0].to <= pair[1].from), "{segments:?}");
        assert_eq!(focus.elapsed(now), self.counted, "the second account differs");
        if let Some(before) = before {
            assert!(minutes(focus, now) >= minutes(before, before.since), "stored minutes were lost");
        }
        let by_day = by_day(focus, Days::of(Tz::Europe__Berlin), now);
        assert!(by_day.windows(2).all(|pair| pair[0].0 < pair[1].0), "{by_day:?}");
        assert_eq!(by_day.iter().fold(Duration::zero(), |sum, (_, part)| sum + *part), self.counted);
        let stored = serde_json::to_string(focus).expect("json");
        assert_eq!(
            serde_json::from_str::<Focus>(&stored).expect("a focus session"),
            *focus,
            "a restart changes nothing"
        );
    }

    /// What is newly taken is free of everything that does not yield, and of what was worked.
    fn judge_place(&self, own: BlockId, taken: Window) {
        assert!(!self.meetings.iter().any(|meeting| meeting.overlaps(&taken)), "on a meeting: {taken:?}");
        for other in self.blocks.values().filter(|other| other.id != own && other.span().overlaps(&taken)) {
            let fixed = other.lock != BlockLock::None && other.state.is_live() && other.end > self.now;
            assert!(!fixed && other.state != BlockState::Done, "on {other:?}: {taken:?}");
        }
    }

    fn carry_out(&mut self, effect: FocusEffect) {
        match effect {
            FocusEffect::Place(id, span) => {
                self.judge_place(id, span);
                let task = self.focus.as_ref().expect("a focus session").task_id;
                let mut placed = block(0, 0, span);
                (placed.id, placed.task_id) = (id, task);
                (placed.lock, placed.state) = (BlockLock::Started, BlockState::InProgress);
                assert!(self.blocks.insert(id, placed).is_none(), "placed twice");
                self.saw("placed");
            }
            FocusEffect::Stretch(id, span) => {
                let old = self.blocks[&id].span();
                if span.from < old.from {
                    self.judge_place(id, Window { from: span.from, to: span.to.min(old.from) });
                }
                if span.to > old.to {
                    self.judge_place(id, Window { from: old.to.max(span.from), to: span.to });
                }
                let held = self.blocks.get_mut(&id).expect("a block");
                (held.start, held.end) = (span.from, span.to);
                (held.lock, held.state) = (BlockLock::Started, BlockState::InProgress);
                self.saw("stretched");
            }
            FocusEffect::Close(id, span) => {
                let held = self.blocks.get_mut(&id).expect("a block");
                assert!(held.start <= span.from && span.to <= held.end && span.from < span.to, "{held:?} {span:?}");
                assert!(span.to < self.latest + Duration::minutes(1), "history ends in the future");
                (held.start, held.end, held.state) = (span.from, span.to, BlockState::Done);
                self.saw("closed");
            }
            FocusEffect::Drop(id) => {
                assert!(self.blocks.remove(&id).is_some_and(|block| block.state.is_live()), "dropped history");
                self.saw("dropped");
            }
            FocusEffect::Pull(id, span) => {
                let held = self.blocks[&id].clone();
                assert_eq!(held.lock, BlockLock::None, "pulled what is locked");
                assert!(span.from < held.start && span.length() == held.span().length(), "{held:?} {span:?}");
                assert!(span.from >= self.now, "pulled into the past");
                self.judge_place(id, span);
                let held = self.blocks.get_mut(&id).expect("a block");
                (held.start, held.end) = (span.from, span.to);
                self.saw("pulled");
            }
            FocusEffect::TaskDone => {
                let task = self.focus.as_ref().expect("a focus session").task_id;
                self.tasks.get_mut(&task).expect("a task").facts.status = TaskStatus::Done;
                self.saw("done");
            }
            FocusEffect::Worked(more) => {
                let task = self.focus.as_ref().expect("a focus session").task_id;
                self.tasks.get_mut(&task).expect("a task").actual_min += more;
            }
            FocusEffect::Replan(_) => self.plan_again(),
            FocusEffect::Overrun => self.saw("overrun"),
            FocusEffect::Freed(_) => self.saw("freed"),
            FocusEffect::OfferNext | FocusEffect::Refused(_) => {}
        }
    }

    /// The planner of this world: what may move and is in the way goes to the first place that is free.
    fn plan_again(&mut self) {
        let at_work = self.focus.as_ref().and_then(|focus| focus.block_id);
        let Some(taken) = at_work.and_then(|id| self.blocks.get(&id)).map(TimeBlock::span) else { return };
        let in_the_way = |block: &&TimeBlock| {
            Some(block.id) != at_work
                && block.state.is_live()
                && block.lock == BlockLock::None
                && block.span().overlaps(&taken)
        };
        for moved in self.blocks.values().filter(in_the_way).cloned().collect::<Vec<_>>() {
            self.blocks.remove(&moved.id);
            let from = self.free_after(taken.to.max(self.now), moved.span().length());
            self.blocks.insert(moved.id, TimeBlock { start: from, end: from + moved.span().length(), ..moved });
        }
    }

    fn judge_alarm(&self, input: FocusInput) {
        let (Some(focus), FocusInput::Tick { .. }) = (&self.focus, input) else { return };
        let now = self.now.max(focus.since);
        if let Some(next) = self.with_context(None, |context| alarm(focus, context, now)) {
            assert!(next > now, "an alarm that is due again at once: {next} at {now}, {focus:?}");
        }
    }

    /// The block at work is not on one that may move, and no two stretches of worked time overlap.
    fn judge_calendar(&self) {
        let done: Vec<_> = self.blocks.values().filter(|block| block.state == BlockState::Done).collect();
        for (place, one) in done.iter().enumerate() {
            for other in done.iter().skip(place + 1) {
                assert!(!one.span().overlaps(&other.span()), "worked twice: {one:?} {other:?}");
            }
        }
        let working: Vec<_> = self.blocks.values().filter(|block| block.state == BlockState::InProgress).collect();
        assert!(working.len() <= 1, "{working:?}");
        let Some(work) = working.first() else { return };
        assert_eq!(self.focus.as_ref().and_then(|focus| focus.block_id), Some(work.id), "nobody works on it");
        // What was over and not worked is about to be missed, and claims nothing, also after a step back.
        let yields =
            |other: &&TimeBlock| other.lock == BlockLock::None && other.state.is_live() && other.end > self.furthest;
        for other in self.blocks.values().filter(yields) {
            assert!(!other.span().overlaps(&work.span()), "not pushed: {other:?} {work:?}");
        }
    }
}

#[test]
fn whatever_comes_no_minute_is_lost_and_nothing_is_put_on_a_meeting() {
    let mut seen: BTreeMap<&'static str, u32> = BTreeMap::new();
    for seed in 0..400 {
        let mut world = World::new(seed);
        for _ in 0..80 {
            world.turn();
        }
        for (what, times) in world.seen {
            *seen.entry(what).or_default() += times;
        }
    }
    // A check that never met its case shows nothing.
    for what in ["placed", "stretched", "closed", "dropped", "pulled", "done", "overrun", "freed", "refused", "ended"] {
        assert!(seen.get(what).is_some_and(|times| *times > 100), "{what} was hardly seen: {seen:?}");
    }
}
