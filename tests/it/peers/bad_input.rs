//! What must be refused is refused with a clear code, and nothing is stored.

use serde_json::{Value, json};

use super::two_way::Connected;
use crate::support::{
    page::{Page, PageServer},
    peers::{CalendarServer, Kind, PASSWORD, USER},
    process::free_port,
    service::{Service, holds},
};

async fn refused(service: &Service, body: Value, code: &str) {
    let (status, answer) = service.send("POST", "/v1/accounts", Some(body)).await;
    assert_eq!((status.as_u16(), answer["code"].as_str()), (422, Some(code)), "{answer}");
    let accounts = service.ok("GET", "/v1/accounts?user_id=ada", None).await;
    assert_eq!(accounts["data"], json!([]), "nothing stored");
}

#[tokio::test]
async fn accounts_that_cannot_work_are_refused_and_not_stored() {
    let server = CalendarServer::start(Kind::Radicale);
    let service = Service::start();
    service.make_user().await;
    let caldav = |url: String, password: &str| json!({"user_id": "ada", "provider": "caldav", "url": url, "username": USER, "password": password});
    refused(&service, caldav(server.url(), "wrong"), "credentials_refused").await;
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    refused(&service, caldav(nobody, PASSWORD), "provider_unreachable").await;
    let html = PageServer::start(Page { kind: "text/html", ..Page::calendar("<html>hello</html>") });
    let feed = json!({"user_id": "ada", "provider": "feed", "url": html.url()});
    refused(&service, feed, "provider_unreachable").await;
}

#[tokio::test]
async fn private_addresses_are_refused_unless_allowed() {
    let service = Service::on(None, &[("CALWARDEN_ALLOW_PRIVATE_NETWORKS", "false")]);
    service.make_user().await;
    let addresses = [
        "https://127.0.0.1/x.ics",
        "https://localhost/x.ics",
        "https://2130706433/x.ics",
        "https://0x7f.1/x.ics",
        "https://[::1]/x.ics",
        "https://[::ffff:127.0.0.1]/x.ics",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/x.ics",
        "http://93.184.216.34/x.ics",
    ];
    for url in addresses {
        refused(&service, json!({"user_id": "ada", "provider": "feed", "url": url}), "address_not_allowed").await;
    }
}

#[tokio::test]
async fn one_account_in_trouble_leaves_the_others_alone() {
    let world = Connected::to(Kind::Radicale).await;
    let page = PageServer::start(Page::calendar("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n"));
    let feed = json!({"user_id": "ada", "provider": "feed", "url": page.url()});
    let feed = world.service.ok("POST", "/v1/accounts", Some(feed)).await["id"].as_str().expect("an id").to_owned();
    world.service.round_after(&feed, 0).await;
    page.set(Page { status: 500, ..Page::calendar("") });
    for _ in 0..3 {
        world.service.sync(&feed).await;
    }
    world.make("Still works", json!({})).await;
    let account = world.sync().await;
    assert_eq!(account["status"], "active", "{account}");
    assert!(world.object("Still works").await.is_some());
    let shown = world.service.ok("GET", &format!("/v1/accounts/{feed}"), None).await;
    assert_eq!(shown["status"], "error", "{shown}");
}

#[tokio::test]
async fn a_panic_in_one_account_restarts_it_and_nobody_else_notices() {
    let service = Service::on(None, &[("CALWARDEN_ALLOW_FAULT_INJECTION", "true")]);
    let world = Connected::with(Kind::Radicale, service, &[]).await;
    let body = json!({
        "user_id": "ada", "provider": "caldav", "url": world.server.url(), "username": "bob", "password": PASSWORD
    });
    let path = world.server.calendar_path("work").replace(USER, "bob");
    let bob = crate::support::dav::Dav::as_user(&world.server.url(), "bob");
    bob.make_calendar(&path).await;
    let other = world.service.ok("POST", "/v1/accounts", Some(body)).await["id"].as_str().expect("an id").to_owned();
    world.service.round_after(&other, 0).await;
    world.service.ok("POST", &format!("/v1/ops/actors/{}/panic", world.account), None).await;
    let path = format!("/v1/ops/actors/{}", world.account);
    let fell = |shown: &Value| shown["restarts"] == 1 && shown["state"] == "idle";
    let shown = world.service.until(&path, fell).await;
    assert_eq!(shown["last_restart"]["why"], "handler_panicked", "{shown}");
    let other = world.service.ok("GET", &format!("/v1/ops/actors/{other}"), None).await;
    assert_eq!(other["restarts"], 0, "{other}");
    world.make("After the panic", json!({})).await;
    world.sync().await;
    assert!(world.object("After the panic").await.is_some());
}

#[tokio::test]
async fn secrets_are_in_no_log_and_not_readable_in_the_data() {
    let world = Connected::to(Kind::Radicale).await;
    world.sync().await;
    assert!(!world.service.logged().contains(PASSWORD));
    assert!(!holds(&world.service.folder.path().join("data"), PASSWORD));
    assert!(!holds(&world.service.folder.path().join("data"), &world.service.key));
}
