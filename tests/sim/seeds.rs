//! One seed, one story: people on both sides, faults at every call, crashes and restarts; then calm, and judgement.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use calwarden::domain::{calendar::Direction, promise::Promise};
use chrono::{DateTime, NaiveDate, Timelike, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    cast::{AT_GOOGLE, Person, SERVED, come_or_go, connect_all, help, is_connected, turn},
    dav::{Collection, Habits, Server, Watch},
    desks::{AppState, Sitting, clear_away, desks, settle_in},
    faults::Weather,
    google::{Side, email},
    invariants::{Rest, cursor_is_covered, google_cursor_is_covered},
    life::{Alive, BUSY, Birth, SLOW, live},
    people::{Lineage, act_here, act_there, choose, copy_here, create_there},
    planned::Book,
    serve::{Outside, Shared},
    weeks::{Scene, Weeks},
};

/// Lives between the first and the last; each ends in a crash.
const LIVES: usize = 4;
/// Longest life, in virtual seconds.
const LIFE_S: u64 = 2_400;
/// The evenings that stories begin on: the clocks change in the night after the next one.
const NIGHTS: [&str; 2] = ["2026-03-27", "2026-10-23"];
/// Hours, UTC, at which a day begins or an hour is changed where somebody may live.
const BUSY_HOURS: [i64; 6] = [1, 7, 11, 15, 22, 23];
/// Quiet time at the end: more than two polls and any backoff.
const CALM: Duration = Duration::from_hours(4);
/// After which everybody has polled.
const POLLED: Duration = Duration::from_mins(30);
/// After which what changed here is written there.
const WRITTEN: Duration = Duration::from_mins(1);
/// How often, at most, everybody reads their notices.
const HELPED_MAX: usize = 5;
/// How often, at most, a block is over just then.
const BLOCKS_OVER_MAX: usize = 20;

/// What came of a seed.
pub struct Judged {
    pub trace: Vec<String>,
    pub broken: Vec<String>,
    pub edits: usize,
    pub requests: u64,
}

/// Runs a seed to its end.
pub fn run(seed: u64) -> Judged {
    let folder = tempfile::tempdir_in(if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." });
    let folder = folder.expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut own = Own::of(seed);
    let mut server = Server { habits: habits(seed, &own, &mut rng), ..Server::default() };
    for person in SERVED {
        server.calendars.insert(format!("/dav/{person}/office/"), Collection::default());
    }
    let faults_in_1000 = [0, 20, 80, 200][rng.random_range(0..4)];
    let told = format!("{:?}, {}", server.habits, own.moves);
    let outside = Outside::new(seed, server, Side::new(seed, &AT_GOOGLE), Weather::default());
    outside.borrow_mut().trace.push(told);
    let overlaps = Arc::new(AtomicU32::new(0));
    let night: NaiveDate = NIGHTS[rng.random_range(0..NIGHTS.len())].parse().expect("a date");
    let mut epoch = night.and_hms_opt(20, 0, 0).expect("an evening").and_utc();
    let mut lineage = Lineage::default();
    lineage.from = night.checked_sub_days(chrono::Days::new(8));
    let mut book = Book::default();
    let mut broken = Vec::new();
    let mut people: Vec<Person> = Vec::new();
    let port = listener.local_addr().expect("an address").port();
    let birth = |number, epoch| Birth {
        number,
        seed,
        epoch,
        folder: folder.path(),
        listener: &listener,
        outside: outside.clone(),
        overlaps: overlaps.clone(),
        pace: BUSY,
    };
    let (made, died) = live(&birth(0, epoch), async |alive| connect_all(alive, &outside, port).await);
    people.extend(made);
    let desks = desks(&people);
    epoch = died;
    outside.borrow_mut().weather = Weather { faults_in_1000, pages_for_writes: own.pages_for_writes };
    for number in 1..=LIVES {
        let (found, died) = live(&birth(number, epoch), async |alive| {
            if number == 1 {
                settle_in(alive, &desks, &outside, &mut book, &mut rng).await;
            }
            let mut story =
                Story { alive, people: &mut people, desks: &desks, outside: &outside, port, book: &mut book };
            story.busy(&mut rng, &mut lineage).await;
            look(alive, &people, &desks, &outside, &mut book).await
        });
        broken.extend(found);
        epoch = born_again(died, &mut rng);
        own.between_lives(&mut outside.borrow_mut().server, died);
    }
    outside.borrow_mut().weather.faults_in_1000 = 0;
    if let Some(weeks) = Weeks::of(seed, &people) {
        let (found, died) = live_on(weeks, (&mut people, &desks), (&outside, port), &mut lineage, &birth, epoch);
        broken.extend(found);
        epoch = died;
    }
    let (found, _) = live(&birth(LIVES + 1, epoch), async |alive| {
        rest(alive, &mut people, &outside, &lineage, (&desks, &mut book), port, CALM).await
    });
    broken.extend(found);
    broken.append(&mut book.broken);
    let mut once = BTreeSet::new();
    broken.retain(|told: &String| once.insert(told.clone()));
    if overlaps.load(std::sync::atomic::Ordering::SeqCst) > 0 {
        broken.push(Promise::OneRound.broken("two rounds of one account at once"));
    }
    let mut outside = outside.borrow_mut();
    broken.append(&mut outside.server.broken);
    broken.append(&mut outside.google.broken);
    Judged { trace: std::mem::take(&mut outside.trace), broken, edits: lineage.len(), requests: outside.asked }
}

/// What must hold at any instant, a crash's included.
async fn look(alive: &Alive, people: &[Person], desks: &[AppState], outside: &Shared, book: &mut Book) -> Vec<String> {
    let mut found = Vec::new();
    for desk in desks {
        book.look(&alive.services, &desk.user).await;
    }
    for person in people {
        if !is_connected(alive, person).await {
            continue;
        }
        let server = outside.borrow().server.clone();
        found.extend(cursor_is_covered(&alive.services, person.account, &server).await);
        if person.at_google {
            let google = outside.borrow().google.google.clone();
            found.extend(google_cursor_is_covered(&alive.services, person.account, &google).await);
        }
    }
    found
}

/// The weeks after the busy days, from one death of the process to the next.
fn live_on<'b>(
    mut weeks: Weeks,
    (people, desks): (&mut [Person], &[AppState]),
    (outside, port): (&Shared, u16),
    lineage: &mut Lineage,
    birth: &impl Fn(usize, DateTime<Utc>) -> Birth<'b>,
    mut epoch: DateTime<Utc>,
) -> (Vec<String>, DateTime<Utc>) {
    let mut number = LIVES + 1;
    while !weeks.are_over() {
        number += 1;
        let birth = Birth { pace: SLOW, ..birth(number, epoch) };
        let ((), died) = live(&birth, async |alive| {
            weeks.go_on(&mut Scene { alive, people, desks, outside, port, lineage }).await;
        });
        epoch = died;
    }
    (weeks.broken, epoch)
}

/// What a seed has of its own besides. Dice of their own: what else a seed comes to does not depend on them.
#[expect(clippy::struct_excessive_bools, reason = "a table of independent habits")]
struct Own {
    dice: StdRng,
    /// A proxy answers writes too.
    pages_for_writes: bool,
    /// DELETE minds no condition.
    deletes_whatever: bool,
    /// Tokens are times in whole seconds.
    whole_seconds: bool,
    /// Calendars are moved to another machine now and then: each is made anew there, with all that is in it.
    moves: bool,
}

impl Own {
    fn of(seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed ^ 0x101f);
        let mut one_in = |many: u32| dice.random_range(0..many) == 0;
        let (pages_for_writes, deletes_whatever) = (one_in(4), one_in(5));
        let (whole_seconds, moves) = (one_in(5), one_in(5));
        Self { dice, pages_for_writes, deletes_whatever, whole_seconds, moves }
    }

    fn between_lives(&mut self, server: &mut Server, died: DateTime<Utc>) {
        server.watch = Watch::Stands(died.timestamp());
        if !self.moves {
            return;
        }
        let all: Vec<_> = server.calendars.keys().cloned().collect();
        for collection in all.iter().filter(|_| self.dice.random_range(0..3) == 0) {
            let held = server.calendars.get(collection).into_iter().flat_map(|held| held.objects.clone());
            let objects = held.map(|(href, object)| (href, object.body)).collect();
            server.make_anew(collection, objects);
        }
    }
}

fn habits(seed: u64, own: &Own, rng: &mut StdRng) -> Habits {
    // Dice of their own: what else a seed comes to does not depend on them.
    let mut later = StdRng::seed_from_u64(seed ^ 0x5060);
    let (claims_to_keep, takes_any_token) = (later.random_range(0..4) == 0, later.random_range(0..3) == 0);
    // Whoever deletes whatever is said rewrites as well.
    let claims_to_keep = claims_to_keep || own.deletes_whatever;
    let rewrites = rng.random_range(0..3) == 0;
    let listing_max = (rng.random_range(0..3) == 0).then(|| rng.random_range(1..6));
    let forgets_every = (rng.random_range(0..4) == 0).then_some(3);
    let (deletes_whatever, whole_seconds) = (own.deletes_whatever, own.whole_seconds);
    // Whoever counts in seconds takes any token, and cuts nothing.
    let (takes_any_token, listing_max) = if whole_seconds { (true, None) } else { (takes_any_token, listing_max) };
    Habits { rewrites, claims_to_keep, takes_any_token, listing_max, forgets_every, deletes_whatever, whole_seconds }
}

/// When a process that died is back: at once, some time later, or shortly before many a day begins or changes its clocks.
fn born_again(died: DateTime<Utc>, rng: &mut StdRng) -> DateTime<Utc> {
    let later = match rng.random_range(0..4) {
        0 => chrono::Duration::zero(),
        1 => chrono::Duration::minutes(rng.random_range(0..30 * 60)),
        _ => {
            let hour = BUSY_HOURS[rng.random_range(0..BUSY_HOURS.len())];
            let minutes = hour * 60 - i64::from(died.hour() * 60 + died.minute());
            chrono::Duration::minutes(
                minutes.rem_euclid(24 * 60) + 24 * 60 * rng.random_range(0..2) - rng.random_range(1..25),
            )
        }
    };
    died + later.max(chrono::Duration::zero())
}

/// One life, as the people in it see it.
struct Story<'a> {
    alive: &'a Alive,
    people: &'a mut [Person],
    desks: &'a [AppState],
    outside: &'a Shared,
    port: u16,
    book: &'a mut Book,
}

impl Story<'_> {
    /// People edit on both sides until the process dies.
    async fn busy(&mut self, rng: &mut StdRng, lineage: &mut Lineage) {
        let (alive, outside, port) = (self.alive, self.outside, self.port);
        let ends = tokio::time::Instant::now() + Duration::from_millis(rng.random_range(1_000..LIFE_S * 1_000));
        loop {
            let wait = Duration::from_millis(rng.random_range(200..240_000));
            if tokio::time::Instant::now() + wait >= ends {
                tokio::time::sleep_until(ends).await;
                return;
            }
            tokio::time::sleep(wait).await;
            if rng.random_range(0..2) == 0 {
                self.plan(rng, lineage).await;
            }
            let people = &mut *self.people;
            let which = rng.random_range(0..people.len());
            if people[which].leaves() && rng.random_range(0..3) == 0 {
                let done = come_or_go(alive, &mut people[which], port).await;
                outside.borrow_mut().trace.extend(done);
                continue;
            }
            let person = &people[which];
            if !person.leaves() && rng.random_range(0..15) == 0 {
                let done = choose(&alive.services, person.account, rng).await;
                outside.borrow_mut().trace.extend(done);
                continue;
            }
            if !person.leaves() && rng.random_range(0..15) == 0 {
                let direction = Direction::ALL[rng.random_range(0..Direction::ALL.len())];
                if !direction.outbound() {
                    // What changes until it takes writes again is shown anew, though nobody may look before.
                    self.book.forget_events_in(person.calendars[0].0);
                }
                let done = turn(alive, person, direction, outside).await;
                outside.borrow_mut().trace.extend(done);
                continue;
            }
            if let Some(other) = person.copies_go_to.filter(|_| rng.random_range(0..3) == 0) {
                let done = copy_here(&alive.services, &person.user, other, rng).await;
                outside.borrow_mut().trace.extend(done);
                continue;
            }
            let done = act(alive, person, outside, rng, lineage).await;
            outside.borrow_mut().trace.extend(done);
        }
    }

    /// Somebody does some things at their desk.
    async fn plan(&mut self, rng: &mut StdRng, lineage: &mut Lineage) {
        let desk = &self.desks[rng.random_range(0..self.desks.len())];
        for _ in 0..rng.random_range(1..8) {
            let (alive, outside) = (self.alive, self.outside);
            let done = Sitting { alive, outside, desk, book: self.book, lineage }.act(rng).await;
            outside.borrow_mut().trace.extend(done);
            self.book.look(&alive.services, &desk.user).await;
        }
    }
}

/// A person does one thing, on either side.
pub async fn act(
    alive: &Alive,
    person: &Person,
    outside: &Shared,
    rng: &mut StdRng,
    lineage: &mut Lineage,
) -> Option<String> {
    let (calendar, href) = person.calendars.first()?;
    if rng.random_range(0..2) == 0 {
        act_here(&alive.services, &person.user, *calendar, rng, lineage).await
    } else if person.at_google {
        outside.borrow_mut().google.act(alive.world.now(), person.signs_in_as, person.deletes(), rng, lineage)
    } else if person.leaves() {
        Some(create_there(&mut outside.borrow_mut().server, href, rng, lineage))
    } else {
        act_there(&mut outside.borrow_mut().server, href, person.deletes(), rng, lineage)
    }
}

/// Nobody edits and nothing fails any more: after a while both sides agree, and then nobody writes.
pub async fn rest(
    alive: &Alive,
    people: &mut [Person],
    outside: &Shared,
    lineage: &Lineage,
    (desks, book): (&[AppState], &mut Book),
    port: u16,
    calm: Duration,
) -> Vec<String> {
    tokio::time::sleep(calm).await;
    clear_away(alive, desks).await;
    for _ in 0..HELPED_MAX {
        let helped = help(alive, people, outside, port).await;
        tokio::time::sleep(calm).await;
        if !helped {
            break;
        }
    }
    let writes = || {
        let mut held = outside.borrow_mut();
        held.server.writes + held.google.writes()
    };
    // What changed just now is written within a minute, and counts on neither side.
    let changes = Book::changes(&alive.services, desks).await;
    tokio::time::sleep(WRITTEN).await;
    let before = (writes(), changes);
    tokio::time::sleep(calm).await;
    let mut rest = Rest::default();
    rest.kept.extend(&outside.borrow().server.destroyed);
    // A block that is over changes, and its event once with it.
    let now = (writes(), Book::changes(&alive.services, desks).await);
    if i64::try_from(now.0 - before.0).unwrap_or(i64::MAX) > now.1 - before.1 {
        rest.broken.push(Promise::NoEcho.broken(format!("somebody still writes at rest: {before:?}, {now:?}")));
    }
    // Whoever shares a calendar hears of that last change by their next poll.
    let mut heard = writes();
    for _ in 0..BLOCKS_OVER_MAX {
        tokio::time::sleep(POLLED).await;
        let now = writes();
        if std::mem::replace(&mut heard, now) == now {
            break;
        }
    }
    book.rest(alive, desks).await;
    let server = outside.borrow().server.clone();
    for person in &*people {
        rest.nothing_doubled(&alive.services, &person.user).await;
        if person.at_google {
            rest.look_at_google(&alive.services, &person.user, person.account).await;
            let kept = outside.borrow_mut().google.kept(alive.world.now(), person.signs_in_as);
            rest.broken.extend(kept);
            let there = outside.borrow_mut().google.shown(alive.world.now(), person.signs_in_as);
            let own = email(person.signs_in_as);
            rest.shown_at_google(&alive.services, &person.user, person.account, &own, &there).await;
        } else {
            rest.look(&alive.services, &person.user, &person.calendars, &server).await;
        }
    }
    rest.judge(&alive.services, lineage).await
}
