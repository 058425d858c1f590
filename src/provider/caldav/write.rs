//! Writes: chosen names, conditions on every one, and another look where the server's word is not enough.
//!
//! **Invariant:** `PUT` and `DELETE` carry a strong `ETag` or `If-None-Match: *` (I-13).

use url::Url;

use super::{
    classify::DavAction,
    convert::{self, Converted},
    exchange::{Exchange, Object},
    href::{self, Etag},
    manners::Manners,
    request::{Depth, PropfindQuery, delete, propfind, put_new, put_over, query_uid},
};
use crate::{
    domain::{
        event::EventContent,
        failure::FailureClass,
        ids::{RemoteCalendarId, RemoteEventId, Revision, Uid},
        mapping::RemoteEvent,
    },
    ical::{self, TextLimits},
    provider::{ProviderError, Result, WriteTarget},
    transport::Response,
};

const CREATING: &str = "creating an event";
const UPDATING: &str = "updating an event";
const DELETING: &str = "deleting an event";

pub(super) struct Pen<'a> {
    pub exchange: &'a Exchange,
    pub collection: Url,
    pub limits: &'a TextLimits,
    pub manners: &'a Manners,
}

/// The name of an object that we make.
pub(super) fn chosen_id(calendar: &RemoteCalendarId, key: &Uid) -> RemoteEventId {
    let slash = if calendar.as_str().ends_with('/') { "" } else { "/" };
    RemoteEventId(format!("{}{slash}{}.ics", calendar.as_str(), href::segment(key.as_str())))
}

impl Pen<'_> {
    pub(super) async fn create(
        &self,
        calendar: &RemoteCalendarId,
        key: &Uid,
        content: &EventContent,
    ) -> Result<RemoteEvent> {
        let id = chosen_id(calendar, key);
        let url = self.url(&id)?;
        let bytes = ical::encode::create(key, content, self.exchange.world().now());
        let response = self.exchange.send(put_new(url.clone(), bytes.clone())).await?;
        let sent = RemoteEvent {
            id,
            uid: key.clone(),
            revision: None,
            content: ical::canonical(content),
            raw: Some(bytes),
            changed_at: None,
        };
        self.written(&response, CREATING, &url, sent).await
    }

    pub(super) async fn update(&self, target: WriteTarget<'_>, content: &EventContent) -> Result<RemoteEvent> {
        let url = self.url(target.id)?;
        let (version, raw) = self.base(&url, target).await?;
        let bytes = ical::encode::edit(&raw, content, self.exchange.world().now())
            .map_err(|refused| ProviderError::new(FailureClass::Refused, format!("{UPDATING}: {refused}")))?;
        let resource = ical::decode::resource(&bytes, self.limits)
            .map_err(|refused| ProviderError::new(FailureClass::Refused, format!("{UPDATING}: {refused}")))?;
        let response = self.exchange.send(put_over(url.clone(), &version, bytes.clone())).await?;
        let sent = RemoteEvent {
            id: target.id.clone(),
            uid: resource.uid,
            revision: None,
            content: resource.content,
            raw: Some(bytes),
            changed_at: resource.changed_at,
        };
        self.written(&response, UPDATING, &url, sent).await
    }

    pub(super) async fn delete(&self, target: WriteTarget<'_>) -> Result<()> {
        let url = self.url(target.id)?;
        // Where nothing shows yet that a condition is minded, the version is looked at first.
        let known = Etag::strong(target.revision).filter(|_| self.manners.minds_conditions());
        let version = match known {
            Some(version) => version,
            None => match self.look(&url, target.revision).await {
                Ok((version, _)) => version,
                Err(error) if error.class == FailureClass::Gone => return Ok(()),
                Err(error) => return Err(error),
            },
        };
        let response = self.exchange.send(delete(url, &version)).await?;
        match response.status {
            200..=299 if is_page(&response) => Err(somebody_elses(DELETING)),
            200..=299 | 404 | 410 => Ok(()),
            status => {
                // That a `PUT` is refused says nothing of a deletion.
                if status == 412 {
                    self.manners.minded_condition();
                }
                Err(self.exchange.failure(&response, DavAction::Writing(DELETING)))
            }
        }
    }

    pub(super) async fn read(&self, id: &RemoteEventId) -> Result<Option<RemoteEvent>> {
        let url = self.url(id)?;
        match self.exchange.object(&url).await? {
            None => Ok(None),
            Some(object) => {
                let revision = self.firm(&url, object.revision).await?;
                event(convert::object(id.clone(), revision, object.raw.into(), self.limits))
            }
        }
    }

    /// Our own name first; then, because another object may hold the `UID`, by search. A server that cannot search has
    /// then said all it can.
    pub(super) async fn find(&self, calendar: &RemoteCalendarId, key: &Uid) -> Result<Option<RemoteEvent>> {
        if let Some(event) = self.read(&chosen_id(calendar, key)).await?.filter(|event| event.uid == *key) {
            return Ok(Some(event));
        }
        let answer = match self.exchange.ask(query_uid(self.collection.clone(), key), "looking for an event").await {
            Ok(answer) => answer,
            Err(error) => match error.class {
                FailureClass::Refused
                | FailureClass::Forbidden
                | FailureClass::Conflict
                | FailureClass::Gone
                | FailureClass::Malformed => return Ok(None),
                FailureClass::Transient
                | FailureClass::RateLimited
                | FailureClass::Unauthorised
                | FailureClass::CursorExpired
                | FailureClass::Ambiguous
                | FailureClass::AddressNotAllowed => return Err(error),
            },
        };
        for row in answer.body.rows {
            let (Some(name), Some(data)) = (href::name(&answer.url, &row.href), row.props.data) else { continue };
            let revision = row.props.etag.map(Revision);
            if let Converted::Event(event) = convert::object(name.into(), revision, data.into_bytes(), self.limits)
                && event.uid == *key
            {
                return Ok(Some(*event));
            }
        }
        Ok(None)
    }

    pub(super) fn url(&self, id: &RemoteEventId) -> Result<Url> {
        href::resolve(&self.collection, id.as_str())
            .ok_or_else(|| ProviderError::new(FailureClass::Refused, "the event's name leads nowhere"))
    }

    /// The bytes to edit and the version they are: what the caller holds, else what the server has, if that is the same.
    async fn base(&self, url: &Url, target: WriteTarget<'_>) -> Result<(Etag, Vec<u8>)> {
        match (Etag::strong(target.revision), target.raw) {
            (Some(version), Some(raw)) => Ok((version, raw.to_vec())),
            _ => self.look(url, target.revision).await,
        }
    }

    /// Reads an object to get a strong stamp for the version the caller means; another version is a conflict.
    async fn look(&self, url: &Url, meant: &Revision) -> Result<(Etag, Vec<u8>)> {
        let Some(Object { raw, revision }) = self.exchange.object(url).await? else {
            return Err(ProviderError::new(FailureClass::Gone, "the event is no longer there"));
        };
        let found = self.firm(url, revision).await?.filter(|found| href::weakly_equal(found.as_str(), meant.as_str()));
        let version = found.and_then(|found| Etag::strong(&found).or_else(|| Etag::hardened(&found)));
        match version {
            Some(version) => Ok((version, raw.into())),
            None => Err(ProviderError::new(FailureClass::Conflict, "the event has changed since it was last read")),
        }
    }

    /// A stamp to compare strongly, by `PROPFIND` where `GET` gives a weak one or none; else what `GET` gave.
    async fn firm(&self, url: &Url, revision: Option<Revision>) -> Result<Option<Revision>> {
        if revision.as_ref().is_some_and(|held| Etag::strong(held).is_some()) {
            return Ok(revision);
        }
        let request = propfind(url.clone(), Depth::Zero, PropfindQuery::Version);
        let answer = self.exchange.ask(request, "asking for the version of an event").await;
        let found = answer.ok().and_then(|answer| answer.body.rows.into_iter().next()?.props.etag).map(Revision);
        Ok(match (revision, found) {
            // Two versions: the object changed between the two looks, and only the first goes with the bytes.
            (Some(got), Some(found)) if href::weakly_equal(got.as_str(), found.as_str()) => Some(found),
            (Some(got), _) => Some(got),
            (None, found) => found,
        })
    }

    /// What the server holds after a write. A strong `ETag` means our bytes where that was seen to be so; else it is read again.
    pub(super) async fn written(
        &self,
        response: &Response,
        what: &'static str,
        url: &Url,
        sent: RemoteEvent,
    ) -> Result<RemoteEvent> {
        if !(200..300).contains(&response.status) {
            return Err(self.exchange.failure(response, DavAction::Writing(what)));
        }
        if is_page(response) {
            return Err(somebody_elses(what));
        }
        let etag = response.header("etag").map(str::trim).filter(|etag| href::is_trustworthy(etag));
        if let Some(etag) = etag.filter(|_| self.manners.keeps_bytes()) {
            return Ok(RemoteEvent { revision: Some(Revision::from(etag)), ..sent });
        }
        // The write is done; a failed look must not turn it into a failed write. Without a revision it is read again.
        match self.exchange.object(url).await {
            Ok(Some(object)) => {
                let same_version =
                    |etag: &str| object.revision.as_ref().is_some_and(|got| href::weakly_equal(got.as_str(), etag));
                if let Some(etag) = etag {
                    self.manners.read_back(same_version(etag) && sent.raw.as_deref() == Some(&*object.raw));
                }
                let revision = self.firm(url, object.revision).await.unwrap_or(None);
                match convert::object(sent.id.clone(), revision, object.raw.into(), self.limits) {
                    Converted::Event(event) => Ok(*event),
                    Converted::NotAnEvent(_) | Converted::Unreadable(_) => Ok(sent),
                }
            }
            Ok(None) | Err(_) => Ok(sent),
        }
    }
}

/// Whether a write is answered with a page for people: a network that wants a log-in first answers 200 to whatever is asked.
fn is_page(response: &Response) -> bool {
    response.header("content-type").is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

/// An answer that is not the server's: what became of the write has to be read.
fn somebody_elses(what: &str) -> ProviderError {
    ProviderError::new(FailureClass::Ambiguous, format!("{what}: the answer is a page, and not the server's"))
}

fn event(converted: Converted) -> Result<Option<RemoteEvent>> {
    match converted {
        Converted::Event(event) => Ok(Some(*event)),
        Converted::NotAnEvent(_) => Ok(None),
        Converted::Unreadable(unreadable) => Err(ProviderError::new(FailureClass::Malformed, unreadable.why)),
    }
}
