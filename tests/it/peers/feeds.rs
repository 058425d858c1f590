//! iCal feeds over HTTP, good and bad, against the release binary.

use serde_json::{Value, json};

use crate::support::{
    page::{Page, PageServer},
    service::Service,
};

fn vevent(n: usize, title: &str) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:{n}@feed\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:202712{:02}T{:02}0000Z\r\n\
         DTEND:202712{:02}T{:02}3000Z\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n",
        1 + n % 28,
        n / 28,
        1 + n % 28,
        n / 28
    )
}

fn calendar(events: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//feed//EN\r\nX-WR-CALNAME:School\r\n{events}END:VCALENDAR\r\n")
}

fn feed_of(count: usize) -> String {
    calendar(&(0..count).map(|n| vevent(n, &format!("lesson {n}"))).collect::<String>())
}

/// Connects a feed and waits for its first round.
async fn connect(service: &Service, page: &PageServer) -> String {
    service.make_user().await;
    let body = json!({"user_id": "ada", "provider": "feed", "url": page.url()});
    let made = service.ok("POST", "/v1/accounts", Some(body)).await;
    assert_eq!(made["calendars"][0]["read_only"], true, "{made}");
    let account = made["id"].as_str().expect("an id").to_owned();
    service.round_after(&account, 0).await;
    account
}

fn outcome(account: &Value) -> &str {
    account["last_round"]["outcome"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_feed_is_imported_followed_and_costs_one_conditional_request_when_unchanged() {
    let page = PageServer::start(Page { etag: Some("\"1\"".into()), ..Page::calendar(feed_of(3)) });
    let service = Service::start();
    let account = connect(&service, &page).await;
    assert_eq!(service.events(false).await.len(), 3);
    let before = page.requests();
    service.sync(&account).await;
    assert_eq!(page.requests() - before, 1, "one request for an unchanged feed");
    let changed = feed_of(4).replace("lesson 0", "moved lesson");
    page.set(Page { etag: Some("\"2\"".into()), ..Page::calendar(changed) });
    service.sync(&account).await;
    let titles: Vec<_> = service.events(false).await.iter().map(|event| event["title"].clone()).collect();
    assert_eq!(titles.len(), 4);
    assert!(titles.contains(&json!("moved lesson")) && !titles.contains(&json!("lesson 0")));
    page.set(Page::calendar(feed_of(3)));
    service.sync(&account).await;
    assert_eq!(service.events(false).await.len(), 3, "one that is gone is deleted");
}

#[tokio::test]
async fn what_has_ended_stays_when_the_feed_stops_showing_it() {
    let past = feed_of(3).replace("DTSTART:202712", "DTSTART:202602").replace("DTEND:202712", "DTEND:202602");
    let (past, ahead) = (past.replace("END:VCALENDAR\r\n", ""), feed_of(5));
    let both = past + ahead.split_once("X-WR-CALNAME:School\r\n").expect("events").1;
    let page = PageServer::start(Page::calendar(both.replacen("@feed", "@past", 3)));
    let service = Service::start();
    let account = connect(&service, &page).await;
    assert_eq!(service.events(false).await.len(), 8);
    page.set(Page::calendar(feed_of(4)));
    service.sync(&account).await;
    let left: Vec<_> = service.events(false).await.iter().map(|event| event["title"].clone()).collect();
    assert_eq!(left.len(), 7, "the three of the past stay, and of five that are ahead one was deleted: {left:?}");
}

#[tokio::test]
async fn one_broken_event_among_a_hundred_is_reported_and_the_others_import() {
    let mut text = feed_of(100);
    text = text.replacen("DTSTART:20271205T010000Z", "DTSTART:whenever", 1);
    let page = PageServer::start(Page::calendar(text));
    let service = Service::start();
    let account = connect(&service, &page).await;
    assert_eq!(service.events(false).await.len(), 99);
    let shown = service.ok("GET", &format!("/v1/accounts/{account}"), None).await;
    assert_eq!(outcome(&shown), "partial", "{shown}");
    let rounds = service.ok("GET", &format!("/v1/accounts/{account}/rounds"), None).await;
    assert_eq!(rounds["data"][0]["unreadable"], 1, "{rounds}");
}

#[tokio::test]
async fn a_feed_that_is_suddenly_empty_is_held_and_deletes_only_when_approved() {
    let page = PageServer::start(Page::calendar(feed_of(20)));
    let service = Service::start();
    let account = connect(&service, &page).await;
    page.set(Page::calendar(calendar("")));
    let shown = service.sync(&account).await;
    assert_eq!(outcome(&shown), "held", "{shown}");
    assert_eq!(service.events(false).await.len(), 20);
    let holds = service.ok("GET", &format!("/v1/accounts/{account}/holds"), None).await;
    let told = &holds["data"][0];
    assert!(told["reason"].as_str().is_some_and(|why| why.contains("came back empty")), "{told}");
    assert_eq!((told["removed"].as_u64(), told["events"].as_array().map(Vec::len)), (Some(20), Some(20)));
    let hold = told["id"].as_str().expect("a hold").to_owned();
    let before = service.rounds(&account).await;
    service.ok("POST", &format!("/v1/holds/{hold}/approve"), None).await;
    service.round_after(&account, before).await;
    assert_eq!(service.events(false).await.len(), 0);
}

#[tokio::test]
async fn answers_that_are_no_calendar_delete_nothing_and_say_why() {
    let page = PageServer::start(Page::calendar(feed_of(20)));
    let service = Service::start();
    let account = connect(&service, &page).await;
    let whole = feed_of(20);
    let html = Page { kind: "text/html", ..Page::calendar("<!doctype html><html>Please log in</html>") };
    let truncated = Page { cut_at: Some(whole.len() / 2), ..Page::calendar(whole.clone()) };
    let half = Page::calendar(whole[..whole.len() / 2].to_owned());
    let busy = Page { status: 500, ..Page::calendar("") };
    let bomb = Page::calendar(format!("BEGIN:VCALENDAR\r\n{}", "BEGIN:VEVENT\r\n".repeat(200_000)));
    for bad in [html, truncated, half, busy, bomb] {
        page.set(bad);
        let shown = service.sync(&account).await;
        assert_eq!(outcome(&shown), "failed", "{shown}");
        assert!(shown["status_reason"].as_str().is_some_and(|why| !why.is_empty()), "{shown}");
        assert_eq!(service.events(false).await.len(), 20);
    }
    page.set(Page::calendar(feed_of(21)));
    let shown = service.sync(&account).await;
    assert_eq!((outcome(&shown), service.events(false).await.len()), ("ok", 21), "it recovers by itself");
    assert!(!service.logged().contains("secret-feed-token"), "a feed's address is a secret");
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_harms_only_its_own_event() {
    let mut text = feed_of(10);
    text = text.replacen("SUMMARY:lesson 3\r\n", "SUMMARY:lesson 3\r\nRRULE:FREQ=WEEKLY;BYDAY=\u{e9}O\r\n", 1);
    let page = PageServer::start(Page::calendar(text));
    let service = Service::start();
    connect(&service, &page).await;
    assert_eq!(service.events(false).await.len(), 9);
    assert_eq!(service.events(true).await.len(), 9);
}
