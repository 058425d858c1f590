//! One story told again and again: each time the process dies at another request, just before the server does what it is asked
//! or just after. Whoever was at work goes on where they were; in the end nothing is lost and nothing is there twice.

use std::{
    net::TcpListener,
    rc::Rc,
    sync::{Arc, atomic::AtomicU32},
    thread,
    time::Duration,
};

use calwarden::domain::ids::CalendarId;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::sync::Notify;

use super::{
    cast::{AT_GOOGLE, Person, SERVED, connect_both},
    dav::{Collection, Server},
    faults::Weather,
    google::Side,
    life::{Alive, BUSY, Birth, live},
    number,
    people::{Lineage, copy_here},
    planned::Book,
    seeds::{act, rest},
    serve::{Fuse, Outside, Shared},
};

/// What the people of the story do, one thing after the other.
const STEPS: usize = 110;
/// Which of the deaths are died in a short run: every so many. `SIM_EFFECTS=1` dies them all.
const EVERY: u64 = 31;
/// Longer than any poll: nothing fails but the process.
const CALM: Duration = Duration::from_mins(50);

/// Tells the story with a fuse, or without one; answers what was broken, and the requests between which the process may die.
fn told(fuse: Option<(u64, bool)>) -> (Vec<String>, std::ops::Range<u64>) {
    let folder = tempfile::tempdir_in(if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." });
    let folder = folder.expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let mut server = Server::default();
    for person in SERVED {
        server.calendars.insert(format!("/dav/{person}/office/"), Collection::default());
    }
    let outside = Outside::new(1, server, Side::new(1, &AT_GOOGLE), Weather::default());
    let mut epoch = "2026-03-27T20:00:00Z".parse().expect("an instant");
    let birth = |number, epoch| Birth {
        number,
        seed: 1,
        epoch,
        folder: folder.path(),
        listener: &listener,
        outside: outside.clone(),
        overlaps: Arc::new(AtomicU32::new(0)),
        pace: BUSY,
    };
    let (mut people, died) = live(&birth(0, epoch), async |alive| {
        let people = connect_both(alive, &outside, port).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        people
    });
    epoch = died;
    let burnt = Rc::new(Notify::new());
    outside.borrow_mut().fuse = fuse.map(|(at, after)| Fuse { at, after, burnt: Rc::clone(&burnt) });
    let began = outside.borrow().asked;
    let mut at_work = AtWork { rng: StdRng::seed_from_u64(1), lineage: Lineage::default(), done: 0 };
    let ((), died) = live(&birth(1, epoch), async |alive| {
        tokio::select! {
            biased;
            () = burnt.notified() => {}
            () = at_work.go_on(alive, &people, &outside) => {}
        }
    });
    epoch = died;
    let ended = outside.borrow().asked;
    outside.borrow_mut().fuse = None;
    let (mut broken, _) = live(&birth(2, epoch), async |alive| {
        at_work.go_on(alive, &people, &outside).await;
        let mut quiet = Book::default();
        rest(alive, &mut people, &outside, &at_work.lineage, (&[], &mut quiet), port, CALM).await
    });
    let mut outside = outside.borrow_mut();
    broken.append(&mut outside.server.broken);
    broken.append(&mut outside.google.broken);
    (broken, began + 1..ended + 1)
}

/// Somebody in the middle of what they do.
struct AtWork {
    rng: StdRng,
    lineage: Lineage,
    done: usize,
}

impl AtWork {
    async fn go_on(&mut self, alive: &Alive, people: &[Person], outside: &Shared) {
        while self.done < STEPS {
            let step = self.done;
            self.done += 1;
            let person = &people[step % people.len()];
            let copies: Option<CalendarId> = person.copies_go_to.filter(|_| step % 4 == 3);
            match copies {
                Some(to) => drop(copy_here(&alive.services, &person.user, to, &mut self.rng).await),
                None => drop(act(alive, person, outside, &mut self.rng, &mut self.lineage).await),
            }
            let pause = self.rng.random_range(10..120);
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
        tokio::time::sleep(Duration::from_mins(5)).await;
    }
}

#[test]
fn a_process_that_dies_at_any_request_loses_and_doubles_nothing() {
    let (broken, requests) = told(None);
    assert_eq!(broken, Vec::<String>::new());
    let every = usize::try_from(number("SIM_EFFECTS").unwrap_or(EVERY).max(1)).expect("a number");
    let deaths: Vec<_> = requests.clone().flat_map(|at| [(at, false), (at, true)]).step_by(every).collect();
    println!("{} requests, {} deaths", requests.end - requests.start, deaths.len());
    let half = deaths.len().div_ceil(2);
    thread::scope(|scope| {
        for deaths in deaths.chunks(half) {
            scope.spawn(move || {
                for (at, after) in deaths {
                    let (broken, _) = told(Some((*at, *after)));
                    let broken = broken.join("\n  ");
                    assert!(broken.is_empty(), "dead at request {at}, after its effect: {after}\n  {broken}");
                }
            });
        }
    });
}
