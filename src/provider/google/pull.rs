//! One page of a pull. Single events go through as they come; parts of series are carried to the last page and put together
//! there, for Google tells of a master and of its exceptions apart and in any order.
//!
//! **Invariant:** a change of one part of a series is put into the whole that is held, or into one read anew; it never
//! stands for the whole.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{Google, classify::Doing, item::Item, request, series::Whole};
use crate::{
    domain::{
        failure::FailureClass,
        ids::{RemoteCalendarId, RemoteEventId, SyncCursor},
    },
    provider::{
        ChangePage, Known, Next, PageKind, PageToken, Pull,
        error::{ProviderError, Result},
    },
};

/// The form of our cursors: what follows is Google's token. It changes with the parameters of the list.
const CURSOR: &str = "g1:";
/// Pages that one series and its exceptions take at most.
const FAMILY_PAGES_MAX: usize = 1_000;

impl Google {
    pub(super) async fn pull_page(&self, pull: Pull<'_>) -> Result<ChangePage> {
        let since = if pull.reconcile { None } else { pull.cursor };
        let token = since.map(read_cursor).transpose()?;
        let (page, mut parts) = match &pull.page {
            PageToken::Start => (None, Vec::new()),
            PageToken::Carrying { page, parts } => (Some(page.clone()), parts.clone()),
            PageToken::Text(_) | PageToken::Pending { .. } => {
                return Err(ProviderError::new(FailureClass::Refused, "this page is not one of this calendar"));
            }
        };
        let url = self.at(&["calendars", pull.calendar.as_str(), "events"]);
        let answer = self.ask(request::events(url, token, page.as_deref()), Doing::Listing).await?;
        let mut told = Told::new(if token.is_some() { PageKind::Delta } else { PageKind::Snapshot }, &pull);
        for item in answer.items() {
            if item.master().is_some() || item.recurs() {
                parts.push(Bytes::from(serde_json::to_vec(&item.0).unwrap_or_default()));
            } else if !item.cancelled() {
                told.add(&Whole::single(item));
            } else if told.page.kind == PageKind::Delta {
                told.page.removed.push(RemoteEventId::from(item.id()));
            }
        }
        match (answer.text("nextPageToken"), answer.text("nextSyncToken")) {
            (Some(page), _) => {
                told.page.next = Next::Page(PageToken::Carrying { page: page.to_owned(), parts });
            }
            (None, Some(token)) => {
                self.put_together(&parts, &mut told).await?;
                told.page.next = Next::Done(Some(SyncCursor(format!("{CURSOR}{token}"))));
            }
            (None, None) => {
                return Err(ProviderError::new(
                    FailureClass::Malformed,
                    "the list of events ends without a sync token",
                ));
            }
        }
        Ok(told.page)
    }

    async fn put_together(&self, parts: &[Bytes], told: &mut Told<'_>) -> Result<()> {
        let mut families: BTreeMap<String, (Option<Item>, Vec<Item>)> = BTreeMap::new();
        for item in parts.iter().filter_map(|bytes| Item::read(bytes)) {
            let id = item.master().unwrap_or_else(|| item.id()).to_owned();
            let family = families.entry(id).or_default();
            if item.master().is_some() {
                family.1.push(item);
            } else {
                family.0 = Some(item);
            }
        }
        let removed: BTreeSet<_> = told.page.removed.iter().cloned().collect();
        for (id, (master, exceptions)) in families {
            let remote = RemoteEventId::from(id.as_str());
            if removed.contains(&remote) {
                // What is left of a series that went: its exceptions, cancelled with it.
                continue;
            }
            if master.as_ref().is_some_and(Item::cancelled) {
                if told.page.kind == PageKind::Delta {
                    told.page.removed.push(remote);
                }
                continue;
            }
            let held = match told.page.kind {
                PageKind::Delta => told.known.raw(&remote).await?.and_then(|raw| Whole::read(&raw)),
                PageKind::Snapshot => None,
            };
            match self.whole(told.calendar, &id, master, held, told.page.kind).await? {
                Some(mut whole) => {
                    whole.exceptions.extend(exceptions.into_iter().map(|item| (item.id().to_owned(), item)));
                    told.add(&whole);
                }
                None => exceptions.into_iter().for_each(|item| told.add_orphan(item)),
            }
        }
        Ok(())
    }

    /// The series that parts belong to, as it was before them; `None`: it is not ours to see.
    async fn whole(
        &self,
        calendar: &RemoteCalendarId,
        id: &str,
        master: Option<Item>,
        held: Option<Whole>,
        kind: PageKind,
    ) -> Result<Option<Whole>> {
        match (master, held) {
            // A changed master may have lost exceptions that nobody tells of: they are read anew.
            (Some(master), Some(held)) if !held.exceptions.is_empty() && kind == PageKind::Delta => {
                self.family(calendar, Whole { master, exceptions: held.exceptions }).await.map(Some)
            }
            (Some(master), _) => Ok(Some(Whole::single(master))),
            (None, Some(held)) => Ok(Some(held)),
            (None, None) => match self.read_item(calendar, id).await? {
                Some(master) => self.family(calendar, Whole::single(master)).await.map(Some),
                None => Ok(None),
            },
        }
    }

    /// One event as it is now; `None`: it is gone, or not ours to see.
    pub(super) async fn read_item(&self, calendar: &RemoteCalendarId, id: &str) -> Result<Option<Item>> {
        Ok(self.read_kept(calendar, id).await?.filter(|item| !item.cancelled()))
    }

    /// One event as it is kept, deleted or not.
    pub(super) async fn read_kept(&self, calendar: &RemoteCalendarId, id: &str) -> Result<Option<Item>> {
        let url = self.at(&["calendars", calendar.as_str(), "events", id]);
        match self.ask(request::event(url), Doing::Reading("reading one event")).await {
            Ok(item) => Ok(Some(item)),
            Err(error) if matches!(error.class, FailureClass::Gone | FailureClass::Forbidden) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The master with its exceptions as they are now. Cancelled ones that are no longer told stay cancelled.
    pub(super) async fn family(&self, calendar: &RemoteCalendarId, mut whole: Whole) -> Result<Whole> {
        let Some(uid) = whole.master.text("iCalUID").map(str::to_owned) else { return Ok(whole) };
        if !whole.master.recurs() {
            whole.exceptions.clear();
            return Ok(whole);
        }
        let url = self.at(&["calendars", calendar.as_str(), "events"]);
        whole.exceptions.retain(|_, item| item.cancelled());
        let mut page: Option<String> = None;
        for _ in 0..FAMILY_PAGES_MAX {
            let request = request::family(url.clone(), &uid, page.as_deref());
            let answer = self.ask(request, Doing::Reading("reading a series")).await?;
            for item in answer.items().filter(|item| item.master() == Some(whole.master.id())) {
                whole.exceptions.insert(item.id().to_owned(), item);
            }
            page = answer.text("nextPageToken").map(str::to_owned);
            if page.is_none() {
                return Ok(whole);
            }
        }
        Err(ProviderError::new(FailureClass::Malformed, "a series has no end of exceptions"))
    }
}

fn read_cursor(cursor: &SyncCursor) -> Result<&str> {
    cursor.as_str().strip_prefix(CURSOR).ok_or_else(|| {
        ProviderError::new(
            FailureClass::CursorExpired,
            "the stored cursor is not one of this form; everything is listed",
        )
    })
}

/// A page in the making.
struct Told<'a> {
    calendar: &'a RemoteCalendarId,
    known: &'a dyn Known,
    page: ChangePage,
}

impl<'a> Told<'a> {
    fn new(kind: PageKind, pull: &Pull<'a>) -> Self {
        let page = ChangePage {
            kind,
            changed: Vec::new(),
            present: Vec::new(),
            unreadable: Vec::new(),
            removed: Vec::new(),
            expected: None,
            interval_s: None,
            next: Next::Done(None),
        };
        Self { calendar: pull.calendar, known: pull.known, page }
    }

    fn add(&mut self, whole: &Whole) {
        let id = RemoteEventId::from(whole.master.id());
        if self.known.revision(&id) == Some(&whole.revision()) {
            if self.page.kind == PageKind::Snapshot {
                self.page.present.push(id);
            }
            return;
        }
        match whole.event(self.calendar) {
            Ok(event) => self.page.changed.push(event),
            Err(unreadable) => self.page.unreadable.push(unreadable),
        }
    }

    /// An occurrence of a series that is not ours to see is an event of its own.
    fn add_orphan(&mut self, item: Item) {
        if !item.cancelled() {
            self.add(&Whole::single(item));
        } else if self.page.kind == PageKind::Delta {
            self.page.removed.push(RemoteEventId::from(item.id()));
        }
    }
}
