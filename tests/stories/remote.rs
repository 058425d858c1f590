//! A provider's two calendars in memory, with the habits that hurt: tombstones, pages, late lists, cursors that expire.

use std::collections::{BTreeMap, BTreeSet};

use calwarden::{
    domain::{
        event::EventContent,
        failure::FailureClass,
        ids::{EventId, RemoteEventId, Revision, SyncCursor, Uid},
        mapping::RemoteEvent,
        page::{ChangePage, Found, Next, PageKind},
    },
    engine::drain::{Answer, Request},
};
use chrono::{DateTime, Duration, Utc};

use super::steps::Name;

/// Objects of one page.
const PAGE: usize = 3;
/// How long a new object may be missing from lists.
const LAG: Duration = Duration::seconds(45);

/// One event at the provider.
#[derive(Clone, Debug)]
pub struct Object {
    pub uid: Uid,
    pub calendar: usize,
    pub content: EventContent,
    pub gone: bool,
    pub seq: u64,
    pub changed_at: DateTime<Utc>,
    pub shown_from: DateTime<Utc>,
    /// Which event of the story it is.
    pub name: Name,
    /// Which local event we made it for.
    pub made_for: Option<EventId>,
}

/// Where a list goes on: after a change, up to another.
pub type Place = (u64, u64);

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    pub calendar: usize,
    pub event: EventId,
    pub name: Name,
    pub now: DateTime<Utc>,
}

/// The account at its provider.
#[derive(Clone, Debug, Default)]
pub struct Remote {
    pub objects: BTreeMap<RemoteEventId, Object>,
    pub late: Vec<(Request, Sender)>,
    pub lags: bool,
    /// Whether it adds something to what is written.
    pub adds: bool,
    pub writes: u64,
    seq: u64,
    horizon: u64,
    erased: BTreeSet<RemoteEventId>,
}

impl Remote {
    /// Puts an object there or in place of what it was.
    pub fn put(&mut self, id: &RemoteEventId, object: Object) {
        self.seq += 1;
        self.objects.insert(id.clone(), Object { seq: self.seq, ..object });
    }

    /// Everything that lives there goes, through somebody's mistake or a server's.
    pub fn erase(&mut self) {
        let living: Vec<_> = self.objects.iter().filter(|(_, object)| !object.gone).map(|(id, _)| id.clone()).collect();
        for id in living {
            let object = self.objects[&id].clone();
            self.put(&id, Object { gone: true, ..object });
            self.erased.insert(id);
        }
    }

    /// What was erased is there again as it was, unless it is there already, or was deleted here meanwhile.
    pub fn give_back(&mut self, now: DateTime<Utc>, deleted: impl Fn(Name) -> bool) {
        for id in std::mem::take(&mut self.erased) {
            if deleted(self.objects[&id].name) {
                continue;
            }
            let object = self.objects[&id].clone();
            let taken = self.objects.values().any(|other| other.uid == object.uid && !other.gone);
            if object.gone && !taken {
                self.put(&id, Object { gone: false, shown_from: now, ..object });
            }
        }
    }

    /// The living object of a name.
    pub fn living(&self, name: Name) -> Option<(&RemoteEventId, &Object)> {
        self.objects.iter().find(|(_, object)| object.name == name && !object.gone)
    }

    /// Cursors given out until now are no longer known.
    pub fn expire(&mut self) {
        self.horizon = self.seq;
    }

    /// One page of what has changed since the cursor, or of everything; `place`: where it begins, then where the next one does.
    pub fn list(
        &self,
        calendar: usize,
        cursor: Option<&SyncCursor>,
        place: &mut Option<Place>,
        now: DateTime<Utc>,
    ) -> Result<ChangePage, FailureClass> {
        let since = match cursor {
            Some(cursor) => cursor.as_str().parse::<u64>().ok().filter(|at| *at >= self.horizon),
            None => Some(0),
        };
        let since = since.ok_or(FailureClass::CursorExpired)?;
        let (from, upto) = place.unwrap_or_else(|| (since, self.settled(now)));
        let mut wanted: Vec<_> =
            self.objects.iter().filter(|(_, object)| object.calendar == calendar && object.seq > from).collect();
        wanted.retain(|(_, object)| object.shown_from <= now && (cursor.is_some() || !object.gone));
        wanted.sort_by_key(|(_, object)| object.seq);
        let more = wanted.len() > PAGE;
        wanted.truncate(PAGE);
        *place = wanted.last().filter(|_| more).map(|(_, last)| (last.seq, upto));
        let kind = if cursor.is_some() { PageKind::Delta } else { PageKind::Snapshot };
        let (gone, here): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(_, object)| object.gone);
        Ok(ChangePage {
            changed: here.into_iter().map(|(id, object)| event(id, object)).collect(),
            removed: gone.into_iter().map(|(id, _)| id.clone()).collect(),
            next: if more { Next::More } else { Next::Done(Some(SyncCursor(format!("{upto}")))) },
            ..ChangePage::new(kind, None)
        })
    }

    /// Everything up to here shows in lists.
    fn settled(&self, now: DateTime<Utc>) -> u64 {
        let hidden = self.objects.values().filter(|object| object.shown_from > now).map(|object| object.seq);
        hidden.min().map_or(self.seq, |first| first - 1)
    }

    /// Does what is asked, on its conditions.
    pub fn carry_out(&mut self, request: &Request, sender: Sender) -> Result<Answer, FailureClass> {
        let at = |id: &RemoteEventId, remote: &Self| {
            remote.objects.get(id).filter(|object| !object.gone).map(|object| (revision(object), object.clone()))
        };
        match request {
            Request::Read { id } => Ok(Answer::Event(at(id, self).map(|(_, object)| event(id, &object)))),
            Request::Find { key } => {
                let id = RemoteEventId(key.0.clone());
                // A calendar is asked for what it holds itself, by CalDAV and by Google alike.
                let held = |object: &Object| object.uid == *key && !object.gone && object.calendar == sender.calendar;
                let here = self.objects.iter().find(|(_, object)| held(object));
                if let Some((id, object)) = here {
                    return Ok(Answer::Found(Found::Here(event(id, object))));
                }
                Ok(Answer::Found(match self.objects.get(&id) {
                    None => Found::Nothing,
                    Some(object) if object.calendar != sender.calendar => Found::Nothing,
                    Some(object) if object.gone => Found::Deleted,
                    Some(object) => Found::Here(event(&id, object)),
                }))
            }
            Request::Create { key, content } => self.create(key, content, sender),
            // Under a name of its own it is a new object; under its own, what lives by then is left as it is.
            Request::MakeAgain { key, remains, content } if remains.uid != *key => self.create(key, content, sender),
            Request::MakeAgain { remains, content, .. } => match self.objects.get(&remains.remote_id).cloned() {
                None => Err(FailureClass::Conflict),
                Some(object) if !object.gone => Err(FailureClass::Conflict),
                // Another has the name by now.
                Some(object) if self.objects.values().any(|other| other.uid == object.uid && !other.gone) => {
                    Err(FailureClass::Conflict)
                }
                Some(object) => {
                    let (content, changed_at) = (content.clone(), sender.now);
                    let (made_for, name) = (Some(sender.event), sender.name);
                    Ok(self.write(
                        &remains.remote_id,
                        Object { content, changed_at, gone: false, shown_from: sender.now, made_for, name, ..object },
                    ))
                }
            },
            Request::Update { id, revision, content } => match at(id, self) {
                None => Err(FailureClass::Gone),
                Some((held, _)) if held != *revision => Err(FailureClass::Conflict),
                Some((_, object)) => {
                    Ok(self.write(id, Object { content: content.clone(), changed_at: sender.now, ..object }))
                }
            },
            Request::Delete { id, revision } => match at(id, self) {
                None => Err(FailureClass::Gone),
                Some((held, _)) if held != *revision => Err(FailureClass::Conflict),
                Some((_, object)) => {
                    self.write(id, Object { gone: true, ..object });
                    Ok(Answer::Event(None))
                }
            },
        }
    }

    fn create(&mut self, key: &Uid, content: &EventContent, sender: Sender) -> Result<Answer, FailureClass> {
        let id = RemoteEventId(key.0.clone());
        // Deleted names are kept, as Google does.
        if self.objects.contains_key(&id) {
            return Err(FailureClass::Conflict);
        }
        let object = Object {
            uid: key.clone(),
            calendar: sender.calendar,
            content: content.clone(),
            gone: false,
            seq: 0,
            changed_at: sender.now,
            shown_from: if self.lags { sender.now + LAG } else { sender.now },
            name: sender.name,
            made_for: Some(sender.event),
        };
        Ok(self.write(&id, object))
    }

    fn write(&mut self, id: &RemoteEventId, mut object: Object) -> Answer {
        self.writes += 1;
        if self.adds {
            object.content.facts.url = Some("https://there.example/".to_owned());
        }
        self.put(id, object);
        Answer::Event(self.objects.get(id).map(|object| event(id, object)))
    }

    /// What was sent late until this instant arrives, whether it still fits or not.
    pub fn arrive(&mut self, sent_until: DateTime<Utc>) {
        let (due, later) = std::mem::take(&mut self.late).into_iter().partition(|(_, by)| by.now <= sent_until);
        self.late = later;
        for (request, sender) in Vec::<(Request, Sender)>::into_iter(due) {
            drop(self.carry_out(&request, sender));
        }
    }

    /// I-17: whatever a cursor has passed is known here.
    pub fn passed(&self, calendar: usize, cursor: &SyncCursor) -> impl Iterator<Item = (&RemoteEventId, &Object)> {
        let upto = cursor.as_str().parse::<u64>().unwrap_or(0);
        self.objects.iter().filter(move |(_, object)| object.calendar == calendar && object.seq <= upto && !object.gone)
    }
}

/// An object's version.
pub fn revision(object: &Object) -> Revision {
    Revision(object.seq.to_string())
}

fn event(id: &RemoteEventId, object: &Object) -> RemoteEvent {
    RemoteEvent {
        id: id.clone(),
        uid: object.uid.clone(),
        revision: Some(revision(object)),
        content: object.content.clone(),
        raw: Some(object.uid.0.clone().into_bytes()),
        changed_at: Some(object.changed_at),
    }
}
