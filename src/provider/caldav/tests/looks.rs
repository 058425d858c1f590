//! What a look at calendars costs where nothing changed, and when the cheap one is not believed.

use std::time::Duration;

use super::*;

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const NOON: &str = "Fri, 20 Nov 2026 12:00:00 GMT";

fn calendar(touched: &str, more: &str) -> String {
    let props = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>";
    row(OFFICE, &format!("{props}<d:getlastmodified>{touched}</d:getlastmodified>{more}"))
}

fn full(touched: &str, digit: char) -> Step {
    let ctag = format!("<s:getctag>\"{digit}{}\"</s:getctag>", &DIGEST[1..]);
    on("PROPFIND", HOME, 207, multi(&[calendar(touched, &ctag)], None)).header("date", NOON).holding("getctag")
}

fn short(touched: &str) -> Step {
    on("PROPFIND", HOME, 207, multi(&[calendar(touched, "")], None))
        .holding("<d:prop><d:resourcetype/><d:getlastmodified/></d:prop>")
}

async fn stamp(account: &Caldav) -> String {
    let calendars = account.calendars().await.expect("calendars");
    let [work] = calendars.as_slice() else { panic!("{calendars:?}") };
    work.stamp.clone().expect("a stamp")
}

#[tokio::test(start_paused = true)]
async fn a_calendar_that_nobody_touched_is_not_read_for_its_digest() {
    let eleven = "Fri, 20 Nov 2026 11:00:00 GMT";
    let (account, script) = settled(vec![
        full(eleven, '1'),
        short(eleven),
        short(eleven),
        // Touched: its digest decides.
        short("Fri, 20 Nov 2026 11:59:00 GMT"),
        full("Fri, 20 Nov 2026 11:59:00 GMT", '2'),
    ]);
    let before = stamp(&account).await;
    assert_eq!((stamp(&account).await, stamp(&account).await), (before.clone(), before.clone()));
    assert_eq!(account.requests_made(), 3);
    assert_ne!(stamp(&account).await, before);
    assert!(!script.sent().iter().any(|request| String::from_utf8_lossy(&request.body).contains("sync-token")));
    script.finished();
}

#[tokio::test(start_paused = true)]
async fn a_poll_always_looks_in_full() {
    let eleven = "Fri, 20 Nov 2026 11:00:00 GMT";
    let (account, script) = settled(vec![full(eleven, '1'), full(eleven, '2')]);
    let before = stamp(&account).await;
    tokio::time::advance(Duration::from_mins(10)).await;
    assert_ne!(stamp(&account).await, before, "what a server did not say of itself is found all the same");
    script.finished();
}

#[tokio::test(start_paused = true)]
async fn a_calendar_touched_in_the_second_of_the_look_is_looked_at_again() {
    let just_now = "Fri, 20 Nov 2026 11:59:59 GMT";
    let (account, script) = settled(vec![full(just_now, '1'), full(just_now, '2')]);
    assert_ne!(stamp(&account).await, stamp(&account).await);
    script.finished();
}

#[tokio::test(start_paused = true)]
async fn a_word_of_another_kind_is_always_asked_for() {
    let eleven = "Fri, 20 Nov 2026 11:00:00 GMT";
    let ctag = |n: u8| {
        let more = format!("<s:getctag>c{n}</s:getctag>");
        on("PROPFIND", HOME, 207, multi(&[calendar(eleven, &more)], None)).header("date", NOON)
    };
    let (account, script) = settled(vec![ctag(1), ctag(1).holding("sync-token"), ctag(2).holding("sync-token")]);
    assert_eq!((stamp(&account).await, stamp(&account).await), ("etag:c1".to_owned(), "etag:c2".to_owned()));
    script.finished();
}

#[tokio::test]
async fn a_digest_is_both_mark_and_cursor_and_an_old_token_is_let_go() {
    let eleven = "Fri, 20 Nov 2026 11:00:00 GMT";
    let members = || on("PROPFIND", OFFICE, 207, multi(&[version("/home/ada/office/1.ics", "\"1\"")], None));
    let known = holding(&[("/home/ada/office/1.ics", "\"1\"")]);
    let (account, script) = settled(vec![full(eleven, '1'), members(), members()]);
    let stamp = stamp(&account).await;
    for cursor in [None, Some("sync:an old token")] {
        let page = pull(&account, cursor, cursor.is_none(), &known).await.expect("a page");
        assert_eq!(done(&page), Some(stamp.as_str()));
        assert_eq!(ids(&page.present), ["/home/ada/office/1.ics"]);
    }
    script.finished();
}
