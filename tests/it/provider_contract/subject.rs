//! One account at one provider, and what a test holds of it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use calwarden::{
    app::world,
    domain::{
        account::ProviderKind,
        event::{EventContent, Transparency},
        failure::FailureClass,
        ids::{RemoteCalendarId, RemoteEventId, Revision, SyncCursor, Uid},
        mapping::RemoteEvent,
        ports::World,
    },
    provider::{
        EventWriter, Found, Known, Next, PageKind, Provider, ProviderError, Pull, Result, WriteTarget, catalogue,
        registry::{self, AccountAccess, Endpoints},
    },
    transport::{
        Http,
        client::{ClientConfig, HttpClient},
        guard::AddressPolicy,
    },
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::support::strangers::Habits;

/// Pages after which a pull has no end.
const PAGES_MAX: usize = 100;
/// How often a create is sent whose answer says nothing of what became of it.
const CREATES_MAX: usize = 3;

/// Somebody else at the provider, behind our back.
#[async_trait]
pub trait Elsewhere: Send + Sync {
    /// Puts an event under a `UID`, new or in place of the one that is there. It has a title, and whatever the provider keeps and we do
    /// not model.
    async fn put(&self, uid: &str, title: &str);

    /// Takes an event away that was put there.
    async fn delete(&self, uid: &str);

    /// Takes the whole calendar away.
    async fn close(&self);

    /// What an event lacks by now of that which we do not model and [`put`](Self::put) gave it.
    async fn lacks(&self, _: &RemoteEvent) -> Vec<&'static str> {
        Vec::new()
    }

    /// Puts an event that takes somebody's time, or that is free.
    async fn book(&self, _start: DateTime<Utc>, _end: DateTime<Utc>, _transparency: Transparency) {
        panic!("who knows busy time has events that take time");
    }

    /// How many watch channels are open; `None`: nobody can see that.
    fn channels(&self) -> Option<usize> {
        None
    }

    /// The last exchanges, for a failure's message.
    fn recent(&self) -> String {
        String::new()
    }
}

/// What a provider may do that others do not. Nothing of it is a failure of ours.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Requests that it takes to list the calendars and to learn that one has not changed, once both were read.
    pub look_costs: u32,
    /// So many events are more than one page; 0: what that takes is not worth its time.
    pub crowd: usize,
    /// What else it does.
    pub habits: Habits,
}

/// One account, with an empty calendar.
pub struct Subject {
    pub access: AccountAccess,
    pub endpoints: Endpoints,
    pub http: Arc<dyn Http>,
    pub manners: Manners,
    /// The calendar's id.
    pub calendar: String,
    /// The id of a calendar that is not there.
    pub nowhere: String,
    pub there: Box<dyn Elsewhere>,
}

impl Drop for Subject {
    fn drop(&mut self) {
        let recent = self.there.recent();
        if std::thread::panicking() && !recent.is_empty() {
            println!("the last exchanges:\n{recent}");
        }
    }
}

/// The port that real servers are reached through.
pub fn real_http() -> Arc<dyn Http> {
    let policy = AddressPolicy { allow_private: true, ..AddressPolicy::default() };
    Arc::new(HttpClient::new(ClientConfig { policy, ..ClientConfig::default() }).expect("a client"))
}

/// The machine's clock and randomness: real servers have their own clocks.
pub fn world() -> World {
    world::system()
}

/// A key that nobody has chosen before.
pub fn new_key() -> Uid {
    Uid(world().new_id::<Uuid>().to_string())
}

impl Subject {
    /// Opens the account, which makes no request.
    pub fn open(&self) -> Arc<dyn Provider> {
        let opened = registry::open(self.access.clone(), &self.endpoints, Arc::clone(&self.http), &world());
        opened.unwrap_or_else(|why| panic!("it does not open: {why}"))
    }

    /// The account as a round opens it: its calendars are known.
    pub async fn account(&self) -> Account {
        let provider = self.open();
        let listed = provider.calendars().await.expect("a list of calendars");
        let found = listed.iter().find(|held| held.id.as_str() == self.calendar);
        let calendar = found.unwrap_or_else(|| panic!("{} is not among {listed:#?}", self.calendar)).id.clone();
        Account { provider, calendar }
    }

    /// Puts events there, each with its name as the title.
    pub async fn put_all(&self, names: &[&str]) {
        for name in names {
            self.there.put(name, name).await;
        }
    }

    /// It is of this kind, and has these capabilities and no others.
    pub fn is(&self, kind: ProviderKind, able: &[&str]) {
        let provider = self.open();
        assert_eq!(provider.facts(), catalogue::facts(kind));
        let says = [
            ("reading", true),
            ("writing", provider.writer().is_some()),
            ("channels", provider.channels().is_some()),
            ("free_busy", provider.free_busy().is_some()),
        ];
        for (capability, says) in says {
            assert_eq!(says, able.contains(&capability), "{capability}");
        }
    }
}

/// An open account, and its calendar.
pub struct Account {
    pub provider: Arc<dyn Provider>,
    pub calendar: RemoteCalendarId,
}

/// What is held of the calendar, as the engine holds it.
#[derive(Clone, Default)]
pub struct Held {
    pub events: BTreeMap<RemoteEventId, RemoteEvent>,
    pub cursor: Option<SyncCursor>,
}

#[async_trait]
impl Known for Held {
    fn revision(&self, id: &RemoteEventId) -> Option<&Revision> {
        self.events.get(id)?.revision.as_ref()
    }

    async fn raw(&self, id: &RemoteEventId) -> Result<Option<Vec<u8>>> {
        Ok(self.events.get(id).and_then(|event| event.raw.clone()))
    }
}

impl Held {
    /// `UID`s and titles.
    pub fn says(&self) -> Vec<(String, String)> {
        let pair = |event: &RemoteEvent| (event.uid.0.clone(), event.content.facts.title.clone());
        let mut pairs: Vec<_> = self.events.values().map(pair).collect();
        pairs.sort();
        pairs
    }

    /// The only event under a `UID`.
    pub fn event(&self, uid: &str) -> RemoteEvent {
        let found: Vec<_> = self.events.values().filter(|event| event.uid.as_str() == uid).collect();
        let [one] = found.as_slice() else { panic!("{} events under {uid}: {found:#?}", found.len()) };
        (*one).clone()
    }

    pub fn hold(&mut self, event: &RemoteEvent) {
        self.events.insert(event.id.clone(), event.clone());
    }
}

/// What one pull told.
#[derive(Debug)]
pub struct Pulled {
    pub kind: PageKind,
    pub pages: usize,
    /// The `UID`s of what was handed out.
    pub changed: Vec<String>,
    pub present: Vec<RemoteEventId>,
    pub removed: Vec<RemoteEventId>,
}

impl Pulled {
    pub fn is_silent(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Account {
    pub fn writer(&self) -> &dyn EventWriter {
        self.provider.writer().expect("it writes")
    }

    /// Reads what has changed since what is held, and holds that.
    pub async fn pull(&self, held: &mut Held, reconcile: bool) -> Result<Pulled> {
        let cursor = held.cursor.clone();
        let pull = Pull { calendar: &self.calendar, cursor: cursor.as_ref(), reconcile };
        let mut reading = self.provider.pull(pull);
        let mut all: Option<Pulled> = None;
        for pages in 1..=PAGES_MAX {
            let page = reading.next(held).await?;
            assert!(page.unreadable.is_empty(), "what cannot be read: {:#?}", page.unreadable);
            let told = all.get_or_insert_with(|| Pulled {
                kind: page.kind,
                pages: 0,
                changed: Vec::new(),
                present: Vec::new(),
                removed: Vec::new(),
            });
            assert_eq!((told.kind, told.pages), (page.kind, pages - 1), "each page is of the same kind");
            assert!(page.kind == PageKind::Snapshot || page.present.is_empty(), "presence is told by snapshots only");
            told.pages = pages;
            told.present.extend(page.present);
            told.removed.extend(page.removed.iter().cloned());
            for event in page.changed {
                told.changed.push(event.uid.0.clone());
                told.present.push(event.id.clone());
                held.events.insert(event.id.clone(), event);
            }
            for gone in &page.removed {
                held.events.remove(gone);
            }
            if let Next::Done(cursor) = page.next {
                held.cursor = cursor;
                let mut told = all.expect("a page");
                if told.kind == PageKind::Snapshot {
                    held.events.retain(|id, _| told.present.contains(id));
                }
                told.changed.sort();
                told.present.sort();
                return Ok(told);
            }
        }
        panic!("a pull of more than {PAGES_MAX} pages");
    }

    /// What one round does: the calendars are listed, then this one is read.
    pub async fn follow(&self, held: &mut Held) -> Pulled {
        self.provider.calendars().await.expect("a list of calendars");
        self.pull(held, false).await.expect("what changed")
    }

    /// All there is, held by somebody who held nothing.
    pub async fn everything(&self) -> Held {
        let mut held = Held::default();
        self.pull(&mut held, true).await.expect("everything");
        held
    }

    /// Creates as the engine does: what is sent has the canonical form, and an answer that leaves it open what was done is settled by
    /// a search.
    pub async fn create(&self, key: &Uid, content: &EventContent) -> Result<RemoteEvent> {
        let content = self.canonical(content);
        let mut sent = 0;
        loop {
            sent += 1;
            match self.writer().create(&self.calendar, key, &content).await {
                Err(error) if error.class == FailureClass::Ambiguous && sent < CREATES_MAX => {
                    if let Found::Here(made) = self.writer().find(&self.calendar, key).await? {
                        return Ok(made);
                    }
                }
                other => return other,
            }
        }
    }

    pub fn canonical(&self, content: &EventContent) -> EventContent {
        self.writer().canonical(content)
    }

    /// Makes one that must be made; its revision is known.
    pub async fn make(&self, key: &Uid, content: &EventContent) -> RemoteEvent {
        let made = self.create(key, content).await.unwrap_or_else(|why| panic!("it is not made: {why}\n{content:#?}"));
        self.firm(made).await
    }

    /// Updates the version that is held, as the engine does: with its bytes.
    pub async fn update(&self, held: &RemoteEvent, content: &EventContent) -> Result<RemoteEvent> {
        self.writer().update(self.target(held, true), &self.canonical(content)).await
    }

    pub fn target<'a>(&'a self, held: &'a RemoteEvent, with_bytes: bool) -> WriteTarget<'a> {
        let revision = held.revision.as_ref().expect("a revision");
        WriteTarget {
            calendar: &self.calendar,
            id: &held.id,
            revision,
            raw: held.raw.as_deref().filter(|_| with_bytes),
        }
    }

    pub async fn read(&self, id: &RemoteEventId) -> Option<RemoteEvent> {
        self.writer().read(&self.calendar, id).await.expect("an answer")
    }

    /// The same with its revision: where a write's answer has none, a read gives one.
    pub async fn firm(&self, event: RemoteEvent) -> RemoteEvent {
        if event.revision.is_some() {
            return event;
        }
        let read = self.read(&event.id).await.expect("what was written is there");
        assert!(read.revision.is_some(), "neither the write nor the read says a revision");
        read
    }

    /// It is there as that, and nothing else is.
    pub async fn holds_only(&self, event: &RemoteEvent) {
        let read = self.read(&event.id).await.expect("it is there");
        assert_eq!((&read.uid, &read.revision, &read.content), (&event.uid, &event.revision, &event.content), "read");
        let held = self.everything().await;
        assert_eq!(held.events.len(), 1, "{:?}", held.says());
        let listed = held.event(event.uid.as_str());
        assert_eq!((&listed.id, &listed.revision), (&event.id, &event.revision), "listed");
        assert_eq!(listed.content, event.content, "listed");
    }
}

/// The class of a failure that has to be.
pub fn class<T: std::fmt::Debug>(answer: std::result::Result<T, ProviderError>) -> FailureClass {
    match answer {
        Ok(answer) => panic!("it was done: {answer:#?}"),
        Err(error) => error.class,
    }
}
