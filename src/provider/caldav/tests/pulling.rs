use super::*;
use crate::{
    domain::failure::FailureClass,
    provider::{PageKind, change::Nothing},
};

fn data(name: &str, etag: &str) -> String {
    with_data(&format!("{OFFICE}{name}.ics"), etag, &event(name, name))
}

fn listed(name: &str, etag: &str) -> String {
    version(&format!("{OFFICE}{name}.ics"), etag)
}

fn ctag(text: &str) -> String {
    multi(&[row(OFFICE, &format!("<s:getctag>{text}</s:getctag>"))], None)
}

#[tokio::test]
async fn a_first_pull_is_a_snapshot_in_two_requests() {
    let rows = [version(OFFICE, "\"self\""), listed("a", "\"1\""), listed("b", "\"1\"")];
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 207, multi(&rows, Some("t1")))
            .holding("<d:sync-token></d:sync-token>")
            .holding("Depth: 0"),
        on("REPORT", OFFICE, 207, multi(&[data("b", "\"1\""), data("a", "\"1\"")], None))
            .holding("a.ics")
            .holding("b.ics"),
    ]);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert_eq!(page.kind, PageKind::Snapshot);
    assert_eq!(changed(&page), ["/home/ada/office/a.ics", "/home/ada/office/b.ics"]);
    assert_eq!((done(&page), page.expected), (Some("sync:t1"), Some(2)));
    assert_eq!(page.changed[0].revision, Some("\"1\"".into()));
    assert_eq!(page.changed[0].content.facts.title, "a");
    assert_eq!(page.changed[0].raw.as_deref(), Some(event("a", "a").as_bytes()));
    script.finished();
}

#[tokio::test]
async fn a_delta_reads_what_changed_and_names_what_is_gone() {
    let rows = [
        listed("a", "\"2\""),
        listed("ours", "\"9\""),
        with_status("/home/ada/office/b.ics", 404),
        with_status("/home/ada/office/c.ics", 418),
    ];
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 207, multi(&rows, Some("t2"))).holding("<d:sync-token>t1</d:sync-token>"),
        on("REPORT", OFFICE, 207, multi(&[data("a", "\"2\"")], None)),
    ]);
    let held = holding(&[("/home/ada/office/ours.ics", "\"9\""), ("/home/ada/office/a.ics", "\"1\"")]);
    let page = pull(&account, Some("sync:t1"), false, &held).await.expect("a page");
    assert_eq!(page.kind, PageKind::Delta);
    assert_eq!(changed(&page), ["/home/ada/office/a.ics"], "our own write, at the revision we hold, is not read again");
    assert_eq!(ids(&page.removed), ["/home/ada/office/b.ics", "/home/ada/office/c.ics"]);
    assert!(page.present.is_empty());
    assert_eq!(done(&page), Some("sync:t2"));
    script.finished();
}

#[tokio::test]
async fn what_is_listed_by_an_unescaped_name_is_read_where_it_is() {
    let rows = ["per%cent", "a#b", "a#c", "gone%zz", "late%zz", "what?mark"].map(|name| listed(name, "\"1\""));
    let at = |name: &str| format!("{OFFICE}{name}.ics");
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 207, multi(&rows, Some("t1"))),
        on("REPORT", OFFICE, 207, multi(&["a%23b", "a%23c", "what?mark"].map(|name| data(name, "\"1\"")), None)),
        on("GET", &at("gone%zz"), 400, ""),
        on("GET", &at("gone%25zz"), 404, ""),
        on("GET", &at("late%zz"), 404, ""),
        on("GET", &at("late%25zz"), 503, ""),
        on("GET", &at("per%cent"), 404, ""),
        on("GET", &at("per%25cent"), 200, event("per", "per")).header("etag", "\"1\""),
        on("GET", &format!("https://dav.example.org{}", at("what?mark")), 404, ""),
        on("GET", &at("what%3Fmark"), 200, event("what", "what")).header("etag", "\"1\""),
        on("REPORT", OFFICE, 207, multi(&[listed("per%cent", "\"1\""), with_status(&at("a#b"), 404)], Some("t2"))),
    ]);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert_eq!(changed(&page), [at("a%23b"), at("a%23c"), at("per%25cent"), at("what%3Fmark")]);
    let unreadable: Vec<_> = page.unreadable.iter().map(|held| (held.id.as_str().to_owned(), held.may_pass)).collect();
    assert_eq!(unreadable, [(at("gone%zz"), false), (at("late%25zz"), true)], "and what may be there is not gone");
    let held = holding(&[(&at("a%23b"), "\"1\""), (&at("per%25cent"), "\"1\"")]);
    let page = pull(&account, Some("sync:t1"), false, &held).await.expect("a page");
    assert!(page.changed.is_empty());
    assert_eq!(ids(&page.removed), [at("a%23b")]);
    script.finished();
}

#[tokio::test]
async fn a_quiet_calendar_costs_one_request() {
    let (account, script) = settled(vec![on("REPORT", OFFICE, 207, multi(&[], Some("t1")))]);
    let page = pull(&account, Some("sync:t1"), false, &Held::default()).await.expect("a page");
    assert!(page.changed.is_empty() && page.removed.is_empty());
    assert_eq!((done(&page), account.requests_made()), (Some("sync:t1"), 1));
    script.finished();
}

#[tokio::test]
async fn a_sync_report_that_is_cut_short_goes_on_from_the_token_it_gave() {
    let cut = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/caldav/truncated-listing.xml"));
    let first =
        String::from_utf8_lossy(cut).replace("</d:multistatus>", "<d:sync-token>t1</d:sync-token></d:multistatus>");
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 207, first).holding("<d:sync-token></d:sync-token>"),
        on("REPORT", OFFICE, 207, multi(&[listed("b", "\"1\"")], Some("t2")))
            .holding("<d:sync-token>t1</d:sync-token>"),
        on("REPORT", OFFICE, 207, multi(&[data("a", "\"a1\""), data("b", "\"1\"")], None)),
    ]);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert_eq!((page.kind, page.changed.len(), done(&page)), (PageKind::Snapshot, 2, Some("sync:t2")));
    script.finished();
}

#[tokio::test]
async fn a_sync_report_that_is_cut_short_for_ever_is_an_error() {
    let cut = multi(&[listed("a", "\"1\""), with_status(OFFICE, 507)], Some("t1"));
    let (account, script) = settled(vec![on("REPORT", OFFICE, 207, cut.clone()), on("REPORT", OFFICE, 207, cut)]);
    let error = pull(&account, None, false, &Held::default()).await.expect_err("incomplete");
    assert_eq!(error.class, FailureClass::Malformed);
    script.finished();
}

#[tokio::test]
async fn a_listing_that_is_cut_short_deletes_nothing() {
    let cut = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/caldav/truncated-listing.xml"));
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 501, ""),
        on("PROPFIND", OFFICE, 207, ctag("c1")).holding("Depth: 0"),
        on("PROPFIND", OFFICE, 207, cut.as_slice()).holding("Depth: 1"),
        on("REPORT", OFFICE, 207, multi(&[data("a", "\"a1\"")], None)),
    ]);
    let page =
        pull(&account, None, false, &holding(&[("/home/ada/office/behind.ics", "\"1\"")])).await.expect("a page");
    assert_eq!(page.kind, PageKind::Delta, "absence must mean nothing");
    assert!(page.removed.is_empty());
    assert_eq!(changed(&page), ["/home/ada/office/a.ics"]);
    assert_eq!(done(&page), None, "and the next pull must not begin after it");
    assert!(page.unreadable[0].why.contains("only a part"), "{:?}", page.unreadable);
    script.finished();
}

#[tokio::test]
async fn a_listing_whose_end_is_missing_is_an_error() {
    let whole = multi(&[listed("a", "\"1\"")], Some("t"));
    let (account, script) = settled(vec![on("REPORT", OFFICE, 207, whole[..whole.len() - 9].to_owned())]);
    let error = pull(&account, None, false, &Held::default()).await.expect_err("cut off");
    assert_eq!(error.class, FailureClass::Malformed);
    script.finished();
}

#[tokio::test]
async fn a_row_missing_from_a_multiget_is_asked_for_and_not_deleted() {
    let rows = [listed("a", "\"1\""), listed("b", "\"1\""), listed("c", "\"1\"")];
    let answer = [data("a", "\"1\""), with_status("/home/ada/office/c.ics", 404)];
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 207, multi(&rows, Some("t"))),
        on("REPORT", OFFICE, 207, multi(&answer, None)),
        on("GET", "/home/ada/office/b.ics", 200, event("b", "b")).header("etag", "W/\"1\""),
        on("GET", "/home/ada/office/c.ics", 404, ""),
    ]);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert_eq!(changed(&page), ["/home/ada/office/a.ics", "/home/ada/office/b.ics"]);
    assert_eq!(page.changed[1].revision, Some("\"1\"".into()), "the stamp of the listing, not the weakened one");
    assert_eq!(ids(&page.removed), ["/home/ada/office/c.ics"]);
    script.finished();
}

#[tokio::test]
async fn a_multiget_that_cannot_be_read_is_taken_apart() {
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 207, multi(&[listed("a", "\"1\""), listed("b", "\"1\"")], Some("t"))),
        on("REPORT", OFFICE, 207, "<html>"),
        on("GET", "/home/ada/office/a.ics", 200, event("a", "a")).header("etag", "\"1\""),
        on("GET", "/home/ada/office/b.ics", 403, ""),
    ]);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert_eq!(changed(&page), ["/home/ada/office/a.ics"]);
    assert_eq!(page.unreadable[0].id.as_str(), "/home/ada/office/b.ics");
    script.finished();
}

#[tokio::test]
async fn an_event_that_is_not_handed_out_stops_no_other_and_is_asked_for_again() {
    let page = "\u{feff}\n<!doctype html><p>Please log in";
    // A server that stumbles over one event fails the whole multiget; a login in between answers with a page.
    for (status, body) in [(200, page), (500, ""), (502, page), (423, "")] {
        let (account, script) = settled(vec![
            on("REPORT", OFFICE, 207, multi(&[listed("a", "\"1\""), listed("b", "\"1\"")], Some("t"))),
            on("REPORT", OFFICE, 500, ""),
            on("GET", "/home/ada/office/a.ics", status, body),
            on("GET", "/home/ada/office/b.ics", 200, event("b", "b")).header("etag", "\"1\""),
        ]);
        let page = pull(&account, None, false, &Held::default()).await.expect("a page");
        assert_eq!(changed(&page), ["/home/ada/office/b.ics"], "{status}");
        let [withheld] = page.unreadable.as_slice() else { panic!("{status}: {:?}", page.unreadable) };
        assert_eq!((withheld.id.as_str(), &withheld.revision), ("/home/ada/office/a.ics", &None), "{status}");
        assert!(withheld.may_pass, "{status}");
        script.finished();
    }
}

#[tokio::test]
async fn a_server_that_hands_out_nothing_fails_as_a_whole() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let rows: Vec<_> = names.iter().map(|name| listed(name, "\"1\"")).collect();
    let mut said = vec![on("REPORT", OFFICE, 207, multi(&rows, Some("t"))), on("REPORT", OFFICE, 500, "")];
    said.extend(names.iter().take(5).map(|name| on("GET", &format!("/home/ada/office/{name}.ics"), 503, "")));
    let (account, _) = settled(said);
    let error = pull(&account, None, false, &Held::default()).await.expect_err("no page: the cursor stays");
    assert_eq!(error.class, FailureClass::Transient);
    let (account, script) =
        settled(vec![on("REPORT", OFFICE, 207, multi(&rows, Some("t"))), on("REPORT", OFFICE, 503, "")]);
    let error = pull(&account, None, false, &Held::default()).await.expect_err("no page");
    assert_eq!(error.class, FailureClass::Transient);
    script.finished();
}

#[tokio::test]
async fn one_event_that_cannot_be_read_does_not_stop_the_others() {
    let broken = event("b", "b").replace("DTSTART:20261201T100000Z", "DTSTART:yesterday");
    let answer = [with_data("/home/ada/office/b.ics", "\"1\"", &broken), data("a", "\"1\"")];
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 207, multi(&[listed("a", "\"1\""), listed("b", "\"1\"")], Some("t"))),
        on("REPORT", OFFICE, 207, multi(&answer, None)),
    ]);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert_eq!(changed(&page), ["/home/ada/office/a.ics"]);
    let [unreadable] = page.unreadable.as_slice() else { panic!("{:?}", page.unreadable) };
    assert_eq!((unreadable.id.as_str(), &unreadable.revision), ("/home/ada/office/b.ics", &Some("\"1\"".into())));
    assert_eq!(unreadable.uid, Some("b".into()));
    assert!(!unreadable.why.is_empty() && !unreadable.why.contains("yesterday"), "{}", unreadable.why);
    script.finished();
}

#[tokio::test]
async fn a_task_is_there_and_left_alone() {
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 207, multi(&[listed("t", "\"1\"")], Some("t"))),
        on("REPORT", OFFICE, 207, multi(&[with_data("/home/ada/office/t.ics", "\"1\"", &todo("t"))], None)),
    ]);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert!(page.changed.is_empty() && page.unreadable.is_empty());
    assert_eq!(ids(&page.present), ["/home/ada/office/t.ics"]);
    script.finished();
}

#[tokio::test]
async fn a_token_that_the_server_refuses_means_list_everything() {
    let says = |status| {
        let body = r#"<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>"#;
        vec![on("REPORT", OFFICE, status, body)]
    };
    for status in [400, 403, 409, 410, 412] {
        let (account, script) = settled(says(status));
        let error = pull(&account, Some("sync:bogus"), false, &Held::default()).await.expect_err("expired");
        assert_eq!(error.class, FailureClass::CursorExpired, "{status}");
        script.finished();
    }
    for (status, class) in [
        (401, FailureClass::Unauthorised),
        (404, FailureClass::Gone),
        (429, FailureClass::RateLimited),
        (503, FailureClass::Transient),
    ] {
        let (account, _) = settled(says(status));
        assert_eq!(
            pull(&account, Some("sync:t"), false, &Held::default()).await.expect_err("failed").class,
            class,
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_server_that_fails_twice_on_a_token_does_not_know_it() {
    let (account, script) = settled(vec![on("REPORT", OFFICE, 500, ""), on("REPORT", OFFICE, 500, "")]);
    let error = pull(&account, Some("sync:foreign"), false, &Held::default()).await.expect_err("expired");
    assert_eq!(error.class, FailureClass::CursorExpired);
    script.finished();
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 500, ""),
        on("REPORT", OFFICE, 207, multi(&[with_status("/home/ada/office/a.ics", 404)], Some("t"))),
    ]);
    assert!(pull(&account, Some("sync:t"), false, &Held::default()).await.is_ok());
    script.finished();
}

#[tokio::test]
async fn a_cursor_that_is_not_ours_means_list_everything() {
    let (account, _) = settled(Vec::new());
    let error = pull(&account, Some("gibberish"), false, &Held::default()).await.expect_err("expired");
    assert_eq!(error.class, FailureClass::CursorExpired);
}

#[tokio::test]
async fn reconciling_lists_everything_though_there_is_a_token() {
    let rows = [listed("a", "\"1\""), listed("b", "\"2\"")];
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 207, multi(&rows, Some("t9"))).holding("<d:sync-token></d:sync-token>"),
        on("REPORT", OFFICE, 207, multi(&[data("b", "\"2\"")], None)),
    ]);
    let held = holding(&[
        ("/home/ada/office/a.ics", "\"1\""),
        ("/home/ada/office/b.ics", "\"1\""),
        ("/home/ada/office/lost.ics", "\"1\""),
    ]);
    let page = pull(&account, Some("sync:t8"), true, &held).await.expect("a page");
    assert_eq!((page.kind, done(&page), page.expected), (PageKind::Snapshot, Some("sync:t9"), Some(2)));
    assert_eq!((ids(&page.present), changed(&page)), (vec!["/home/ada/office/a.ics"], vec!["/home/ada/office/b.ics"]));
    script.finished();
}

#[tokio::test]
async fn without_sync_reports_the_ctag_is_read_before_the_listing() {
    let task = row(
        "/home/ada/office/t.ics",
        "<d:getetag>\"1\"</d:getetag><d:getcontenttype>text/calendar; component=VTODO</d:getcontenttype>",
    );
    let inner = row("/home/ada/office/inner/", "<d:resourcetype><d:collection/></d:resourcetype>");
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 403, ""),
        on("PROPFIND", OFFICE, 207, ctag("c1")),
        on("PROPFIND", OFFICE, 207, multi(&[row(OFFICE, ""), listed("a", "\"1\""), task, inner], None)),
        on("REPORT", OFFICE, 207, multi(&[data("a", "\"1\"")], None)),
    ]);
    let page = pull(&account, None, false, &Held::default()).await.expect("a page");
    assert_eq!((page.kind, done(&page)), (PageKind::Snapshot, Some("etag:c1")));
    assert_eq!(changed(&page), ["/home/ada/office/a.ics"]);
    script.finished();
}

#[tokio::test]
async fn an_equal_ctag_is_the_end_of_it_and_another_is_a_listing() {
    let (account, script) = settled(vec![
        on("PROPFIND", OFFICE, 207, ctag("c1")),
        on("PROPFIND", OFFICE, 207, ctag("c2")),
        on("PROPFIND", OFFICE, 207, multi(&[listed("a", "\"1\"")], None)).holding("Depth: 1"),
    ]);
    let held = holding(&[("/home/ada/office/a.ics", "\"1\"")]);
    let quiet = pull(&account, Some("etag:c1"), false, &held).await.expect("a page");
    assert_eq!((quiet.kind, done(&quiet)), (PageKind::Delta, Some("etag:c1")));
    let page = pull(&account, Some("etag:c1"), false, &held).await.expect("a page");
    assert_eq!((page.kind, done(&page)), (PageKind::Snapshot, Some("etag:c2")));
    assert_eq!(ids(&page.present), ["/home/ada/office/a.ics"]);
    script.finished();
}

#[tokio::test]
async fn a_server_with_neither_token_nor_ctag_is_listed_each_time() {
    let (account, script) =
        settled(vec![on("PROPFIND", OFFICE, 207, multi(&[listed("a", "\"1\"")], None)).holding("Depth: 1")]);
    let page =
        pull(&account, Some("none"), false, &holding(&[("/home/ada/office/a.ics", "\"1\"")])).await.expect("a page");
    assert_eq!((page.kind, done(&page)), (PageKind::Snapshot, Some("none")));
    script.finished();
}

#[tokio::test]
async fn a_large_calendar_comes_in_pages_and_the_cursor_with_the_last() {
    let names = ["a", "b", "c", "d", "e"];
    let rows: Vec<_> = names.iter().map(|name| listed(name, "\"1\"")).collect();
    let answer = |names: &[&str]| {
        on("REPORT", OFFICE, 207, multi(&names.iter().map(|name| data(name, "\"1\"")).collect::<Vec<_>>(), None))
    };
    let (account, script) = settled(vec![
        on("REPORT", OFFICE, 207, multi(&rows, Some("t"))),
        answer(&["a", "b"]),
        answer(&["c", "d"]),
        answer(&["e"]),
    ]);
    let account = account.with_batch(2);
    let calendar = office();
    let mut reading = account.pull(Pull { calendar: &calendar, cursor: None, reconcile: false });
    let first = reading.next(&Nothing).await.expect("a page");
    assert_eq!((first.changed.len(), first.expected, first.next), (4, Some(5), Next::More));
    let last = reading.next(&Nothing).await.expect("a page");
    assert_eq!(
        (changed(&last), done(&last), last.kind),
        (vec!["/home/ada/office/e.ics"], Some("sync:t"), PageKind::Snapshot)
    );
    script.finished();
}

#[tokio::test]
async fn names_are_matched_however_they_are_spelt() {
    let calendar = RemoteCalendarId::from("/home/ada@example.org/office/");
    let rows = [
        version("/home/ada%40example.org/office/", "\"self\""),
        version("https://dav.example.org/home/ada%40example.org/office/a.ics", "\"2\""),
        version("/home/ada%40example.org/office/held.ics", "\"1\""),
    ];
    let answer = with_data("/home/ada@example.org/office/a.ics", "\"2\"", &event("a", "a"));
    let (account, script) = settled(vec![
        on("REPORT", "/home/ada@example.org/office/", 207, multi(&rows, Some("t"))),
        on("REPORT", "/home/ada@example.org/office/", 207, multi(&[answer], None))
            .holding("<d:href>/home/ada%40example.org/office/a.ics</d:href>"),
    ]);
    let held = holding(&[("/home/ada@example.org/office/held.ics", "\"1\"")]);
    let pull = Pull { calendar: &calendar, cursor: None, reconcile: false };
    let page = account.pull(pull).next(&held).await.expect("a page");
    assert_eq!(changed(&page), ["/home/ada%40example.org/office/a.ics"]);
    assert_eq!(ids(&page.present), ["/home/ada@example.org/office/held.ics"], "under the name we hold");
    script.finished();
}

#[tokio::test]
async fn a_listing_that_is_no_xml_is_malformed() {
    let (account, _) = settled(vec![on("REPORT", OFFICE, 207, "<!DOCTYPE html><html>Sign in</html>")]);
    assert_eq!(
        pull(&account, Some("sync:t"), false, &Held::default()).await.expect_err("html").class,
        FailureClass::Malformed
    );
}
