//! People who plan: contexts, tasks, blocks, offers, clocks, hours and time zones, here and in the calendar there.
//!
//! What they plan is called `tk…`, everything else is an `ev…`. A task that belongs to no calendar carries [`HUSH`] in title and
//! description; a context that has become private stays so, and what is in it is never shown again unless it is renamed first.

use std::{collections::BTreeSet, fmt::Write as _};

use calwarden::{
    domain::{
        block::TimeBlock,
        context::{Context, ContextVisibility},
        ids::{CalendarId, UserId},
        mapping::Mapping,
        person::{Scope, WorkingHours},
        promise::Promise,
        proposal::{ChangeState, PlanCause, Proposal, ProposalState},
        task::{Due, Firmness, MissedPolicy, Priority, Repeats, Task, TaskFacts, TaskStatus},
        time::{EventTime, Window},
        working_hours::PlanningRules,
    },
    service::{
        Refusal, Services,
        people::UserFacts,
        planning::{contexts::ContextFacts, run_focus::FocusAct, tasks::TasksWanted},
    },
    store::{Mode, StoreError},
};
use chrono::{DateTime, Duration, SubsecRound, Utc};
use chrono_tz::Tz;
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

use super::{
    cast::Person,
    life::Alive,
    people::{Lineage, create_here, with_line},
    planned::Book,
    planning::task,
    serve::Shared,
};

/// The word of what is private.
pub const HUSH: &str = "(hush)";
/// Who plans: at a CalDAV server, at Google, at both.
const PLANNERS: [&str; 3] = ["ada", "gil", "ivy"];
/// Where they live for a while. In the night of the story three of these have no midnight, and most change their clocks.
const ZONES: [Tz; 7] = [
    chrono_tz::Europe::Paris,
    chrono_tz::Asia::Beirut,
    chrono_tz::Atlantic::Azores,
    chrono_tz::America::Nuuk,
    chrono_tz::America::Los_Angeles,
    chrono_tz::Asia::Tokyo,
    chrono_tz::Pacific::Apia,
];
/// Open tasks that one person has at most: a story is no benchmark of the planner.
const TASKS_MAX: usize = 6;

/// One person who plans.
pub struct AppState {
    pub user: UserId,
    /// Their calendars, each with who they are there.
    calendars: Vec<Home>,
}

/// A calendar.
struct Home {
    id: CalendarId,
    href: String,
    signs_in_as: &'static str,
    at_google: bool,
}

/// The desks of those who plan.
pub fn desks(people: &[Person]) -> Vec<AppState> {
    let home = |person: &Person| {
        let (id, href) = person.calendars.first().expect("a calendar").clone();
        Home { id, href, signs_in_as: person.signs_in_as, at_google: person.at_google }
    };
    let of = |name: &&str| {
        let own: Vec<_> = people.iter().filter(|person| person.user.as_str() == *name).collect();
        AppState { user: own[0].user.clone(), calendars: own.into_iter().map(home).collect() }
    };
    PLANNERS.iter().map(of).collect()
}

/// Whether a title is that of planned work.
pub fn is_planned(title: &str) -> bool {
    title.starts_with("tk")
}

/// Somebody at their desk.
pub struct Sitting<'a> {
    pub alive: &'a Alive,
    pub outside: &'a Shared,
    pub desk: &'a AppState,
    pub book: &'a mut Book,
    pub lineage: &'a mut Lineage,
}

/// Hours of every day of the week.
fn rules(rng: &mut StdRng) -> PlanningRules {
    let hours = [json!([["00:00", "24:00"]]), json!([["06:00", "22:00"]]), json!([["20:00", "04:00"]])];
    let hours = &hours[rng.random_range(0..hours.len())];
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let weekly: serde_json::Map<_, _> = days.map(|day| (day.to_owned(), hours.clone())).into_iter().collect();
    let mut drawn = |of: [Value; 4]| of[rng.random_range(0..4)].clone();
    let rules = json!({
        "hours": { "work": { "weekly": weekly } },
        "look_ahead_days": drawn([1.into(), 1.into(), 2.into(), 3.into()]),
        "freeze_min": drawn([0.into(), 0.into(), 30.into(), 30.into()]),
        "buffer_min": drawn([0.into(), 0.into(), 0.into(), 15.into()]),
        "daily_cap_min": drawn([Value::Null, Value::Null, 120.into(), 300.into()]),
        "mode": drawn(["propose".into(), "auto".into(), "auto".into(), "off".into()]),
        "day_starts_at": drawn(["00:00".into(), "00:00".into(), "00:00".into(), "04:00".into()]),
        "past": drawn(["missed".into(), "missed".into(), "assume_done".into(), "assume_done".into()]),
    });
    serde_json::from_value(rules).expect("rules")
}

/// Everybody gets hours to work in, something to do, and a first plan.
pub async fn settle_in(alive: &Alive, desks: &[AppState], outside: &Shared, book: &mut Book, rng: &mut StdRng) {
    let mut lineage = Lineage::default();
    for desk in desks {
        let done = alive.services.set_planning_rules(&Scope::Whole, &desk.user, None, rules(rng)).await;
        done.expect("rules are set");
        let mut sitting = Sitting { alive, outside, desk, book, lineage: &mut lineage };
        let home = desk.calendars.first().map(|home| home.id);
        let shared = ContextFacts { name: "work".to_owned(), visibility: ContextVisibility::Shared, calendar_id: home };
        alive.services.create_context(&Scope::Whole, &desk.user, shared).await.expect("a context");
        sitting.make_context(rng).await.expect("another");
        for _ in 0..3 {
            sitting.make_task(rng).await;
        }
        if let Some(offer) =
            alive.services.plan(&Scope::Whole, &desk.user, PlanCause::Asked).await.expect("a plan").proposal
        {
            alive.services.accept_proposal(&Scope::Whole, offer.id, None).await.expect("accepted");
        }
    }
}

/// Everybody stops for now, and wants no plans by themselves any more.
pub async fn clear_away(alive: &Alive, desks: &[AppState]) {
    for desk in desks {
        if alive.services.focus(&Scope::Whole, &desk.user).await.expect("a clock").focus.is_some() {
            alive.services.act_on_focus(&Scope::Whole, &desk.user, FocusAct::Stop).await.expect("stopped");
        }
        let (rules, _) = alive.services.planning_rules(&Scope::Whole, &desk.user).await.expect("rules");
        let rules = PlanningRules { mode: calwarden::domain::working_hours::PlanMode::Off, ..rules };
        alive.services.set_planning_rules(&Scope::Whole, &desk.user, None, rules).await.expect("rules are set");
    }
}

fn one_of<'t, T>(all: &'t [T], rng: &mut StdRng) -> Option<&'t T> {
    (!all.is_empty()).then(|| &all[rng.random_range(0..all.len())])
}

impl Sitting<'_> {
    /// One thing that they do; what cannot be done now is left.
    pub async fn act(&mut self, rng: &mut StdRng) -> Option<String> {
        let user = self.desk.user.as_str();
        let done = match rng.random_range(0..30) {
            0..5 => self.make_task(rng).await,
            5 | 6 => self.map_context(rng).await,
            7 | 8 => self.change_task(rng).await,
            9 => self.close_task(rng).await,
            10..13 => self.ask(rng).await,
            13..17 => self.answer(rng).await,
            17 => self.put_block(rng).await,
            18 | 19 => self.touch_block(rng).await,
            20..24 => self.touch_there(rng).await,
            24..27 => self.focus(rng).await,
            27 => self.meet(rng).await,
            28 => self.choose(rng).await,
            _ => self.travel_or_undo(rng).await,
        }?;
        Some(format!("{} {user}: {done}", self.alive.world.now().format("%dT%H:%M:%S")))
    }

    fn services(&self) -> &Services {
        &self.alive.services
    }

    /// What was not taken is known to whoever wanted it; what the database cannot bear is a fault of ours.
    fn taken<T>(&mut self, what: &str, done: Result<T, Refusal>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(Refusal::Store(
                fault @ (StoreError::Corrupt(_) | StoreError::Backend(_) | StoreError::Stale | StoreError::NotFound),
            )) => {
                self.book.broken.push(format!("{what} of {}: {fault}", self.desk.user));
                None
            }
            Err(_) => None,
        }
    }

    async fn contexts(&self) -> Vec<Context> {
        self.services().contexts(&Scope::Whole, &self.desk.user).await.unwrap_or_default()
    }

    async fn tasks(&self, open_only: bool) -> Vec<Task> {
        let user_id = self.desk.user.clone();
        let wanted = TasksWanted { user_id, open_only, context_id: None, after: None, limit: 500 };
        self.services().tasks(&Scope::Whole, &wanted).await.unwrap_or_default()
    }

    /// Their blocks of some days; those that are over as well.
    async fn blocks(&self) -> Vec<TimeBlock> {
        let now = self.alive.world.now();
        let (from, to) = (now - Duration::days(2), now + Duration::days(4));
        self.services().blocks_between(&Scope::Whole, &self.desk.user, from, to).await.unwrap_or_default()
    }

    /// Whether what is in a context belongs to a calendar, for good or for now.
    fn is_told(context: Option<&Context>) -> bool {
        context.is_some_and(|context| context.visibility == ContextVisibility::Shared)
    }

    fn facts(&mut self, context: Option<&Context>, rng: &mut StdRng) -> TaskFacts {
        let mut title = self.book.name("tk");
        let mut description = "more".to_owned();
        if !Self::is_told(context) {
            let _ = write!(title, " {HUSH}");
            let _ = write!(description, " {HUSH}");
        }
        let facts = task(&title, 15 * rng.random_range(1..9), context.map(|context| context.id));
        let missed = [None, Some(MissedPolicy::Carry), Some(MissedPolicy::Stack)];
        let repeats = (rng.random_range(0..5) == 0)
            .then(|| Repeats { rule: "FREQ=DAILY".to_owned(), missed: missed[rng.random_range(0..missed.len())] });
        self.vary(TaskFacts { description: Some(description), repeats, ..facts }, rng)
    }

    fn vary(&self, facts: TaskFacts, rng: &mut StdRng) -> TaskFacts {
        let due = self.alive.world.now() + Duration::hours(rng.random_range(2..40));
        TaskFacts {
            priority: Priority::ALL[rng.random_range(0..Priority::ALL.len())],
            splittable: rng.random_range(0..2) == 0,
            min_chunk_min: Some(15),
            max_chunk_min: (rng.random_range(0..3) == 0).then_some(45),
            due: (rng.random_range(0..3) == 0).then_some(Due { at: EventTime::utc(due), firmness: Firmness::Soft }),
            buffer_after_min: (rng.random_range(0..4) == 0).then_some(15),
            ..facts
        }
    }

    async fn make_task(&mut self, rng: &mut StdRng) -> Option<String> {
        let contexts = self.contexts().await;
        if contexts.is_empty() || contexts.len() < 3 && rng.random_range(0..6) == 0 {
            return self.make_context(rng).await;
        }
        let open = self.tasks(true).await;
        if open.len() >= TASKS_MAX {
            return self.close_task(rng).await;
        }
        let context = one_of(&contexts, rng).filter(|_| rng.random_range(0..8) != 0);
        let mut facts = self.facts(context, rng);
        facts.after =
            one_of(&open, rng).filter(|_| rng.random_range(0..6) == 0).map(|task| task.id).into_iter().collect();
        let title = facts.title.clone();
        let done = self.services().create_task(&Scope::Whole, &self.desk.user, facts).await;
        self.taken("a new task", done).map(|task| format!("task {title} {:?} min", task.facts.estimate_min))
    }

    fn mapped(&self, visibility: ContextVisibility, rng: &mut StdRng) -> ContextFacts {
        let home = one_of(&self.desk.calendars, rng).filter(|_| rng.random_range(0..6) != 0);
        ContextFacts { name: "work".to_owned(), visibility, calendar_id: home.map(|home| home.id) }
    }

    async fn make_context(&mut self, rng: &mut StdRng) -> Option<String> {
        let private = rng.random_range(0..4) == 0;
        let facts = self.mapped(if private { ContextVisibility::Private } else { ContextVisibility::Shared }, rng);
        let said = format!("context {facts:?}");
        let done = self.services().create_context(&Scope::Whole, &self.desk.user, facts).await;
        self.taken("a new context", done).map(|_| said)
    }

    /// Shows a context in another calendar, or in none; makes it private; takes it away with what it published.
    async fn map_context(&mut self, rng: &mut StdRng) -> Option<String> {
        let contexts = self.contexts().await;
        let context = one_of(&contexts, rng)?;
        self.book.forget_events_of(&self.desk.user);
        if rng.random_range(0..12) == 0 {
            let done = self.services().delete_context(&Scope::Whole, context.id).await;
            return self.taken("no more context", done).map(|()| format!("context {} goes", context.id));
        }
        let stays = context.visibility == ContextVisibility::Shared && rng.random_range(0..5) != 0;
        let facts = self.mapped(if stays { ContextVisibility::Shared } else { ContextVisibility::Private }, rng);
        let said = format!("context {} {facts:?}", context.id);
        let done = self.services().change_context(&Scope::Whole, context.id, None, |_| facts.clone()).await;
        self.taken("another mapping", done).map(|_| said)
    }

    /// What a task says, as its owner would say it again.
    async fn change_task(&mut self, rng: &mut StdRng) -> Option<String> {
        let (tasks, contexts) = (self.tasks(true).await, self.contexts().await);
        let held = one_of(&tasks, rng)?;
        let mut facts = held.facts.clone();
        match rng.random_range(0..5) {
            0 => facts.pinned = !facts.pinned,
            1 => facts.estimate_min = Some(15 * rng.random_range(1..9)),
            2 => facts = self.vary(facts, rng),
            // Into another context, and under a name that may be read there.
            _ => {
                let context = one_of(&contexts, rng);
                self.book.forget_events_of(&self.desk.user);
                let fresh = self.facts(context, rng);
                facts = TaskFacts {
                    context_id: fresh.context_id,
                    title: fresh.title,
                    description: fresh.description,
                    ..facts
                };
            }
        }
        let said = format!("task {} becomes {} in {:?}", held.facts.title, facts.title, facts.context_id);
        let done = self.services().change_task(&Scope::Whole, held.id, Some(held.version), |_| facts.clone()).await;
        self.taken("a changed task", done).map(|_| said)
    }

    async fn close_task(&mut self, rng: &mut StdRng) -> Option<String> {
        let reopens = rng.random_range(0..5) == 0;
        let mut tasks = self.tasks(!reopens).await;
        tasks.retain(|task| task.facts.status.is_open() || task.facts.status == TaskStatus::Done);
        let held = one_of(&tasks, rng)?;
        if rng.random_range(0..4) == 0 {
            let done = self.services().delete_task(&Scope::Whole, held.id).await;
            return self.taken("a deleted task", done).map(|()| format!("task {} deleted", held.facts.title));
        }
        let open = held.facts.status.is_open();
        let status = match rng.random_range(0..3) {
            _ if !open => TaskStatus::Open,
            0 => TaskStatus::Cancelled,
            _ => TaskStatus::Done,
        };
        let facts = TaskFacts { status, ..held.facts.clone() };
        let done = self.services().change_task(&Scope::Whole, held.id, None, |_| facts.clone()).await;
        self.taken("a closed task", done).map(|_| format!("task {} {status}", held.facts.title))
    }

    async fn ask(&mut self, rng: &mut StdRng) -> Option<String> {
        let done = self.services().plan(&Scope::Whole, &self.desk.user, PlanCause::Asked).await;
        let offered = self.taken("a plan", done)?.proposal.map(|offer| offer.changes.len());
        if offered.is_some() && rng.random_range(0..2) == 0 {
            return self.answer(rng).await;
        }
        Some(format!("asks for a plan: {offered:?}"))
    }

    /// Says yes or no to an offer or to a part of it, or puts back what was accepted.
    async fn answer(&mut self, rng: &mut StdRng) -> Option<String> {
        let all = self.services().proposals(&Scope::Whole, &self.desk.user, None, 20).await.unwrap_or_default();
        let choice = rng.random_range(0..8);
        // Now and then an old one is answered, as by a page that was left open.
        let wanted = |offer: &&Proposal| match choice {
            6 => offer.changes.iter().any(|change| change.state == ChangeState::Accepted),
            7 => true,
            _ => offer.state == ProposalState::Open,
        };
        let offers: Vec<_> = all.iter().filter(wanted).collect();
        let offer = *one_of(&offers, rng)?;
        let only: BTreeSet<_> =
            offer.changes.iter().filter(|_| rng.random_range(0..2) == 0).map(|change| change.block_id).collect();
        let only = (rng.random_range(0..3) == 0).then_some(&only);
        match choice {
            5 => {
                let done = self.services().reject_proposal(&Scope::Whole, offer.id).await;
                self.taken("a no", done).map(|_| "says no".to_owned())
            }
            6 => {
                self.book.forget_events_of(&self.desk.user);
                let done = self.services().put_back(&Scope::Whole, offer.id, only).await;
                self.taken("put back", done).map(|_| format!("puts back, of {}, {only:?}", offer.changes.len()))
            }
            _ => {
                let stood = self.book.offer_stands(self.services(), &self.desk.user, offer).await;
                let done = self.services().accept_proposal(&Scope::Whole, offer.id, only).await;
                let accepted = self.taken("a yes", done)?;
                if accepted.version != offer.version
                    && let Err(why) = stood
                {
                    self.book.broken.push(
                        Promise::AsOffered.broken(format!("an offer of {} was accepted though {why}", self.desk.user)),
                    );
                }
                Some(format!("says yes to {} changes, {only:?}", offer.changes.len()))
            }
        }
    }

    fn somewhen(&self, rng: &mut StdRng) -> Window {
        let from = self.alive.world.now().trunc_subsecs(0) + Duration::minutes(5 * rng.random_range(-6..200));
        Window { from, to: from + Duration::minutes(5 * rng.random_range(1..20)) }
    }

    async fn put_block(&mut self, rng: &mut StdRng) -> Option<String> {
        let tasks = self.tasks(true).await;
        let held = one_of(&tasks, rng)?;
        let span = self.somewhen(rng);
        let done = self.services().create_block(&Scope::Whole, held.id, span).await;
        self.taken("a new block", done).map(|_| format!("block of {} at {}", held.facts.title, span.from))
    }

    async fn touch_block(&mut self, rng: &mut StdRng) -> Option<String> {
        let blocks = self.blocks().await;
        let block = one_of(&blocks, rng)?;
        let (id, span, scope) = (block.id, self.somewhen(rng), Scope::Whole);
        let (said, done) = match rng.random_range(0..5) {
            0 => ("is confirmed", self.services().confirm_block(&scope, id, None).await.map(drop)),
            1 => ("is released", self.services().release_block(&scope, id, None).await.map(drop)),
            2 => ("is deleted", self.services().delete_block(&scope, id).await),
            _ => ("is moved", self.services().move_block(&scope, id, None, span).await.map(drop)),
        };
        self.taken("a block", done).map(|()| format!("block {id} {said} {}", span.from))
    }

    async fn focus(&mut self, rng: &mut StdRng) -> Option<String> {
        let open = self.services().focus(&Scope::Whole, &self.desk.user).await.ok()?.focus;
        let act = if open.is_none() {
            let tasks = self.tasks(true).await;
            FocusAct::Start(one_of(&tasks, rng).filter(|_| rng.random_range(0..2) == 0).map(|task| task.id))
        } else {
            let acts =
                [FocusAct::Pause, FocusAct::Resume, FocusAct::Resume, FocusAct::Finish, FocusAct::Skip, FocusAct::Stop];
            acts[rng.random_range(0..acts.len())]
        };
        let done = self.services().act_on_focus(&Scope::Whole, &self.desk.user, act).await;
        self.taken("a clock", done).map(|_| format!("focus {act:?}"))
    }

    /// Something else is put where a block is.
    async fn meet(&mut self, rng: &mut StdRng) -> Option<String> {
        let blocks = self.blocks().await;
        let start = one_of(&blocks, rng)?.start.with_timezone(&chrono_tz::Europe::Paris).naive_local();
        let home = one_of(&self.desk.calendars, rng)?.id;
        let services = &self.alive.services;
        create_here(services, &self.desk.user, home, start, rng, self.lineage).await
    }

    async fn choose(&mut self, rng: &mut StdRng) -> Option<String> {
        let rules = rules(rng);
        let said = format!("plans {} from {:?}", rules.mode, rules.day_starts_at);
        let done = self.services().set_planning_rules(&Scope::Whole, &self.desk.user, None, rules).await;
        self.taken("rules", done).map(|_| said)
    }

    async fn travel_or_undo(&mut self, rng: &mut StdRng) -> Option<String> {
        if rng.random_range(0..3) == 0 {
            let all = self.services().rollovers(&Scope::Whole, &self.desk.user, None, 3).await.ok()?;
            let turn = one_of(&all, rng)?;
            let done = self.services().undo_rollover(&Scope::Whole, turn.id).await;
            return self.taken("a day taken back", done).map(|_| format!("takes {} back", turn.date));
        }
        let zone = ZONES[rng.random_range(0..ZONES.len())];
        let name = self.desk.user.as_str().to_owned();
        let facts = UserFacts { name, time_zone: zone, working_hours: WorkingHours::default() };
        let done = self.services().put_user(&self.desk.user, facts).await;
        self.taken("another zone", done).map(|_| format!("lives in {zone}"))
    }

    /// Drags, renames or deletes a block's event with another client.
    async fn touch_there(&mut self, rng: &mut StdRng) -> Option<String> {
        let mut shown = Vec::new();
        for block in self.blocks().await {
            for home in &self.desk.calendars {
                if let Some(copy) = self.copy_in(&block, home.id).await {
                    shown.push((block.clone(), home, copy));
                }
            }
        }
        let (block, home, copy) = one_of(&shown, rng)?;
        let span = self.somewhen(rng);
        let choice = rng.random_range(0..6);
        let title = format!("{} there", self.book.name("tk"));
        let (path, now) = (&copy.remote_id.0, self.alive.world.now());
        let mut held = self.outside.borrow_mut();
        let said = match choice {
            0 => "deleted",
            1 => "renamed",
            _ => "dragged",
        };
        if home.at_google {
            let google = &mut held.google;
            let here = google.events(now, home.signs_in_as).iter().any(|item| item["id"].as_str() == Some(path));
            let time = |at: DateTime<Utc>| json!({ "dateTime": at.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "UTC" });
            let (method, body) = match choice {
                0 => ("DELETE", Value::Null),
                1 => ("PATCH", json!({ "summary": title })),
                _ => ("PATCH", json!({ "start": time(span.from), "end": time(span.to) })),
            };
            here.then(|| google.write_event(now, home.signs_in_as, method, &format!("/{path}"), &body))?;
        } else {
            let server = &mut held.server;
            let body = server.calendars.get(&home.href)?.objects.get(path)?.body.clone();
            let time = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
            match choice {
                0 => server.remove(path),
                1 => drop(server.store(path, with_line(&body, "SUMMARY", &title))),
                _ => {
                    let moved = with_line(&with_line(&body, "DTSTART", &time(span.from)), "DTEND", &time(span.to));
                    server.store(path, moved);
                }
            }
        }
        if choice == 0 {
            self.book.forget_event_of(block.id);
        }
        Some(format!("there: block {} of {path} {said} {} {title}", block.id, span.from))
    }

    async fn copy_in(&self, block: &TimeBlock, calendar: CalendarId) -> Option<Mapping> {
        let mut tx = self.services().store.begin(Mode::Read, &Scope::Whole).await.ok()?;
        let copy = tx.mapping_of(block.event_id?, calendar).await.ok()?;
        tx.commit().await.ok()?;
        copy
    }
}
