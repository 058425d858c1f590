//! Stories of one Google account: long days when notifications fail it, and a leave that is taken in the wrong moment.

use std::{
    net::TcpListener,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use calwarden::{
    domain::{notice::NoticeKind, person::Scope, round::Cause},
    service::{Refusal, edit_event::Edit},
    store::{ConflictFilter, Mode},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::{
    cast::{Person, connect_google},
    dav::Server,
    faults::Weather,
    google::Side,
    life::{Alive, BUSY, Birth, live},
    people::local_events,
    serve::{Outside, Shared},
};

pub const GIL: &str = "gil";
const MINUTE: Duration = Duration::from_mins(1);
/// How often a change is looked for.
const LOOKED_EVERY: Duration = Duration::from_secs(5);

/// Runs a story of one connected account.
pub fn story<T>(seed: u64, told: impl AsyncFnOnce(&Alive, &Shared, &Person, &mut StdRng) -> T) -> T {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let outside = Outside::new(seed, Server::default(), Side::new(seed, &[GIL]), Weather::default());
    let birth = Birth {
        number: 0,
        seed,
        epoch: "2026-03-27T20:00:00Z".parse().expect("an instant"),
        folder: folder.path(),
        listener: &listener,
        outside: outside.clone(),
        overlaps: Arc::new(AtomicU32::new(0)),
        pace: BUSY,
    };
    let mut rng = StdRng::seed_from_u64(seed);
    let (done, _) = live(&birth, async |alive| {
        let person = connect_google(alive, &outside, GIL, GIL).await;
        tokio::time::sleep(10 * MINUTE).await;
        told(alive, &outside, &person, &mut rng).await
    });
    assert_eq!(outside.borrow().google.broken, Vec::<String>::new());
    done
}

/// Puts an event there and waits until it is here; answers how long that took.
async fn seen_after(alive: &Alive, outside: &Shared, person: &Person, title: &str) -> Duration {
    outside.borrow_mut().google.put(alive.world.now(), GIL, title);
    let began = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(LOOKED_EVERY).await;
        let held = local_events(&alive.services, &person.user).await.expect("events");
        if held.iter().any(|event| event.content.facts.title == title) {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_hours(3), "{title} is never seen");
    }
}

fn control(alive: &Alive, outside: &Shared, method: &str, path: &str, body: &serde_json::Value) -> serde_json::Value {
    outside.borrow_mut().google.control(alive.world.now(), method, path, body)
}

#[test]
fn a_day_without_a_single_notification_costs_no_more_than_the_poll_interval() {
    let slowest = story(1, async |alive, outside, person, rng| {
        control(alive, outside, "POST", "settings", &json!({ "notifications": "drop" }));
        let ends = tokio::time::Instant::now() + Duration::from_hours(24);
        let (mut slowest, mut made) = (Duration::ZERO, 0);
        while tokio::time::Instant::now() < ends {
            tokio::time::sleep(Duration::from_secs(rng.random_range(60..1_800))).await;
            made += 1;
            slowest = slowest.max(seen_after(alive, outside, person, &format!("change {made}")).await);
        }
        assert!(made > 20, "{made} changes");
        slowest
    });
    println!("the slowest change took {slowest:?}");
    // A quarter of an hour with a channel, its jitter, and the story's own steps.
    assert!(slowest <= Duration::from_secs(15 * 60 * 105 / 100 + 10), "{slowest:?}");
}

#[test]
fn three_days_without_a_new_channel_are_polled_through_told_once_and_end_by_themselves() {
    story(2, async |alive, outside, person, rng| {
        // A channel lives for a week, and its successor is due a day before its end.
        tokio::time::sleep(Duration::from_hours(5 * 24)).await;
        let refusal = json!({ "operation": "events.watch", "status": 403, "reason": "forbidden", "times": 1_000_000 });
        control(alive, outside, "POST", "faults", &refusal);
        tokio::time::sleep(Duration::from_hours(50)).await;
        let asked = control(alive, outside, "GET", "requests", &json!({}))["events.watch"].as_u64().expect("a number");
        assert!(asked > 5, "{asked}: {:?}", alive.handle.health_of(person.account));
        let ends = tokio::time::Instant::now() + Duration::from_hours(48);
        let (mut slowest, mut made) = (Duration::ZERO, 0);
        while tokio::time::Instant::now() < ends {
            tokio::time::sleep(Duration::from_secs(rng.random_range(600..14_000))).await;
            made += 1;
            slowest = slowest.max(seen_after(alive, outside, person, &format!("change {made}")).await);
        }
        println!("{made} changes, the slowest took {slowest:?}");
        // Two minutes without a channel, their jitter, and the story's own steps.
        assert!(slowest <= Duration::from_secs(2 * 60 * 105 / 100 + 10), "{slowest:?}");
        let told = alive.services.notices(&Scope::Whole, Some(&person.user), false, None, 100).await.expect("notices");
        let told = told.iter().filter(|notice| notice.subject.kind() == NoticeKind::Unwatched.as_str()).count();
        assert_eq!(told, 1);
        control(alive, outside, "DELETE", "faults", &json!({}));
        tokio::time::sleep(Duration::from_hours(2)).await;
        let channels = control(alive, outside, "GET", "channels", &json!({}));
        let now = alive.world.now();
        let open = channels["channels"].as_array().expect("channels").iter();
        let open = open.filter(|channel| {
            channel["expires"]
                .as_str()
                .is_some_and(|at| at.parse().is_ok_and(|at: chrono::DateTime<chrono::Utc>| at > now))
        });
        assert_eq!(open.count(), 1);
        let heard = seen_after(alive, outside, person, "heard of again").await;
        assert!(heard <= Duration::from_secs(20), "{heard:?}");
        tokio::time::sleep(MINUTE).await;
        let rounds = alive.services.rounds(&Scope::Whole, person.account, None, 5).await.expect("rounds");
        assert!(rounds.iter().any(|round| round.cause == Cause::Notified));
    });
}

#[test]
fn who_leaves_before_an_edit_got_through_keeps_it_and_finds_the_event_once_when_back() {
    story(3, async |alive, outside, person, _| {
        seen_after(alive, outside, person, "lunch").await;
        let all = async || local_events(&alive.services, &person.user).await.expect("events");
        let refusal =
            json!({ "operation": "events.patch", "status": 503, "reason": "backendError", "times": 1_000_000 });
        control(alive, outside, "POST", "faults", &refusal);
        let lunch = all().await.into_iter().find(|event| event.content.facts.title == "lunch").expect("lunch");
        let mut facts = lunch.content.facts.clone();
        facts.title = "late lunch".to_owned();
        let edit = Edit { facts: Some(facts), ..Edit::default() };
        alive.services.change_event(&Scope::Whole, lunch.id, None, edit).await.expect("edited");
        tokio::time::sleep(MINUTE).await;
        alive.services.begin_disconnect(&Scope::Whole, "sim", person.account, false).await.expect("leaving");
        alive.handle.disconnect(person.account, false).await.expect("told");
        tokio::time::sleep(10 * MINUTE).await;
        let gone = alive.services.account(&Scope::Whole, person.account).await;
        assert!(matches!(gone, Err(Refusal::NotFound(_))), "the account is gone");
        let kept = all().await;
        assert_eq!(kept.iter().map(|event| (event.id, event.calendar_id)).collect::<Vec<_>>(), [(lunch.id, None)]);
        assert_eq!(kept[0].content.facts.title, "late lunch");

        control(alive, outside, "DELETE", "faults", &json!({}));
        let back = connect_google(alive, outside, GIL, GIL).await;
        tokio::time::sleep(10 * MINUTE).await;
        let found = all().await;
        assert_eq!(found.iter().map(|event| event.id).collect::<Vec<_>>(), [lunch.id]);
        assert_eq!(found[0].calendar_id, Some(back.calendars[0].0));
        // The calendar's version stands, as the account's rule has it; theirs can be restored.
        let mut tx = alive.services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
        let filter = ConflictFilter { limit: 10, ..ConflictFilter::default() };
        let history = tx.conflicts(&Scope::Whole, &filter).await.expect("conflicts");
        tx.commit().await.expect("a commit");
        let lost: Vec<_> = history.iter().filter_map(|one| Some(one.local.as_ref()?.facts.title.as_str())).collect();
        assert_eq!((found[0].content.facts.title.as_str(), lost), ("lunch", vec!["late lunch"]));
    });
}
