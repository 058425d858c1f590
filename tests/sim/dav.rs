//! An in-memory CalDAV server: the remote side of the simulated world, and the judge of what it is asked.
//!
//! It speaks what RFC 4791, 6578 and 5397 ask of it and no more, keeps a change log, and notes every request that breaks a
//! promise of ours: an unconditional write (I-13), a second live object for one event (I-10).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use calwarden::domain::{ports::Clock, promise::Promise};

use super::{desks::is_planned, people::numbers, planned::tells_what_is_private};

/// Whoever deletes looks at what is there so many seconds before, at most, where the server minds no condition.
const LOOK_S: i64 = 5;

/// One calendar object.
#[derive(Clone, Debug)]
pub struct Object {
    /// The change that made it as it is.
    pub seq: u64,
    /// Its text.
    pub body: String,
}

/// One calendar.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    /// Number of the last change.
    pub seq: u64,
    /// What is there, by href.
    pub objects: BTreeMap<String, Object>,
    /// When each href that is gone went.
    pub removed: BTreeMap<String, u64>,
    /// Sync tokens older than this are refused.
    pub horizon: u64,
    /// In which second each change was made.
    seconds: BTreeMap<u64, i64>,
}

impl Collection {
    fn change(&mut self, second: i64) -> u64 {
        self.seq += 1;
        self.seconds.insert(self.seq, second);
        self.seq
    }

    /// The token of now.
    fn token(&self, habits: Habits) -> String {
        if habits.whole_seconds {
            let last = self.seconds.last_key_value().map_or(0, |(_, second)| *second);
            format!("tok:{last:010}")
        } else {
            format!("tok:{}", self.seq)
        }
    }

    /// The last change that is surely no later than a token, which may be none of ours.
    fn upto(&self, token: &str, habits: Habits) -> Option<u64> {
        let told: u64 = token.strip_prefix("tok:")?.parse().ok()?;
        if !habits.whole_seconds {
            return Some(told);
        }
        let second = i64::try_from(told).ok()?;
        let last = self.seconds.last_key_value().map_or(0, |(_, second)| *second);
        let before = self.seconds.iter().rev().find(|(_, at)| **at < second).map_or(0, |(seq, _)| *seq);
        (second <= last).then_some(before)
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Answer {
    pub fn plain(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    fn multistatus(rows: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\" \
             xmlns:s=\"http://calendarserver.org/ns/\">{rows}</d:multistatus>"
        );
        Self { status: 207, headers: vec![("content-type", "application/xml; charset=utf-8".into())], body }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub depth: Option<String>,
    pub user: String,
    pub body: String,
    /// In which second it was sent.
    pub at: i64,
}

/// The server's own clock.
#[derive(Clone)]
pub enum Watch {
    /// While a process runs: its virtual time.
    Goes(Arc<dyn Clock>),
    /// Between two processes: this second, for virtual time ends with the runtime that keeps it.
    Stands(i64),
}

impl Default for Watch {
    fn default() -> Self {
        Self::Stands(0)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a watch")
    }
}

impl Watch {
    fn second(&self) -> i64 {
        match self {
            Self::Goes(clock) => clock.now().timestamp(),
            Self::Stands(second) => *second,
        }
    }
}

/// How the server behaves besides its faults.
#[expect(clippy::struct_excessive_bools, reason = "a table of independent habits")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    /// PUT answers without an ETag, and what is stored has one more property.
    pub rewrites: bool,
    /// The same, but PUT answers with a strong `ETag` all the same, which is not the one of what is stored (`SOGo`).
    pub claims_to_keep: bool,
    /// A sync token that is not known is answered with "nothing changed" and the token of now (`DAViCal`, `SOGo`, Stalwart).
    pub takes_any_token: bool,
    /// Rows of a listing before it is cut with a 507.
    pub listing_max: Option<usize>,
    /// Every how many multiget rows one is left out.
    pub forgets_every: Option<usize>,
    /// DELETE minds no `If-Match` (`SOGo`).
    pub deletes_whatever: bool,
    /// A sync token is the time of the last change in whole seconds. Later changes in the same second have the same token, so an
    /// answer repeats all changes of that second (`SOGo`).
    pub whole_seconds: bool,
}

/// All calendars of one server; one user per account: `/dav/<user>/<calendar>/<object>.ics`.
#[derive(Clone, Debug, Default)]
pub struct Server {
    pub calendars: BTreeMap<String, Collection>,
    pub habits: Habits,
    /// Promises that a request broke.
    pub broken: Vec<String>,
    /// Writes that were applied, by anybody but the simulated people.
    pub writes: u64,
    /// Edits that a deletion took along though its sender had just looked: nobody can help it where no condition is minded.
    pub destroyed: BTreeSet<usize>,
    /// When each object was last read by itself, and in which version.
    pub looked: BTreeMap<String, (i64, String)>,
    pub watch: Watch,
}

impl Server {
    pub fn answer(&mut self, asked: &Asked) -> Answer {
        if tells_what_is_private(&asked.body) {
            self.broken
                .push(Promise::NothingPrivate.broken(format!("{} {} tells what is private", asked.method, asked.path)));
        }
        match asked.method.as_str() {
            "PROPFIND" => self.propfind(asked),
            "REPORT" => self.report(asked),
            "GET" => self.get(asked),
            "PUT" => self.put(asked),
            "DELETE" => self.delete(asked),
            _ => Answer::plain(405),
        }
    }

    fn propfind(&mut self, asked: &Asked) -> Answer {
        if asked.path == "/.well-known/caldav" || asked.path == "/" {
            return Answer { headers: vec![("location", "/dav/".into())], ..Answer::plain(301) };
        }
        let segments: Vec<_> = asked.path.split('/').filter(|part| !part.is_empty()).collect();
        if let ["dav", user, calendar] = segments.as_slice() {
            return self.propfind_collection(&format!("/dav/{user}/{calendar}/"), asked.depth.as_deref() == Some("1"));
        }
        let home = format!("/dav/{}/", segments.get(1).copied().unwrap_or(&asked.user));
        let mut rows = row(
            &asked.path,
            &format!(
                "<d:resourcetype><d:collection/></d:resourcetype><d:current-user-principal><d:href>{home}</d:href>\
                 </d:current-user-principal><c:calendar-home-set><d:href>{home}</d:href></c:calendar-home-set>"
            ),
        );
        if asked.depth.as_deref() == Some("1") {
            for (href, collection) in
                self.calendars.range(home.clone()..).take_while(|(href, _)| href.starts_with(&home))
            {
                rows.push_str(&row(href, &properties(href, collection, self.habits)));
            }
        }
        Answer::multistatus(&rows)
    }

    fn propfind_collection(&self, href: &str, members: bool) -> Answer {
        let Some(collection) = self.calendars.get(href) else { return Answer::plain(404) };
        let mut rows = row(href, &properties(href, collection, self.habits));
        if members {
            for (name, object) in &collection.objects {
                rows.push_str(&row(name, &format!("<d:getetag>{}</d:getetag>", etag(object.seq))));
            }
        }
        Answer::multistatus(&rows)
    }

    fn report(&mut self, asked: &Asked) -> Answer {
        let Some(collection) = self.calendars.get(&asked.path) else { return Answer::plain(404) };
        if asked.body.contains("sync-collection") {
            sync_collection(&asked.path, collection, &asked.body, self.habits)
        } else if asked.body.contains("calendar-query") {
            query(collection, &asked.body)
        } else {
            let hrefs = between(&asked.body, "href");
            let mut rows = String::new();
            for (at, href) in hrefs.iter().enumerate() {
                if self.habits.forgets_every.is_some_and(|every| at % every == every - 1) {
                    continue;
                }
                match collection.objects.get(*href) {
                    Some(object) => rows.push_str(&handed_out(href, object)),
                    None => rows.push_str(&gone(href)),
                }
            }
            Answer::multistatus(&rows)
        }
    }

    fn get(&mut self, asked: &Asked) -> Answer {
        let Some(object) = self.object(&asked.path).cloned() else { return Answer::plain(404) };
        self.looked.insert(asked.path.clone(), (asked.at, etag(object.seq)));
        Answer {
            status: 200,
            headers: vec![("etag", etag(object.seq)), ("content-type", "text/calendar; charset=utf-8".into())],
            body: object.body,
        }
    }

    fn object(&self, href: &str) -> Option<&Object> {
        self.calendars.get(collection_of(href))?.objects.get(href)
    }

    fn put(&mut self, asked: &Asked) -> Answer {
        let held = self.object(&asked.path).map(|object| etag(object.seq));
        match (&asked.if_match, &asked.if_none_match, held) {
            (None, None, _) => {
                self.broken.push(Promise::Conditional.broken(format!("unconditional PUT {}", asked.path)));
            }
            (_, Some(_), Some(_)) => return Answer::plain(412),
            (Some(expected), _, held) if Some(expected) != held.as_ref() => return Answer::plain(412),
            _ => {}
        }
        let uid = line(&asked.body, "UID");
        let collection = collection_of(&asked.path).to_owned();
        let Some(calendar) = self.calendars.get(&collection) else { return Answer::plain(404) };
        let twin =
            calendar.objects.iter().find(|(href, object)| **href != asked.path && line(&object.body, "UID") == uid);
        if twin.is_some() {
            let body =
                "<d:error xmlns:d=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\"><c:no-uid-conflict/></d:error>";
            return Answer { body: body.into(), ..Answer::plain(409) };
        }
        let rewrites = self.habits.rewrites || self.habits.claims_to_keep;
        let body = if rewrites && !asked.body.contains("X-SERVER-SEEN") {
            asked.body.replacen("END:VEVENT", "X-SERVER-SEEN:1\r\nEND:VEVENT", 1)
        } else {
            asked.body.clone()
        };
        self.writes += 1;
        let seq = self.store(&asked.path, body);
        self.judge_doubles(&collection);
        let headers = match (self.habits.claims_to_keep, self.habits.rewrites) {
            (true, _) => vec![("etag", format!("\"{seq} as sent\""))],
            (false, true) => Vec::new(),
            (false, false) => vec![("etag", etag(seq))],
        };
        Answer { headers, ..Answer::plain(201) }
    }

    /// Puts an object in place, as a person's own client does too.
    pub fn store(&mut self, href: &str, body: String) -> u64 {
        let second = self.watch.second();
        let collection = self.calendars.entry(collection_of(href).to_owned()).or_default();
        let seq = collection.change(second);
        collection.removed.remove(href);
        collection.objects.insert(href.to_owned(), Object { seq, body });
        seq
    }

    /// A calendar is deleted, and made anew under its name with these objects in it: no token of before means anything.
    pub fn make_anew(&mut self, collection: &str, objects: Vec<(String, String)>) {
        let second = self.watch.second();
        let Some(held) = self.calendars.get_mut(collection) else { return };
        let (gone, made) = (held.change(second - 1), held.change(second));
        let seconds = [(gone, second - 1), (made, second)].into();
        *held = Collection { seq: made, horizon: gone, seconds, ..Collection::default() };
        for (href, body) in objects {
            self.store(&href, body);
        }
    }

    /// The last change that every client with this sync token has received.
    pub fn read_past(&self, collection: &Collection, token: &str) -> Option<u64> {
        collection.upto(token, self.habits)
    }

    fn delete(&mut self, asked: &Asked) -> Answer {
        let Some(held) = self.object(&asked.path).map(|object| etag(object.seq)) else { return Answer::plain(404) };
        match &asked.if_match {
            None => self.broken.push(Promise::Conditional.broken(format!("unconditional DELETE {}", asked.path))),
            Some(expected) if *expected != held && !self.habits.deletes_whatever => return Answer::plain(412),
            Some(expected) if *expected != held => self.judge_blind(asked, expected),
            Some(_) => {}
        }
        self.writes += 1;
        self.remove(&asked.path);
        Answer::plain(204)
    }

    /// Takes an object away, as a person's own client does too.
    pub fn remove(&mut self, href: &str) {
        let second = self.watch.second();
        if let Some(collection) = self.calendars.get_mut(collection_of(href)) {
            let seq = collection.change(second);
            collection.objects.remove(href);
            collection.removed.insert(href.to_owned(), seq);
        }
    }

    /// I-13 on a server that ignores `If-Match`: a DELETE with an old version is allowed only shortly after the object was read.
    fn judge_blind(&mut self, asked: &Asked, expected: &str) {
        let looked = self.looked.get(&asked.path);
        if looked.is_some_and(|(at, seen)| asked.at - at <= LOOK_S && seen == expected) {
            let lost = self.object(&asked.path).map(|object| numbers(&object.body)).unwrap_or_default();
            self.destroyed.extend(lost);
        } else {
            self.broken.push(
                Promise::Conditional.broken(format!("DELETE {} of {expected} without a look: {looked:?}", asked.path)),
            );
        }
    }

    /// I-10: no event twice in one calendar, at any instant.
    fn judge_doubles(&mut self, collection: &str) {
        let mut seen = BTreeMap::new();
        let Some(calendar) = self.calendars.get(collection) else { return };
        for (href, object) in &calendar.objects {
            let event = event_of(&object.body);
            if let Some(other) = seen.insert(event.clone(), href) {
                self.broken.push(Promise::OneCopy.broken(format!("{event} lives at {other} and at {href}")));
            }
        }
    }
}

/// Which simulated event an object is: the first word of its title; several blocks have the title of their task.
pub fn event_of(body: &str) -> String {
    let title = line(body, "SUMMARY");
    if is_planned(&title) { line(body, "UID") } else { title.split(' ').next().unwrap_or_default().to_owned() }
}

/// The value of the first line with this name.
pub fn line(body: &str, name: &str) -> String {
    let unfolded = body.replace("\r\n ", "");
    let found = unfolded.lines().find_map(|line| {
        let (head, value) = line.split_once(':')?;
        (head.split(';').next() == Some(name)).then(|| value.trim_end().to_owned())
    });
    found.unwrap_or_default()
}

pub fn etag(seq: u64) -> String {
    format!("\"{seq}\"")
}

fn collection_of(href: &str) -> &str {
    href.rfind('/').map_or(href, |at| &href[..=at])
}

fn properties(href: &str, collection: &Collection, habits: Habits) -> String {
    let name = href.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    format!(
        "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype><d:displayname>{name}</d:displayname>\
         <d:sync-token>{token}</d:sync-token><s:getctag>{token}</s:getctag>\
         <c:supported-calendar-component-set><c:comp name=\"VEVENT\"/></c:supported-calendar-component-set>\
         <d:current-user-privilege-set><d:privilege><d:all/></d:privilege></d:current-user-privilege-set>\
         <d:supported-report-set><d:supported-report><d:report><d:sync-collection/></d:report></d:supported-report>\
         <d:supported-report><d:report><c:calendar-multiget/></d:report></d:supported-report></d:supported-report-set>",
        token = collection.token(habits)
    )
}

fn sync_collection(path: &str, collection: &Collection, body: &str, habits: Habits) -> Answer {
    let token = between(body, "sync-token").first().copied().unwrap_or_default();
    let since = if token.is_empty() { 0 } else { collection.upto(token, habits).unwrap_or(u64::MAX) };
    if !token.is_empty() && (since < collection.horizon || since > collection.seq) {
        if habits.takes_any_token {
            return Answer::multistatus(&format!("<d:sync-token>{}</d:sync-token>", collection.token(habits)));
        }
        return Answer {
            body: "<d:error xmlns:d=\"DAV:\"><d:valid-sync-token/></d:error>".into(),
            ..Answer::plain(403)
        };
    }
    let mut changes: Vec<(u64, String)> = Vec::new();
    for (href, object) in collection.objects.iter().filter(|(_, object)| object.seq > since) {
        changes.push((object.seq, row(href, &format!("<d:getetag>{}</d:getetag>", etag(object.seq)))));
    }
    if !token.is_empty() {
        changes.extend(collection.removed.iter().filter(|(_, at)| **at > since).map(|(href, at)| (*at, gone(href))));
    }
    changes.sort();
    let mut upto = collection.token(habits);
    let mut cut = String::new();
    if let Some(max) = habits.listing_max.filter(|max| changes.len() > *max) {
        changes.truncate(max);
        upto = changes.last().map_or(upto, |(seq, _)| format!("tok:{seq}"));
        cut = format!(
            "<d:response><d:href>{path}</d:href><d:status>HTTP/1.1 507 Insufficient Storage</d:status></d:response>"
        );
    }
    let rows: String = changes.into_iter().map(|(_, row)| row).collect();
    Answer::multistatus(&format!("{rows}{cut}<d:sync-token>{upto}</d:sync-token>"))
}

/// The objects with the `UID` that is asked for.
fn query(collection: &Collection, body: &str) -> Answer {
    let wanted = between(body, "text-match").first().map(|uid| (*uid).to_owned());
    let found = collection.objects.iter().filter(|(_, object)| Some(line(&object.body, "UID")) == wanted);
    Answer::multistatus(&found.map(|(href, object)| handed_out(href, object)).collect::<String>())
}

fn handed_out(href: &str, object: &Object) -> String {
    let (etag, body) = (etag(object.seq), escape(&object.body));
    row(href, &format!("<d:getetag>{etag}</d:getetag><c:calendar-data>{body}</c:calendar-data>"))
}

fn row(href: &str, props: &str) -> String {
    format!(
        "<d:response><d:href>{href}</d:href><d:propstat><d:prop>{props}</d:prop><d:status>HTTP/1.1 200 OK</d:status>\
         </d:propstat></d:response>"
    )
}

fn gone(href: &str) -> String {
    format!("<d:response><d:href>{href}</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;")
}

/// The texts of all elements with this local name.
fn between<'t>(xml: &'t str, name: &str) -> Vec<&'t str> {
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find(name) {
        let opens = rest[..at].ends_with(['<', ':']) && !rest[..at].ends_with("</") && {
            let tag = rest[..at].rfind('<').unwrap_or(0);
            !rest[tag..].starts_with("</")
        };
        rest = &rest[at + name.len()..];
        if !opens {
            continue;
        }
        let Some(close) = rest.find('>') else { break };
        if rest[..close].ends_with('/') {
            found.push("");
            continue;
        }
        let text = &rest[close + 1..];
        let Some(end) = text.find('<') else { break };
        found.push(text[..end].trim());
        rest = &text[end..];
    }
    found
}
