//! Which objects a pull is about: what changed since a token, or everything there is.
//!
//! **Invariant:** a listing is [`PageKind::Snapshot`] only when it is complete: well-formed to its end and nowhere cut
//! short. A truncated listing taken for a complete one deletes everything behind the cut.
//!
//! **Invariant:** the mark that becomes the cursor is older than the listing or part of it, never younger: what changes
//! in between is seen again, not lost.

use std::collections::BTreeMap;

use url::Url;

use super::{
    classify::{self, DavAction},
    convert::SyncMark,
    exchange::{Exchange, MultistatusAnswer},
    href,
    request::{Depth, PropfindQuery, propfind, sync_collection},
    wire::DavResponse,
};
use crate::{
    domain::{
        failure::FailureClass,
        ids::{RemoteEventId, Revision, SyncCursor},
    },
    provider::{Known, PageKind, ProviderError, Result, Unreadable},
    transport::Response,
};

/// Members of one calendar that we handle at most.
const MEMBERS_MAX: usize = 250_000;
/// Rows that a sync report is to have at most, once it was too large without a limit. About a quarter of what would be.
const ROWS: usize = 5_000;
/// Pieces a server may cut one sync report into.
const PIECES_MAX: usize = 500;

/// What a listing says.
pub(super) struct DavListing {
    /// Whether absence means anything.
    pub kind: PageKind,
    /// Objects to be read.
    pub pending: Vec<(RemoteEventId, Revision)>,
    /// Objects at the revision we hold, or of no interest: there, and nothing to do.
    pub present: Vec<RemoteEventId>,
    /// Objects the server says are gone.
    pub removed: Vec<RemoteEventId>,
    /// Objects that are there and about which the server will not speak.
    pub refused: Vec<Unreadable>,
    /// What to ask from next time.
    pub cursor: Option<SyncCursor>,
}

/// What one row says of one member.
enum Member {
    There(Option<String>),
    Uninteresting,
    Gone,
    Refused(u16),
}

type DavMembers = BTreeMap<String, (String, Member)>;

/// Where listings are made from.
pub(super) struct Lister<'a> {
    pub exchange: &'a Exchange,
    pub collection: &'a Url,
    pub known: &'a dyn Known,
}

/// Why a sync report gave no listing.
enum NoSync {
    /// The server does not do it, or not with this token.
    Unusable,
    /// The answer is larger than we accept.
    TooLarge(ProviderError),
    Failed(ProviderError),
}

impl From<ProviderError> for NoSync {
    fn from(error: ProviderError) -> Self {
        Self::Failed(error)
    }
}

impl Lister<'_> {
    /// What changed since a mark; an expired one is [`FailureClass::CursorExpired`]. `listed`: the mark that the calendar
    /// was last listed with.
    pub(super) async fn since(&self, mark: SyncMark, listed: Option<&SyncMark>) -> Result<DavListing> {
        match mark {
            // The server is no longer asked for tokens.
            SyncMark::Sync(_) if listed.is_some_and(SyncMark::is_digest) => self.everything(listed).await,
            SyncMark::Sync(token) => match self.sync(&token).await {
                Ok((members, now)) if members.is_empty() && is_doubtful(&SyncMark::Sync(token), &now, listed) => {
                    self.everything(listed).await
                }
                Ok((members, mark)) => Ok(self.listing(PageKind::Delta, members, &mark)),
                Err(NoSync::Failed(error) | NoSync::TooLarge(error)) => Err(error),
                Err(NoSync::Unusable) => {
                    let detail = "the server no longer knows what we last saw of this calendar";
                    Err(ProviderError::new(FailureClass::CursorExpired, detail))
                }
            },
            SyncMark::Ctag(_) => {
                // One that differs is as good as a new one, which would only be younger.
                let now = match listed {
                    Some(listed @ SyncMark::Ctag(_)) if *listed != mark => listed.clone(),
                    _ => self.ctag().await?,
                };
                if now == mark {
                    return Ok(self.listing(PageKind::Delta, DavMembers::new(), &now));
                }
                self.members(now).await
            }
            SyncMark::None => self.members(listed.cloned().map_or(SyncMark::None, SyncMark::only_ctag)).await,
        }
    }

    /// Everything there is; by a sync report where the server does it, else by `ETag`s. `listed`: the mark that the
    /// calendar was last listed with, older than what is read here, as a cursor must be.
    pub(super) async fn everything(&self, listed: Option<&SyncMark>) -> Result<DavListing> {
        if matches!(listed, None | Some(SyncMark::Sync(_))) {
            match self.sync("").await {
                Ok((mut members, mark)) => {
                    members.retain(|_, (_, member)| !matches!(member, Member::Gone));
                    return Ok(self.listing(PageKind::Snapshot, members, &mark));
                }
                Err(NoSync::Failed(error) | NoSync::TooLarge(error)) => return Err(error),
                Err(NoSync::Unusable) => {}
            }
        }
        let mark = match listed {
            Some(mark @ SyncMark::Ctag(_)) => mark.clone(),
            Some(SyncMark::Sync(_) | SyncMark::None) | None => self.ctag().await?,
        };
        self.members(mark).await
    }

    /// One sync report, in as many pieces as the server cuts it into (RFC 6578 §3.6).
    async fn sync(&self, token: &str) -> std::result::Result<(DavMembers, SyncMark), NoSync> {
        let mut members = DavMembers::new();
        let mut token = token.to_owned();
        let mut limit = None;
        let mut was_cut = false;
        for _ in 0..PIECES_MAX {
            let had = members.len();
            let answer = match self.report(&token, limit).await {
                Err(NoSync::TooLarge(_)) if limit.is_none() => {
                    limit = Some(ROWS);
                    continue;
                }
                other => other?,
            };
            let truncated = self.gather(&answer, &mut members)?;
            // Some servers cut at the limit and say that it was all.
            if !truncated && limit.is_some_and(|limit| answer.body.rows.len() >= limit) {
                return Err(NoSync::Unusable);
            }
            // There was more when the last piece was cut. A server that has forgotten its own token meanwhile, and takes any,
            // answers that nothing changed.
            if was_cut && !truncated && members.len() == had {
                return Err(NoSync::Unusable);
            }
            // Without a new token there is nothing to go on from, and nothing to keep.
            let Some(next) = answer.body.sync_token else { return Err(NoSync::Unusable) };
            if !truncated {
                return Ok((members, SyncMark::Sync(next)));
            }
            if next == token {
                break;
            }
            token = next;
            was_cut = true;
        }
        let detail = "the server cuts its list of changes short and does not go on";
        Err(ProviderError::new(FailureClass::Malformed, detail).into())
    }

    async fn report(&self, token: &str, limit: Option<usize>) -> std::result::Result<MultistatusAnswer, NoSync> {
        const WHAT: &str = "asking what changed";
        let request = || sync_collection(self.collection.clone(), token, limit);
        let mut response: Response = match self.exchange.send(request()).await {
            Err(error) if error.is_too_large() => return Err(NoSync::TooLarge(error)),
            other => other?,
        };
        if response.status == 500 && !token.is_empty() {
            // Some servers fail on a token that is not theirs; asking once more distinguishes a passing fault.
            response = self.exchange.send(request()).await?;
            if response.status == 500 {
                return Err(NoSync::Unusable);
            }
        }
        if classify::report_unusable(response.status) {
            return Err(NoSync::Unusable);
        }
        Ok(self.exchange.multistatus(&response, WHAT)?)
    }

    async fn ctag(&self) -> Result<SyncMark> {
        let request = propfind(self.collection.clone(), Depth::Zero, PropfindQuery::Ctag);
        let answer = self.exchange.ask(request, "asking whether a calendar changed").await?;
        let ctag = answer.body.rows.first().and_then(DavResponse::collection).and_then(|held| held.ctag.clone());
        let mark = ctag.map_or(SyncMark::None, SyncMark::Ctag);
        let now = answer.date.unwrap_or_else(|| self.exchange.world().now());
        Ok(if mark.may_come_again(now) { SyncMark::None } else { mark })
    }

    /// Every member with its `ETag`.
    async fn members(&self, mark: SyncMark) -> Result<DavListing> {
        let request = |ask| propfind(self.collection.clone(), Depth::One, ask);
        let response = match self.exchange.send(request(PropfindQuery::Members)).await {
            // What else is there besides events is found when it is read.
            Err(error) if error.is_too_large() => self.exchange.send(request(PropfindQuery::Version)).await?,
            other => other?,
        };
        if response.status == 507 {
            return Err(self.exchange.failure(&response, DavAction::Reading("listing a calendar")));
        }
        let answer = self.exchange.multistatus(&response, "listing a calendar")?;
        let mut members = DavMembers::new();
        let truncated = self.gather(&answer, &mut members)?;
        if !truncated {
            return Ok(self.listing(PageKind::Snapshot, members, &mark));
        }
        // What is there can be read, but what is missing may be there too: no absence, no cursor, and a word about it.
        let mut listing = self.listing(PageKind::Delta, members, &mark);
        listing.cursor = None;
        listing.refused.push(Unreadable {
            id: RemoteEventId(self.collection.path().to_owned()),
            revision: None,
            uid: None,
            why: "the server lists only a part of this calendar; the rest is left as it is".to_owned(),
            may_pass: false,
        });
        Ok(listing)
    }

    /// Adds the rows of one answer; whether the server cut it short.
    fn gather(&self, answer: &MultistatusAnswer, members: &mut DavMembers) -> Result<bool> {
        let own = href::key(self.collection, answer.url.as_str());
        let asked = href::key(self.collection, self.collection.as_str());
        let mut truncated = false;
        for row in &answer.body.rows {
            if row.status == Some(507) {
                truncated = true;
                continue;
            }
            let url = href::resolve(&answer.url, &row.href).ok_or_else(no_href)?;
            let key = href::key(self.collection, url.as_str()).ok_or_else(no_href)?;
            if Some(&key) == own.as_ref() || Some(&key) == asked.as_ref() {
                continue;
            }
            let name = href::name(&answer.url, &row.href).ok_or_else(no_href)?;
            // A name without an origin is sent back to the collection's.
            let name = if url.origin() == self.collection.origin() { name } else { url.to_string() };
            members.insert(key, (name, member(row)));
            if members.len() > MEMBERS_MAX {
                return Err(ProviderError::new(FailureClass::Refused, "the calendar has more than 250,000 events"));
            }
        }
        Ok(truncated)
    }

    fn listing(&self, kind: PageKind, members: DavMembers, mark: &SyncMark) -> DavListing {
        let mut listing = DavListing {
            kind,
            pending: Vec::new(),
            present: Vec::new(),
            removed: Vec::new(),
            refused: Vec::new(),
            cursor: Some(mark.cursor()),
        };
        for (name, member) in members.into_values() {
            let id = href::known_id(self.known, name);
            match member {
                Member::There(Some(etag)) if self.holds(&id, &etag) => listing.present.push(id),
                Member::There(etag) => listing.pending.push((id, Revision(etag.unwrap_or_default()))),
                Member::Uninteresting => listing.present.push(id),
                Member::Gone => listing.removed.push(id),
                Member::Refused(status) => {
                    let why = format!("the server lists it with {status}");
                    let may_pass = status >= 500;
                    listing.refused.push(Unreadable { id, revision: None, uid: None, why, may_pass });
                }
            }
        }
        if kind == PageKind::Delta {
            listing.present.clear();
        }
        listing
    }

    fn holds(&self, id: &RemoteEventId, etag: &str) -> bool {
        self.known.revision(id).is_some_and(|held| held.as_str() == etag)
    }
}

/// Whether "nothing changed" is not to be believed. A server that has lost its past, or has a calendar made anew under this name,
/// may take a token that is not its own and answer so, but its own token is another one by then. One in seconds stays the
/// same while the second lasts.
fn is_doubtful(held: &SyncMark, now: &SyncMark, listed: Option<&SyncMark>) -> bool {
    now != held || listed.is_some_and(|listed| listed != held) || held.seconds().is_some()
}

fn member(row: &DavResponse) -> Member {
    if row.is_gone() {
        return Member::Gone;
    }
    if let Some(status) = row.failed() {
        return Member::Refused(status);
    }
    let content = row.props.content_type.as_deref().unwrap_or_default().to_ascii_lowercase();
    let other = ["component=vtodo", "component=vjournal", "component=\"vtodo\"", "component=\"vjournal\""];
    if row.props.is_collection || other.iter().any(|word| content.contains(word)) {
        return Member::Uninteresting;
    }
    Member::There(row.props.etag.clone())
}

fn no_href() -> ProviderError {
    ProviderError::new(FailureClass::Malformed, "the server lists a member without a usable name")
}
