//! What must hold, whatever happened: each promise with its name of `reliability.md` §3.

use std::collections::{BTreeMap, BTreeSet};

use calwarden::{
    domain::{
        calendar::Calendar,
        conflict::{Conflict, ConflictKind, Winner},
        event::EventContent,
        ids::{AccountId, CalendarId, EventId, Revision, UserId},
        mapping::Event,
        person::Scope,
        promise::Promise,
        time::Window,
    },
    engine::{
        recurrence::{Bounds, expand},
        sync::plan::Reason,
    },
    ical::{self, TextLimits},
    provider::{Next, Pull},
    sandbox::google::GoogleLookAlike,
    service::Services,
    store::{ConflictFilter, Mode},
};

use chrono::{DateTime, Utc};

use super::{
    dav::Server,
    desks::is_planned,
    google::Nothing,
    people::{Lineage, local_events, numbers, texts},
};

/// I-17: whatever the cursor has passed is known here. Holds at every instant, a crash included.
pub async fn cursor_is_covered(services: &Services, account: AccountId, server: &Server) -> Vec<String> {
    let mut broken = Vec::new();
    let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
    for calendar in tx.calendars_of(account).await.expect("calendars") {
        let Some(cursor) = &calendar.cursor else { continue };
        let Some(collection) = server.calendars.get(calendar.remote_id.as_str()) else { continue };
        let token = cursor.as_str().strip_prefix("sync:");
        let Some(read_to) = token.and_then(|token| server.read_past(collection, token)) else { continue };
        let held: BTreeMap<_, _> = tx
            .mapping_index(calendar.id)
            .await
            .expect("mappings")
            .into_iter()
            .map(|key| (key.remote_id.0.clone(), key.revision))
            .collect();
        for (href, object) in collection.objects.iter().filter(|(_, object)| object.seq <= read_to) {
            let known = held.get(href);
            if is_unread(known, &calendar) {
                continue;
            }
            let known = known.and_then(Option::as_ref).map(|revision| revision.0.trim_matches('"').to_owned());
            let current = known.as_ref().and_then(|text| text.parse::<u64>().ok()).is_some_and(|seq| seq >= object.seq);
            if !current {
                broken.push(
                    Promise::CursorCovers
                        .broken(format!("cursor {read_to} has passed {href} at {}, held {known:?}", object.seq)),
                );
            }
        }
    }
    tx.commit().await.expect("a commit");
    broken
}

/// Whether an event need not be known: a calendar that only takes events gives none, and a copy without a revision is to be read
/// again.
fn is_unread(known: Option<&Option<Revision>>, calendar: &Calendar) -> bool {
    match known {
        Some(revision) => revision.is_none(),
        None => !calendar.direction.inbound(),
    }
}

/// The same of a Google account: the look-alike says what a token has read past.
pub async fn google_cursor_is_covered(
    services: &Services,
    account: AccountId,
    google: &GoogleLookAlike,
) -> Vec<String> {
    let mut broken = Vec::new();
    let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
    for calendar in tx.calendars_of(account).await.expect("calendars") {
        let Some(token) = calendar.cursor.as_ref().and_then(|cursor| cursor.as_str().strip_prefix("g1:")) else {
            continue;
        };
        let index = tx.mapping_index(calendar.id).await.expect("mappings");
        let held: BTreeMap<_, _> = index.into_iter().map(|key| (key.remote_id.0.clone(), key.revision)).collect();
        for (id, etag) in google.read_past(calendar.remote_id.as_str(), token) {
            let version =
                |text: &str| text.split('+').next().and_then(|etag| etag.trim_matches('"').parse::<u64>().ok());
            if is_unread(held.get(&id), &calendar) {
                continue;
            }
            let known = held.get(&id).and_then(Option::as_ref);
            if known.and_then(|held| version(&held.0)) < version(&etag) {
                let of = calendar.account_id;
                broken.push(
                    Promise::CursorCovers
                        .broken(format!("token {token} of {of} has passed {id} at {etag}, held {known:?}")),
                );
            }
        }
    }
    tx.commit().await.expect("a commit");
    broken
}

/// What both sides of all calendars hold at rest.
#[derive(Default)]
pub struct Rest {
    pub broken: Vec<String>,
    pub kept: BTreeSet<usize>,
    alive: BTreeSet<String>,
}

impl Rest {
    /// I-10 of what a person sees: nothing is there twice, wherever its home is.
    pub async fn nothing_doubled(&mut self, services: &Services, user: &UserId) {
        let events = local_events(services, user).await.expect("events");
        let mut names = BTreeSet::new();
        for event in events.iter().filter(|event| event.deleted_at.is_none()) {
            let name = name(&event.content.facts.title, &event.id.to_string());
            if !names.insert(name.clone()) {
                self.broken.push(Promise::OneCopy.broken(format!("{user} has {name} twice")));
            }
        }
    }

    /// I-1, I-2 and I-7 for one person: both sides say the same, unknown properties included.
    pub async fn look(
        &mut self,
        services: &Services,
        user: &UserId,
        calendars: &[(CalendarId, String)],
        server: &Server,
    ) {
        let events = local_events(services, user).await.expect("events");
        for event in &events {
            self.kept.extend(numbers(&texts(&event.content)));
            if event.deleted_at.is_none() {
                self.alive.insert(name(&event.content.facts.title, ""));
            }
        }
        for (calendar, href) in calendars {
            let mut here: BTreeMap<String, String> = BTreeMap::new();
            let copies = copies(services, *calendar).await;
            for event in living(&events, *calendar, &copies) {
                let title = name(&event.content.facts.title, copies.get(&event.id).map_or("", String::as_str));
                if here.insert(title.clone(), texts(&ical::canonical(&event.content))).is_some() {
                    self.broken.push(Promise::OneCopy.broken(format!("{title} twice here")));
                }
            }
            let there = self.remote(server, href);
            self.compare(&here, &there);
            self.alive.extend(there.into_keys());
        }
    }

    /// The same for a Google account: what is there is read as the adapter reads it, from scratch.
    pub async fn look_at_google(&mut self, services: &Services, user: &UserId, account: AccountId) {
        let events = local_events(services, user).await.expect("events");
        for event in &events {
            self.kept.extend(numbers(&texts(&event.content)));
            if event.deleted_at.is_none() {
                self.alive.insert(name(&event.content.facts.title, ""));
            }
        }
        let opened = services.open_account(account).await.expect("opened");
        let writer = opened.provider.writer().expect("a writer");
        for calendar in opened.calendars.iter().filter(|calendar| calendar.selected) {
            let mut here: BTreeMap<String, String> = BTreeMap::new();
            let copies = copies(services, calendar.id).await;
            for event in living(&events, calendar.id, &copies) {
                let title = name(&event.content.facts.title, copies.get(&event.id).map_or("", String::as_str));
                if here.insert(title.clone(), texts(&writer.canonical(&event.content))).is_some() {
                    self.broken.push(Promise::OneCopy.broken(format!("{title} twice here")));
                }
            }
            let mut there: BTreeMap<String, String> = BTreeMap::new();
            let pull = Pull { calendar: &calendar.remote_id, cursor: None, reconcile: true };
            let (mut reading, mut next) = (opened.provider.pull(pull), Next::More);
            while next == Next::More {
                let page = reading.next(&Nothing).await.expect("a page");
                for event in page.changed {
                    self.kept.extend(numbers(&texts(&event.content)));
                    let title = name(&event.content.facts.title, &event.id.0);
                    if there.insert(title.clone(), texts(&event.content)).is_some() {
                        self.broken.push(Promise::OneCopy.broken(format!("{title} twice there")));
                    }
                }
                next = page.next;
            }
            self.compare(&here, &there);
            self.alive.extend(there.into_keys());
        }
    }

    /// I-1, occurrence by occurrence: what our events in somebody's own calendar come to is what a person sees `there`.
    pub async fn shown_at_google(
        &mut self,
        services: &Services,
        user: &UserId,
        account: AccountId,
        calendar: &str,
        there: &[(DateTime<Utc>, String)],
    ) {
        let events = local_events(services, user).await.expect("events");
        let opened = services.open_account(account).await.expect("opened");
        let own = |held: &&Calendar| held.selected && held.remote_id.as_str() == calendar;
        let Some(calendar) = opened.calendars.iter().find(own) else { return };
        let writer = opened.provider.writer().expect("a writer");
        let window = Window { from: DateTime::UNIX_EPOCH, to: DateTime::UNIX_EPOCH + chrono::Duration::days(40_000) };
        let copies = copies(services, calendar.id).await;
        let mut here = Vec::new();
        for event in living(&events, calendar.id, &copies) {
            let content = writer.canonical(&event.content);
            let found = expand(&content, window, chrono_tz::UTC, &Bounds::default()).expect("a readable rule");
            here.extend(found.occurrences.iter().map(|one| (one.start, one.facts.title.clone())));
        }
        here.sort();
        if here != there {
            let only = |one: &[(DateTime<Utc>, String)], other: &[(DateTime<Utc>, String)]| {
                one.iter().filter(|seen| !other.contains(seen)).cloned().collect::<Vec<_>>()
            };
            let (ours, theirs) = (only(&here, there), only(there, &here));
            self.broken.push(Promise::Agreement.broken(format!("seen here only {ours:?}, there only {theirs:?}")));
        }
    }

    fn compare(&mut self, here: &BTreeMap<String, String>, there: &BTreeMap<String, String>) {
        for event in here.keys().chain(there.keys()).collect::<BTreeSet<_>>() {
            if here.get(event) != there.get(event) {
                self.broken.push(Promise::Agreement.broken(format!(
                    "{event}: here {:?}, there {:?}",
                    here.get(event),
                    there.get(event)
                )));
            }
        }
    }

    fn remote(&mut self, server: &Server, href: &str) -> BTreeMap<String, String> {
        let mut there = BTreeMap::new();
        for (href, object) in server.calendars.get(href).into_iter().flat_map(|held| &held.objects) {
            let read =
                ical::decode::resource(object.body.as_bytes(), &TextLimits::default()).expect("a readable object");
            self.kept.extend(numbers(&object.body));
            if object.body.contains("@there") && !object.body.contains("X-THEIRS;X-P=\"a,b\":kept") {
                self.broken.push(
                    Promise::UnknownSurvives
                        .broken(format!("an unknown property of {} is gone", read.content.facts.title)),
                );
            }
            there.insert(name(&read.content.facts.title, href), texts(&read.content));
        }
        there
    }

    /// The names of events with a conflict between a deletion there and an edit here.
    pub async fn disputed(services: &Services) -> BTreeSet<String> {
        outvoted(&history(services).await)
    }

    /// I-3: every edit is in the final world or in the history.
    pub async fn judge(mut self, services: &Services, lineage: &Lineage) -> Vec<String> {
        let conflicts = history(services).await;
        // What is put back is put back whoever made it upon what, and is our older version once more until it is there.
        let put_back: BTreeSet<_> = conflicts.iter().filter(|conflict| is_put_back(conflict)).map(copy_of).collect();
        // To whoever else keeps that calendar, it is written there anew, over what stood there.
        let sides =
            |held: &Conflict| Some((numbers(&texts(held.local.as_ref()?)), numbers(&texts(held.remote.as_ref()?))));
        let written_anew: Vec<_> = conflicts.iter().filter(|held| is_put_back(held)).filter_map(sides).collect();
        for conflict in conflicts.iter().filter(|conflict| !put_back.contains(&copy_of(conflict))) {
            self.broken.extend(false_conflict(conflict, lineage, &written_anew));
        }
        let versions = conflicts.iter().flat_map(|conflict| [&conflict.local, &conflict.remote]);
        self.kept.extend(versions.flatten().flat_map(|content| numbers(&texts(content))));
        let named = (0..lineage.len()).map(|n| format!("ev{n}"));
        let gone: BTreeSet<_> = named.filter(|event| !self.alive.contains(event)).collect();
        let outvoted = outvoted(&conflicts);
        let lost = lineage.lost(&self.kept, &gone, &outvoted);
        self.broken.extend(lineage.disagreed(&self.alive, &outvoted));
        self.broken.extend(lost.into_iter().map(|lost| Promise::NothingLost.broken(format!("lost: {lost}"))));
        self.broken
    }
}

/// What was deleted there and edited here.
fn outvoted(conflicts: &[Conflict]) -> BTreeSet<String> {
    let disputed = conflicts.iter().filter(|conflict| conflict.kind == ConflictKind::DeletedRemotely);
    disputed.filter_map(|conflict| Some(name(&conflict.local.as_ref()?.facts.title, ""))).collect()
}

/// The events that have a copy in a calendar, each with its name there.
async fn copies(services: &Services, calendar: CalendarId) -> BTreeMap<EventId, String> {
    let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
    let index = tx.mapping_index(calendar).await.expect("mappings");
    tx.commit().await.expect("a commit");
    index.into_iter().map(|key| (key.event_id, key.remote_id.0)).collect()
}

/// The events that a calendar should hold: those at home there, and those copied there.
fn living<'e>(
    events: &'e [Event],
    calendar: CalendarId,
    copies: &'e BTreeMap<EventId, String>,
) -> impl Iterator<Item = &'e Event> {
    let there = move |event: &&Event| event.calendar_id == Some(calendar) || copies.contains_key(&event.id);
    events.iter().filter(there).filter(|event| event.deleted_at.is_none())
}

/// The edits that a put back text shows, and those that it was put over.
type PutBack = (Vec<usize>, Vec<usize>);

fn is_put_back(conflict: &Conflict) -> bool {
    conflict.reason == Reason::PutBack.as_str()
}

fn copy_of(conflict: &Conflict) -> (EventId, CalendarId) {
    (conflict.event_id, conflict.calendar_id)
}

/// I-4: who won over an edit made upon their own version had not disagreed with it. `written_anew`: what was put back, and over
/// what; who has edited the latter is no child of the former.
fn false_conflict(conflict: &Conflict, lineage: &Lineage, written_anew: &[PutBack]) -> Option<String> {
    let (winner, loser) = match conflict.winner? {
        Winner::Remote => (conflict.remote.as_ref()?, conflict.local.as_ref()?),
        Winner::Local => (conflict.local.as_ref()?, conflict.remote.as_ref()?),
    };
    let field = |name: &str| -> Option<(usize, usize)> {
        let of = |content: &EventContent| {
            let facts = &content.facts;
            let text = if name == "title" { Some(facts.title.as_str()) } else { facts.location.as_deref() };
            numbers(text.unwrap_or_default()).first().copied()
        };
        conflict.fields.iter().any(|held| held == name).then_some(())?;
        Some((of(winner)?, of(loser)?))
    };
    let mut pairs = ["title", "location"].into_iter().filter_map(field);
    let beside = |won: usize, lost: usize| {
        let upon = |over: &usize| *over == lost || lineage.descends(lost, *over);
        written_anew.iter().any(|(ours, over)| ours.contains(&won) && over.iter().any(upon))
    };
    let (won, lost) = pairs.find(|(won, lost)| lineage.descends(*lost, *won) && !beside(*won, *lost))?;
    Some(Promise::NoFalseConflict.broken(format!("#{won} won over #{lost}, which was made upon it")))
}

/// Everything that the conflict history keeps.
async fn history(services: &Services) -> Vec<Conflict> {
    let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
    let filter = ConflictFilter { limit: 10_000, ..ConflictFilter::default() };
    let conflicts = tx.conflicts(&Scope::Whole, &filter).await.expect("conflicts");
    tx.commit().await.expect("a commit");
    conflicts
}

/// What an event is called: several blocks have the title of their task, so they go by `id`.
fn name(title: &str, id: &str) -> String {
    if is_planned(title) { id.to_owned() } else { title.split(' ').next().unwrap_or_default().to_owned() }
}
