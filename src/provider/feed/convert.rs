//! An answer to a page.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{
    bookmark::{Bookmark, short_hash},
    classify::WholeFeed,
    identity::{self, Names, Unnamed},
};
use crate::{
    domain::{
        ids::{RemoteEventId, Revision, SyncCursor, Uid},
        mapping::RemoteEvent,
    },
    ical::FeedUnreadable,
    provider::{ChangePage, Covers, Known, PageKind, Unreadable},
};

/// The publisher said that nothing changed: the cursor stays as it is.
pub(super) fn unchanged(cursor: Option<&SyncCursor>, bookmark: Option<&Bookmark>) -> ChangePage {
    nothing(cursor.cloned(), bookmark.and_then(|held| held.interval_s))
}

fn nothing(cursor: Option<SyncCursor>, interval_s: Option<u32>) -> ChangePage {
    ChangePage { expected: Some(0), interval_s, ..ChangePage::new(PageKind::Delta, cursor) }
}

/// What a calendar is compared with.
pub(super) struct Comparison<'a> {
    /// The last answer.
    pub(super) before: Bookmark,
    /// Which address this is.
    pub(super) source: &'a str,
    /// What the caller holds.
    pub(super) known: &'a dyn Known,
    /// List everything, changed or not.
    pub(super) reconcile: bool,
}

impl Comparison<'_> {
    /// The page that a calendar makes.
    pub(super) fn build(self, whole: WholeFeed) -> ChangePage {
        let revisions: Vec<_> = whole.feed.events.iter().map(|event| event.content.hash().to_string()).collect();
        let unnamed: Vec<_> = whole
            .feed
            .events
            .iter()
            .zip(&revisions)
            .map(|(event, revision)| Unnamed { uid: event.uid.as_ref(), content: short_hash(revision.as_bytes()) })
            .collect();
        let Names { ids, pairs, fresh_uids } = identity::name(&unnamed, &self.before, self.known);
        let unreadable = unreadable(&whole.feed.unreadable);

        let mut bookmark = Bookmark::of(self.source);
        bookmark.content = fingerprint(&ids, &revisions, &unreadable);
        bookmark.name = whole.name();
        bookmark.time_zone = whole.time_zone();
        bookmark.etag.clone_from(&whole.etag);
        bookmark.last_modified.clone_from(&whole.last_modified);
        bookmark.interval_s = whole.interval_s;
        bookmark.fresh_uids = fresh_uids;
        bookmark.set_pairs(pairs);
        let cursor = bookmark.write();

        if bookmark.content == self.before.content && !self.reconcile {
            return nothing(cursor, bookmark.interval_s);
        }
        // An unreadable event that cannot be named under the name we know it by would look deleted.
        let nameless = fresh_uids || whole.feed.unreadable.iter().any(|event| event.uid.is_none());
        let kind = if nameless && !unreadable.is_empty() { PageKind::Delta } else { PageKind::Snapshot };
        let total = ids.len() + unreadable.len();
        let mut page = nothing(cursor, bookmark.interval_s);
        page.kind = kind;
        page.covers = Covers::NotOver;
        page.expected = u32::try_from(total).ok();
        page.unreadable = unreadable;
        for ((event, id), revision) in whole.feed.events.into_iter().zip(ids).zip(revisions) {
            let revision = Revision(revision);
            if self.known.revision(&id) == Some(&revision) {
                if kind == PageKind::Snapshot {
                    page.present.push(id);
                }
                continue;
            }
            page.changed.push(RemoteEvent {
                uid: event.uid.unwrap_or_else(|| Uid(id.as_str().to_owned())),
                revision: Some(revision),
                content: event.content,
                raw: None,
                changed_at: event.changed_at,
                id,
            });
        }
        page
    }
}

/// Several broken components of one series are one unreadable event.
fn unreadable(broken: &[FeedUnreadable]) -> Vec<Unreadable> {
    let mut seen: std::collections::BTreeMap<RemoteEventId, Unreadable> = std::collections::BTreeMap::new();
    for (at, event) in broken.iter().enumerate() {
        let nameless = || RemoteEventId(format!("unreadable:{at}"));
        let id = event.uid.as_ref().map_or_else(nameless, identity::own_id);
        let (uid, why) = (event.uid.clone(), event.why.clone());
        seen.entry(id.clone()).or_insert(Unreadable { id, revision: None, uid, why, may_pass: false });
    }
    seen.into_values().collect()
}

/// Of every event's name and content, whatever their order in the text.
fn fingerprint(ids: &[RemoteEventId], revisions: &[String], unreadable: &[Unreadable]) -> String {
    let mut lines: Vec<_> = ids.iter().map(RemoteEventId::as_str).zip(revisions.iter().map(String::as_str)).collect();
    lines.extend(unreadable.iter().map(|event| (event.id.as_str(), "unreadable")));
    lines.sort_unstable();
    let mut digest = Sha256::new();
    for (id, revision) in lines {
        digest.update(id.as_bytes());
        digest.update([0]);
        digest.update(revision.as_bytes());
        digest.update([0]);
    }
    digest.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
