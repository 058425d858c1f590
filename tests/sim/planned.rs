//! What must hold of planned work, at every look, a crash included. Each promise has a name, as those of `reliability.md` have:
//!
//! - **P-1** Nothing that belongs to no calendar ever reaches a provider, in whatever request.
//! - **P-2** A block has one event, in its context's calendar, that says when the block is and what its task is called; what no
//!   calendar is to show has none.
//! - **P-3** There is no event of planned work without its block, but for one that was edited there while it was taken away here.
//! - **P-4** A change of day gives a task one new instance at most, and a new instance comes from a change of day.
//! - **P-5** A user's dates begin in their order, each once.
//! - **P-6** What is accepted is what was offered: nothing that the offer was made from has changed since.
//! - **P-7** A block that moves within a calendar keeps its event there.
//! - **P-8** No minute that was worked is lost.
//! - **P-9** At rest no plan is owed, and no write is queued.

use std::collections::{BTreeMap, BTreeSet};

use calwarden::{
    domain::{
        block::{BlockState, TimeBlock},
        conflict::ConflictKind,
        context::Context,
        ids::{BlockId, CalendarId, EventId, RemoteEventId, TaskId, UserId},
        mapping::{Event, Origin},
        person::Scope,
        promise::Promise,
        proposal::{ChangeState, Proposal},
        rollover::Rollover,
        task::Task,
    },
    service::Services,
    store::{ConflictFilter, Mode, Tx},
};
use chrono::{DateTime, SubsecRound, Utc};

use super::{
    desks::{AppState, HUSH, is_planned},
    life::Alive,
    people::local_events,
};

/// Where a block is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    user: UserId,
    calendar: CalendarId,
    event: EventId,
    remote: RemoteEventId,
}

/// What is remembered from one look to the next.
#[derive(Default)]
pub struct Book {
    pub broken: Vec<String>,
    names: usize,
    shown: BTreeMap<BlockId, Shown>,
    /// Blocks whose event somebody deleted there: they may have another one.
    deleted: BTreeSet<BlockId>,
    worked: BTreeMap<TaskId, u32>,
}

/// Everything planned of one person.
struct Plans {
    contexts: Vec<Context>,
    tasks: Vec<Task>,
    blocks: Vec<TimeBlock>,
    turns: Vec<Rollover>,
}

async fn read(tx: &mut Tx, user: &UserId) -> Plans {
    let whole = &Scope::Whole;
    let (from, to) =
        ("2000-01-01T00:00:00Z".parse().expect("an instant"), "2100-01-01T00:00:00Z".parse().expect("one"));
    Plans {
        contexts: tx.contexts_of(whole, user).await.expect("contexts"),
        tasks: tx.tasks_of(whole, user, false, None, None, 10_000).await.expect("tasks"),
        blocks: tx.blocks_between(user, from, to).await.expect("blocks"),
        turns: tx.rollovers_of(whole, user, None, 1_000).await.expect("changes of day"),
    }
}

/// P-1 of one request.
pub fn tells_what_is_private(body: &str) -> bool {
    // A line of iCalendar may be folded anywhere.
    body.contains("(h") && body.replace("\r\n ", "").contains(HUSH) || body.contains(HUSH)
}

impl Book {
    /// A name for one more task.
    pub fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names - 1)
    }

    /// What is to be shown elsewhere may have another event from now on.
    pub fn forget_events_of(&mut self, user: &UserId) {
        self.shown.retain(|_, shown| shown.user != *user);
    }

    /// What is shown in this calendar may have another event from now on.
    pub fn forget_events_in(&mut self, calendar: CalendarId) {
        self.shown.retain(|_, shown| shown.calendar != calendar);
    }

    /// Somebody deleted a block's event there.
    pub fn forget_event_of(&mut self, block: BlockId) {
        self.deleted.insert(block);
    }

    /// Looks at everything planned of one person.
    pub async fn look(&mut self, services: &Services, user: &UserId) {
        let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
        let plans = read(&mut tx, user).await;
        self.shown.retain(|id, shown| shown.user != *user || plans.blocks.iter().any(|block| block.id == *id));
        let ids: Vec<_> = plans.blocks.iter().filter_map(|block| block.event_id).collect();
        let events = tx.events_by_ids(&ids).await.expect("events");
        let events: BTreeMap<_, _> = events.into_iter().map(|event| (event.id, event)).collect();
        let homes: BTreeSet<_> = events.values().filter_map(|event| event.calendar_id).collect();
        let mut copies = BTreeMap::new();
        let mut only_read = BTreeSet::new();
        for home in plans.contexts.iter().filter_map(Context::publishes_to) {
            let held = tx.calendar(&Scope::Whole, home).await.expect("a calendar");
            only_read.extend(held.filter(|held| !held.takes_writes()).map(|held| held.id));
        }
        for home in homes {
            let index = tx.mapping_index(home).await.expect("copies");
            copies.extend(index.into_iter().map(|copy| ((home, copy.event_id), copy.remote_id)));
        }
        tx.commit().await.expect("a commit");
        for block in &plans.blocks {
            let Some(task) = plans.tasks.iter().find(|task| task.id == block.task_id) else {
                self.broken.push(Promise::BlockShown.broken(format!("block {} of {user} has no task", block.id)));
                continue;
            };
            let home = plans.contexts.iter().find(|context| Some(context.id) == task.facts.context_id);
            let home = home.and_then(Context::publishes_to);
            if home.is_some_and(|home| only_read.contains(&home)) {
                // Nothing is shown there, or as it was before; once it takes writes again, blocks may have new events.
                self.shown.remove(&block.id);
                continue;
            }
            let event = block.event_id.and_then(|id| events.get(&id));
            self.broken.extend(says_its_block(block, task, home, event));
            let Some(event) = event.filter(|event| event.deleted_at.is_none()) else { continue };
            let Some(calendar) = event.calendar_id else { continue };
            if let Some(remote) = copies.get(&(calendar, event.id)).cloned() {
                self.keeps_its_event(block, Shown { user: user.clone(), calendar, event: event.id, remote });
            }
        }
        self.days(user, &plans);
    }

    /// P-7.
    fn keeps_its_event(&mut self, block: &TimeBlock, shown: Shown) {
        if let Some(before) = self.shown.get(&block.id)
            && before.calendar == shown.calendar
            && *before != shown
            && !self.deleted.contains(&block.id)
        {
            self.broken.push(Promise::EventKept.broken(format!("block {} was {before:?} and is {shown:?}", block.id)));
        }
        self.shown.insert(block.id, shown);
    }

    /// P-4, P-5 and P-8.
    fn days(&mut self, user: &UserId, plans: &Plans) {
        let mut turns: Vec<_> = plans.turns.iter().collect();
        turns.sort_by_key(|turn| (turn.ran_at, turn.date));
        for pair in turns.windows(2).filter(|pair| pair[0].date >= pair[1].date) {
            self.broken.push(
                Promise::DatesInOrder.broken(format!("{} of {user} begins after {}", pair[1].date, pair[0].date)),
            );
        }
        let made = |task: &Task| {
            let rows = turns.iter().flat_map(|turn| &turn.tasks);
            rows.filter(|row| row.to == Some(task.id) && Some(row.from) == task.carried_from).count()
        };
        for heir in plans.tasks.iter().filter(|task| task.carried_from.is_some()) {
            if made(heir) != 1 {
                self.broken.push(Promise::OneInstance.broken(format!(
                    "{} {} of {user} was made by {} days",
                    heir.facts.title,
                    heir.id,
                    made(heir)
                )));
            }
        }
        for turn in &turns {
            let from: BTreeSet<_> = turn.tasks.iter().map(|row| row.from).collect();
            if from.len() < turn.tasks.len() {
                self.broken.push(
                    Promise::OneInstance
                        .broken(format!("{} of {user} ends an instance twice: {:?}", turn.date, turn.tasks)),
                );
            }
        }
        let open = |task: &&Task| task.facts.status.is_open();
        let mut heirs = BTreeSet::new();
        for task in plans.tasks.iter().filter(open) {
            if let Some(from) = task.carried_from
                && !heirs.insert(from)
            {
                self.broken.push(Promise::OneInstance.broken(format!("{} of {user} goes on twice", task.facts.title)));
            }
        }
        for task in &plans.tasks {
            let total = task.total_actual_min();
            let before = self.worked.insert(task.id, total).unwrap_or(0);
            let old = plans.tasks.iter().find(|old| Some(old.id) == task.carried_from);
            if let Some(old) = old.filter(|old| old.total_actual_min() != task.carried_actual_min) {
                let (had, carried) = (old.total_actual_min(), task.carried_actual_min);
                self.broken.push(
                    Promise::MinutesKept.broken(format!(
                        "{} of {user} had {had} minutes, and {carried} were carried",
                        task.facts.title
                    )),
                );
            }
            if total < before {
                self.broken.push(
                    Promise::MinutesKept
                        .broken(format!("{} of {user} had {before} minutes and has {total}", task.facts.title)),
                );
            }
        }
    }

    /// P-6: nothing that an offer was made from has changed since.
    pub async fn offer_stands(&self, services: &Services, user: &UserId, offer: &Proposal) -> Result<(), String> {
        if offer.changes.iter().any(|change| change.state == ChangeState::Accepted) {
            // Its own changes are no reason against the rest of it.
            return Ok(());
        }
        let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
        let tasks = tx.open_tasks(user).await.expect("tasks");
        let blocks = tx.live_blocks(user, offer.created_at).await.expect("blocks");
        tx.commit().await.expect("a commit");
        let since = |at: DateTime<Utc>| at > offer.created_at;
        if let Some(task) = tasks.iter().find(|task| since(task.updated_at)) {
            return Err(format!("{} changed at {}, after {}", task.facts.title, task.updated_at, offer.created_at));
        }
        match blocks.iter().find(|block| since(block.updated_at)) {
            Some(block) => {
                Err(format!("block {} changed at {}, after {}", block.id, block.updated_at, offer.created_at))
            }
            None => Ok(()),
        }
    }

    /// P-3 and P-9, and everything else once more.
    pub async fn rest(&mut self, alive: &Alive, desks: &[AppState]) {
        for desk in desks {
            self.look(&alive.services, &desk.user).await;
            let events = local_events(&alive.services, &desk.user).await.expect("events");
            let planned = |event: &&Event| {
                event.deleted_at.is_none() && event.origin == Origin::Local && is_planned(&event.content.facts.title)
            };
            let planned: Vec<_> = events.iter().filter(planned).collect();
            let ids: Vec<_> = planned.iter().map(|event| event.id).collect();
            let mut tx = alive.services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
            let shown = tx.blocks_by_events(&ids).await.expect("blocks");
            // What was edited there while it was taken away here comes back, and its owner is told.
            let filter = ConflictFilter { user: Some(desk.user.clone()), limit: 10_000, ..ConflictFilter::default() };
            let disputes = tx.conflicts(&Scope::Whole, &filter).await.expect("conflicts");
            let came_back = |event: &&&Event| {
                disputes.iter().any(|one| one.event_id == event.id && one.kind == ConflictKind::DeletedLocally)
            };
            for event in planned.iter().filter(|event| !came_back(event)) {
                let blocks = shown.iter().filter(|block| block.event_id == Some(event.id)).count();
                if blocks != 1 {
                    let (title, at) = (&event.content.facts.title, event.content.facts.start);
                    self.broken.push(
                        Promise::NoOrphan
                            .broken(format!("{title} at {at:?} of {}, {}, has {blocks} blocks", desk.user, event.id)),
                    );
                }
            }
            for account in tx.accounts(&Scope::Whole, Some(&desk.user), None, 10).await.expect("accounts") {
                let queue = tx.outbox_of(&Scope::Whole, account.id, 10).await.expect("a queue");
                self.broken.extend(
                    queue
                        .iter()
                        .map(|entry| Promise::NothingOwed.broken(format!("a write is queued at rest: {entry:?}"))),
                );
            }
            let owed = tx.plans_due(alive.world.now(), 10).await.expect("plans");
            tx.commit().await.expect("a commit");
            self.broken.extend(
                owed.iter().map(|owed| Promise::NothingOwed.broken(format!("a plan is owed at rest: {owed:?}"))),
            );
        }
    }

    /// How often blocks have changed: as often, at most, something is written at rest.
    pub async fn changes(services: &Services, desks: &[AppState]) -> i64 {
        let mut sum = 0;
        let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
        for desk in desks {
            sum += read(&mut tx, &desk.user).await.blocks.iter().map(|block| block.version).sum::<i64>();
        }
        tx.commit().await.expect("a commit");
        sum
    }
}

/// P-2 as far as it is decided here; that the calendar there says the same is I-1.
fn says_its_block(block: &TimeBlock, task: &Task, home: Option<CalendarId>, event: Option<&Event>) -> Option<String> {
    let named = format!("{} block {} {}–{} {}", task.facts.title, block.id, block.start, block.end, block.state);
    let broken = |how: &str| Some(Promise::BlockShown.broken(format!("{named} is {how}")));
    let Some(event) = event.filter(|event| event.deleted_at.is_none()) else {
        // What is worked on, or over, may have been taken out of the calendar.
        let needs_none = matches!(block.state, BlockState::InProgress | BlockState::Done | BlockState::Missed);
        return broken("not shown").filter(|_| home.is_some() && !needs_none);
    };
    let facts = &event.content.facts;
    let (start, end) = (facts.start.instant(block.zone), facts.end.instant(block.zone));
    if home.is_none() || event.calendar_id != home {
        return broken(&format!("shown in {:?}, not in {home:?}", event.calendar_id));
    }
    // Calendars know no parts of seconds.
    if (start, end) != (block.start.trunc_subsecs(0), block.end.trunc_subsecs(0)) {
        return broken(&format!("shown at {start}–{end}"));
    }
    broken(&format!("shown as {}", facts.title)).filter(|_| facts.title != task.facts.title)
}
