//! Weeks after the busy days, in some seeds: most of a calendar is erased there, its people answer for what is held, a backup may
//! bring it back before or after that, and life goes on with few edits; then the same again in the same calendar.
//!
//! - **place**: everybody who keeps that one calendar, by their number among all people.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use calwarden::{
    domain::{
        conflict::{Hold, HoldState},
        ids::EventId,
        person::Scope,
        promise::Promise,
        round::Cause,
    },
    service::Refusal,
    store::StoreError,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    cast::{Person, help, mend},
    dav::{event_of, line},
    desks::{AppState, clear_away, is_planned},
    faults::Weather,
    invariants::Rest,
    life::Alive,
    people::{Lineage, create_here, create_there, local_events, numbers, texts},
    seeds::act,
    serve::Shared,
};

/// How many events a calendar has, at least, before most of them are erased.
const EVENTS_MIN: usize = 12;
/// After which a round is over, and what it wrote was heard by the others.
const READ: Duration = Duration::from_mins(30);
const DAY: Duration = Duration::from_hours(24);
/// Before this has passed twice, everything is compared once.
const MOST_OF_A_DAY: Duration = Duration::from_hours(13);
/// How often, at most, people read their notices before something happens.
const HELPED_MAX: usize = 5;
/// How often, at most, somebody answers again when their answer could not be taken.
const ANSWERS_MAX: usize = 9;
/// How long Google's tokens last, in seconds: renewing them is not what these weeks are about.
const TOKEN_TTL_S: u32 = 14 * 24 * 3_600;
/// The worst weather of these weeks.
const FAULTS_IN_1000: u32 = 80;

/// One thing of these weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// What is wrong is put right, and there are events enough.
    Settle,
    /// Most of the calendar is erased there.
    Erase,
    /// It is noticed.
    Wait,
    /// A backup is played back, as far as something is missing there.
    GiveBack,
    /// Whoever is asked answers.
    Answer,
    /// Edits here and there.
    Day,
    /// Nobody edits, everything is compared, and nothing is written.
    Quiet,
}

/// An event as it was there.
#[derive(Clone, Debug)]
enum Copy {
    Object { href: String, body: String },
    Item { id: String },
}

/// What was erased.
#[derive(Default)]
struct Incident {
    /// Edits before it, and with its deletions.
    before: usize,
    after: usize,
    erased: BTreeMap<String, Copy>,
    /// Everybody has to be asked about it.
    is_much: bool,
    /// What each of the place had read of it.
    read: BTreeMap<usize, BTreeSet<String>>,
}

/// What is still to come of these weeks.
pub struct Weeks {
    place: Vec<usize>,
    steps: VecDeque<Step>,
    incident: Incident,
    dice: StdRng,
    pub broken: Vec<String>,
}

/// What a step needs besides.
pub struct Scene<'a> {
    pub alive: &'a Alive,
    pub people: &'a mut [Person],
    pub desks: &'a [AppState],
    pub outside: &'a Shared,
    pub port: u16,
    pub lineage: &'a mut Lineage,
}

impl Weeks {
    /// The weeks of a seed, if it has any. Dice of their own: what else a seed comes to does not depend on them.
    pub fn of(seed: u64, people: &[Person]) -> Option<Self> {
        let mut dice = StdRng::seed_from_u64(seed ^ 0x3ee5);
        if dice.random_range(0..4) != 0 {
            return None;
        }
        let kept_by: BTreeMap<_, Vec<usize>> = {
            let mut kept = BTreeMap::<_, Vec<usize>>::new();
            for (at, person) in people.iter().enumerate().filter(|(_, person)| !person.leaves() && person.deletes()) {
                kept.entry((person.at_google, person.signs_in_as)).or_default().push(at);
            }
            kept
        };
        let place = kept_by.into_values().nth(dice.random_range(0..4))?;
        let mut steps = VecDeque::new();
        for _ in 0..2 {
            steps.extend([Step::Settle, Step::Erase, Step::Wait]);
            steps.extend((dice.random_range(0..5) == 0).then_some(Step::GiveBack));
            steps.push_back(Step::Answer);
            steps.extend((dice.random_range(0..4) == 0).then_some(Step::GiveBack));
            let days = dice.random_range(3..6);
            steps.extend(std::iter::repeat_n(Step::Day, days));
            steps.push_back(Step::Quiet);
        }
        Some(Self { place, steps, incident: Incident::default(), dice, broken: Vec::new() })
    }

    pub fn are_over(&self) -> bool {
        self.steps.is_empty()
    }

    /// What a process sees of them before it dies.
    pub async fn go_on(&mut self, scene: &mut Scene<'_>) {
        clear_away(scene.alive, scene.desks).await;
        scene.outside.borrow_mut().google.keep_tokens(scene.alive.world.now(), TOKEN_TTL_S);
        while let Some(step) = self.steps.pop_front() {
            let begins = format!("{} weeks: {step:?}", scene.alive.world.now().format("%dT%H:%M:%S"));
            scene.outside.borrow_mut().trace.push(begins);
            self.step(step, scene).await;
            if self.dice.random_range(0..6) == 0 {
                break;
            }
        }
        scene.outside.borrow_mut().weather.faults_in_1000 = 0;
    }

    async fn step(&mut self, step: Step, scene: &mut Scene<'_>) {
        match step {
            Step::Settle => self.settle(scene).await,
            Step::Erase => self.erase(scene).await,
            Step::Wait => self.wait(scene).await,
            Step::GiveBack => self.give_back(scene).await,
            Step::Answer => self.answer(scene).await,
            Step::Day => self.day(scene).await,
            Step::Quiet => self.quiet(scene).await,
        }
    }

    fn set_weather(&mut self, scene: &Scene<'_>, one_in: u32) {
        let faults_in_1000 = if self.dice.random_range(0..one_in) == 0 { FAULTS_IN_1000 } else { 0 };
        let mut outside = scene.outside.borrow_mut();
        outside.weather = Weather { faults_in_1000, ..outside.weather };
    }

    /// Syncs the calendar for each user who shares it, twice, so that each reads what the others wrote.
    async fn look(&self, scene: &Scene<'_>) {
        for _ in 0..2 {
            for at in &self.place {
                scene.alive.handle.wake(scene.people[*at].account, Cause::Poll);
            }
            tokio::time::sleep(READ).await;
        }
    }

    /// Good weather, and everybody has read their notices.
    async fn calm(&mut self, scene: &mut Scene<'_>) {
        scene.outside.borrow_mut().weather.faults_in_1000 = 0;
        self.look(scene).await;
        for _ in 0..HELPED_MAX {
            if !mend(scene.alive, scene.people, scene.outside, scene.port).await {
                break;
            }
            self.look(scene).await;
        }
    }

    async fn settle(&mut self, scene: &mut Scene<'_>) {
        scene.outside.borrow_mut().weather.faults_in_1000 = 0;
        for _ in 0..HELPED_MAX {
            self.look(scene).await;
            if !help(scene.alive, scene.people, scene.outside, scene.port).await {
                break;
            }
        }
        let own = self.there(scene).len();
        let planned = self.count(scene) - own;
        for _ in own..EVENTS_MIN.max(3 * planned) {
            self.create(scene).await;
        }
        self.look(scene).await;
    }

    async fn create(&mut self, scene: &mut Scene<'_>) {
        let person = &scene.people[self.place[self.dice.random_range(0..self.place.len())]];
        let (now, dice, lineage) = (scene.alive.world.now(), &mut self.dice, &mut *scene.lineage);
        let (calendar, href) = person.calendars[0].clone();
        let done = if dice.random_range(0..2) == 0 {
            let start = lineage.day(dice);
            create_here(&scene.alive.services, &person.user, calendar, start, dice, lineage).await
        } else if person.at_google {
            Some(scene.outside.borrow_mut().google.create(now, person.signs_in_as, dice, lineage))
        } else {
            Some(create_there(&mut scene.outside.borrow_mut().server, &href, dice, lineage))
        };
        scene.outside.borrow_mut().trace.extend(done);
    }

    fn first<'p>(&self, scene: &'p Scene<'_>) -> &'p Person {
        &scene.people[self.place[0]]
    }

    /// People's own events there, each with every edit that it shows.
    fn there(&self, scene: &Scene<'_>) -> BTreeMap<String, (Copy, Vec<usize>)> {
        let person = self.first(scene);
        let mut outside = scene.outside.borrow_mut();
        if person.at_google {
            let all = outside.google.theirs(scene.alive.world.now(), person.signs_in_as);
            return all.into_iter().map(|(name, id, told)| (name, (Copy::Item { id }, told))).collect();
        }
        let objects = outside.server.calendars.get(&person.calendars[0].1).into_iter().flat_map(|held| &held.objects);
        let own = objects.filter(|(_, object)| !is_planned(&line(&object.body, "SUMMARY")));
        own.map(|(href, object)| {
            let copy = Copy::Object { href: href.clone(), body: object.body.clone() };
            (event_of(&object.body), (copy, numbers(&object.body)))
        })
        .collect()
    }

    /// How many events there are, planned ones included.
    fn count(&self, scene: &Scene<'_>) -> usize {
        let person = self.first(scene);
        let mut outside = scene.outside.borrow_mut();
        if person.at_google {
            outside.google.count(scene.alive.world.now(), person.signs_in_as)
        } else {
            outside.server.calendars.get(&person.calendars[0].1).map_or(0, |held| held.objects.len())
        }
    }

    /// What there is in its versions.
    fn versions(&self, scene: &Scene<'_>) -> Vec<String> {
        let person = self.first(scene);
        let mut outside = scene.outside.borrow_mut();
        if person.at_google {
            return outside.google.versions(scene.alive.world.now(), person.signs_in_as);
        }
        let objects = outside.server.calendars.get(&person.calendars[0].1).into_iter().flat_map(|held| &held.objects);
        objects.map(|(href, object)| format!("{href} {}", object.seq)).collect()
    }

    async fn erase(&mut self, scene: &mut Scene<'_>) {
        let before = scene.lineage.len();
        if self.dice.random_range(0..3) == 0 {
            // What is under way just then.
            self.edit(scene).await;
        }
        self.set_weather(scene, 3);
        let (all, total) = (self.there(scene), self.count(scene));
        let share = [100, 100, 90, 75][self.dice.random_range(0..4)];
        let many = (all.len() * share).div_ceil(100);
        let begin = self.dice.random_range(0..=all.len() - many);
        let erased: BTreeMap<_, _> = all.clone().into_iter().skip(begin).take(many).collect();
        let (mut known, mut read) = (BTreeSet::new(), BTreeMap::new());
        for at in &self.place {
            read.insert(*at, names_here(scene, *at).await);
            let events = local_events(&scene.alive.services, &scene.people[*at].user).await.expect("events");
            known.extend(events.iter().flat_map(|event| numbers(&texts(&event.content))));
        }
        for (name, (_, told)) in &erased {
            scene.lineage.ask(name);
            scene.lineage.unseen(told.iter().copied().filter(|edit| !known.contains(edit)));
            scene.lineage.delete(name, told.clone(), "there");
        }
        let anew = self.dice.random_range(0..3) == 0;
        self.take_away(scene, &erased, anew);
        let is_much = many >= 5 && (many == total || total >= 10 && many * 2 > total);
        let told = format!("there: {many} of {total} events are erased, the calendar made anew: {anew}");
        scene.outside.borrow_mut().trace.push(told);
        let erased = erased.into_iter().map(|(name, (copy, _))| (name, copy)).collect();
        let after = scene.lineage.len();
        self.incident = Incident { before, after, erased, is_much, read };
    }

    fn take_away(&self, scene: &Scene<'_>, erased: &BTreeMap<String, (Copy, Vec<usize>)>, anew: bool) {
        let person = self.first(scene);
        let mut outside = scene.outside.borrow_mut();
        let mut gone = BTreeSet::new();
        for (copy, _) in erased.values() {
            match copy {
                Copy::Item { id } => outside.google.erase(scene.alive.world.now(), person.signs_in_as, id),
                Copy::Object { href, .. } if anew => drop(gone.insert(href.clone())),
                Copy::Object { href, .. } => outside.server.remove(href),
            }
        }
        if anew && !person.at_google {
            let collection = &person.calendars[0].1;
            let objects = outside.server.calendars.get(collection).into_iter().flat_map(|held| held.objects.clone());
            let left = objects.filter(|(href, _)| !gone.contains(href)).map(|(href, object)| (href, object.body));
            let left = left.collect();
            outside.server.make_anew(collection, left);
        }
    }

    /// What is erased is noticed; until somebody has answered, nothing of it is deleted here.
    async fn wait(&mut self, scene: &mut Scene<'_>) {
        for _ in 0..self.dice.random_range(0..3) {
            let pause = self.dice.random_range(60..8 * 3_600);
            tokio::time::sleep(Duration::from_secs(pause)).await;
            self.edit_here(scene).await;
        }
        self.look(scene).await;
        self.calm(scene).await;
        // A write that met the deletion of its own event was decided by the account's rule, and the history has it.
        let disputed = Rest::disputed(&scene.alive.services).await;
        for at in self.place.clone() {
            let alive = names_here(scene, at).await;
            let user = &scene.people[at].user;
            let read = &self.incident.read[&at];
            let missing = self.incident.erased.keys().filter(|name| read.contains(*name) && !alive.contains(*name));
            let missing = missing.filter(|name| !disputed.contains(*name));
            let missing: Vec<_> =
                missing.filter(|name| !scene.lineage.deleted_since(name, self.incident.after)).collect();
            let asked = held(scene, at).await;
            if self.incident.is_much && !missing.is_empty() {
                self.broken
                    .push(Promise::Brake.broken(format!("{missing:?} of {user} are gone, and nobody was asked")));
            }
            if self.incident.is_much && asked.is_empty() && self.is_missing_more(scene, &alive) {
                self.broken.push(Promise::Brake.broken(format!("{user} is asked about nothing")));
            }
        }
    }

    /// Whether more is missing there than may go without a question.
    fn is_missing_more(&self, scene: &Scene<'_>, alive: &BTreeSet<String>) -> bool {
        let there = self.there(scene);
        let missing = self.incident.erased.keys().filter(|name| alive.contains(*name) && !there.contains_key(*name));
        missing.count() * 2 > alive.len()
    }

    /// What is missing there and was deleted by nobody since is there again as it was, or half of it.
    async fn give_back(&mut self, scene: &mut Scene<'_>) {
        let pause = [0, 1, 5, 7_200, 90_000][self.dice.random_range(0..5)];
        tokio::time::sleep(Duration::from_secs(pause)).await;
        let every = self.dice.random_range(1..3);
        let (who, now) = (self.first(scene).signs_in_as, scene.alive.world.now());
        let mut back = 0;
        let there = self.there(scene);
        for (name, copy) in self.incident.erased.iter().step_by(every) {
            if there.contains_key(name) || scene.lineage.deleted_since(name, self.incident.after) {
                continue;
            }
            let mut outside = scene.outside.borrow_mut();
            match copy {
                Copy::Object { href, body } => drop(outside.server.store(href, body.clone())),
                Copy::Item { id } => outside.google.give_back(now, who, id),
            }
            scene.lineage.stays(name);
            back += 1;
        }
        scene.outside.borrow_mut().trace.push(format!("there: {back} events are given back"));
    }

    /// Everybody who is asked answers, each for themselves or all alike.
    async fn answer(&mut self, scene: &mut Scene<'_>) {
        self.set_weather(scene, 3);
        let alike = self.dice.random_range(0..2) == 0;
        let mut approve = self.dice.random_range(0..2) == 0;
        let mut agreed: Option<BTreeSet<String>> = None;
        for at in self.place.clone() {
            if !alike {
                approve = self.dice.random_range(0..2) == 0;
            }
            let events = local_events(&scene.alive.services, &scene.people[at].user).await.expect("events");
            let named: BTreeMap<EventId, String> = events
                .iter()
                .filter(|event| event.deleted_at.is_none())
                .map(|event| (event.id, first_word(&event.content.facts.title)))
                .collect();
            let mut approved = BTreeSet::new();
            for hold in held(scene, at).await {
                let asked_of: BTreeSet<_> =
                    hold.removed.iter().filter_map(|held| named.get(&held.event_id)).cloned().collect();
                let taken = decide(scene, &hold, approve).await;
                let told =
                    format!("here: {} answers {approve} for {} events: {taken}", scene.people[at].user, asked_of.len());
                scene.outside.borrow_mut().trace.push(told);
                match (taken, approve) {
                    (true, true) => approved.extend(asked_of),
                    (true, false) => asked_of.iter().for_each(|name| scene.lineage.stays(name)),
                    (false, _) => {}
                }
            }
            agreed = Some(agreed.map_or(approved.clone(), |agreed| &agreed & &approved));
            let pause = [0, 3, 4 * 3_600][self.dice.random_range(0..3)];
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
        for name in agreed.into_iter().flatten().filter(|name| self.incident.erased.contains_key(name)) {
            scene.lineage.goes(&name, self.incident.before);
        }
    }

    /// Few edits, by those of the place mostly.
    async fn day(&mut self, scene: &mut Scene<'_>) {
        self.set_weather(scene, 4);
        let ends = tokio::time::Instant::now() + DAY;
        for _ in 0..self.dice.random_range(0..4) {
            let pause = self.dice.random_range(60..7 * 3_600);
            tokio::time::sleep(Duration::from_secs(pause)).await;
            self.edit(scene).await;
        }
        tokio::time::sleep_until(ends).await;
        self.look(scene).await;
    }

    async fn edit(&mut self, scene: &mut Scene<'_>) {
        let others: Vec<_> = (0..scene.people.len()).filter(|at| !scene.people[*at].leaves()).collect();
        let among = if self.dice.random_range(0..5) == 0 { &others } else { &self.place };
        let at = among[self.dice.random_range(0..among.len())];
        let person = &scene.people[at];
        let done = act(scene.alive, person, scene.outside, &mut self.dice, scene.lineage).await;
        scene.outside.borrow_mut().trace.extend(done);
    }

    async fn edit_here(&mut self, scene: &mut Scene<'_>) {
        let person = &scene.people[self.place[self.dice.random_range(0..self.place.len())]];
        let (calendar, services) = (person.calendars[0].0, &scene.alive.services);
        let done = super::people::act_here(services, &person.user, calendar, &mut self.dice, scene.lineage).await;
        scene.outside.borrow_mut().trace.extend(done);
    }

    /// What was agreed is so on both sides, nothing is there twice, nobody is asked again, and nobody writes.
    async fn quiet(&mut self, scene: &mut Scene<'_>) {
        self.calm(scene).await;
        let before = self.versions(scene);
        for _ in 0..2 {
            tokio::time::sleep(MOST_OF_A_DAY).await;
            self.look(scene).await;
        }
        let now = self.versions(scene);
        if before != now {
            let (before, now): (BTreeSet<_>, BTreeSet<_>) = (before.into_iter().collect(), now.into_iter().collect());
            let differs = before.symmetric_difference(&now).cloned().collect::<Vec<_>>().join(", ");
            self.broken.push(Promise::NoEcho.broken(format!("somebody writes on a quiet day: {differs}")));
        }
        let there: BTreeSet<_> = self.there(scene).into_keys().collect();
        let disputed = Rest::disputed(&scene.alive.services).await;
        let mut rest = Rest::default();
        for at in self.place.clone() {
            let user = scene.people[at].user.clone();
            rest.nothing_doubled(&scene.alive.services, &user).await;
            for (whose, alive) in [(user.to_string(), names_here(scene, at).await), ("there".to_owned(), there.clone())]
            {
                let wrong = scene.lineage.disagreed(&alive, &disputed).into_iter();
                self.broken.extend(wrong.map(|wrong| format!("{wrong} ({whose}, on a quiet day)")));
            }
            let events = local_events(&scene.alive.services, &user).await.expect("events");
            for hold in held(scene, at).await {
                let of = |id: EventId| events.iter().find(|event| event.id == id);
                let names = hold.removed.iter().filter_map(|gone| of(gone.event_id));
                let mut names = names.map(|event| first_word(&event.content.facts.title));
                if let Some(name) = names.find(|name| scene.lineage.is_to_stay(name)) {
                    self.broken.push(Promise::Brake.broken(format!("{user} is asked about {name} again")));
                }
            }
        }
        self.broken.append(&mut rest.broken);
    }
}

fn first_word(title: &str) -> String {
    title.split(' ').next().unwrap_or_default().to_owned()
}

/// The events that somebody has here.
async fn names_here(scene: &Scene<'_>, at: usize) -> BTreeSet<String> {
    let events = local_events(&scene.alive.services, &scene.people[at].user).await.expect("events");
    let living = events.iter().filter(|event| event.deleted_at.is_none());
    living.map(|event| first_word(&event.content.facts.title)).collect()
}

/// What somebody is asked about.
async fn held(scene: &Scene<'_>, at: usize) -> Vec<Hold> {
    let shown = scene.alive.services.holds(&Scope::Whole, scene.people[at].account).await.expect("holds");
    shown.into_iter().map(|shown| shown.hold).filter(|hold| hold.state == HoldState::Held).collect()
}

/// Whether an answer was taken: a round may be just about to end, and the question may be another one by now.
async fn decide(scene: &Scene<'_>, hold: &Hold, approve: bool) -> bool {
    for _ in 0..ANSWERS_MAX {
        match scene.alive.services.decide_hold(&Scope::Whole, hold.id, approve).await {
            Ok(_) => return true,
            Err(Refusal::Store(StoreError::Busy)) => tokio::time::sleep(Duration::from_secs(1)).await,
            Err(Refusal::Invalid { .. } | Refusal::NotFound(_)) => return false,
            Err(other) => panic!("an answer was refused: {other}"),
        }
    }
    false
}
