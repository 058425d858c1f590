//! Conflicts, held deletions and notices: told, exported, decided.

use actix_web::http::Method;
use calwarden::{
    domain::{
        account::{Account, ConflictPolicy},
        calendar::Calendar,
        conflict::{
            Conflict, ConflictKind, ConflictStatus, Evidence, HeldDeletion, HeldFate, Hold, HoldReason, HoldState,
            Severity, Winner,
        },
        event::{EventContent, Facts},
        ids::{ConflictId, EventId, HoldId, NoticeId},
        notice::{Notice, NoticeKind, NoticeSubject},
        person::Scope,
        time::EventTime,
    },
    store::Mode,
};
use serde_json::{Value, json};

use super::app::{App, hour};

/// What somebody left to be looked at and decided.
pub struct Left {
    pub event: EventId,
    pub conflict: ConflictId,
    pub hold: HoldId,
    pub notice: NoticeId,
}

fn held(name: &str) -> HeldDeletion {
    let event_id = EventId(uuid::Uuid::nil());
    HeldDeletion { remote_id: name.into(), event_id, revision: None, fate: HeldFate::Open }
}

/// An event with a conflict, held deletions and a notice.
pub async fn leave(app: &App, account: &Account, calendar: &Calendar, status: ConflictStatus) -> Left {
    let body = hour(calendar, "Ours", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    let event: EventId = app.post("/v1/events", body).await.ok()["id"].as_str().expect("an id").parse().expect("an id");
    let content = |title: &str| {
        let time = |text| EventTime::parse(text, Some("Europe/Paris")).expect("a time");
        EventContent::single(Facts::new(title, time("2026-03-03T10:00:00"), time("2026-03-03T11:00:00")))
    };
    let world = &app.services().world;
    let conflict = Conflict {
        id: world.new_id(),
        space_id: account.space_id.clone(),
        account_id: account.id,
        calendar_id: calendar.id,
        event_id: event,
        kind: ConflictKind::Edit,
        fields: vec!["title".into()],
        base: Some(content("Before")),
        local: Some(content("Ours")),
        remote: Some(content("=cmd(),\"theirs\"")),
        policy: ConflictPolicy::ExternalWins,
        winner: (status != ConflictStatus::Pending).then_some(Winner::Local),
        status,
        severity: Severity::Low,
        reason: "both_changed".into(),
        created_at: world.now(),
        resolved_at: None,
    };
    let hold = Hold {
        id: world.new_id(),
        space_id: account.space_id.clone(),
        account_id: account.id,
        calendar_id: calendar.id,
        removed: ["/cal/1/a.ics", "/cal/1/b.ics"].map(held).into(),
        mapped: 5,
        reason: "whole_calendar".into(),
        state: HoldState::Held,
        created_at: world.now(),
        decided_at: None,
    };
    let notice = Notice {
        id: world.new_id(),
        space_id: account.space_id.clone(),
        user_id: account.user_id.clone(),
        account_id: Some(account.id),
        event_id: Some(event),
        subject: NoticeSubject::ConflictPending,
        severity: Severity::Low,
        created_at: world.now(),
        read_at: None,
    };
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    tx.insert_conflicts(std::slice::from_ref(&conflict)).await.expect("stored");
    tx.put_hold(&hold).await.expect("stored");
    tx.put_notice(&notice).await.expect("stored");
    tx.commit().await.expect("durable");
    Left { event, conflict: conflict.id, hold: hold.id, notice: notice.id }
}

async fn count(app: &App, path: &str) -> usize {
    app.get(path).await.ok()["data"].as_array().map_or(0, Vec::len)
}

#[actix_web::test]
async fn conflicts_are_filtered_by_how_they_stand_and_when() {
    let (app, account, calendar) = App::with_ada().await;
    leave(&app, &account, &calendar, ConflictStatus::Pending).await;
    leave(&app, &account, &calendar, ConflictStatus::Resolved).await;
    for (query, found) in [
        ("", 2),
        ("status=all", 2),
        ("status=pending", 1),
        ("status=resolved", 1),
        ("user_id=ada", 2),
        ("user_id=bob", 0),
        ("from=2026-03-02", 2),
        ("to=2026-03-02", 0),
        (&format!("account_id={}", account.id), 2),
    ] {
        assert_eq!(count(&app, &format!("/v1/conflicts?{query}")).await, found, "{query}");
    }
    assert_eq!(app.get("/v1/conflicts?status=lost").await.refused().2.as_deref(), Some("status"));
    let row = app.get("/v1/conflicts?status=pending").await.ok()["data"][0].clone();
    assert_eq!((&row["winner"], &row["local"]["facts"]["title"]), (&Value::Null, &json!("Ours")));
}

#[actix_web::test]
async fn the_export_is_csv_that_no_spreadsheet_runs() {
    let (app, account, calendar) = App::with_ada().await;
    let left = leave(&app, &account, &calendar, ConflictStatus::Resolved).await;
    let request = app.request(Method::GET, "/v1/conflicts").insert_header(("Accept", "text/csv"));
    let reply = app.send(request).await;
    assert!(reply.header("content-type").starts_with("text/csv"), "{reply:?}");
    let lines: Vec<&str> = reply.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 2, "{}", reply.text);
    assert!(lines[0].starts_with("id,created_at,"));
    assert!(lines[1].starts_with(&left.conflict.to_string()));
    assert!(lines[1].ends_with(",Before,Ours,\"'=cmd(),\"\"theirs\"\"\""), "{}", lines[1]);
}

#[actix_web::test]
async fn a_pending_conflict_is_settled_and_a_loser_comes_back() {
    let (app, account, calendar) = App::with_ada().await;
    let left = leave(&app, &account, &calendar, ConflictStatus::Pending).await;
    let path = format!("/v1/conflicts/{}", left.conflict);
    let early = app.send(app.request(Method::POST, &format!("{path}/restore"))).await;
    assert_eq!(early.refused().0, 422, "there is no loser yet");
    let settled = app.post(&format!("{path}/resolve"), json!({"winner": "remote"})).await.ok();
    assert_eq!((&settled["status"], &settled["winner"]), (&json!("resolved"), &json!("remote")));
    let event = format!("/v1/events/{}", left.event);
    assert_eq!(app.get(&event).await.ok()["title"], "=cmd(),\"theirs\"");
    let twice = app.post(&format!("{path}/resolve"), json!({"winner": "remote"})).await;
    assert_eq!(twice.refused().0, 422);
    let restored = app.send(app.request(Method::POST, &format!("{path}/restore"))).await.ok();
    assert_eq!(restored["status"], "restored");
    assert_eq!(app.get(&event).await.ok()["title"], "Ours");
}

#[actix_web::test]
async fn held_deletions_wait_for_a_word_and_notices_are_read() {
    let (app, account, calendar) = App::with_ada().await;
    let left = leave(&app, &account, &calendar, ConflictStatus::Pending).await;
    let holds = app.get(&format!("/v1/accounts/{}/holds", account.id)).await.ok();
    let hold = &holds["data"][0];
    assert_eq!((&hold["removed"], &hold["mapped"], &hold["state"]), (&json!(2), &json!(5), &json!("held")));
    let approved = app.send(app.request(Method::POST, &format!("/v1/holds/{}/approve", left.hold))).await.ok();
    assert_eq!((approved["state"].as_str(), approved["decided_at"].is_string()), (Some("approved"), true));
    assert_eq!(count(&app, "/v1/notices?user_id=ada&unread=true").await, 1);
    let path = format!("/v1/notices/{}/read", left.notice);
    let read = app.send(app.request(Method::POST, &path)).await.ok();
    assert_eq!(app.send(app.request(Method::POST, &path)).await.ok(), read, "reading it twice changes nothing");
    assert_eq!(count(&app, "/v1/notices?unread=true").await, 0);
    assert_eq!(count(&app, "/v1/notices").await, 1);
}

#[actix_web::test]
async fn a_notice_is_told_in_words_and_in_values() {
    let (app, account, _) = App::with_ada().await;
    let known = [
        (
            NoticeSubject::DeletionsHeld {
                events: 24,
                reason: HoldReason::WholeCalendar,
                evidence: Evidence::EmptyList,
            },
            "24 events would be deleted because every event of this calendar would be deleted at once; the list came back empty, \
             which is often an error of the server and no deletion. Nothing was deleted; please check.",
            json!({ "subject": "deletions_held", "events": 24, "reason": "whole_calendar", "evidence": "empty_list" }),
        ),
        (
            NoticeSubject::WriteParked { why: "the calendar is full".into() },
            "A change could not be sent to your calendar: the calendar is full. It is kept; you can try it again.",
            json!({ "subject": "write_parked", "why": "the calendar is full" }),
        ),
        (
            NoticeSubject::EditOverwritten { conflict: ConflictKind::DeletedLocally },
            "An event you deleted was changed at its calendar, so it is back.",
            json!({ "subject": "edit_overwritten", "conflict": "deleted_locally" }),
        ),
        (
            NoticeSubject::PlanOffered { changes: 1 },
            "A new plan is offered, with 1 change of time blocks. It waits for a yes.",
            json!({ "subject": "plan_offered", "changes": 1 }),
        ),
        (
            NoticeSubject::BlockMoved,
            "A time block was moved in its calendar. Confirm the new time, or move it back.",
            json!({ "subject": "block_moved" }),
        ),
        (
            NoticeSubject::Plain { kind: NoticeKind::Unreadable, text: "Two events are odd.".into() },
            "Two events are odd.",
            json!({ "subject": "plain", "kind": "unreadable", "text": "Two events are odd." }),
        ),
    ];
    let world = &app.services().world;
    let owner = (&account.space_id, &account.user_id);
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    for (subject, ..) in &known {
        let notice = Notice::new(world.new_id(), owner, (subject.clone(), Severity::Low), world.now());
        tx.put_notice(&notice).await.expect("stored");
    }
    tx.commit().await.expect("durable");
    let told = app.get("/v1/notices?user_id=ada").await.ok();
    let told = told["data"].as_array().expect("notices");
    assert_eq!(told.len(), known.len());
    for (subject, text, parameters) in &known {
        let notice = told.iter().find(|notice| notice["kind"] == subject.kind()).expect("of each kind");
        assert_eq!((&notice["text"], &notice["parameters"]), (&json!(text), parameters));
        let read = app.post(&format!("/v1/notices/{}/read", notice["id"].as_str().expect("an id")), Value::Null).await;
        assert_eq!(read.ok()["parameters"], *parameters);
    }
}
