//! Calendar servers that are not ours, each shared by all tests of this process.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use calwarden::{
    domain::{account::ProviderKind, mapping::RemoteEvent, secret::Secret},
    provider::{Result, caldav::ICLOUD_START, registry::AccountAccess},
    transport::{Http, OutgoingRequest, Response},
};
use url::Url;

use crate::{
    provider_contract::subject::{Elsewhere, Manners, Subject, real_http},
    support::{
        dav::Dav,
        google::endpoints,
        middleman::Middleman,
        peers::PASSWORD,
        strangers::{Kind, Stranger},
    },
};

/// Calendars that were made at a server that knows one person.
static CALENDARS: AtomicUsize = AtomicUsize::new(0);

struct Person {
    dav: Dav,
    path: String,
    wire: Middleman,
}

impl Person {
    fn place(&self, uid: &str) -> String {
        format!("{}{uid}.ics", self.path)
    }
}

/// More than one page of objects. The others take too long to be given so many.
const CROWD: usize = 401;

/// What we do not model.
const KEPT: [&str; 3] = ["X-SOMEBODY-ELSES;X-PARAM=1:a property", "CATEGORIES:ONE", "BEGIN:VALARM"];

#[async_trait]
impl Elsewhere for Person {
    async fn put(&self, uid: &str, title: &str) {
        let [property, categories, alarm] = KEPT;
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//somebody else//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
             DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T100000Z\r\nDTEND:20261201T110000Z\r\nSUMMARY:{title}\r\n\
             {property}\r\n{categories}\r\n{alarm}\r\nACTION:DISPLAY\r\nDESCRIPTION:Soon\r\nTRIGGER:-PT7M\r\n\
             END:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        self.dav.put(&self.place(uid), &text).await;
    }

    async fn delete(&self, uid: &str) {
        self.dav.delete(&self.place(uid)).await;
    }

    async fn close(&self) {
        self.dav.delete(&self.path).await;
    }

    async fn lacks(&self, event: &RemoteEvent) -> Vec<&'static str> {
        let text = self.dav.get(event.id.as_str()).await.expect("it is there");
        let text = text.replace("\r\n", "\n").replace("\n ", "");
        KEPT.into_iter().filter(|line| !text.lines().any(|held| held == *line)).collect()
    }

    fn recent(&self) -> String {
        self.wire.recent()
    }
}

async fn at(kind: Kind) -> Subject {
    let (server, habits) = (Stranger::shared(kind), kind.habits());
    let person = if habits.one_person { "ada".to_owned() } else { server.person() };
    let home = habits.home.replace("{}", &person);
    let dav = Dav::as_user(&format!("http://127.0.0.1:{}", server.port), &person);
    // Some make a person's home when it is first asked for.
    dav.list(&home).await;
    let path = format!("{home}work{}/", CALENDARS.fetch_add(1, Ordering::Relaxed));
    dav.make_calendar(&path).await;
    let wire = Middleman::before(server.port);
    let start = match kind {
        // The one person has the calendars of all tests: an account that is opened at a calendar has that one alone.
        _ if habits.one_person => path.as_str(),
        // It has no page at its root that would lead on.
        Kind::Sogo => "/SOGo/dav/",
        _ => "/",
    };
    let access = AccountAccess {
        url: format!("{}{start}", wire.url()),
        username: Some(Secret::new(person.as_str())),
        password: Some(Secret::new(PASSWORD)),
        ..AccountAccess::to(ProviderKind::Caldav)
    };
    Subject {
        access,
        endpoints: endpoints(),
        http: real_http(),
        manners: Manners {
            // The list, and a report or a stamp. SOGo's tokens are seconds: that nothing changed is doubted, and everything is listed.
            look_costs: if kind == Kind::Sogo { 3 } else { 2 },
            crowd: if kind == Kind::Cyrus { CROWD } else { 0 },
            habits,
        },
        nowhere: format!("{}nowhere/", path.trim_end_matches('/')),
        calendar: path.clone(),
        there: Box::new(Person { dav, path, wire }),
    }
}

pub async fn radicale() -> Subject {
    at(Kind::Radicale).await
}

pub async fn xandikos() -> Subject {
    at(Kind::Xandikos).await
}

/// iCloud cannot be installed: an account of its kind, with another server at its address.
pub async fn icloud() -> Subject {
    let mut subject = at(Kind::Radicale).await;
    let server = subject.access.url.parse().expect("a URL");
    subject.http = Arc::new(Detour { http: real_http(), from: ICLOUD_START.parse().expect("a URL"), to: server });
    subject.access = AccountAccess { kind: ProviderKind::Icloud, url: String::new(), ..subject.access.clone() };
    subject
}

/// The way to one origin that ends at another.
struct Detour {
    http: Arc<dyn Http>,
    from: Url,
    to: Url,
}

/// The same place at another origin.
fn moved(place: &Url, origin: &Url) -> Url {
    let mut moved = origin.clone();
    moved.set_path(place.path());
    moved.set_query(place.query());
    moved
}

#[async_trait]
impl Http for Detour {
    async fn send(&self, mut request: OutgoingRequest) -> Result<Response> {
        assert_eq!(request.url.origin(), self.from.origin(), "nobody else is asked");
        request.url = moved(&request.url, &self.to);
        let response = self.http.send(request).await?;
        Ok(Response { url: moved(&response.url, &self.from), ..response })
    }
}

pub async fn cyrus() -> Subject {
    at(Kind::Cyrus).await
}

pub async fn davical() -> Subject {
    at(Kind::Davical).await
}

pub async fn sogo() -> Subject {
    at(Kind::Sogo).await
}
