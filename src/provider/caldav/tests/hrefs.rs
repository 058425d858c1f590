use super::super::{
    classify::{self, DavAction},
    href, icloud,
};
use super::*;
use crate::domain::failure::FailureClass;

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

#[test]
fn two_spellings_of_one_name_have_one_key() {
    let base = url("https://dav.example.org/home/ada@example.org/office/");
    let key = |text: &str| href::key(&base, text).expect("a key");
    for same in [
        "/home/ada%40example.org/office/a%20b.ics",
        "/home/ada@example.org/office/a b.ics",
        "https://dav.example.org/home/ada%40example.org/office/a%20b.ics",
        "https://dav.example.org:443/home/ada@example.org/office/a%20b.ics",
        "a%20b.ics",
        "//home/ada@example.org/office/a%20b.ics",
    ] {
        assert_eq!(key(same).trim_start_matches('/'), "home/ada@example.org/office/a b.ics", "{same}");
    }
    assert_ne!(key("/a%2Fb.ics"), key("/a/b.ics"));
    assert_ne!(key("https://other.example.org/x.ics"), key("/x.ics"));
    assert_eq!(key("/home/ada@example.org/office"), key("/home/ada@example.org/office/"));
}

#[test]
fn a_name_keeps_its_spelling_and_loses_only_the_origin() {
    let base = url("https://p42.example.org/17/calendars/office/");
    let name = |text: &str| href::name(&base, text).expect("a name");
    assert_eq!(name("/17/calendars/office/a@b%7E.ics"), "/17/calendars/office/a@b%7E.ics");
    assert_eq!(name("https://p42.example.org:443/17/a@b%7E.ics"), "/17/a@b%7E.ics");
    assert_eq!(name("a.ics"), "/17/calendars/office/a.ics");
    assert_eq!(name("https://p43.example.org/17/a.ics"), "https://p43.example.org/17/a.ics");
    assert_eq!(href::name(&base, "mailto:ada@example.org"), None);
}

#[test]
fn an_event_keeps_the_id_it_is_held_under() {
    let held = holding(&[("/home/ada@example.org/x.ics", "1"), ("/home/eve%40example.org/y.ics", "1")]);
    let id = |name: &str| href::known_id(&held, name.to_owned()).0;
    assert_eq!(id("/home/ada%40example.org/x.ics"), "/home/ada@example.org/x.ics");
    assert_eq!(id("/home/eve@example.org/y.ics"), "/home/eve%40example.org/y.ics");
    assert_eq!(id("/home/new%40example.org/z.ics"), "/home/new%40example.org/z.ics");
}

#[test]
fn a_name_that_is_not_escaped_is_known_by_its_escaped_spelling() {
    let base = url("https://dav.example.org/home/ada/office/");
    assert_eq!(href::name(&base, "/home/ada/office/a#b.ics").as_deref(), Some("/home/ada/office/a%23b.ics"));
    assert_ne!(href::key(&base, "a#b.ics"), href::key(&base, "a#c.ics"), "two events");
    let names = ["/h/per%25cent.ics", "/h/what%3Fmark.ics", "/h/100%25.ics", "/h/a%2520b.ics", "/h@h/50%25off.ics"];
    let held = holding(&names.map(|name| (name, "1")));
    let id = |name: &str| href::known_id(&held, name.to_owned()).0;
    assert_eq!(id("/h/per%cent.ics"), "/h/per%25cent.ics");
    assert_eq!(id("/h/what?mark.ics"), "/h/what%3Fmark.ics");
    assert_eq!(id("/h/100%.ics"), "/h/100%25.ics");
    assert_eq!(id("/h@h/50%off.ics"), "/h@h/50%25off.ics");
    assert_eq!(id("/h/a%20b.ics"), "/h/a%20b.ics", "which is a name of its own");
}

#[test]
fn the_password_stays_with_the_hosts_its_owner_named() {
    let sees = |kind, start: &str, to: &str| icloud::may_see_credential(kind, &url(start), &url(to));
    let plain = |start: &str, to: &str| sees(ProviderKind::Caldav, start, to);
    assert!(plain("https://example.org/", "https://example.org/dav/"));
    assert!(plain("https://example.org/", "https://caldav.example.org/"));
    assert!(plain("https://caldav.example.org/", "https://p1.caldav.example.org/"));
    assert!(plain("https://caldav.example.org/", "https://example.org/"));
    assert!(plain("https://caldav.example.org/", "https://dav.example.org/"));
    assert!(plain("http://example.org/", "https://example.org/"));
    assert!(plain("http://127.0.0.1:5232/", "http://127.0.0.1:5232/ada/"));
    for (start, to) in [
        ("https://example.org/", "https://example.net/"),
        ("https://example.org/", "https://notexample.org/"),
        ("https://example.org/", "http://example.org/"),
        ("https://example.org/", "https://example.org:8443/"),
        ("https://ada.example.org/", "https://eve.example.org/"),
        ("https://caldav.co.uk/", "https://eve.co.uk/"),
        ("https://dav.good.net/", "https://xdav.good.net/"),
        ("https://dav.good.net/", "https://eve.good.net/"),
        ("https://dav.good.net/", "https://dav.eve.good.net/"),
        ("http://127.0.0.1:5232/", "http://127.0.0.1:5233/"),
    ] {
        assert!(!plain(start, to), "{start} → {to}");
    }
    let apple = |to: &str| sees(ProviderKind::Icloud, super::super::ICLOUD_START, to);
    assert!(apple("https://p42-caldav.icloud.com:443/17/calendars/") && apple("https://p1-caldav.icloud.com.cn/"));
    assert!(!apple("https://icloud.com.example.org/") && !apple("https://eve-icloud.com/"));
    assert!(!apple("http://p42-caldav.icloud.com/"));
}

#[test]
fn answers_are_classed_by_status_and_broken_rule() {
    let class = |status: u16, rule: &str, writing: bool| {
        let body = format!(r#"<d:error xmlns:d="DAV:"><d:{rule}/></d:error>"#);
        let response = Response { status, headers: Vec::new(), body: body.into(), url: url(HOME) };
        let doing = if writing { DavAction::Writing("w") } else { DavAction::Reading("r") };
        classify::failure(&response, doing, Fixed.now()).class
    };
    let plain = [
        (400, FailureClass::Refused),
        (401, FailureClass::Unauthorised),
        (403, FailureClass::Forbidden),
        (404, FailureClass::Gone),
        (409, FailureClass::Conflict),
        (410, FailureClass::Gone),
        (412, FailureClass::Conflict),
        (413, FailureClass::Refused),
        (415, FailureClass::Refused),
        (423, FailureClass::Transient),
        (429, FailureClass::RateLimited),
        (500, FailureClass::Transient),
        (501, FailureClass::Refused),
        (503, FailureClass::Transient),
        (507, FailureClass::Malformed),
        (304, FailureClass::Malformed),
    ];
    for (status, expected) in plain {
        assert_eq!(class(status, "x", false), expected, "{status}");
    }
    for status in [500, 502, 503, 504] {
        assert_eq!(class(status, "x", true), FailureClass::Ambiguous, "a write answered with {status}");
    }
    assert_eq!(class(507, "quota-not-exceeded", true), FailureClass::Refused);
    assert_eq!(class(403, "no-uid-conflict", true), FailureClass::Conflict);
    assert_eq!(class(412, "no-uid-conflict", true), FailureClass::Conflict);
    assert_eq!(class(403, "unique-scheduling-object-resource", true), FailureClass::Conflict);
    assert_eq!(class(412, "valid-calendar-data", true), FailureClass::Refused);
    assert_eq!(class(403, "max-resource-size", true), FailureClass::Refused);
    assert_eq!(class(403, "need-privileges", true), FailureClass::Forbidden);
}

#[test]
fn the_server_says_how_long_to_wait() {
    let response = |status, wait: &str| Response {
        status,
        headers: vec![("retry-after".into(), wait.into())],
        body: Bytes::new(),
        url: url(HOME),
    };
    let failure = |status, wait| classify::failure(&response(status, wait), DavAction::Reading("r"), Fixed.now());
    let throttled = failure(503, "Fri, 20 Nov 2026 12:02:00 GMT");
    assert_eq!(throttled.class, FailureClass::RateLimited);
    assert_eq!(throttled.retry_after.map(|wait| wait.as_secs()), Some(120));
    assert_eq!(failure(429, "7").retry_after.map(|wait| wait.as_secs()), Some(7));
    assert_eq!(failure(429, "soon").retry_after, None);
}
