//! Which event of this answer is which event of the last one.
//!
//! - **own name**: `uid:` and a hash of the `UID`. Hashed, because a `UID` has no length limit and the bookmark must name
//!   thousands of them.
//! - **content name**: `content:` and a hash of the content, with a counter for equal ones: for events without a `UID`.
//!
//! An event whose `UID` is known keeps its name. One whose `UID` is new, but which says exactly what an event of the
//! last answer said whose `UID` is gone, *is* that event and takes its name over: some publishers make new `UID`s at each
//! fetch, and deleting and re-creating everything each time would lose what people attached to the copies.
//!
//! **Invariant:** names are unique in an answer, and the same answer in another order has the same names.

use std::collections::{BTreeMap, BTreeSet};

use super::bookmark::{Bookmark, BookmarkEntry, PAIRS_MAX, short_hash};
use crate::{
    domain::ids::{RemoteEventId, Uid},
    provider::change::Known,
};

/// One event to be named.
pub(super) struct Unnamed<'a> {
    /// Its `UID`.
    pub(super) uid: Option<&'a Uid>,
    /// Short hash of its content.
    pub(super) content: u64,
}

/// The names of an answer's events.
pub(super) struct Names {
    /// In the order of the events.
    pub(super) ids: Vec<RemoteEventId>,
    /// What the next bookmark keeps.
    pub(super) pairs: Vec<BookmarkEntry>,
    /// The publisher makes new `UID`s at each fetch: of the events that say what they said, most have another one.
    pub(super) fresh_uids: bool,
}

/// The own name of a `UID`.
pub(super) fn own_id(uid: &Uid) -> RemoteEventId {
    uid_id(own_number(uid))
}

fn own_number(uid: &Uid) -> u64 {
    short_hash(uid.as_str().as_bytes())
}

fn uid_id(number: u64) -> RemoteEventId {
    RemoteEventId(format!("uid:{number:016x}"))
}

/// Names every event.
pub(super) fn name(events: &[Unnamed<'_>], before: &Bookmark, known: &dyn Known) -> Names {
    let mut naming = Naming::new(events, before);
    naming.keep(before.pairs().as_slice(), known);
    naming.take_over();
    let matched = naming.unmoved + naming.moved;
    let fresh_uids = before.fresh_uids || naming.moved * 2 > matched;
    // Of a larger feed not every event is in the bookmark, so with fresh UIDs only the content can name the rest.
    naming.fill(fresh_uids && events.len() > PAIRS_MAX);
    naming.finish(fresh_uids)
}

struct Naming<'a> {
    events: &'a [Unnamed<'a>],
    own: Vec<Option<u64>>,
    /// Events in order of content, so that the order of the text decides nothing.
    order: Vec<usize>,
    named: BTreeMap<usize, Name>,
    taken: BTreeSet<u64>,
    /// Names of the last answer by content, of events whose `UID` is not in this one.
    orphans: BTreeMap<u64, Vec<u64>>,
    unmoved: usize,
    moved: usize,
}

#[derive(Clone, Copy)]
enum Name {
    Uid(u64),
    Content(u64, u32),
}

impl<'a> Naming<'a> {
    fn new(events: &'a [Unnamed<'a>], before: &Bookmark) -> Self {
        let own: Vec<_> = events.iter().map(|event| event.uid.map(own_number)).collect();
        let here: BTreeSet<_> = own.iter().flatten().copied().collect();
        let mut orphans: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for pair in before.pairs().into_iter().rev().filter(|pair| !here.contains(&pair.name)) {
            orphans.entry(pair.content).or_default().push(pair.name);
        }
        let mut order: Vec<_> = (0..events.len()).collect();
        order.sort_by_key(|at| (events.get(*at).map(|event| event.content), own.get(*at).copied().flatten()));
        let (named, taken) = (BTreeMap::new(), BTreeSet::new());
        Self { events, own, order, named, taken, orphans, unmoved: 0, moved: 0 }
    }

    /// Events that are not named yet, with content and own number.
    fn unnamed(&self) -> Vec<(usize, u64, Option<u64>)> {
        let open = self.order.iter().filter(|at| !self.named.contains_key(at));
        open.filter_map(|at| Some((*at, self.events.get(*at)?.content, self.own.get(*at).copied().flatten()))).collect()
    }

    fn claim(&mut self, at: usize, number: u64) -> bool {
        let free = self.taken.insert(number);
        if free {
            self.named.insert(at, Name::Uid(number));
        }
        free
    }

    /// Known `UID`s keep their names; of several events with one `UID`, the one that says what it said is the one.
    fn keep(&mut self, pairs: &[BookmarkEntry], known: &dyn Known) {
        for (at, content, own) in self.unnamed() {
            let Some(name) = own else { continue };
            if pairs.binary_search(&BookmarkEntry { content, name }).is_ok() && self.claim(at, name) {
                self.unmoved += 1;
            }
        }
        let before: BTreeSet<_> = pairs.iter().map(|pair| pair.name).collect();
        for (at, _, own) in self.unnamed() {
            let Some(name) = own else { continue };
            if before.contains(&name) || known.revision(&uid_id(name)).is_some() {
                self.claim(at, name);
            }
        }
    }

    /// New `UID`s take over the name of an event that said the same and is gone.
    fn take_over(&mut self) {
        for (at, content, own) in self.unnamed() {
            if own.is_none() {
                continue;
            }
            if let Some(name) = self.orphans.get_mut(&content).and_then(Vec::pop)
                && self.claim(at, name)
            {
                self.moved += 1;
            }
        }
    }

    /// Everything else gets a name of its own.
    fn fill(&mut self, by_content: bool) {
        let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
        for (at, content, own) in self.unnamed() {
            if let Some(name) = own.filter(|_| !by_content)
                && self.claim(at, name)
            {
                continue;
            }
            let count = counts.entry(content).or_default();
            *count += 1;
            self.named.insert(at, Name::Content(content, *count));
        }
    }

    fn finish(self, fresh_uids: bool) -> Names {
        let mut names = Names { ids: Vec::new(), pairs: Vec::new(), fresh_uids };
        for (event, name) in self.events.iter().zip(self.named.into_values()) {
            names.ids.push(match name {
                Name::Uid(name) => {
                    names.pairs.push(BookmarkEntry { content: event.content, name });
                    uid_id(name)
                }
                Name::Content(content, 1) => RemoteEventId(format!("content:{content:016x}")),
                Name::Content(content, count) => RemoteEventId(format!("content:{content:016x}.{count}")),
            });
        }
        names
    }
}

#[cfg(test)]
mod tests;
