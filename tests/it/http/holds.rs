//! Deletions that are held: what an answer reaches, how long it lasts, and what becomes of the events.

use std::sync::Arc;

use calwarden::{
    domain::{
        calendar::Calendar,
        ids::AccountId,
        person::Scope,
        round::{Cause, Outcome},
    },
    store::Mode,
};
use chrono::Duration;
use serde_json::{Value, json};

use super::{
    app::App,
    direction::events,
    google::{connected, elsewhere, lunch, primary, round, titles},
};
use crate::support::google::Wire;

/// Twelve events that somebody made at Google, of which the first has everything that we do not model.
struct Dozen {
    app: App,
    wire: Arc<Wire>,
    id: AccountId,
    token: String,
    names: Vec<String>,
}

impl Dozen {
    async fn new() -> Self {
        let (app, wire, id) = connected("write").await;
        // Whoever acts at Google does so for days.
        wire.control("POST", "settings", &json!({ "token_ttl_s": 100 * 86_400 }));
        let token = elsewhere(&wire);
        let mut dozen = Self { app, wire, id, token, names: Vec::new() };
        for number in 0..12 {
            let mut event = lunch(&format!("E{number:02}"));
            if number == 0 {
                event["colorId"] = json!("7");
                event["reminders"] =
                    json!({ "useDefault": false, "overrides": [{ "method": "popup", "minutes": 25 }] });
                event["extendedProperties"] = json!({ "shared": { "theirs": "kept" } });
                event["attendees"] = json!([{ "email": "bob@example.com" }]);
            }
            dozen.make(&event);
        }
        round(&dozen.app, id, Cause::Connected).await;
        dozen
    }

    fn make(&mut self, event: &Value) {
        let (_, made) = self.wire.call("POST", &events(), &self.token, event);
        self.names.push(made["id"].as_str().expect("an id").to_owned());
    }

    fn delete(&self, names: std::ops::Range<usize>) {
        for name in &self.names[names] {
            let (status, _) = self.wire.call("DELETE", &format!("{}/{name}", events()), &self.token, &Value::Null);
            assert_eq!(status, 204, "{name}");
        }
    }

    fn bring_back(&self, names: std::ops::Range<usize>) {
        for name in &self.names[names] {
            let confirmed = json!({ "status": "confirmed" });
            let (status, _) = self.wire.call("PATCH", &format!("{}/{name}", events()), &self.token, &confirmed);
            assert_eq!(status, 200, "{name}");
        }
    }

    fn there(&self) -> Vec<Value> {
        let (_, listed) = self.wire.call("GET", &events(), &self.token, &Value::Null);
        listed["items"].as_array().unwrap_or_else(|| panic!("{listed}")).clone()
    }

    async fn holds(&self) -> Vec<Value> {
        let holds = self.app.get(&format!("/v1/accounts/{}/holds", self.id)).await.ok();
        holds["data"].as_array().expect("holds").clone()
    }

    async fn answer(&self, word: &str) -> Value {
        let holds = self.holds().await;
        let id = holds.first().expect("a hold")["id"].as_str().expect("an id");
        self.app.post(&format!("/v1/holds/{id}/{word}"), Value::Null).await.ok()
    }

    async fn count(&self) -> usize {
        titles(&self.app).await.len()
    }

    /// A day goes by, and its complete comparison.
    async fn day(&self) -> Outcome {
        self.app.clock.advance(Duration::hours(25));
        round(&self.app, self.id, Cause::Poll).await
    }

    async fn event(&self, title: &str) -> String {
        let page = self.app.get("/v1/events?user_id=ada&limit=500").await.ok();
        let events = page["data"].as_array().expect("events");
        let event = events.iter().find(|event| event["title"] == title).expect("the event");
        format!("/v1/events/{}", event["id"].as_str().expect("an id"))
    }

    async fn explained(&self, path: &str) -> String {
        let told = self.app.get(&format!("{path}/explain")).await.ok();
        told["places"][0]["summary"].as_str().expect("a sentence").to_owned()
    }
}

#[actix_web::test]
async fn an_approval_is_used_up_with_the_picture_that_it_was_given_for() {
    let dozen = Dozen::new().await;
    dozen.delete(0..8);
    assert_eq!(round(&dozen.app, dozen.id, Cause::Poll).await, Outcome::Held);
    assert_eq!(dozen.answer("approve").await["state"], "approved");
    dozen.bring_back(0..8);
    assert_eq!(round(&dozen.app, dozen.id, Cause::Requested).await, Outcome::Ok);
    let holds = dozen.holds().await;
    assert_eq!((&holds[0]["state"], &holds[0]["fates"]["back"]), (&json!("carried_out"), &json!(8)), "{holds:?}");
    for days in 0..2 {
        dozen.delete(0..8);
        for _ in 0..3 {
            assert_eq!(dozen.day().await, Outcome::Held);
            assert_eq!(dozen.count().await, 12, "nobody approved this one");
        }
        let holds = dozen.holds().await;
        let waiting = holds.iter().filter(|hold| hold["state"] == "held").count();
        assert_eq!((waiting, holds.len()), (1, 2 + days), "asked anew, once");
        dozen.bring_back(0..8);
        assert_eq!(round(&dozen.app, dozen.id, Cause::Poll).await, Outcome::Ok);
        assert_eq!(dozen.holds().await[0]["state"], "superseded");
    }
    let late = dozen.holds().await[0]["id"].as_str().expect("an id").to_owned();
    let refused = dozen.app.post(&format!("/v1/holds/{late}/approve"), Value::Null).await.refused();
    assert_eq!((refused.0, refused.2.as_deref()), (422, Some("state")), "what is over is not approved ahead");
}

#[actix_web::test]
async fn what_is_held_waits_however_its_calendar_grows() {
    let mut dozen = Dozen::new().await;
    dozen.delete(0..8);
    assert_eq!(round(&dozen.app, dozen.id, Cause::Poll).await, Outcome::Held);
    for number in 0..20 {
        dozen.make(&lunch(&format!("New {number}")));
    }
    for _ in 0..3 {
        assert_eq!(dozen.day().await, Outcome::Held, "eight of thirty-two are still unanswered");
        assert_eq!(dozen.count().await, 32);
    }
    let explained = dozen.explained(&dozen.event("E01").await).await;
    assert!(explained.contains("waits for your answer"), "{explained}");
    // An edit of what is held waits with it, and is not lost with the deletion of its copy.
    let path = dozen.event("E01").await;
    dozen.app.patch(&path, json!({ "title": "E01, edited" })).await.ok();
    assert_eq!(round(&dozen.app, dozen.id, Cause::LocalEdit).await, Outcome::Held);
    assert_eq!(dozen.app.get(&path).await.ok()["title"], "E01, edited");
    dozen.answer("refuse").await;
    assert_eq!(round(&dozen.app, dozen.id, Cause::Requested).await, Outcome::Ok);
    assert_eq!((dozen.there().len(), dozen.count().await), (32, 32));
    assert!(dozen.there().iter().any(|item| item["summary"] == "E01, edited"));
}

#[actix_web::test]
async fn a_refusal_puts_back_what_was_deleted_with_everything_it_had() {
    let mut dozen = Dozen::new().await;
    let before = dozen.there();
    dozen.delete(0..8);
    assert_eq!(round(&dozen.app, dozen.id, Cause::Poll).await, Outcome::Held);
    let answer = dozen.answer("refuse").await;
    assert_eq!((&answer["state"], &answer["fates"]["kept"]), (&json!("refused"), &json!(8)));
    assert!(
        answer["outcome"].as_str().is_some_and(|told| told.contains("written to their calendar again")),
        "{answer}"
    );
    assert_eq!(round(&dozen.app, dozen.id, Cause::Requested).await, Outcome::Ok);
    let after = dozen.there();
    let parts = |items: &[Value]| {
        let mut parts: Vec<_> = items
            .iter()
            .map(|item| {
                let kept = ["id", "iCalUID", "summary", "start", "end", "colorId", "reminders", "attendees"];
                let kept = kept.map(|name| item[name].to_string());
                (kept, item["extendedProperties"]["shared"].to_string())
            })
            .collect();
        parts.sort();
        parts
    };
    assert_eq!(parts(&after), parts(&before), "the very same events are there again");
    let holds = dozen.holds().await;
    assert_eq!((&holds[0]["state"], &holds[0]["fates"]["restored"]), (&json!("restored"), &json!(8)));
    // Days go by, the calendar grows, and what was kept is edited.
    for number in 0..20 {
        dozen.make(&lunch(&format!("New {number}")));
    }
    let path = dozen.event("E03").await;
    dozen.app.patch(&path, json!({ "title": "E03, edited" })).await.ok();
    for _ in 0..4 {
        assert_eq!(dozen.day().await, Outcome::Ok);
        assert_eq!((dozen.there().len(), dozen.count().await), (32, 32));
    }
    assert!(dozen.there().iter().any(|item| item["summary"] == "E03, edited"));
    assert!(dozen.explained(&path).await.starts_with("In step"));
    // There is a way back, for each of them.
    let conflicts = dozen.app.get("/v1/conflicts?limit=100").await.ok();
    let conflicts: Vec<_> = conflicts["data"].as_array().expect("conflicts").clone();
    let refused: Vec<_> = conflicts.iter().filter(|row| row["reason"] == "deletion_refused").collect();
    assert_eq!((refused.len(), &refused[0]["winner"]), (8, &json!("local")));
    let back = format!("/v1/conflicts/{}/restore", refused[0]["id"].as_str().expect("an id"));
    dozen.app.post(&back, Value::Null).await.ok();
    assert_eq!(round(&dozen.app, dozen.id, Cause::LocalEdit).await, Outcome::Ok);
    assert_eq!((dozen.there().len(), dozen.count().await), (31, 31));
    // And a later deletion of the same is asked about anew.
    dozen.delete(8..32);
    assert_eq!(round(&dozen.app, dozen.id, Cause::Poll).await, Outcome::Held);
}

#[actix_web::test]
async fn what_a_calendar_does_not_take_back_stays_here_alone_and_says_so() {
    let mut dozen = Dozen::new().await;
    let calendar = primary(&dozen.app, dozen.id).await["id"].as_str().expect("an id").to_owned();
    let turned = json!({ "direction": "from_provider" });
    dozen.app.patch(&format!("/v1/calendars/{calendar}"), turned).await.ok();
    round(&dozen.app, dozen.id, Cause::Requested).await;
    dozen.delete(0..8);
    assert_eq!(round(&dozen.app, dozen.id, Cause::Poll).await, Outcome::Held);
    let answer = dozen.answer("refuse").await;
    assert!(answer["outcome"].as_str().is_some_and(|told| told.contains("only here")), "{answer}");
    let notices = dozen.app.get("/v1/notices?user_id=ada").await.ok();
    let told = notices["data"].as_array().expect("notices").iter();
    assert!(told.clone().any(|notice| notice["text"].as_str().is_some_and(|text| text.contains("only here"))));
    assert_eq!(round(&dozen.app, dozen.id, Cause::Requested).await, Outcome::Ok);
    for number in 0..40 {
        dozen.make(&lunch(&format!("New {number}")));
    }
    let path = dozen.event("E03").await;
    assert!(dozen.explained(&path).await.starts_with("It is only here"));
    dozen.app.patch(&path, json!({ "title": "E03, edited" })).await.ok();
    for _ in 0..4 {
        assert_eq!(dozen.day().await, Outcome::Ok);
        assert_eq!((dozen.there().len(), dozen.count().await), (44, 52));
    }
    assert_eq!(dozen.app.get(&path).await.ok()["title"], "E03, edited");
    // What is deleted since is no part of the refusal, and few of many.
    dozen.delete(8..10);
    assert_eq!(dozen.day().await, Outcome::Ok);
    assert_eq!(dozen.count().await, 50);
    // What comes back is what it was, not a second one.
    dozen.bring_back(0..2);
    assert_eq!(dozen.day().await, Outcome::Ok);
    assert_eq!((dozen.there().len(), dozen.count().await), (44, 50));
    // Turned, the calendar gets the others back.
    dozen.app.patch(&format!("/v1/calendars/{calendar}"), json!({ "direction": "both" })).await.ok();
    for _ in 0..2 {
        round(&dozen.app, dozen.id, Cause::Requested).await;
    }
    assert_eq!((dozen.there().len(), dozen.count().await), (50, 50));
    assert!(dozen.there().iter().any(|item| item["summary"] == "E03, edited"));
}

impl Dozen {
    /// The calendar is no longer listed under its name, and what is listed instead is not selected.
    async fn vanish(&self) {
        let id = primary(&self.app, self.id).await["id"].as_str().expect("an id").parse().expect("an id");
        let mut tx = self.app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
        let there = tx.calendar(&Scope::Whole, id).await.expect("read").expect("a calendar");
        let vanished = Calendar { remote_id: "vanished".into(), ..there.clone() };
        assert!(tx.update_calendar(&vanished, there.version).await.expect("stored"));
        tx.commit().await.expect("a commit");
        round(&self.app, self.id, Cause::Requested).await;
        let account = self.app.get(&format!("/v1/accounts/{}", self.id)).await.ok();
        for calendar in account["calendars"].as_array().expect("calendars") {
            if calendar["gone_at"].is_null() {
                let path = format!("/v1/calendars/{}", calendar["id"].as_str().expect("an id"));
                self.app.patch(&path, json!({ "selected": false })).await.ok();
            }
        }
        assert_eq!(self.count().await, 12);
    }
}

#[actix_web::test]
async fn the_events_of_a_calendar_that_was_deleted_there_go_once_somebody_says_so() {
    let dozen = Dozen::new().await;
    dozen.vanish().await;
    let path = dozen.event("E03").await;
    assert!(dozen.explained(&path).await.starts_with("The provider no longer lists this calendar"));
    dozen.app.patch(&path, json!({ "title": "E03, edited" })).await.ok();
    assert_eq!(dozen.app.delete(&dozen.event("E04").await).await.status, 204);
    round(&dozen.app, dozen.id, Cause::Requested).await;
    assert_eq!(dozen.count().await, 11, "it may be an error of the provider's for a day");
    for _ in 0..2 {
        assert_eq!(dozen.day().await, Outcome::Held);
        assert_eq!(dozen.count().await, 11);
    }
    let holds = dozen.holds().await;
    assert!(holds[0]["reason"].as_str().is_some_and(|why| why.contains("no longer listed")), "{holds:?}");
    let unedited = dozen.event("E05").await;
    dozen.answer("approve").await;
    round(&dozen.app, dozen.id, Cause::Requested).await;
    assert_eq!(titles(&dozen.app).await.len(), 0);
    dozen.app.post(&format!("{unedited}/restore"), Value::Null).await.ok();
    dozen.app.patch(&unedited, json!({ "title": "Back" })).await.ok();
    for _ in 0..2 {
        assert_eq!(dozen.day().await, Outcome::Ok);
        assert_eq!(titles(&dozen.app).await, ["Back"], "it lives here only");
    }
}

#[actix_web::test]
async fn the_events_of_a_calendar_that_was_deleted_there_stay_here_alone_where_that_is_refused() {
    let dozen = Dozen::new().await;
    dozen.vanish().await;
    assert_eq!(dozen.day().await, Outcome::Held);
    let answer = dozen.answer("refuse").await;
    assert!(answer["outcome"].as_str().is_some_and(|told| told.contains("only here")), "{answer}");
    for _ in 0..3 {
        assert_eq!(dozen.day().await, Outcome::Ok);
        assert_eq!(dozen.count().await, 12);
    }
    let path = dozen.event("E03").await;
    dozen.app.patch(&path, json!({ "title": "E03, edited" })).await.ok();
    assert_eq!(dozen.app.delete(&dozen.event("E04").await).await.status, 204);
    assert_eq!(dozen.day().await, Outcome::Ok);
    assert_eq!(dozen.count().await, 11);
}

#[actix_web::test]
async fn a_deleted_event_comes_back_with_everything_it_had() {
    let dozen = Dozen::new().await;
    let before = dozen.there().into_iter().find(|item| item["summary"] == "E00").expect("the event");
    let path = dozen.event("E00").await;
    for by_whom in ["there", "here"] {
        match by_whom {
            "there" => dozen.delete(0..1),
            _ => assert_eq!(dozen.app.delete(&path).await.status, 204),
        }
        assert_eq!(round(&dozen.app, dozen.id, Cause::Poll).await, Outcome::Ok);
        assert_eq!((dozen.there().len(), dozen.count().await), (11, 11), "{by_whom}");
        dozen.app.post(&format!("{path}/restore"), Value::Null).await.ok();
        assert_eq!(round(&dozen.app, dozen.id, Cause::LocalEdit).await, Outcome::Ok);
        let after = dozen.there().into_iter().find(|item| item["summary"] == "E00").expect("it is back");
        for kept in ["id", "iCalUID", "start", "end", "colorId", "reminders", "attendees"] {
            assert_eq!(after[kept], before[kept], "{kept}, deleted {by_whom}");
        }
        assert_eq!(after["extendedProperties"]["shared"], before["extendedProperties"]["shared"]);
        assert_eq!(dozen.count().await, 12);
    }
}
