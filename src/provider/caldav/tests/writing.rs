use super::*;
use crate::{
    domain::{failure::FailureClass, mapping::Canonical as _},
    provider::{EventWriter, Found, WriteTarget},
};

const KEY: &str = "0192f0c1-7c1e-7000-8000-000000000001";

fn own() -> String {
    format!("{OFFICE}{KEY}.ics")
}

async fn update(account: &Caldav, revision: &str, raw: Option<&str>) -> Result<crate::domain::mapping::RemoteEvent> {
    let (calendar, id, revision) = (office(), RemoteEventId::from("/home/ada/office/a.ics"), Revision::from(revision));
    let target = WriteTarget { calendar: &calendar, id: &id, revision: &revision, raw: raw.map(str::as_bytes) };
    account.update(target, &content("New")).await
}

async fn delete(account: &Caldav, revision: &str) -> Result<()> {
    let (calendar, id, revision) = (office(), RemoteEventId::from("/home/ada/office/a.ics"), Revision::from(revision));
    account.delete(WriteTarget { calendar: &calendar, id: &id, revision: &revision, raw: None }).await
}

#[tokio::test]
async fn a_create_takes_the_chosen_name_and_trusts_a_strong_stamp() {
    let (account, script) = trusted(vec![
        on("PUT", &own(), 201, "")
            .header("etag", "\"n1\"")
            .holding("If-None-Match: *")
            .holding(&format!("UID:{KEY}"))
            .holding("DTEND"),
    ]);
    let made = account.create(&office(), &KEY.into(), &content("Tea")).await.expect("made");
    assert_eq!((made.id.as_str(), made.uid.as_str()), (own().as_str(), KEY));
    assert_eq!(made.revision, Some("\"n1\"".into()));
    assert_eq!(made.content, account.canonical(&content("Tea")));
    assert_eq!(made.raw.as_deref(), Some(script.sent()[0].body.as_ref()));
    script.finished();
}

#[tokio::test]
async fn a_weak_or_missing_stamp_after_a_write_is_looked_up() {
    let stored = event(KEY, "Tea, as the server keeps it");
    let (account, script) = trusted(vec![
        on("PUT", &own(), 201, "").header("etag", "W/\"n1\""),
        on("GET", &own(), 200, stored.clone()).header("etag", "\"n1\""),
    ]);
    let made = account.create(&office(), &KEY.into(), &content("Tea")).await.expect("made");
    assert_eq!((made.revision, made.raw.as_deref()), (Some("\"n1\"".into()), Some(stored.as_bytes())));
    assert_eq!(made.content.facts.title, "Tea, as the server keeps it");
    script.finished();
    let (account, script) = trusted(vec![
        on("PUT", &own(), 204, ""),
        on("GET", &own(), 200, stored),
        on("PROPFIND", &own(), 207, multi(&[version(&own(), "\"n2\"")], None)).holding("Depth: 0"),
    ]);
    let made = account.create(&office(), &KEY.into(), &content("Tea")).await.expect("made");
    assert_eq!(made.revision, Some("\"n2\"".into()));
    script.finished();
}

#[tokio::test]
async fn a_write_that_was_done_is_done_though_the_look_after_it_fails() {
    let (account, script) = trusted(vec![on("PUT", &own(), 201, ""), on("GET", &own(), 503, "")]);
    let made = account.create(&office(), &KEY.into(), &content("Tea")).await.expect("made");
    assert_eq!(made.revision, None, "unknown, so it is read before it is written again");
    script.finished();
}

#[tokio::test]
async fn an_update_is_of_exactly_the_version_it_was_decided_on() {
    let (account, script) = trusted(vec![
        on("PUT", "/home/ada/office/a.ics", 204, "")
            .header("etag", "\"2\"")
            .holding("If-Match: \"1\"")
            .holding("SUMMARY:New")
            .holding("X-KEPT:as it is"),
    ]);
    let held = update(&account, "\"1\"", Some(&event("a", "Old"))).await.expect("updated");
    assert_eq!((held.revision, held.uid.as_str()), (Some("\"2\"".into()), "a"));
    assert_eq!(held.content.facts.title, "New");
    assert_eq!(held.raw.as_deref(), Some(script.sent()[0].body.as_ref()));
    script.finished();
}

#[tokio::test]
async fn a_stale_revision_becomes_a_conflict() {
    let raw = event("a", "Old");
    for status in [412, 409] {
        let (account, script) = trusted(vec![on("PUT", "/home/ada/office/a.ics", status, "")]);
        assert_eq!(update(&account, "\"1\"", Some(&raw)).await.expect_err("stale").class, FailureClass::Conflict);
        script.finished();
    }
    let (account, _) = trusted(vec![on("DELETE", "/home/ada/office/a.ics", 412, "")]);
    assert_eq!(delete(&account, "\"1\"").await.expect_err("stale").class, FailureClass::Conflict);
}

#[tokio::test]
async fn a_weak_stamp_is_exchanged_for_a_strong_one_before_it_is_a_condition() {
    let raw = event("a", "Old");
    let (account, script) = trusted(vec![
        on("GET", "/home/ada/office/a.ics", 200, raw.clone())
            .header("etag", "\"1\"")
            .holding("Accept-Encoding: identity"),
        on("PUT", "/home/ada/office/a.ics", 204, "").header("etag", "\"2\"").holding("If-Match: \"1\""),
    ]);
    assert!(update(&account, "W/\"1\"", Some(&raw)).await.is_ok());
    script.finished();
    let (account, script) = trusted(vec![
        on("GET", "/home/ada/office/a.ics", 200, raw.clone()).header("etag", "W/\"1\""),
        on("PROPFIND", "/home/ada/office/a.ics", 207, multi(&[version("/home/ada/office/a.ics", "\"1\"")], None)),
        on("DELETE", "/home/ada/office/a.ics", 204, "").holding("If-Match: \"1\"").holding("Schedule-Reply: F"),
    ]);
    delete(&account, "W/\"1\"").await.expect("deleted");
    script.finished();
    let (account, script) =
        trusted(vec![on("GET", "/home/ada/office/a.ics", 200, raw.clone()).header("etag", "\"another\"")]);
    assert_eq!(update(&account, "W/\"1\"", Some(&raw)).await.expect_err("changed").class, FailureClass::Conflict);
    script.finished();
}

#[tokio::test]
async fn an_update_without_bytes_reads_them_and_checks_the_version() {
    let (account, script) = trusted(vec![
        on("GET", "/home/ada/office/a.ics", 200, event("a", "Old")).header("etag", "\"1\""),
        on("PUT", "/home/ada/office/a.ics", 204, "").header("etag", "\"2\"").holding("X-KEPT:as it is"),
    ]);
    assert!(update(&account, "\"1\"", None).await.is_ok());
    script.finished();
    let (account, script) = trusted(vec![on("GET", "/home/ada/office/a.ics", 404, "")]);
    assert_eq!(update(&account, "\"1\"", None).await.expect_err("gone").class, FailureClass::Gone);
    script.finished();
}

#[tokio::test]
async fn deleting_what_is_gone_is_done() {
    for status in [200, 204, 404, 410] {
        let (account, script) = trusted(vec![on("DELETE", "/home/ada/office/a.ics", status, "")]);
        delete(&account, "\"1\"").await.expect("done");
        script.finished();
    }
    let (account, script) = trusted(vec![on("GET", "/home/ada/office/a.ics", 404, "")]);
    delete(&account, "W/\"1\"").await.expect("done");
    script.finished();
}

#[tokio::test]
async fn a_create_that_meets_its_own_name_or_uid_is_a_conflict() {
    let uid = r#"<d:error xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><c:no-uid-conflict/></d:error>"#;
    for (status, body) in [(412, ""), (409, uid), (403, uid), (409, "")] {
        let (account, script) = trusted(vec![on("PUT", &own(), status, body)]);
        let error = account.create(&office(), &KEY.into(), &content("Tea")).await.expect_err("taken");
        assert_eq!(error.class, FailureClass::Conflict, "{status} {body}");
        script.finished();
    }
}

#[tokio::test]
async fn a_write_answered_with_a_server_error_may_have_been_applied() {
    let (account, _) = trusted(vec![on("PUT", &own(), 502, "")]);
    let error = account.create(&office(), &KEY.into(), &content("Tea")).await.expect_err("unclear");
    assert_eq!(error.class, FailureClass::Ambiguous);
}

#[tokio::test]
async fn an_unclear_create_is_settled_by_its_name() {
    let (account, script) = trusted(vec![on("GET", &own(), 200, event(KEY, "Tea")).header("etag", "\"1\"")]);
    let Found::Here(found) = account.find(&office(), &KEY.into()).await.expect("an answer") else {
        panic!("not found")
    };
    assert_eq!((found.id.as_str(), found.revision), (own().as_str(), Some("\"1\"".into())));
    script.finished();
}

#[tokio::test]
async fn a_uid_under_another_name_is_found_by_search_and_compared_again() {
    let rows = [
        with_data("/home/ada/office/longer.ics", "\"1\"", &event(&format!("{KEY}-2"), "Not it")),
        with_data("/home/ada/office/other.ics", "\"2\"", &event(KEY, "Tea")),
    ];
    let (account, script) = trusted(vec![
        on("GET", &own(), 404, ""),
        on("REPORT", OFFICE, 207, multi(&rows, None)).holding("calendar-query").holding(KEY),
    ]);
    let Found::Here(found) = account.find(&office(), &KEY.into()).await.expect("an answer") else {
        panic!("not found")
    };
    assert_eq!(found.id.as_str(), "/home/ada/office/other.ics");
    script.finished();
    let (account, script) = trusted(vec![on("GET", &own(), 404, ""), on("REPORT", OFFICE, 501, "")]);
    assert_eq!(account.find(&office(), &KEY.into()).await.expect("an answer"), Found::Nothing);
    script.finished();
    let (account, script) = trusted(vec![on("GET", &own(), 404, ""), on("REPORT", OFFICE, 503, "")]);
    assert_eq!(account.find(&office(), &KEY.into()).await.expect_err("unclear").class, FailureClass::Transient);
    script.finished();
}

#[tokio::test]
async fn a_write_follows_no_redirect_to_a_text_about_it() {
    let (account, script) = trusted(vec![on("PUT", &own(), 303, "").header("location", "/done")]);
    let error = account.create(&office(), &KEY.into(), &content("Tea")).await.expect_err("not an answer");
    assert_eq!(error.class, FailureClass::Malformed);
    script.finished();
}

#[tokio::test]
async fn a_server_is_believed_about_its_stamps_once_it_was_seen_to_keep_what_it_is_given() {
    let other = "/home/ada/office/a.ics";
    let (account, script) = settled(vec![
        on("PUT", other, 204, "").header("etag", "\"2\""),
        // It holds what was sent.
        on("GET", other, 200, edited("Old", "New")).header("etag", "\"2\""),
        on("PUT", other, 204, "").header("etag", "\"3\""),
    ]);
    assert_eq!(
        update(&account, "\"1\"", Some(&event("a", "Old"))).await.expect("updated").revision,
        Some("\"2\"".into())
    );
    assert_eq!(
        update(&account, "\"2\"", Some(&event("a", "Old"))).await.expect("updated").revision,
        Some("\"3\"".into())
    );
    script.finished();
}

/// What an edit makes of an event.
fn edited(old: &str, new: &str) -> String {
    let now = crate::domain::ports::Clock::now(&Fixed);
    let bytes = crate::ical::encode::edit(event("a", old).as_bytes(), &content(new), now).expect("edited");
    String::from_utf8(bytes).expect("UTF-8")
}

#[tokio::test]
async fn a_server_that_rewrites_is_read_again_after_every_write_whatever_its_stamp_claims() {
    let other = "/home/ada/office/a.ics";
    let (account, script) = settled(vec![
        on("PUT", other, 204, "").header("etag", "\"2\""),
        on("GET", other, 200, event("a", "New, as it is kept")).header("etag", "\"2b\""),
        on("PUT", other, 204, "").header("etag", "\"3\""),
        on("GET", other, 200, event("a", "New, as it is kept")).header("etag", "\"3\""),
    ]);
    let held = update(&account, "\"1\"", Some(&event("a", "Old"))).await.expect("updated");
    assert_eq!((held.revision, held.content.facts.title.as_str()), (Some("\"2b\"".into()), "New, as it is kept"));
    let held = update(&account, "\"2b\"", Some(&event("a", "Old"))).await.expect("updated");
    assert_eq!((held.revision, held.content.facts.title.as_str()), (Some("\"3\"".into()), "New, as it is kept"));
    script.finished();
}

#[tokio::test]
async fn a_deletion_looks_first_though_an_update_was_refused() {
    let place = "/home/ada/office/a.ics";
    let (account, script) =
        settled(vec![on("PUT", place, 412, ""), on("GET", place, 200, event("a", "Theirs")).header("etag", "\"2\"")]);
    assert_eq!(
        update(&account, "\"1\"", Some(&event("a", "Old"))).await.expect_err("edited").class,
        FailureClass::Conflict
    );
    assert_eq!(delete(&account, "\"1\"").await.expect_err("edited").class, FailureClass::Conflict);
    script.finished();
}

#[tokio::test]
async fn a_deletion_looks_first_where_conditions_may_not_be_minded() {
    let place = "/home/ada/office/a.ics";
    // Somebody has edited it, and the server would delete it all the same.
    let (account, script) = settled(vec![on("GET", place, 200, event("a", "Theirs")).header("etag", "\"2\"")]);
    assert_eq!(delete(&account, "\"1\"").await.expect_err("edited").class, FailureClass::Conflict);
    script.finished();
    let (account, script) = settled(vec![on("GET", place, 404, "")]);
    delete(&account, "\"1\"").await.expect("gone already");
    script.finished();
    let (account, script) = settled(vec![
        on("GET", place, 200, event("a", "Ours")).header("etag", "\"1\""),
        // In between it was edited, and the server minds.
        on("DELETE", place, 412, "").holding("If-Match: \"1\""),
        on("DELETE", place, 204, "").holding("If-Match: \"2\""),
    ]);
    assert_eq!(delete(&account, "\"1\"").await.expect_err("edited").class, FailureClass::Conflict);
    delete(&account, "\"2\"").await.expect("deleted, without another look");
    script.finished();
}
