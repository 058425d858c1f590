//! What a server's XML says: `multistatus` (RFC 4918 §13) and `error` bodies, in one pass over the text.
//!
//! - **row**: one `response`; its properties are those of its successful `propstat`s, each read by its own status.
//!
//! **Invariant:** an answer whose closing tag was not seen, that nests deeper than [`DEPTH_MAX`] or brings a DTD is no
//! answer: nothing in it counts, and above all nothing missing from it does.

mod reader;

#[cfg(test)]
mod tests;

pub(super) use reader::{conditions, multistatus};

/// How deep elements may nest.
pub(super) const DEPTH_MAX: usize = 64;

/// Why XML was refused; never holds any of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    /// Not XML, or broken.
    #[error("not well-formed XML")]
    IllFormed,
    /// XML of another kind: a login page, an error.
    #[error("not a multistatus")]
    Other,
    /// The end is missing.
    #[error("the answer is cut off")]
    CutOff,
    /// Nested too deeply.
    #[error("nested deeper than 64 elements")]
    TooDeep,
    /// It brings a DTD.
    #[error("a DTD is not accepted")]
    Dtd,
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Multistatus {
    /// Its responses, in order.
    pub rows: Vec<DavResponse>,
    /// `sync-token` (RFC 6578 §6.2).
    pub sync_token: Option<String>,
}

/// One `response`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DavResponse {
    /// `href`, as spelt.
    pub href: String,
    /// The response's own `status`: it is there instead of properties.
    pub status: Option<u16>,
    /// Properties that were answered with success.
    pub props: Props,
}

/// Properties of any resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Props {
    /// `getetag`, byte for byte.
    pub etag: Option<String>,
    /// `calendar-data`.
    pub data: Option<String>,
    /// `getcontenttype`.
    pub content_type: Option<String>,
    /// `getlastmodified`, as spelt.
    pub last_modified: Option<String>,
    /// Whether `resourcetype` names it a collection.
    pub is_collection: bool,
    /// What only collections and principals have.
    pub collection: Option<Box<Collection>>,
}

/// Properties of a collection or a principal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Collection {
    /// What `resourcetype` says beyond `collection`.
    pub kinds: Vec<ResourceKind>,
    /// `displayname`.
    pub name: Option<String>,
    /// `getctag`.
    pub ctag: Option<String>,
    /// `sync-token`.
    pub sync_token: Option<String>,
    /// `calendar-color`.
    pub color: Option<String>,
    /// `calendar-timezone`: a `VCALENDAR` text.
    pub timezone: Option<String>,
    /// Whether `supported-calendar-component-set` has `VEVENT`; `None`: not said, so everything.
    pub takes_events: Option<bool>,
    /// Whether `supported-report-set` has `sync-collection`; `None`: not said.
    pub syncs: Option<bool>,
    /// `current-user-privilege-set`; `None`: not said.
    pub privileges: Option<Vec<Privilege>>,
    /// `current-user-principal`.
    pub principal: Option<Principal>,
    /// `calendar-home-set`.
    pub homes: Vec<String>,
}

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResourceKind {
    /// `CALDAV:calendar`.
    Calendar,
    /// `DAV:principal`.
    Principal,
    /// Something that keeps no events of the user's own: an inbox, a subscription, a trash bin.
    Special,
}

/// A right (RFC 3744 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privilege {
    /// `all` or `write`.
    Write,
    /// `write-content`.
    WriteContent,
    /// `bind`.
    Bind,
    /// Any other.
    Other,
}

/// Who the server takes us for (RFC 5397).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Principal {
    /// The href of our principal.
    Href(String),
    /// Nobody: the credential was not taken, whatever the status said.
    Unauthenticated,
}

impl DavResponse {
    /// What only collections have, when the server said any of it.
    pub(super) fn collection(&self) -> Option<&Collection> {
        self.props.collection.as_deref()
    }

    /// Whether it is of a kind.
    pub(super) fn is(&self, kind: ResourceKind) -> bool {
        self.collection().is_some_and(|held| held.kinds.contains(&kind))
    }

    /// Whether the server says it is not there: 404 of RFC 6578 §3.5, 410, and the 418 of some.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.status, Some(404 | 410 | 418))
    }

    /// Whether its own status is a failure.
    pub(super) fn failed(&self) -> Option<u16> {
        self.status.filter(|status| !(200..300).contains(status))
    }
}

impl Props {
    /// The collection's properties, to be filled.
    fn collection_mut(&mut self) -> &mut Collection {
        self.collection.get_or_insert_default()
    }

    /// Takes over what another `propstat` of the same response said.
    fn absorb(&mut self, other: Self) {
        fill(&mut self.etag, other.etag);
        fill(&mut self.data, other.data);
        fill(&mut self.content_type, other.content_type);
        fill(&mut self.last_modified, other.last_modified);
        self.is_collection |= other.is_collection;
        match (self.collection.as_deref_mut(), other.collection) {
            (Some(held), Some(more)) => held.absorb(*more),
            (None, more) => self.collection = more,
            (Some(_), None) => {}
        }
    }
}

impl Collection {
    fn absorb(&mut self, other: Self) {
        self.kinds.extend(other.kinds);
        fill(&mut self.name, other.name);
        fill(&mut self.ctag, other.ctag);
        fill(&mut self.sync_token, other.sync_token);
        fill(&mut self.color, other.color);
        fill(&mut self.timezone, other.timezone);
        fill(&mut self.takes_events, other.takes_events);
        fill(&mut self.syncs, other.syncs);
        fill(&mut self.privileges, other.privileges);
        fill(&mut self.principal, other.principal);
        self.homes.extend(other.homes);
    }
}

fn fill<T>(held: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *held = value;
    }
}
