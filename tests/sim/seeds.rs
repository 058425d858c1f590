//! One seed, one story: people on both sides, faults at every call, crashes and restarts; then calm, and judgement.

use std::{
    net::TcpListener,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use chrono::{DateTime, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    cast::{AT_GOOGLE, Person, SERVED, come_or_go, connect_all, help, is_connected},
    dav::{Collection, Habits, Server},
    faults::Weather,
    google::Side,
    invariants::{Rest, cursor_is_covered, google_cursor_is_covered},
    life::{Alive, Birth, live},
    people::{Lineage, act_here, act_there, choose, copy_here, create_there},
    serve::{Outside, Shared},
};

/// Lives between the first and the last; each ends in a crash.
const LIVES: usize = 4;
/// Longest life, in virtual seconds.
const LIFE_S: u64 = 2_400;
/// Quiet time at the end: more than two polls and any backoff.
const CALM: Duration = Duration::from_hours(4);

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
    let mut server = Server { habits: habits(&mut rng), ..Server::default() };
    for person in SERVED {
        server.calendars.insert(format!("/dav/{person}/office/"), Collection::default());
    }
    let faults_in_1000 = [0, 20, 80, 200][rng.random_range(0..4)];
    let outside = Outside::new(seed, server, Side::new(seed, &AT_GOOGLE), Weather { faults_in_1000: 0 });
    let overlaps = Arc::new(AtomicU32::new(0));
    let mut epoch: DateTime<Utc> = "2026-03-27T20:00:00Z".parse().expect("an instant");
    let mut lineage = Lineage::default();
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
    };
    let (made, died) = live(&birth(0, epoch), async |alive| connect_all(alive, &outside, port).await);
    people.extend(made);
    epoch = died;
    outside.borrow_mut().weather = Weather { faults_in_1000 };
    for number in 1..=LIVES {
        let (found, died) = live(&birth(number, epoch), async |alive| {
            busy(alive, &mut people, &outside, port, &mut rng, &mut lineage).await;
            let mut found = Vec::new();
            for person in &people {
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
        });
        broken.extend(found);
        epoch = died;
    }
    outside.borrow_mut().weather = Weather { faults_in_1000: 0 };
    let (found, _) =
        live(&birth(LIVES + 1, epoch), async |alive| rest(alive, &mut people, &outside, &lineage, port, CALM).await);
    broken.extend(found);
    if overlaps.load(std::sync::atomic::Ordering::SeqCst) > 0 {
        broken.push("I-25 two rounds of one account at once".into());
    }
    let mut outside = outside.borrow_mut();
    broken.append(&mut outside.server.broken);
    broken.append(&mut outside.google.broken);
    Judged { trace: std::mem::take(&mut outside.trace), broken, edits: lineage.len(), requests: outside.asked }
}

fn habits(rng: &mut StdRng) -> Habits {
    Habits {
        rewrites: rng.random_range(0..3) == 0,
        listing_max: (rng.random_range(0..3) == 0).then(|| rng.random_range(1..6)),
        forgets_every: (rng.random_range(0..4) == 0).then_some(3),
    }
}

/// People edit on both sides until the process dies.
async fn busy(
    alive: &Alive,
    people: &mut [Person],
    outside: &Shared,
    port: u16,
    rng: &mut StdRng,
    lineage: &mut Lineage,
) {
    let ends = tokio::time::Instant::now() + Duration::from_millis(rng.random_range(1_000..LIFE_S * 1_000));
    loop {
        let wait = Duration::from_millis(rng.random_range(200..240_000));
        if tokio::time::Instant::now() + wait >= ends {
            tokio::time::sleep_until(ends).await;
            return;
        }
        tokio::time::sleep(wait).await;
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
        if let Some(other) = person.copies_go_to.filter(|_| rng.random_range(0..3) == 0) {
            let done = copy_here(&alive.services, &person.user, other, rng).await;
            outside.borrow_mut().trace.extend(done);
            continue;
        }
        let done = act(alive, person, outside, rng, lineage).await;
        outside.borrow_mut().trace.extend(done);
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
    port: u16,
    calm: Duration,
) -> Vec<String> {
    tokio::time::sleep(calm).await;
    help(alive, people, outside, port).await;
    tokio::time::sleep(calm).await;
    let writes = || {
        let mut held = outside.borrow_mut();
        held.server.writes + held.google.writes()
    };
    let before = writes();
    tokio::time::sleep(calm).await;
    let mut rest = Rest::default();
    if writes() != before {
        rest.broken.push("I-14 somebody still writes at rest".to_owned());
    }
    let server = outside.borrow().server.clone();
    for person in &*people {
        rest.nothing_doubled(&alive.services, &person.user).await;
        if person.at_google {
            rest.look_at_google(&alive.services, &person.user, person.account).await;
            let kept = outside.borrow_mut().google.kept(alive.world.now(), person.signs_in_as);
            rest.broken.extend(kept);
        } else {
            rest.look(&alive.services, &person.user, &person.calendars, &server).await;
        }
    }
    rest.judge(&alive.services, lineage).await
}
