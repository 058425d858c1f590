//! One seed, one story: people on both sides, faults at every call, crashes and restarts; then calm, and judgement.

use std::{
    net::TcpListener,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use calwarden::{
    app::look_alike::consent_as,
    domain::{
        account::{AccountStatus, ProviderKind},
        grant::Access,
        ids::{AccountId, CalendarId, UserId},
        outbox::OutboxState,
        person::{Scope, WorkingHours},
        secret::Secret,
    },
    sandbox::reply::Asked,
    service::{connect_account::Connect, consent::Begin, people::UserFacts},
    store::Mode,
};
use chrono::{DateTime, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    dav::{Collection, Habits, Server},
    faults::Weather,
    google::{Side, email},
    invariants::{Rest, cursor_is_covered, google_cursor_is_covered},
    life::{Alive, Birth, live},
    people::{Lineage, act_here, act_there, choose, copy_here},
    serve::{Outside, Shared},
};

/// CalDAV accounts of the story, each with one calendar.
const PEOPLE: [&str; 2] = ["ada", "bob"];
/// Google accounts of the story, each with one selected calendar.
const GOOGLERS: [&str; 2] = ["gil", "hana"];
/// Somebody with one account at each, whose events have copies in both.
const BOTH: &str = "ivy";
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

pub struct Person {
    at_google: bool,
    pub user: UserId,
    pub account: AccountId,
    /// A calendar of theirs elsewhere, into which they put copies.
    copies_go_to: Option<CalendarId>,
    calendars: Vec<(CalendarId, String)>,
}

/// Runs a seed to its end.
pub fn run(seed: u64) -> Judged {
    let folder = tempfile::tempdir_in(if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." });
    let folder = folder.expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut server = Server { habits: habits(&mut rng), ..Server::default() };
    for person in PEOPLE.into_iter().chain([BOTH]) {
        server.calendars.insert(format!("/dav/{person}/office/"), Collection::default());
    }
    let faults_in_1000 = [0, 20, 80, 200][rng.random_range(0..4)];
    let outside =
        Outside::new(seed, server, Side::new(seed, &[GOOGLERS[0], GOOGLERS[1], BOTH]), Weather { faults_in_1000: 0 });
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
    let (made, died) = live(&birth(0, epoch), async |alive| {
        let mut made = connect(alive, port).await;
        for name in GOOGLERS {
            made.push(connect_google(alive, &outside, name).await);
        }
        let mut two = [connect_dav(alive, BOTH, port).await, connect_google(alive, &outside, BOTH).await];
        let calendars = [two[1].calendars[0].0, two[0].calendars[0].0];
        for (one, other) in two.iter_mut().zip(calendars) {
            one.copies_go_to = Some(other);
        }
        made.extend(two);
        made
    });
    people.extend(made);
    epoch = died;
    outside.borrow_mut().weather = Weather { faults_in_1000 };
    for number in 1..=LIVES {
        let (found, died) = live(&birth(number, epoch), async |alive| {
            busy(alive, &people, &outside, &mut rng, &mut lineage).await;
            let mut found = Vec::new();
            for person in &people {
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
    let (found, _) = live(&birth(LIVES + 1, epoch), async |alive| rest(alive, &people, &outside, &lineage, port).await);
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

fn access(name: &str, user: &UserId, port: u16) -> Connect {
    Connect {
        user_id: user.clone(),
        space_id: None,
        provider: ProviderKind::Caldav,
        url: format!("http://127.0.0.1:{port}/dav/{name}/"),
        username: Some(Secret::new(name)),
        password: Some(Secret::new("password")),
        bearer_token: None,
        label: Some(name.to_owned()),
        writes_through: None,
        policy: None,
        privacy: None,
    }
}

async fn connect(alive: &Alive, port: u16) -> Vec<Person> {
    let mut people = Vec::new();
    for name in PEOPLE {
        people.push(connect_dav(alive, name, port).await);
    }
    people
}

async fn connect_dav(alive: &Alive, name: &str, port: u16) -> Person {
    let user = make_user(alive, name).await;
    let asked = access(name, &user, port);
    let (account, calendars) = alive.services.connect(&Scope::Whole, "sim", asked).await.expect("connected");
    let calendars = calendars.into_iter().map(|calendar| (calendar.id, calendar.remote_id.0)).collect();
    Person { at_google: false, user, account: account.id, copies_go_to: None, calendars }
}

/// Connects a Google account, or connects it again: the browser's part is played here.
async fn consent(alive: &Alive, outside: &Shared, name: &str, account: Option<AccountId>) -> AccountId {
    let asked = Begin {
        user_id: name.parse().expect("an id"),
        space_id: None,
        access: Access::Write,
        account_id: account,
        return_to: None,
    };
    let now = alive.world.now();
    let ask = |asked: &Asked| outside.borrow_mut().google.google.answer(now, asked);
    consent_as(&alive.services, &email(name), asked, ask).await.expect("connected").account
}

pub async fn connect_google(alive: &Alive, outside: &Shared, name: &str) -> Person {
    let user = make_user(alive, name).await;
    let account = consent(alive, outside, name, None).await;
    let facts = alive.services.account(&Scope::Whole, account).await.expect("an account");
    let chosen = facts.calendars.into_iter().filter(|calendar| calendar.selected);
    let calendars = chosen.map(|calendar| (calendar.id, calendar.remote_id.0)).collect();
    Person { at_google: true, user, account, copies_go_to: None, calendars }
}

async fn make_user(alive: &Alive, name: &str) -> UserId {
    let user: UserId = name.parse().expect("an id");
    let facts = UserFacts {
        name: name.to_owned(),
        time_zone: chrono_tz::Europe::Paris,
        working_hours: WorkingHours::default(),
    };
    alive.services.put_user(&user, facts).await.expect("a user");
    user
}

/// People edit on both sides until the process dies.
async fn busy(alive: &Alive, people: &[Person], outside: &Shared, rng: &mut StdRng, lineage: &mut Lineage) {
    let ends = tokio::time::Instant::now() + Duration::from_millis(rng.random_range(1_000..LIFE_S * 1_000));
    loop {
        let wait = Duration::from_millis(rng.random_range(200..240_000));
        if tokio::time::Instant::now() + wait >= ends {
            tokio::time::sleep_until(ends).await;
            return;
        }
        tokio::time::sleep(wait).await;
        let person = &people[rng.random_range(0..people.len())];
        let Some((calendar, href)) = person.calendars.first() else { continue };
        if rng.random_range(0..15) == 0 {
            let done = choose(&alive.services, person.account, rng).await;
            outside.borrow_mut().trace.extend(done);
            continue;
        }
        if let Some(other) = person.copies_go_to.filter(|_| rng.random_range(0..3) == 0) {
            let done = copy_here(&alive.services, &person.user, other, rng).await;
            outside.borrow_mut().trace.extend(done);
            continue;
        }
        let whole = person.copies_go_to.is_none();
        let done = if rng.random_range(0..2) == 0 {
            act_here(&alive.services, &person.user, *calendar, rng, lineage).await
        } else if person.at_google {
            outside.borrow_mut().google.act(alive.world.now(), person.user.as_str(), whole, rng, lineage)
        } else {
            act_there(&mut outside.borrow_mut().server, href, whole, rng, lineage)
        };
        outside.borrow_mut().trace.extend(done);
    }
}

/// What a person does who has read their notices: connects again where a credential was refused twice, and tries again what
/// was put aside.
async fn help(alive: &Alive, people: &[Person], outside: &Shared, port: u16) {
    for person in people {
        let account = alive.services.account(&Scope::Whole, person.account).await.expect("an account");
        if account.account.status == AccountStatus::ReconnectRequired {
            if person.at_google {
                consent(alive, outside, person.user.as_str(), Some(person.account)).await;
            } else {
                let fresh = access(person.user.as_str(), &person.user, port);
                alive.services.reconnect(&Scope::Whole, "sim", person.account, fresh).await.expect("reconnected");
            }
            alive.handle.reauthorised(person.account).await.expect("told");
        }
        let mut tx = alive.services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
        let queue = tx.outbox_of(&Scope::Whole, person.account, 1_000).await.expect("a queue");
        tx.commit().await.expect("a commit");
        for entry in queue.iter().filter(|entry| entry.state == OutboxState::Parked) {
            alive.services.retry_write(&Scope::Whole, person.account, entry.id).await.expect("queued again");
        }
    }
}

/// Nobody edits and nothing fails any more: after a while both sides agree, and then nobody writes.
async fn rest(alive: &Alive, people: &[Person], outside: &Shared, lineage: &Lineage, port: u16) -> Vec<String> {
    tokio::time::sleep(CALM).await;
    help(alive, people, outside, port).await;
    tokio::time::sleep(CALM).await;
    let writes = || {
        let mut held = outside.borrow_mut();
        held.server.writes + held.google.writes()
    };
    let before = writes();
    tokio::time::sleep(CALM).await;
    let mut rest = Rest::default();
    if writes() != before {
        rest.broken.push("I-14 somebody still writes at rest".to_owned());
    }
    let server = outside.borrow().server.clone();
    for person in people {
        if person.at_google {
            rest.look_at_google(&alive.services, &person.user, person.account).await;
            let kept = outside.borrow_mut().google.kept(alive.world.now(), person.user.as_str());
            rest.broken.extend(kept);
        } else {
            rest.look(&alive.services, &person.user, &person.calendars, &server).await;
        }
    }
    rest.judge(&alive.services, lineage).await
}
