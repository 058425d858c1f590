//! Answers that are larger than is accepted, and answers that are emptier than can be believed.

use super::*;
use crate::{
    domain::failure::FailureClass,
    provider::{PageKind, Unreadable},
};

fn place(name: &str) -> String {
    format!("/home/ada/office/{name}.ics")
}

fn listed(names: &[&str], token: &str) -> Step {
    let rows: Vec<_> = names.iter().map(|name| version(&place(name), "\"1\"")).collect();
    on("REPORT", OFFICE, 207, multi(&rows, Some(token)))
}

fn read(names: &[&str]) -> Step {
    let rows: Vec<_> = names.iter().map(|name| with_data(&place(name), "\"1\"", &event(name, name))).collect();
    on("REPORT", OFFICE, 207, multi(&rows, None)).holding("calendar-multiget")
}

fn too_large() -> Step {
    on("REPORT", OFFICE, 207, TOO_LARGE)
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_halves() {
    let (account, script) =
        settled(vec![listed(&["a", "b", "c", "d"], "t"), too_large(), read(&["a", "b"]), read(&["c", "d"])]);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert_eq!(page.changed.len(), 4);
    assert_eq!(done(&page), Some("sync:t"));
    script.finished();
}

#[tokio::test]
async fn one_event_that_is_too_large_is_reported_and_stops_no_other() {
    let (account, script) = settled(vec![
        listed(&["a", "b", "c"], "t"),
        too_large(),
        read(&["a"]),
        too_large(),
        too_large(),
        read(&["c"]),
        on("GET", &place("b"), 200, TOO_LARGE),
    ]);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert_eq!(changed(&page), [place("a"), place("c")]);
    let [Unreadable { id, revision, may_pass, why, .. }] = page.unreadable.as_slice() else {
        panic!("{:?}", page.unreadable)
    };
    // Known by its version, so that it is not asked for again before it changes, and the cursor goes on.
    assert_eq!((id.as_str(), revision, may_pass), (place("b").as_str(), &Some("\"1\"".into()), &false));
    assert!(why.contains("larger"), "{why}");
    assert_eq!(done(&page), Some("sync:t"));
    script.finished();
}

#[tokio::test]
async fn batches_stay_small_while_their_answers_are_large() {
    let (account, script) = settled(vec![
        listed(&["a", "b", "c", "d", "e", "f"], "t"),
        too_large(),
        read(&["a", "b"]),
        read(&["c", "d"]),
        read(&["e", "f"]),
    ]);
    let account = account.with_batch(4);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert_eq!(page.changed.len(), 6);
    assert_eq!(account.room.now(), 4, "and grow again");
    script.finished();
}

#[tokio::test]
async fn a_list_that_is_too_large_comes_in_pieces() {
    let cut = with_status(OFFICE, 507);
    let (account, script) = settled(vec![
        too_large(),
        on("REPORT", OFFICE, 207, multi(&[version(&place("a"), "\"1\""), cut], Some("t1")))
            .holding("<d:nresults>5000</d:nresults>"),
        on("REPORT", OFFICE, 207, multi(&[version(&place("b"), "\"1\"")], Some("t2")))
            .holding("<d:sync-token>t1</d:sync-token>"),
    ]);
    let held = holding(&[(&place("a"), "\"1\""), (&place("b"), "\"1\"")]);
    let page = pull(&account, None, false, &held).await.expect("a page");
    assert_eq!((page.kind, page.present.len(), done(&page)), (PageKind::Snapshot, 2, Some("sync:t2")));
    script.finished();
}

#[tokio::test]
async fn a_list_cut_at_the_limit_without_a_word_is_not_taken_for_whole() {
    let rows: Vec<_> = (0..5_000).map(|n| version(&place(&n.to_string()), "\"1\"")).collect();
    let (account, script) = settled(vec![
        too_large(),
        on("REPORT", OFFICE, 207, multi(&rows, Some("t1"))),
        on("PROPFIND", OFFICE, 207, multi(&[row(OFFICE, "<s:getctag>c1</s:getctag>")], None)),
        on("PROPFIND", OFFICE, 207, TOO_LARGE).holding("resourcetype"),
        on("PROPFIND", OFFICE, 207, multi(&[version(&place("a"), "\"1\"")], None))
            .holding("<d:prop><d:getetag/></d:prop>"),
    ]);
    let held = holding(&[(&place("a"), "\"1\"")]);
    let page = pull(&account, None, false, &held).await.expect("a page");
    assert_eq!((page.kind, page.present.len(), done(&page)), (PageKind::Snapshot, 1, Some("etag:c1")));
    script.finished();
}

#[tokio::test]
async fn an_empty_rest_of_a_list_that_was_cut_is_not_believed() {
    // The server forgot the token of its first piece meanwhile, takes any, and says that nothing changed since.
    let first = |asked: &'static str| {
        on("REPORT", OFFICE, 207, multi(&[version(&place("a"), "\"1\""), with_status(OFFICE, 507)], Some("t1")))
            .holding(asked)
    };
    let rest = || listed(&[], "t9").holding("<d:sync-token>t1</d:sync-token>");
    let (account, script) = settled(vec![
        first("<d:sync-token></d:sync-token>"),
        rest(),
        on("PROPFIND", OFFICE, 207, multi(&[row(OFFICE, "<s:getctag>c1</s:getctag>")], None)),
        on("PROPFIND", OFFICE, 207, multi(&[version(&place("a"), "\"1\""), version(&place("b"), "\"1\"")], None)),
    ]);
    let held = holding(&[(&place("a"), "\"1\""), (&place("b"), "\"1\"")]);
    let page = pull(&account, None, false, &held).await.expect("a page");
    assert_eq!((page.kind, page.present.len(), done(&page)), (PageKind::Snapshot, 2, Some("etag:c1")));
    script.finished();
    // A list of changes is no better: it begins anew.
    let (account, script) = settled(vec![first("<d:sync-token>t0</d:sync-token>"), rest()]);
    let error = pull(&account, Some("sync:t0"), false, &held).await.expect_err("no list");
    assert_eq!(error.class, FailureClass::CursorExpired);
    script.finished();
}

#[tokio::test]
async fn a_list_that_is_too_large_in_every_way_fails_its_calendar_and_says_so() {
    let (account, script) = settled(vec![too_large(), too_large()]);
    let error = pull(&account, None, false, &Held::default()).await.expect_err("too large");
    assert_eq!(error.class, FailureClass::Malformed);
    assert!(error.detail.contains("larger"), "{}", error.detail);
    script.finished();
}

#[tokio::test]
async fn nothing_changed_is_not_believed_of_a_calendar_that_says_it_did() {
    // A calendar made anew under its name, or restored from a backup, on a server that takes any token.
    let (account, script) = settled(vec![
        listed(&[], "t2").holding("<d:sync-token>t9</d:sync-token>"),
        listed(&["a", "new"], "t2").holding("<d:sync-token></d:sync-token>"),
        read(&["new"]),
    ]);
    let held = holding(&[(&place("a"), "\"1\""), (&place("gone"), "\"1\"")]);
    let page = pull(&account, Some("sync:t9"), false, &held).await.expect("a page");
    assert_eq!((page.kind, done(&page)), (PageKind::Snapshot, Some("sync:t2")));
    assert_eq!((ids(&page.present), changed(&page)), (vec![place("a").as_str()], vec![place("new").as_str()]));
    script.finished();
}

#[tokio::test]
async fn what_changes_in_the_second_of_a_token_is_asked_for_again() {
    // 12:00:00 of the answer's own day, as SOGo writes its tokens.
    for (token, stamped) in [("1795176000", false), ("1795175990", true), ("17951760000", true)] {
        let props = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>";
        let home = row(OFFICE, &format!("{props}<d:sync-token>{token}</d:sync-token>"));
        let step = || {
            on("PROPFIND", HOME, 207, multi(std::slice::from_ref(&home), None))
                .header("date", "Fri, 20 Nov 2026 12:00:00 GMT")
        };
        let (account, script) = settled(vec![step()]);
        let calendars = account.calendars().await.expect("calendars");
        assert_eq!(calendars[0].stamp.is_some(), stamped, "{token}");
        script.finished();
    }
}
