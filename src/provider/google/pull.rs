//! A calendar, read page by page. Single events go through as they come; parts of series are carried to the last page and put together
//! there, for Google lists a master and its exceptions separately and in any order.
//!
//! **Invariant:** a change of one part of a series is put into the whole that is held, or into one read anew; it never
//! stands for the whole.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Google,
    classify::GoogleAction,
    item::Item,
    pages::{GooglePage, PAGE_MAX},
    request,
    series::{self, WholeSeries},
};
use crate::{
    domain::{
        failure::FailureClass,
        ids::{RemoteCalendarId, RemoteEventId, Revision, SyncCursor},
    },
    provider::{ChangePage, Known, Next, PageKind, Provider as _, ProviderError, Pull, Reading, Result, Unreadable},
};

/// The form of our cursors: what follows is Google's token. It changes with the parameters of the list.
const CURSOR: &str = "g1:";
/// Pages that one series and its exceptions take at most.
const FAMILY_PAGES_MAX: usize = 1_000;

/// A calendar that is being read.
pub(super) struct GoogleReading<'a> {
    account: &'a Google,
    pull: Pull<'a>,
    /// Google's word for the next page; `None`: it is the first.
    page: Option<String>,
    /// Objects whose other parts may come on a later page, as Google sent them.
    parts: Vec<Bytes>,
    /// Changed events that are no series now; parts of the series that one of them was may come on a later page.
    singles: BTreeSet<String>,
    /// How many objects the next page is asked for.
    size: u32,
}

impl<'a> GoogleReading<'a> {
    pub(super) fn new(account: &'a Google, pull: Pull<'a>) -> Self {
        Self { account, pull, page: None, parts: Vec::new(), singles: BTreeSet::new(), size: PAGE_MAX }
    }

    async fn read(&mut self, known: &dyn Known) -> Result<ChangePage> {
        let Self { account, pull, page, parts, singles, size } = self;
        let since = if pull.reconcile { None } else { pull.cursor };
        let token = since.map(read_cursor).transpose()?;
        let url = account.at(&["calendars", pull.calendar.as_str(), "events"]);
        let ask = |portion| request::events(url.clone(), token, page.as_deref(), portion);
        let GooglePage { answer, next_size, outline } = account.page(*size, GoogleAction::Listing, ask).await?;
        let kind = if token.is_some() { PageKind::Delta } else { PageKind::Snapshot };
        let mut draft = Draft { calendar: pull.calendar, known, page: ChangePage::new(kind, None) };
        for item in answer.items() {
            if outline && (item.master().is_some() || !item.cancelled()) {
                // Whether it is a series does not show: it waits for what else is listed of it.
                parts.push(part(&item.outlined()));
            } else if item.cancelled() && item.master().is_none() {
                if draft.page.kind == PageKind::Delta {
                    draft.page.removed.push(RemoteEventId::from(item.id()));
                    // Whether it was a series does not show: its exceptions, cancelled with it, may come on another page.
                    parts.push(part(&item));
                }
            } else if item.master().is_some() || item.recurs() {
                parts.push(part(&item));
            } else {
                if draft.page.kind == PageKind::Delta {
                    singles.insert(item.id().to_owned());
                }
                draft.add(&WholeSeries::single(item));
            }
        }
        match (answer.text("nextPageToken"), answer.text("nextSyncToken")) {
            (Some(following), _) => {
                (*page, *size) = (Some(following.to_owned()), next_size);
                draft.page.next = Next::More;
            }
            (None, Some(token)) => {
                account.put_together(parts, singles, &mut draft).await?;
                draft.page.next = Next::Done(Some(SyncCursor(format!("{CURSOR}{token}"))));
            }
            (None, None) => {
                return Err(ProviderError::new(
                    FailureClass::Malformed,
                    "the list of events ends without a sync token",
                ));
            }
        }
        Ok(draft.page)
    }
}

#[async_trait]
impl Reading for GoogleReading<'_> {
    async fn next(&mut self, known: &dyn Known) -> Result<ChangePage> {
        let page = self.read(known).await;
        if matches!(&page, Err(error) if matches!(error.class, FailureClass::Gone | FailureClass::Forbidden)) {
            // The calendar is no longer ours to read: what the list says of it has changed too.
            self.account.forget_listing();
        }
        page
    }
}

impl Google {
    /// Puts the parts of each series together, with what is held of it. `singles`: changed events that are no series now.
    async fn put_together(&self, parts: &[Bytes], singles: &BTreeSet<String>, draft: &mut Draft<'_>) -> Result<()> {
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
        for (id, (master, exceptions)) in families {
            let remote = RemoteEventId::from(id.as_str());
            if let Some(outline) = master.iter().chain(&exceptions).find(|item| item.is_outline()) {
                draft.page.unreadable.push(too_large(draft.calendar, remote, outline));
                continue;
            }
            if master.as_ref().is_some_and(Item::cancelled) {
                // Its own page reports it as removed, and its exceptions went with it.
                continue;
            }
            let is_single = master.is_none() && singles.contains(&id);
            if is_single && exceptions.iter().all(Item::cancelled) {
                // It is on a page as it is now, and what it was as a series has gone: what is held is older than that.
                continue;
            }
            let master = if is_single { self.read_item(draft.calendar, &id).await? } else { master };
            if is_single && master.is_none() {
                // It has gone since, which the next list says.
                continue;
            }
            let held = match draft.page.kind {
                PageKind::Delta => draft.known.raw(&remote).await?.and_then(|raw| WholeSeries::read(&raw)),
                PageKind::Snapshot => None,
            };
            match self.whole(draft.calendar, &id, master, held, draft.page.kind).await {
                Ok(Some(mut whole)) => {
                    whole.exceptions.extend(exceptions.into_iter().map(|item| (item.id().to_owned(), item)));
                    draft.add_series(&whole);
                }
                Ok(None) => exceptions.into_iter().for_each(|item| draft.add_orphan(item)),
                Err(error) if error.is_too_large() => {
                    draft.page.unreadable.push(too_large(draft.calendar, remote, &Item::default()));
                }
                Err(error) => return Err(error),
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
        held: Option<WholeSeries>,
        kind: PageKind,
    ) -> Result<Option<WholeSeries>> {
        match (master, held) {
            // A changed master may have lost exceptions that nobody reports: they are read anew.
            (Some(master), Some(held)) if !held.exceptions.is_empty() && kind == PageKind::Delta => {
                self.family(calendar, WholeSeries { master, exceptions: held.exceptions }).await.map(Some)
            }
            // One that is new to us may have exceptions that are older than the token: it came out of the bin, or its owner was
            // invited to single occurrences before.
            (Some(master), None) if master.recurs() && kind == PageKind::Delta => {
                self.family(calendar, WholeSeries::single(master)).await.map(Some)
            }
            (Some(master), _) => Ok(Some(WholeSeries::single(master))),
            (None, Some(held)) => Ok(Some(held)),
            (None, None) => match self.read_item(calendar, id).await? {
                Some(master) => self.family(calendar, WholeSeries::single(master)).await.map(Some),
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
        match self.ask_event(request::event(url), id, GoogleAction::Reading("reading one event")).await {
            Ok(item) => Ok(Some(item)),
            Err(error) if matches!(error.class, FailureClass::Gone | FailureClass::Forbidden) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The master with its exceptions as they are now. Cancelled ones that are no longer listed stay cancelled.
    pub(super) async fn family(&self, calendar: &RemoteCalendarId, mut whole: WholeSeries) -> Result<WholeSeries> {
        let Some(uid) = whole.master.text("iCalUID").map(str::to_owned) else { return Ok(whole) };
        if !whole.master.recurs() && whole.exceptions.is_empty() {
            return Ok(whole);
        }
        let url = self.at(&["calendars", calendar.as_str(), "events"]);
        whole.exceptions.retain(|_, item| item.cancelled());
        let (mut page, mut size): (Option<String>, u32) = (None, PAGE_MAX);
        for _ in 0..FAMILY_PAGES_MAX {
            let ask = |portion| request::family(url.clone(), &uid, page.as_deref(), portion);
            let listed = self.page(size, GoogleAction::Reading("reading a series"), ask).await?;
            if listed.outline {
                return Err(ProviderError::too_large());
            }
            let answer = listed.answer;
            size = listed.next_size;
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

/// A part of a series, as it is carried to the last page.
fn part(item: &Item) -> Bytes {
    Bytes::from(serde_json::to_vec(&item.0).unwrap_or_default())
}

/// An event that is larger than an answer may be: it is reported as that, and what is held of it stays.
fn too_large(calendar: &RemoteCalendarId, id: RemoteEventId, outline: &Item) -> Unreadable {
    let revision = outline.text("etag").filter(|_| outline.id() == id.as_str()).map(Revision::from);
    let uid = outline.text("iCalUID").is_some().then(|| series::uid(outline, calendar));
    Unreadable { id, revision, uid, why: "it is larger than this server accepts".to_owned(), may_pass: false }
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
struct Draft<'a> {
    calendar: &'a RemoteCalendarId,
    known: &'a dyn Known,
    page: ChangePage,
}

impl Draft<'_> {
    fn add(&mut self, whole: &WholeSeries) {
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

    /// A series. An occurrence of it that was an event of its own, when nothing else of the series was ours to see, is part of it now.
    fn add_series(&mut self, whole: &WholeSeries) {
        if self.page.kind == PageKind::Delta {
            let ids = whole.exceptions.keys().map(|id| RemoteEventId::from(id.as_str()));
            self.page.removed.extend(ids.filter(|id| self.known.revision(id).is_some()));
        }
        self.add(whole);
    }

    /// An occurrence of a series that is not ours to see is an event of its own.
    fn add_orphan(&mut self, item: Item) {
        if !item.cancelled() {
            self.add(&WholeSeries::single(item));
        } else if self.page.kind == PageKind::Delta {
            self.page.removed.push(RemoteEventId::from(item.id()));
        }
    }
}
