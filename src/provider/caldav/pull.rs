//! A calendar, read page by page: the listing with the first page, then the objects in batches.
//!
//! **Invariant:** a row missing from a multiget, or answered with 404 there, is not a deletion: the object is asked for
//! by itself first.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use futures_util::{StreamExt, future::try_join_all, stream};
use url::Url;

use super::{
    Caldav,
    convert::{self, Converted, SyncMark},
    exchange::{Exchange, MultistatusAnswer},
    href,
    listing::{DavListing, Lister},
    request::multiget,
};
use crate::{
    domain::{
        failure::FailureClass,
        ids::{RemoteEventId, Revision, SyncCursor},
    },
    ical::TextLimits,
    provider::{ChangePage, Known, Next, PageKind, ProviderError, Pull, Reading, Result, Unreadable},
};

/// Multigets in flight at once.
const IN_FLIGHT: usize = 2;
/// Single reads in flight at once.
const SINGLES_IN_FLIGHT: usize = 2;
/// Objects of one batch that the server may fail to hand out, before it is the server that fails and not the objects.
const FAILING_MAX: usize = 3;

type WantedMembers = (RemoteEventId, Revision);

/// A calendar that is being read.
pub(super) struct DavReading<'a> {
    account: &'a Caldav,
    pull: Pull<'a>,
    /// What the listing left to be read; `None`: it was not listed yet.
    listed: Option<Outstanding<'a>>,
}

/// What a listing named and is still to be read.
struct Outstanding<'a> {
    reader: ObjectReader<'a>,
    kind: PageKind,
    /// The cursor that the listing gave.
    cursor: Option<SyncCursor>,
    objects: VecDeque<WantedMembers>,
}

/// Reads objects of one calendar.
struct ObjectReader<'a> {
    exchange: &'a Exchange,
    collection: Url,
    limits: &'a TextLimits,
    /// Objects per multiget.
    room: &'a MultigetSize,
}

/// How many objects are asked for in one multiget: half as many after an answer that was too large, twice as many after one
/// that was not.
#[derive(Debug)]
pub(super) struct MultigetSize {
    max: usize,
    now: AtomicUsize,
}

impl MultigetSize {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), now: AtomicUsize::new(max.max(1)) }
    }

    pub(super) fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    fn was_too_much(&self, asked: usize) {
        self.now.fetch_min((asked / 2).max(1), Ordering::Relaxed);
    }

    fn worked(&self, asked: usize) {
        if asked >= self.now() {
            self.now.store(asked.saturating_mul(2).min(self.max), Ordering::Relaxed);
        }
    }
}

/// What a multiget came to.
enum Handed {
    Rows(MultistatusAnswer),
    /// The answer is larger than we accept.
    TooMuch,
    /// Each is to be asked for by itself.
    Nothing,
}

/// What reading one object came to.
enum Read {
    Converted(Converted),
    Vanished(RemoteEventId),
}

impl<'a> DavReading<'a> {
    pub(super) fn new(account: &'a Caldav, pull: Pull<'a>) -> Self {
        Self { account, pull, listed: None }
    }

    /// Lists the calendar: a page of what needs no reading, and the rest.
    async fn list(&self, known: &dyn Known) -> Result<(ChangePage, Outstanding<'a>)> {
        let Self { account, pull: Pull { calendar, cursor, reconcile }, .. } = *self;
        let Caldav { exchange, limits, room, .. } = account;
        let collection = account.collection(calendar).await?;
        // What the calendar said of itself when it was last listed; `None`: it was not.
        let mark = account.memory().marks.get(calendar).cloned();
        let lister = Lister { exchange, collection: &collection, known };
        let listing = match cursor.map(SyncMark::read) {
            None => lister.everything(mark.as_ref()).await?,
            Some(None) => {
                let detail = "the stored cursor is not one of a CalDAV calendar";
                return Err(ProviderError::new(FailureClass::CursorExpired, detail));
            }
            // A server that keeps a ctag is not asked again whether it does reports.
            Some(Some(held @ (SyncMark::Ctag(_) | SyncMark::None))) if reconcile => {
                lister.everything(mark.as_ref().or(Some(&held))).await?
            }
            Some(Some(_)) if reconcile => lister.everything(mark.as_ref()).await?,
            Some(Some(held)) => lister.since(held, mark.as_ref()).await?,
        };
        let DavListing { kind, pending, present, removed, refused, cursor } = listing;
        let expected = u32::try_from(pending.len() + present.len()).ok();
        let page =
            ChangePage { present, removed, unreadable: refused, expected, ..ChangePage::new(kind, cursor.clone()) };
        let reader = ObjectReader { exchange, collection, limits, room };
        Ok((page, Outstanding { reader, kind, cursor, objects: pending.into() }))
    }
}

#[async_trait]
impl Reading for DavReading<'_> {
    async fn next(&mut self, known: &dyn Known) -> Result<ChangePage> {
        let (mut page, mut listed) = match self.listed.take() {
            Some(listed) => (ChangePage::new(listed.kind, listed.cursor.clone()), listed),
            None => self.list(known).await?,
        };
        for read in listed.some().await? {
            match read {
                Read::Converted(Converted::Event(event)) => page.changed.push(*event),
                Read::Converted(Converted::NotAnEvent(id)) if page.kind == PageKind::Snapshot => page.present.push(id),
                Read::Converted(Converted::NotAnEvent(_)) => {}
                Read::Converted(Converted::Unreadable(unreadable)) => page.unreadable.push(unreadable),
                Read::Vanished(id) => page.removed.push(id),
            }
        }
        if !listed.objects.is_empty() {
            page.next = Next::More;
            self.listed = Some(listed);
        }
        Ok(page)
    }
}

impl Outstanding<'_> {
    /// Reads the next objects.
    async fn some(&mut self) -> Result<Vec<Read>> {
        let Self { reader, objects, .. } = self;
        let batches: Vec<Vec<WantedMembers>> = (0..IN_FLIGHT)
            .map(|_| objects.drain(..objects.len().min(reader.room.now())).collect::<Vec<_>>())
            .filter(|batch| !batch.is_empty())
            .collect();
        let read = try_join_all(batches.into_iter().map(|batch| reader.batch(batch))).await?;
        Ok(read.into_iter().flatten().collect())
    }
}

impl ObjectReader<'_> {
    /// Reads a batch, in smaller ones where the answer would be too large, and at last one by one.
    async fn batch(&self, wanted: Vec<WantedMembers>) -> Result<Vec<Read>> {
        let (mut read, mut missing) = (Vec::with_capacity(wanted.len()), Vec::new());
        let mut parts = vec![wanted];
        while let Some(mut part) = parts.pop() {
            match self.multiget(&part).await? {
                Handed::Rows(answer) => {
                    self.room.worked(part.len());
                    let (had, left) = self.sort(part, answer);
                    read.extend(had);
                    missing.extend(left);
                }
                Handed::TooMuch if part.len() > 1 => {
                    self.room.was_too_much(part.len());
                    let rest = part.split_off(part.len() / 2);
                    parts.extend([rest, part]);
                }
                Handed::TooMuch | Handed::Nothing => missing.extend(part),
            }
        }
        self.one_by_one(missing, read).await
    }

    async fn multiget(&self, wanted: &[WantedMembers]) -> Result<Handed> {
        let request = multiget(self.collection.clone(), wanted.iter().map(|(id, _)| id.as_str()));
        let response = match self.exchange.send(request).await {
            Err(error) if error.is_too_large() => return Ok(Handed::TooMuch),
            other => other?,
        };
        match self.exchange.multistatus(&response, "reading events") {
            Ok(answer) => Ok(Handed::Rows(answer)),
            // It may stumble over a single one of them.
            Err(_) if response.status == 500 => Ok(Handed::Nothing),
            Err(error) => match error.class {
                // One by one it may still be had: one object that breaks the XML, no such report.
                FailureClass::Malformed | FailureClass::Refused | FailureClass::Forbidden | FailureClass::Conflict => {
                    Ok(Handed::Nothing)
                }
                FailureClass::Transient
                | FailureClass::RateLimited
                | FailureClass::Unauthorised
                | FailureClass::Gone
                | FailureClass::CursorExpired
                | FailureClass::Ambiguous
                | FailureClass::AddressNotAllowed => Err(error),
            },
        }
    }

    async fn one_by_one(&self, missing: Vec<WantedMembers>, mut read: Vec<Read>) -> Result<Vec<Read>> {
        let mut singles = stream::iter(missing).map(|wanted| self.single(wanted)).buffered(SINGLES_IN_FLIGHT);
        let mut failing = 0;
        while let Some(single) = singles.next().await {
            let single = single?;
            if let Read::Converted(Converted::Unreadable(Unreadable { may_pass: true, why, .. })) = &single {
                failing += 1;
                if failing > FAILING_MAX {
                    return Err(ProviderError::new(FailureClass::Transient, why));
                }
            }
            read.push(single);
        }
        Ok(read)
    }

    /// What a multiget answered, and what it left open.
    fn sort(&self, wanted: Vec<WantedMembers>, answer: MultistatusAnswer) -> (Vec<Read>, Vec<WantedMembers>) {
        let mut rows = BTreeMap::new();
        for row in answer.body.rows {
            if row.failed().is_none()
                && let Some(data) = row.props.data
                && let Some(url) = href::resolve(&answer.url, &row.href)
                && let Some(key) = href::key(&self.collection, url.as_str())
            {
                rows.insert(key, (data, row.props.etag));
            }
        }
        let (mut read, mut missing) = (Vec::with_capacity(wanted.len()), Vec::new());
        for (id, listed) in wanted {
            match href::key(&self.collection, id.as_str()).and_then(|key| rows.remove(&key)) {
                // A report may take a name as it is, to which no write would lead.
                Some(_) if href::is_unescaped(id.as_str()) => missing.push((id, listed)),
                Some((data, etag)) => {
                    let revision = etag.map(Revision).or_else(|| listed_revision(listed));
                    read.push(Read::Converted(convert::object(id, revision, data.into_bytes(), self.limits)));
                }
                None => missing.push((id, listed)),
            }
        }
        (read, missing)
    }

    async fn single(&self, (id, listed): WantedMembers) -> Result<Read> {
        let meant = href::unescaped(id.as_str()).map(RemoteEventId);
        let read = self.object(id, listed.clone()).await?;
        let elsewhere = match (&read, meant) {
            (
                Read::Vanished(_) | Read::Converted(Converted::Unreadable(Unreadable { may_pass: false, .. })),
                Some(meant),
            ) => self.object(meant, listed).await?,
            _ => return Ok(read),
        };
        Ok(match elsewhere {
            Read::Vanished(_) | Read::Converted(Converted::Unreadable(Unreadable { may_pass: false, .. })) => read,
            Read::Converted(_) => elsewhere,
        })
    }

    async fn object(&self, id: RemoteEventId, listed: Revision) -> Result<Read> {
        let unreadable = |id, revision, why, may_pass| {
            Ok(Read::Converted(Converted::Unreadable(Unreadable { id, revision, uid: None, why, may_pass })))
        };
        let Some(url) = href::resolve(&self.collection, id.as_str()) else {
            return unreadable(id, listed_revision(listed), "its name leads nowhere".to_owned(), false);
        };
        match self.exchange.object(&url).await {
            Ok(None) => Ok(Read::Vanished(id)),
            Ok(Some(object)) => {
                // A proxy that compresses weakens the stamp; the listing's is the one it will be compared with.
                let revision = match object.revision {
                    Some(got) if href::weakly_equal(got.as_str(), listed.as_str()) => Some(listed),
                    Some(got) => Some(got),
                    None => listed_revision(listed),
                };
                Ok(Read::Converted(convert::object(id, revision, object.raw.into(), self.limits)))
            }
            Err(error) => match error.class {
                FailureClass::Malformed | FailureClass::Refused | FailureClass::Forbidden | FailureClass::Conflict => {
                    unreadable(id, listed_revision(listed), error.detail, false)
                }
                FailureClass::Transient => unreadable(id, None, error.detail, true),
                FailureClass::RateLimited
                | FailureClass::Unauthorised
                | FailureClass::Gone
                | FailureClass::CursorExpired
                | FailureClass::Ambiguous
                | FailureClass::AddressNotAllowed => Err(error),
            },
        }
    }
}

/// A revision as the listing gave it; an empty one is none.
fn listed_revision(listed: Revision) -> Option<Revision> {
    (!listed.as_str().is_empty()).then_some(listed)
}
