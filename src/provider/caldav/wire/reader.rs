//! The pass over the text: a stack of known elements, and what each does when it ends.

use quick_xml::{
    events::{BytesRef, BytesStart, Event},
    name::{Namespace, ResolveResult},
    reader::NsReader,
};

use super::{Collection, DEPTH_MAX, DavResponse, Multistatus, Principal, Privilege, Props, ResourceKind, Unread};

const DAV: &str = "DAV:";
const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
const CALENDARSERVER: &str = "http://calendarserver.org/ns/";
const APPLE: &str = "http://apple.com/ns/ical/";
const NEXTCLOUD: &str = "http://nextcloud.com/ns";

/// Longest text kept of anything but calendar data, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Elements that mean something where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Multistatus,
    Response,
    Href,
    Status,
    Propstat,
    Prop,
    SyncToken,
    Etag,
    Data,
    ContentType,
    LastModified,
    ResourceType,
    DisplayName,
    Ctag,
    Color,
    Timezone,
    Components,
    Reports,
    SupportedReport,
    Report,
    Privileges,
    Privilege,
    Principal,
    Homes,
    Other,
}

impl Tag {
    /// What an element is, given what it stands in.
    fn of(namespace: &str, local: &str, parent: Option<Self>) -> Self {
        match (parent, namespace, local) {
            (None, DAV, "multistatus") => Self::Multistatus,
            (Some(Self::Multistatus), DAV, "response") => Self::Response,
            (Some(Self::Multistatus | Self::Prop), DAV, "sync-token") => Self::SyncToken,
            (Some(Self::Response | Self::Principal | Self::Homes), DAV, "href") => Self::Href,
            (Some(Self::Response | Self::Propstat), DAV, "status") => Self::Status,
            (Some(Self::Response), DAV, "propstat") => Self::Propstat,
            (Some(Self::Propstat), DAV, "prop") => Self::Prop,
            (Some(Self::Prop), DAV, "getetag") => Self::Etag,
            (Some(Self::Prop), DAV, "getcontenttype") => Self::ContentType,
            (Some(Self::Prop), DAV, "getlastmodified") => Self::LastModified,
            (Some(Self::Prop), DAV, "resourcetype") => Self::ResourceType,
            (Some(Self::Prop), DAV, "displayname") => Self::DisplayName,
            (Some(Self::Prop), DAV, "supported-report-set") => Self::Reports,
            (Some(Self::Prop), DAV, "current-user-privilege-set") => Self::Privileges,
            (Some(Self::Prop), DAV, "current-user-principal") => Self::Principal,
            (Some(Self::Reports), DAV, "supported-report") => Self::SupportedReport,
            (Some(Self::SupportedReport), DAV, "report") => Self::Report,
            (Some(Self::Privileges), DAV, "privilege") => Self::Privilege,
            (Some(Self::Prop), CALDAV, "calendar-data") => Self::Data,
            (Some(Self::Prop), CALDAV, "calendar-timezone") => Self::Timezone,
            (Some(Self::Prop), CALDAV, "supported-calendar-component-set") => Self::Components,
            (Some(Self::Prop), CALDAV, "calendar-home-set") => Self::Homes,
            (Some(Self::Prop), CALENDARSERVER, "getctag") => Self::Ctag,
            (Some(Self::Prop), APPLE, "calendar-color") => Self::Color,
            _ => Self::Other,
        }
    }

    fn has_text(self) -> bool {
        matches!(
            self,
            Self::Href
                | Self::Status
                | Self::SyncToken
                | Self::Etag
                | Self::Data
                | Self::ContentType
                | Self::LastModified
                | Self::DisplayName
                | Self::Ctag
                | Self::Color
                | Self::Timezone
        )
    }
}

#[derive(Default)]
struct ReaderPass {
    stack: Vec<Tag>,
    text: String,
    out: Multistatus,
    row: DavResponse,
    props: Props,
    props_status: Option<u16>,
    closed: bool,
    /// Bytes were replaced on the way in, so calendar data with replacements is not the server's.
    repaired: bool,
}

/// Reads a `multistatus`.
pub(in crate::provider::caldav) fn multistatus(body: &[u8]) -> Result<Multistatus, Unread> {
    let text = String::from_utf8_lossy(body);
    let mut pass = ReaderPass { repaired: matches!(text, std::borrow::Cow::Owned(_)), ..ReaderPass::default() };
    let mut reader = NsReader::from_str(text.trim_start());
    reader.config_mut().expand_empty_elements = true;
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|_| Unread::IllFormed)?;
        match event {
            Event::Start(start) => pass.enter(&namespace, &start)?,
            Event::End(_) => pass.leave(),
            Event::Text(text) => pass.say(&text),
            Event::CData(text) => pass.say(&text),
            Event::GeneralRef(reference) => pass.refer(&reference)?,
            Event::DocType(_) => return Err(Unread::Dtd),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if pass.closed { Ok(pass.out) } else { Err(Unread::CutOff) }
}

impl ReaderPass {
    fn parent(&self) -> Option<Tag> {
        self.stack.last().copied()
    }

    fn enter(&mut self, namespace: &ResolveResult<'_>, start: &BytesStart<'_>) -> Result<(), Unread> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(Unread::TooDeep);
        }
        let namespace = match namespace {
            ResolveResult::Bound(Namespace(uri)) => *uri,
            ResolveResult::Unbound | ResolveResult::Unknown(_) => "",
        };
        let name = start.local_name();
        let local = name.as_ref();
        let parent = self.parent();
        let tag = Tag::of(namespace, local, parent);
        if parent.is_none() && (tag != Tag::Multistatus || self.closed) {
            return Err(Unread::Other);
        }
        match (parent, tag) {
            (_, Tag::Response) => self.row = DavResponse::default(),
            (_, Tag::Propstat) => {
                self.props = Props::default();
                self.props_status = None;
            }
            (_, Tag::Privileges) => {
                self.props.collection_mut().privileges.get_or_insert_default();
            }
            (_, Tag::Reports) => {
                self.props.collection_mut().syncs.get_or_insert(false);
            }
            (Some(Tag::ResourceType), _) => self.kind(namespace, local),
            (Some(Tag::Report), _) if namespace == DAV && local == "sync-collection" => {
                self.props.collection_mut().syncs = Some(true);
            }
            (Some(Tag::Privilege), _) => self.privilege(local),
            (Some(Tag::Components), _) if local == "comp" => self.component(start),
            (Some(Tag::Principal), _) if local == "unauthenticated" => {
                self.props.collection_mut().principal = Some(Principal::Unauthenticated);
            }
            _ => {}
        }
        if tag.has_text() {
            self.text.clear();
        }
        self.stack.push(tag);
        Ok(())
    }

    fn kind(&mut self, namespace: &str, local: &str) {
        let kind = match (namespace, local) {
            (DAV, "collection") => {
                self.props.is_collection = true;
                // So that a home, which is nothing else, is still known for a collection.
                self.props.collection_mut();
                return;
            }
            (CALDAV, "calendar") => ResourceKind::Calendar,
            (DAV, "principal") => ResourceKind::Principal,
            (CALDAV, "schedule-inbox" | "schedule-outbox")
            | (CALENDARSERVER, "subscribed" | "notification")
            | (NEXTCLOUD, "trash-bin" | "deleted-calendar") => ResourceKind::Special,
            _ => return,
        };
        self.props.collection_mut().kinds.push(kind);
    }

    fn privilege(&mut self, local: &str) {
        let privilege = match local {
            "all" | "write" => Privilege::Write,
            "write-content" => Privilege::WriteContent,
            "bind" => Privilege::Bind,
            _ => Privilege::Other,
        };
        let held = self.props.collection_mut().privileges.get_or_insert_default();
        if !held.contains(&privilege) {
            held.push(privilege);
        }
    }

    fn component(&mut self, start: &BytesStart<'_>) {
        let event = start
            .attributes()
            .flatten()
            .any(|attribute| attribute.key.as_ref() == "name" && attribute.value.eq_ignore_ascii_case("VEVENT"));
        let held = self.props.collection_mut().takes_events.get_or_insert(false);
        *held |= event;
    }

    fn say(&mut self, text: &str) {
        let Some(tag) = self.parent().filter(|tag| tag.has_text()) else { return };
        if tag == Tag::Data || self.text.len() + text.len() <= TEXT_BYTES_MAX {
            self.text.push_str(text);
        }
    }

    fn refer(&mut self, reference: &BytesRef<'_>) -> Result<(), Unread> {
        let name: &str = reference;
        let said = match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => reference.resolve_char_ref().ok().flatten().ok_or(Unread::IllFormed)?,
        };
        self.say(said.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn leave(&mut self) {
        let Some(tag) = self.stack.pop() else { return };
        let parent = self.parent();
        match tag {
            Tag::Multistatus => self.closed = true,
            Tag::Response => self.out.rows.push(std::mem::take(&mut self.row)),
            Tag::Propstat => {
                let props = std::mem::take(&mut self.props);
                // Each propstat speaks by its own status: 404 means "not set" (RFC 4918 §9.1).
                if self.props_status.is_none_or(|status| (200..300).contains(&status)) {
                    self.row.props.absorb(props);
                }
            }
            Tag::Data => {
                let data = std::mem::take(&mut self.text);
                let damaged = self.repaired && data.contains(char::REPLACEMENT_CHARACTER);
                if !damaged && !data.trim().is_empty() {
                    self.props.data = Some(data);
                }
            }
            tag if tag.has_text() => self.take(tag, parent),
            _ => {}
        }
    }

    fn take(&mut self, tag: Tag, parent: Option<Tag>) {
        let text = self.text.trim();
        if text.is_empty() {
            return;
        }
        match (tag, parent) {
            (Tag::Status, Some(Tag::Propstat)) => self.props_status = status(text),
            (Tag::Status, _) => self.row.status = status(text),
            (Tag::Href, Some(Tag::Response)) => text.clone_into(&mut self.row.href),
            (Tag::Href, Some(Tag::Principal)) => {
                self.props.collection_mut().principal = Some(Principal::Href(text.to_owned()));
            }
            (Tag::Href, _) => self.props.collection_mut().homes.push(text.to_owned()),
            (Tag::SyncToken, Some(Tag::Multistatus)) => self.out.sync_token = Some(text.to_owned()),
            (Tag::Etag, _) => self.props.etag = Some(text.to_owned()),
            (Tag::ContentType, _) => self.props.content_type = Some(text.to_owned()),
            (Tag::LastModified, _) => self.props.last_modified = Some(text.to_owned()),
            (tag, _) => put(self.props.collection.get_or_insert_default(), tag, text.to_owned()),
        }
    }
}

fn put(collection: &mut Collection, tag: Tag, text: String) {
    match tag {
        Tag::SyncToken => collection.sync_token = Some(text),
        Tag::DisplayName => collection.name = Some(text),
        Tag::Ctag => collection.ctag = Some(text),
        Tag::Color => collection.color = Some(text),
        Tag::Timezone => collection.timezone = Some(text),
        _ => {}
    }
}

/// The code in `HTTP/1.1 200 OK`.
fn status(line: &str) -> Option<u16> {
    line.split_ascii_whitespace().find_map(|word| word.parse().ok().filter(|code| (100..600).contains(code)))
}

/// The conditions in an `error` body, by local name: one server puts `CalDAV`'s into `CardDAV`'s namespace. Anything
/// that is no such body has none.
pub(in crate::provider::caldav) fn conditions(body: &[u8]) -> Vec<String> {
    const CONDITIONS_MAX: usize = 8;
    let text = String::from_utf8_lossy(body);
    let mut reader = NsReader::from_str(text.trim_start());
    reader.config_mut().expand_empty_elements = true;
    let (mut depth, mut inside, mut found) = (0_usize, None, Vec::new());
    while let Ok((_, event)) = reader.read_resolved_event() {
        match event {
            Event::Start(start) => {
                let name = start.local_name();
                if inside.is_some_and(|at| depth == at + 1) && found.len() < CONDITIONS_MAX {
                    found.push(name.as_ref().to_owned());
                }
                if inside.is_none() && name.as_ref() == "error" {
                    inside = Some(depth);
                }
                depth += 1;
                if depth > DEPTH_MAX {
                    break;
                }
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof | Event::DocType(_) => break,
            _ => {}
        }
    }
    found
}
