//! Servers and networks in trouble: away, busy, cut short, forgetful, restored, made anew.

use serde_json::json;

use super::world::{World, calendar_named, numbered, object};
use crate::support::{
    middleman::Fate,
    peers::PASSWORD,
    strangers::{Kind, Stranger},
};

fn new() -> String {
    object("new@strangers", &["SUMMARY:New", "DTSTART:20261202T090000Z", "DTEND:20261202T100000Z"])
}

pub async fn every_address_of_a_server_leads_to_its_calendars(kind: Kind) {
    let habits = kind.habits();
    let world = World::unconnected(super::world::Held::Own(Stranger::start(kind))).await;
    let root = world.wire.url();
    let home = habits.home.replace("{}", &world.person);
    let mut addresses = vec![format!("{root}/"), format!("{root}{home}"), format!("{root}{}", world.path)];
    if habits.well_known {
        addresses.extend([root.clone(), format!("{root}/.well-known/caldav")]);
    }
    for address in addresses {
        let made = world.connect(&address).await;
        calendar_named(&made, "work");
        let id = made["id"].as_str().expect("an id");
        world.service.round_after(id, 0).await;
        world.service.ok("DELETE", &format!("/v1/accounts/{id}"), None).await;
        world.service.until("/v1/accounts?user_id=ada", |list| list["data"] == json!([])).await;
    }
    if habits.asks_password {
        let body = world.account_at(&format!("{root}/"), "wrong");
        let (status, answer) = world.service.send("POST", "/v1/accounts", Some(body)).await;
        assert_eq!((status.as_u16(), answer["code"].as_str()), (422, Some("credentials_refused")), "{answer}");
    }
    let body = world.account_at(&format!("{root}/there/is/nothing/"), PASSWORD);
    let (status, answer) = world.service.send("POST", "/v1/accounts", Some(body)).await;
    // It is found all the same where the server's well-known place says so.
    assert!(status.as_u16() == 201 || status.as_u16() == 422, "{status} {answer}");
}

pub async fn a_server_that_is_away_is_met_again(kind: Kind) {
    let mut world = World::alone(kind, &numbered(20, 0)).await;
    world.rest().await;
    world.server.command("stop");
    world.make("Made meanwhile", json!({})).await;
    world.edit("Number 3", "", json!({"title": "Renamed meanwhile"})).await;
    world.delete("Number 4", "").await;
    world.sync().await;
    world.a_day_passes().await;
    assert_eq!(world.here().await.len(), 20, "nothing goes because a server is away");
    world.server.command("start");
    world.dav.put(&format!("{}new.ics", world.path), &new()).await;
    let rows = world.rest().await;
    assert_eq!(rows.len(), 21);
    for title in ["Made meanwhile", "Renamed meanwhile", "New"] {
        assert!(rows.iter().any(|row| row[0] == title), "{title}: {rows:#?}");
    }
}

pub async fn a_server_that_answers_503_for_a_while_loses_nothing(kind: Kind) {
    let mut world = World::with(kind, &numbered(20, 0)).await;
    world.rest().await;
    world.wire.judge(|_| Fate::Answer(503));
    world.make("Made meanwhile", json!({})).await;
    world.sync().await;
    world.a_day_passes().await;
    world.dav.put(&format!("{}new.ics", world.path), &new()).await;
    world.sync().await;
    assert_eq!(world.here().await.len(), 21);
    world.wire.calm();
    assert_eq!(world.rest().await.len(), 22);
    // Only the reading of objects fails.
    world.edit_there("New", "SUMMARY:New", "SUMMARY:New edited").await;
    world.wire.judge(
        |request| if request.says("multiget") || request.method == "GET" { Fate::Answer(503) } else { Fate::Pass },
    );
    world.sync().await;
    world.a_day_passes().await;
    assert_eq!(world.here().await.len(), 22);
    world.wire.calm();
    assert!(world.rest().await.iter().any(|row| row[0] == "New edited"));
}

/// Every second exchange of this kind is lost or cut.
fn every_second(
    of: impl Fn(&crate::support::middleman::Request) -> bool + Send + 'static,
    fate: fn() -> Fate,
) -> impl FnMut(&crate::support::middleman::Request) -> Fate + Send + 'static {
    let mut turn = 0;
    move |request| {
        if !of(request) {
            return Fate::Pass;
        }
        turn += 1;
        if turn % 2 == 1 { fate() } else { Fate::Pass }
    }
}

pub async fn lost_answers_double_nothing(kind: Kind) {
    let mut world = World::with(kind, &numbered(12, 0)).await;
    world.rest().await;
    world.wire.judge(every_second(|request| ["PUT", "DELETE"].contains(&request.method.as_str()), || Fate::LoseAnswer));
    for n in 0..6 {
        world.make(&format!("Ours {n}"), json!({})).await;
        world.edit(&format!("Number {n}"), "", json!({"title": format!("Renamed {n}")})).await;
    }
    for n in 6..9 {
        world.delete(&format!("Number {n}"), "").await;
    }
    for _ in 0..4 {
        world.sync().await;
    }
    world.wire.calm();
    let rows = world.rest().await;
    assert_eq!(rows.len(), 15, "{rows:#?}");
    world.a_day_passes().await;
    assert_eq!(world.rest().await, rows);
    let mut titles = world.titles().await;
    titles.dedup();
    assert_eq!(titles.len(), 15, "each once");
}

pub async fn cut_answers_delete_nothing(kind: Kind) {
    let mut world = World::with(kind, &numbered(30, 0)).await;
    world.rest().await;
    for n in 0..3 {
        world.edit_there(&format!("Number {n}"), &format!("SUMMARY:Number {n}"), &format!("SUMMARY:Renamed {n}")).await;
    }
    world.delete_there("Number 29").await;
    world.wire.judge(
        |request| if ["REPORT", "GET"].contains(&request.method.as_str()) { Fate::CutAnswer } else { Fate::Pass },
    );
    world.sync().await;
    world.a_day_passes().await;
    assert_eq!(world.here().await.len(), 30);
    world.wire.judge(|request| if request.method == "PROPFIND" { Fate::CutAnswer } else { Fate::Pass });
    world.a_day_passes().await;
    assert_eq!(world.here().await.len(), 30);
    world.wire.calm();
    assert_eq!(world.rest().await.len(), 29);
}

/// The same request with a token that no server ever gave.
fn with_bogus_token(body: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(body);
    let from = text.find("sync-token>")? + "sync-token>".len();
    let to = from + text.get(from..)?.find('<')?;
    (to > from).then(|| format!("{}http://example.org/never-given/1{}", &text[..from], &text[to..]).into_bytes())
}

pub async fn a_token_that_was_never_given_hides_nothing_for_longer_than_a_day(kind: Kind) {
    let mut world = World::with(kind, &numbered(30, 0)).await;
    world.rest().await;
    world.edit_there("Number 1", "SUMMARY:Number 1", "SUMMARY:Renamed").await;
    world.delete_there("Number 2").await;
    world.dav.put(&format!("{}new.ics", world.path), &new()).await;
    world.wire.judge(|request| match with_bogus_token(&request.body) {
        Some(body) if request.method == "REPORT" => Fate::Send(body),
        _ => Fate::Pass,
    });
    world.sync().await;
    world.make("Ours", json!({})).await;
    world.sync().await;
    world.wire.calm();
    world.a_day_passes().await;
    let rows = world.rest().await;
    assert_eq!(rows.len(), 31);
    for title in ["Renamed", "New", "Ours"] {
        assert!(rows.iter().any(|row| row[0] == title), "{title}: {rows:#?}");
    }
    if kind.habits().forgets {
        world.server.command("forget");
        world.edit_there("Number 5", "SUMMARY:Number 5", "SUMMARY:After it was forgotten").await;
        world.delete_there("Number 6").await;
        world.sync().await;
        world.a_day_passes().await;
        let rows = world.rest().await;
        assert_eq!(rows.len(), 30);
        assert!(rows.iter().any(|row| row[0] == "After it was forgotten"));
    }
}

/// Answers what is asked about deletions with yes, until nothing is.
async fn approve_all(world: &mut World) {
    for _ in 0..3 {
        world.sync().await;
        world.a_day_passes().await;
        for hold in world.holds().await {
            world.answer(&hold, "approve").await;
        }
    }
}

pub async fn a_backup_that_is_restored_ends_in_the_same_on_both_sides(kind: Kind) {
    let mut world = World::alone(kind, &numbered(20, 0)).await;
    world.rest().await;
    world.server.command("keep");
    world.edit_there("Number 1", "SUMMARY:Number 1", "SUMMARY:Renamed there").await;
    world.edit("Number 2", "", json!({"title": "Renamed here"})).await;
    world.make("Ours", json!({})).await;
    world.delete_there("Number 3").await;
    world.rest().await;
    world.server.command("restore");
    // What is edited right after the backup is back must not hide behind a token from the time that is gone.
    world.edit_there("Number 4", "SUMMARY:Number 4", "SUMMARY:After it").await;
    approve_all(&mut world).await;
    let rows = world.rest().await;
    assert!(rows.iter().any(|row| row[0] == "After it"), "{rows:#?}");
    world.edit("Number 5", "", json!({"title": "Life goes on"})).await;
    world.edit_there("Number 6", "SUMMARY:Number 6", "SUMMARY:There too").await;
    world.a_day_passes().await;
    let rows = world.rest().await;
    for title in ["Life goes on", "There too"] {
        assert!(rows.iter().any(|row| row[0] == title), "{title}: {rows:#?}");
    }
}

pub async fn a_calendar_made_anew_under_its_name_is_read_anew(kind: Kind) {
    let mut world = World::with(kind, &numbered(20, 0)).await;
    world.rest().await;
    world.dav.delete(&world.path).await;
    world.dav.make_calendar(&world.path).await;
    for (name, text) in numbered(8, 500) {
        world.dav.put(&format!("{}{name}", world.path), &text).await;
    }
    approve_all(&mut world).await;
    let rows = world.rest().await;
    assert_eq!(rows.len(), 8, "{rows:#?}");
    // And once while we look on.
    world.dav.delete(&world.path).await;
    world.sync().await;
    world.dav.make_calendar(&world.path).await;
    for (name, text) in numbered(9, 600) {
        world.dav.put(&format!("{}{name}", world.path), &text).await;
    }
    approve_all(&mut world).await;
    let rows = world.rest().await;
    assert_eq!(rows.len(), 9, "{rows:#?}");
    assert!(rows.iter().all(|row| row[0].starts_with("Number 60")), "{rows:#?}");
}
