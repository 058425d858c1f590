//! A file that somebody publishes.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use calwarden::{
    domain::{account::ProviderKind, secret::Secret},
    provider::{feed::CALENDAR, registry::AccountAccess},
};

use crate::{
    provider_contract::subject::{Elsewhere, Manners, Subject, real_http},
    support::{
        google::endpoints,
        page::{Page, PageServer},
        strangers::ANY,
    },
};

struct Publisher {
    server: PageServer,
    /// Titles by `UID`.
    events: Mutex<BTreeMap<String, String>>,
}

impl Publisher {
    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        let mut events = self.events.lock().expect("nobody fell");
        change(&mut events);
        self.server.set(page(&events));
    }
}

fn page(events: &BTreeMap<String, String>) -> Page {
    let event = |(uid, title): (&String, &String)| {
        format!(
            "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20261201T100000Z\r\n\
             DTEND:20261201T110000Z\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n"
        )
    };
    let all: String = events.iter().map(event).collect();
    Page::calendar(format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{all}END:VCALENDAR\r\n"))
}

#[async_trait]
impl Elsewhere for Publisher {
    async fn put(&self, uid: &str, title: &str) {
        self.change(|events| {
            events.insert(uid.to_owned(), title.to_owned());
        });
    }

    async fn delete(&self, uid: &str) {
        self.change(|events| {
            events.remove(uid);
        });
    }

    async fn close(&self) {
        self.server.set(Page { status: 410, ..Page::calendar("") });
    }
}

pub async fn feed() -> Subject {
    let server = PageServer::start(page(&BTreeMap::new()));
    let access =
        AccountAccess { feed_url: Some(Secret::new(server.url().as_str())), ..AccountAccess::to(ProviderKind::Feed) };
    Subject {
        access,
        endpoints: endpoints(),
        http: real_http(),
        // The file is fetched once for the list and the reading of its only calendar, and is one page.
        manners: Manners { look_costs: 1, crowd: 0, habits: ANY },
        calendar: CALENDAR.to_owned(),
        nowhere: "nowhere".to_owned(),
        there: Box::new(Publisher { server, events: Mutex::default() }),
    }
}
