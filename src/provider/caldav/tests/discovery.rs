use super::*;
use crate::domain::{failure::FailureClass, ids::RemoteCalendarId};

fn principal(href: &str) -> String {
    format!("<d:current-user-principal><d:href>{href}</d:href></d:current-user-principal>")
}

fn homes(hrefs: &[&str]) -> String {
    let hrefs = hrefs.join("</d:href><d:href>");
    format!("<c:calendar-home-set><d:href>{hrefs}</d:href></c:calendar-home-set>")
}

const COLLECTION: &str = "<d:resourcetype><d:collection/></d:resourcetype>";

fn calendar(href: &str, name: &str, token: &str) -> String {
    row(
        href,
        &format!(
            "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype><d:displayname>{name}</d:displayname>\
             <d:sync-token>{token}</d:sync-token>"
        ),
    )
}

fn found(rows: &[String]) -> String {
    multi(rows, None)
}

const ROOT: &str = "https://dav.example.org/";

#[tokio::test]
async fn a_bare_host_is_followed_to_its_calendars_with_the_method_kept() {
    let (account, script) = account(
        ProviderKind::Caldav,
        ROOT,
        None,
        vec![
            on("PROPFIND", "/.well-known/caldav", 301, "").header("location", "/dav/").holding("Depth: 0"),
            on("PROPFIND", "/dav/", 207, found(&[row("/dav/", &principal("/dav/people/ada/"))])),
            on("PROPFIND", "/dav/people/ada/", 207, found(&[row("/dav/people/ada/", &homes(&["/home/ada/"]))])),
            on("PROPFIND", "/home/ada/", 207, found(&[calendar(OFFICE, "Work", "t1")])).holding("Depth: 1"),
            on("PROPFIND", "/home/ada/", 207, found(&[calendar(OFFICE, "Work", "t2")])),
        ],
    );
    let calendars = account.calendars().await.expect("calendars");
    assert_eq!((calendars[0].id.as_str(), calendars[0].name.as_str()), (OFFICE, "Work"));
    assert_eq!(calendars[0].stamp.as_deref(), Some("sync:t1"));
    assert_eq!(account.requests_made(), 4);
    assert_eq!(account.calendars().await.expect("calendars")[0].stamp.as_deref(), Some("sync:t2"));
    assert_eq!(account.requests_made(), 5, "one request once the home is known");
    assert_eq!(account.home().expect("found")[0].as_str(), HOME);
    assert!(script.sent().iter().all(|request| request.credential.is_some()));
    script.finished();
}

#[tokio::test]
async fn a_redirect_to_another_trusted_host_gets_the_password_there() {
    let far = "https://caldav.example.org/dav/";
    let (account, script) = account(
        ProviderKind::Caldav,
        "https://example.org/",
        None,
        vec![
            on("PROPFIND", "/.well-known/caldav", 401, "").from(far),
            on("PROPFIND", far, 207, found(&[row("/dav/", &homes(&["/dav/ada/"]))])),
            on("PROPFIND", "https://caldav.example.org/dav/ada/", 207, found(&[calendar("/dav/ada/w/", "W", "t")])),
        ],
    );
    assert_eq!(account.calendars().await.expect("calendars").len(), 1);
    script.finished();
}

#[tokio::test]
async fn a_redirect_to_a_stranger_gets_no_password() {
    let nowhere = || on("PROPFIND", "https://dav.example.org/", 404, "");
    let (account, script) = account(
        ProviderKind::Caldav,
        ROOT,
        None,
        vec![on("PROPFIND", "/.well-known/caldav", 308, "").header("location", "https://eve.example.net/"), nowhere()],
    );
    let error = account.calendars().await.expect_err("refused");
    assert_eq!(error.class, FailureClass::Forbidden);
    assert!(error.detail.contains("eve.example.net"), "{}", error.detail);
    script.finished();
}

#[tokio::test]
async fn a_redirect_that_became_a_get_is_asked_again() {
    let (account, script) = account(
        ProviderKind::Caldav,
        ROOT,
        None,
        vec![
            on("PROPFIND", "/.well-known/caldav", 200, "<html/>").from("https://dav.example.org/dav/"),
            on("PROPFIND", "/dav/", 207, found(&[row("/dav/", &homes(&["/home/ada/"]))])),
            on("PROPFIND", "/home/ada/", 207, found(&[calendar(OFFICE, "Work", "t")])),
        ],
    );
    assert_eq!(account.calendars().await.expect("calendars").len(), 1);
    script.finished();
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let around = |n: u32| on("PROPFIND", "https://dav.example.org/", 302, "").header("location", &format!("/?{n}"));
    let steps = (0..6).map(|n| Step {
        place: if n == 0 { "/x".into() } else { format!("https://dav.example.org/?{n}") },
        ..around(n + 1)
    });
    let mut steps: Vec<Step> = steps.collect();
    steps.push(on("PROPFIND", "/.well-known/caldav", 404, ""));
    steps.push(on("PROPFIND", "/", 404, ""));
    let (account, script) = account(ProviderKind::Caldav, "https://dav.example.org/x", None, steps);
    let error = account.calendars().await.expect_err("in circles");
    assert!(error.detail.contains("circles"), "{}", error.detail);
    script.finished();
}

#[tokio::test]
async fn a_server_that_takes_us_for_nobody_has_refused_the_password() {
    let nobody = "<d:current-user-principal><d:unauthenticated/></d:current-user-principal>";
    let (account, script) = account(
        ProviderKind::Caldav,
        ROOT,
        None,
        vec![on("PROPFIND", "/.well-known/caldav", 207, found(&[row("/", nobody)]))],
    );
    assert_eq!(account.calendars().await.expect_err("refused").class, FailureClass::Unauthorised);
    script.finished();
}

#[tokio::test]
async fn a_refused_password_is_tried_once() {
    let (account, script) =
        account(ProviderKind::Caldav, ROOT, None, vec![on("PROPFIND", "/.well-known/caldav", 401, "")]);
    assert_eq!(account.calendars().await.expect_err("refused").class, FailureClass::Unauthorised);
    script.finished();
}

#[tokio::test]
async fn an_address_may_be_a_calendar_by_itself() {
    let typed = "https://dav.example.org/home/ada/office/";
    let (account, script) = account(
        ProviderKind::Caldav,
        typed,
        None,
        vec![
            on("PROPFIND", OFFICE, 207, found(&[calendar(OFFICE, "Work", "t")])).holding("Depth: 0"),
            on("PROPFIND", OFFICE, 207, found(&[calendar(OFFICE, "Work", "t")])).holding("Depth: 0"),
        ],
    );
    let calendars = account.calendars().await.expect("calendars");
    assert_eq!(calendars.len(), 1);
    assert_eq!(account.home().expect("found")[0].as_str(), format!("{typed}#calendar"));
    script.finished();
}

#[tokio::test]
async fn an_address_may_be_a_home_that_somebody_shares() {
    let shared = row("/home/eve/", &format!("{COLLECTION}{}", principal("/people/ada/")));
    let (account, script) = account(
        ProviderKind::Caldav,
        "https://dav.example.org/home/eve/",
        None,
        vec![
            on("PROPFIND", "/home/eve/", 207, found(&[shared])).holding("Depth: 0"),
            on("PROPFIND", "/people/ada/", 207, found(&[row("/people/ada/", &homes(&["/home/ada/"]))])),
            on("PROPFIND", "/home/eve/", 207, found(&[calendar("/home/eve/team/", "Team", "t")])).holding("Depth: 1"),
            on("PROPFIND", "/home/eve/", 207, found(&[calendar("/home/eve/team/", "Team", "t")])).holding("Depth: 1"),
        ],
    );
    assert_eq!(account.calendars().await.expect("calendars")[0].id.as_str(), "/home/eve/team/");
    script.finished();
}

#[tokio::test]
async fn calendars_of_several_homes_are_listed_and_far_ones_keep_their_host() {
    let (account, script) = account(
        ProviderKind::Icloud,
        super::super::ICLOUD_START,
        None,
        vec![
            on("PROPFIND", "https://caldav.icloud.com/", 207, found(&[row("/", &principal("/17/principal/"))])),
            on(
                "PROPFIND",
                "https://caldav.icloud.com/17/principal/",
                207,
                found(&[row(
                    "/17/principal/",
                    &homes(&[
                        "https://p42-caldav.icloud.com:443/17/calendars/",
                        "https://p43-caldav.icloud.com/18/calendars/",
                    ]),
                )]),
            ),
            on(
                "PROPFIND",
                "https://p42-caldav.icloud.com/17/calendars/",
                207,
                found(&[calendar("https://p42-caldav.icloud.com:443/17/calendars/home/", "Home", "t")]),
            ),
            on(
                "PROPFIND",
                "https://p43-caldav.icloud.com/18/calendars/",
                207,
                found(&[calendar("/18/calendars/shared/", "Shared", "t")]),
            ),
            on("REPORT", "https://p43-caldav.icloud.com/18/calendars/shared/", 207, multi(&[], Some("t"))),
        ],
    );
    let calendars = account.calendars().await.expect("calendars");
    let mut names: Vec<_> = calendars.iter().map(|calendar| calendar.id.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["/17/calendars/home/", "https://p43-caldav.icloud.com/18/calendars/shared/"]);
    let far = RemoteCalendarId::from("https://p43-caldav.icloud.com/18/calendars/shared/");
    let nothing = Held::default();
    let pull = Pull { calendar: &far, cursor: None, reconcile: false };
    account.pull(pull).next(&nothing).await.expect("a page");
    script.finished();
}

#[tokio::test]
async fn a_home_that_is_no_longer_there_is_looked_for_again() {
    let (account, script) = account(
        ProviderKind::Icloud,
        super::super::ICLOUD_START,
        Some("https://p42-caldav.icloud.com/17/calendars/"),
        vec![
            on("PROPFIND", "https://p42-caldav.icloud.com/17/calendars/", 403, ""),
            on(
                "PROPFIND",
                "https://caldav.icloud.com/",
                207,
                found(&[row("/", &homes(&["https://p7-caldav.icloud.com/17/calendars/"]))]),
            ),
            on(
                "PROPFIND",
                "https://p7-caldav.icloud.com/17/calendars/",
                207,
                found(&[calendar("/17/calendars/home/", "Home", "t")]),
            ),
        ],
    );
    assert_eq!(account.calendars().await.expect("calendars")[0].id.as_str(), "/17/calendars/home/");
    script.finished();
}

#[tokio::test]
async fn a_calendar_named_by_itself_is_not_replaced_by_others_when_it_is_gone() {
    let (account, script) = account(
        ProviderKind::Caldav,
        "https://dav.example.org/home/ada/office/",
        Some("https://dav.example.org/home/ada/office/#calendar"),
        vec![on("PROPFIND", OFFICE, 404, "")],
    );
    assert_eq!(account.calendars().await.expect_err("gone").class, FailureClass::Gone);
    script.finished();
}

#[tokio::test]
async fn a_list_of_calendars_that_is_cut_short_is_not_believed() {
    let (account, script) = settled(vec![on(
        "PROPFIND",
        "/home/ada/",
        207,
        found(&[calendar(OFFICE, "Work", "t"), with_status("/home/ada/", 507)]),
    )]);
    assert_eq!(account.calendars().await.expect_err("incomplete").class, FailureClass::Transient);
    script.finished();
}

#[tokio::test]
async fn what_keeps_no_events_is_no_calendar_and_rights_are_read() {
    let home = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/caldav/home.xml"));
    let listing = || on("PROPFIND", "/home/ada/", 207, home.as_slice());
    let (account, script) = settled(vec![listing(), listing().holding("sync-token")]);
    let calendars = account.calendars().await.expect("calendars");
    let [work, shared] = calendars.as_slice() else { panic!("{calendars:?}") };
    assert_eq!((work.name.as_str(), work.color.as_deref()), ("Work & more", Some("#ff8800")));
    assert_eq!((work.time_zone.as_deref(), work.read_only), (Some("Europe/Paris"), false));
    assert_eq!(work.stamp.as_deref(), Some("sync:urn:token:7"));
    assert_eq!((shared.name.as_str(), shared.color.as_deref()), ("shared things", None));
    assert_eq!((shared.read_only, shared.stamp.as_deref()), (true, Some("etag:c1")));
    script.finished();
}

#[tokio::test]
async fn a_login_page_is_no_list_of_calendars() {
    let (account, script) = account(
        ProviderKind::Caldav,
        ROOT,
        None,
        vec![
            on("PROPFIND", "/.well-known/caldav", 200, "<!DOCTYPE html><html>Sign in</html>"),
            on("PROPFIND", "https://dav.example.org/", 200, "<!DOCTYPE html><html>Sign in</html>"),
        ],
    );
    let error = account.calendars().await.expect_err("no calendars");
    assert_eq!(error.class, FailureClass::Refused);
    assert!(error.detail.contains("give the address"), "{}", error.detail);
    script.finished();
}
