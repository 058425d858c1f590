//! The simulated people: they edit on both sides, and every edit they make is remembered with what it was made upon.
//!
//! An edit writes a number into a field (`ev3 #57` as title, `room #58` as location). The number it replaced is its parent: an edit
//! is safe when it, or a later edit made upon it, is in the final world or in the conflict history (I-3).

use std::collections::{BTreeMap, BTreeSet};

use calwarden::{
    domain::{
        account::ConflictPolicy,
        event::{EventContent, Facts, Override},
        ids::{AccountId, CalendarId, UserId},
        mapping::Event,
        person::Scope,
        promise::Promise,
        time::{EventTime, Window},
    },
    engine::series::EditScope,
    service::{
        Refusal, Services,
        change_account::AccountChange,
        edit_event::{Edit, NewEvent},
    },
    store::{EventFilter, Mode},
};
use chrono::{Duration, NaiveDate, NaiveDateTime};
use rand::{Rng, rngs::StdRng};

use super::{
    dav::{Server, event_of, line},
    desks::is_planned,
};

/// An event's deletion, with the number it has as an edit.
#[derive(Clone, Copy, Debug)]
struct Deletion {
    id: usize,
    side: &'static str,
}

/// Every edit ever made, each with the numbers it was made upon.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    parents: Vec<Vec<usize>>,
    /// Deletions, by event.
    deletions: BTreeMap<String, Vec<Deletion>>,
    /// What each edit was, for the story of a failure.
    said: Vec<String>,
    events: usize,
    /// Edits that nobody but their author ever saw, and that went with what they were made in.
    unseen: BTreeSet<usize>,
    /// Events that a person has said are to stay, or that came back there: each with how many edits there were by then.
    stay: BTreeMap<String, usize>,
    /// Events whose deletion was approved by everybody who was asked, the same.
    go: BTreeMap<String, usize>,
    /// From when on events are made; without it, late in March.
    pub from: Option<NaiveDate>,
}

impl Lineage {
    /// A name for one more event.
    pub fn name(&mut self) -> String {
        self.events += 1;
        format!("ev{}", self.events - 1)
    }

    /// An event was deleted by somebody who had seen these numbers in it.
    pub fn delete(&mut self, event: &str, upon: Vec<usize>, side: &'static str) {
        let id = self.edit(upon, format!("{event} deleted {side}"));
        self.deletions.entry(event.to_owned()).or_default().push(Deletion { id, side });
    }

    /// These were written there, and gone before anybody else could read them.
    pub fn unseen(&mut self, edits: impl IntoIterator<Item = usize>) {
        self.unseen.extend(edits);
    }

    /// An event is asked about (again): nothing is agreed.
    pub fn ask(&mut self, event: &str) {
        self.stay.remove(event);
        self.go.remove(event);
    }

    /// From now on an event stays, until somebody deletes it.
    pub fn stays(&mut self, event: &str) {
        self.go.remove(event);
        self.stay.insert(event.to_owned(), self.parents.len());
    }

    /// An event goes, unless somebody has edited it `since`.
    pub fn goes(&mut self, event: &str, since: usize) {
        if !self.stay.contains_key(event) {
            self.go.insert(event.to_owned(), since);
        }
    }

    /// Whether it is agreed that an event stays.
    pub fn is_to_stay(&self, event: &str) -> bool {
        self.stay.get(event).is_some_and(|since| !self.deleted_since(event, *since))
    }

    /// Whether somebody has deleted an event after so many edits.
    pub fn deleted_since(&self, event: &str, since: usize) -> bool {
        self.deletions.get(event).is_some_and(|all| all.iter().any(|one| one.id >= since))
    }

    /// What is not as it was agreed: I-15. `alive`: what there is; `disputed`: what was deleted there and edited here.
    pub fn disagreed(&self, alive: &BTreeSet<String>, disputed: &BTreeSet<String>) -> Vec<String> {
        let gone = self.stay.keys().filter(|event| self.is_to_stay(event) && !alive.contains(*event));
        let gone = gone.map(|event| Promise::Brake.broken(format!("{event} is gone, and it was agreed that it stays")));
        let edited = |event: &str, since: usize| {
            let edits = self.said.iter().skip(since).filter(|said| !said.contains(" deleted "));
            edits.into_iter().any(|said| said.split(' ').next() == Some(event))
        };
        let left = self
            .go
            .iter()
            .filter(|(event, since)| alive.contains(*event) && !disputed.contains(*event) && !edited(event, **since));
        let left = left
            .map(|(event, _)| Promise::DeletedStaysDeleted.broken(format!("{event} is there, its deletion approved")));
        gone.chain(left).collect()
    }

    /// One more edit; answers its number.
    pub fn edit(&mut self, upon: Vec<usize>, said: String) -> usize {
        self.parents.push(upon);
        self.said.push(said);
        self.parents.len() - 1
    }

    /// Whether the later of two edits was made upon the earlier one, directly or not.
    pub fn descends(&self, later: usize, earlier: usize) -> bool {
        let mut open = vec![later];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            let parents = self.parents.get(id).into_iter().flatten();
            for parent in parents.copied().filter(|parent| seen.insert(*parent)) {
                if parent == earlier {
                    return true;
                }
                open.push(parent);
            }
        }
        false
    }

    /// How many edits were made.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// When one more event is to begin, on the wall clock.
    pub fn day(&self, rng: &mut StdRng) -> NaiveDateTime {
        let from = self.from.or_else(|| NaiveDate::from_ymd_opt(2026, 3, 20));
        let first = from.and_then(|day| day.and_hms_opt(0, 0, 0));
        first.unwrap_or_default() + Duration::days(rng.random_range(0..20)) + Duration::hours(rng.random_range(6..20))
    }

    /// Edits that are in no final version and in no history, with what they were.
    ///
    /// A deletion is kept when its event is `gone` in the end, and when it lost a dispute of which the history tells
    /// (`outvoted`: deletions made there). What it was made upon there may never have been read by anybody else: whoever wrote it,
    /// the deleter saw it and wanted it gone, and all that was to be kept is that they did.
    pub fn lost(&self, kept: &BTreeSet<usize>, gone: &BTreeSet<String>, outvoted: &BTreeSet<String>) -> Vec<String> {
        let told = |event: &String, deletion: &Deletion| {
            gone.contains(event) || deletion.side == "there" && outvoted.contains(event)
        };
        let mut safe = vec![false; self.parents.len()];
        let mut open: Vec<usize> = kept.iter().chain(&self.unseen).copied().collect();
        let deletions = || self.deletions.iter().flat_map(|(event, all)| all.iter().map(move |one| (event, one)));
        open.extend(deletions().filter(|(event, one)| told(event, one)).map(|(_, one)| one.id));
        while let Some(id) = open.pop() {
            if let Some(mark) = safe.get_mut(id).filter(|mark| !**mark) {
                *mark = true;
                open.extend(&self.parents[id]);
            }
        }
        let deletions: BTreeSet<_> = deletions().map(|(_, one)| one.id).collect();
        (0..safe.len())
            .filter(|id| !safe[*id] && !deletions.contains(id))
            .map(|id| format!("#{id} {} upon {:?}", self.said[id], self.parents[id]))
            .collect()
    }
}

/// The numbers in a text.
pub fn numbers(text: &str) -> Vec<usize> {
    text.split('#')
        .skip(1)
        .filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect()
}

fn paris(at: NaiveDateTime) -> EventTime {
    EventTime::zoned(at, chrono_tz::Europe::Paris)
}

/// One thing a person does in the product.
pub async fn act_here(
    services: &Services,
    user: &UserId,
    calendar: CalendarId,
    rng: &mut StdRng,
    lineage: &mut Lineage,
) -> Option<String> {
    let events = local_events(services, user).await?;
    let alive: Vec<_> = events.into_iter().filter(is_theirs).collect();
    let choice = rng.random_range(0..10);
    if alive.is_empty() || choice < 3 {
        let start = lineage.day(rng);
        return create_here(services, user, calendar, start, rng, lineage).await;
    }
    let event = &alive[rng.random_range(0..alive.len())];
    let name = event.content.facts.title.split(' ').next().unwrap_or_default().to_owned();
    if choice == 9 {
        let upon = numbers(&texts(&event.content));
        let done = services.delete_event(&Scope::Whole, event.id, Some(event.version), None).await;
        return taken(done).map(|()| {
            lineage.delete(&name, upon, "here");
            format!("here: delete {name}")
        });
    }
    let id = lineage.len();
    let (edit, upon, said) = edit_of(event, &name, id, rng);
    let done = services.change_event(&Scope::Whole, event.id, Some(event.version), edit).await;
    taken(done).map(|_| {
        lineage.edit(upon, said.clone());
        format!("here: {said} #{id}")
    })
}

/// Whether an event is there, and nobody's planned work.
fn is_theirs(event: &Event) -> bool {
    event.deleted_at.is_none() && !is_planned(&event.content.facts.title)
}

/// Puts a copy of an event into one more calendar.
pub async fn copy_here(services: &Services, user: &UserId, to: CalendarId, rng: &mut StdRng) -> Option<String> {
    let events = local_events(services, user).await?;
    let alive: Vec<_> = events.into_iter().filter(is_theirs).collect();
    let event = alive.get(rng.random_range(0..alive.len().max(1)))?;
    taken(services.link_event(&Scope::Whole, event.id, to).await)?;
    Some(format!("here: copy {}", event.content.facts.title))
}

/// Chooses anew whose version stands when both sides differ, whatever the account is doing.
pub async fn choose(services: &Services, account: AccountId, rng: &mut StdRng) -> Option<String> {
    const POLICIES: [ConflictPolicy; 3] =
        [ConflictPolicy::ExternalWins, ConflictPolicy::MostRecentWins, ConflictPolicy::LocalWins];
    let policy = POLICIES[rng.random_range(0..POLICIES.len())];
    let change = AccountChange { policy: Some(policy), ..AccountChange::default() };
    taken(services.change_account(&Scope::Whole, "sim", account, None, change).await)?;
    Some(format!("here: policy {policy}"))
}

fn edit_of(event: &Event, name: &str, id: usize, rng: &mut StdRng) -> (Edit, Vec<usize>, String) {
    let mut facts = event.content.facts.clone();
    if event.content.is_series() && rng.random_range(0..2) == 0 {
        let at = facts.start.wall() + Duration::days(rng.random_range(0..4));
        let recurrence_id = paris(at);
        let held = event.content.override_at(&recurrence_id).map(|held: &Override| held.facts.clone());
        let length = facts.end.wall() - facts.start.wall();
        let mut one = held.unwrap_or_else(|| Facts { start: recurrence_id, end: paris(at + length), ..facts.clone() });
        let upon = numbers(&one.title);
        one.title = format!("{name} #{id}");
        let edit = Edit {
            facts: Some(one),
            recurrence_id: Some(recurrence_id),
            scope: Some(EditScope::This),
            ..Edit::default()
        };
        return (edit, upon, format!("{name} occurrence {at} retitled"));
    }
    let (upon, said) = if rng.random_range(0..2) == 0 {
        let upon = numbers(&facts.title);
        facts.title = format!("{name} #{id}");
        (upon, format!("{name} retitled"))
    } else {
        let upon = numbers(facts.location.as_deref().unwrap_or_default());
        facts.location = Some(format!("room #{id}"));
        (upon, format!("{name} relocated"))
    };
    (Edit { facts: Some(facts), scope: Some(EditScope::All), ..Edit::default() }, upon, said)
}

/// Somebody makes an event in the product.
pub async fn create_here(
    services: &Services,
    user: &UserId,
    calendar: CalendarId,
    start: NaiveDateTime,
    rng: &mut StdRng,
    lineage: &mut Lineage,
) -> Option<String> {
    let name = format!("ev{}", lineage.events);
    let id = lineage.len();
    let facts = Facts::new(format!("{name} #{id}"), paris(start), paris(start + Duration::hours(1)));
    let mut content = EventContent::single(facts);
    if rng.random_range(0..4) == 0 {
        content.recurrence.rules = vec!["FREQ=DAILY;COUNT=4".into()];
    }
    let new = NewEvent { user_id: user.clone(), calendar_id: Some(calendar), content };
    taken(services.create_event(&Scope::Whole, new).await).map(|_| {
        lineage.events += 1;
        lineage.edit(Vec::new(), format!("{name} created here"));
        format!("here: create {name}")
    })
}

/// An edit that lost a race was not taken, and its person knows.
fn taken<T>(done: Result<T, Refusal>) -> Option<T> {
    match done {
        Ok(done) => Some(done),
        // Also of an occurrence that was deleted meanwhile, and of what is in a calendar that is only read.
        Err(
            Refusal::Stale
            | Refusal::ReadOnly
            | Refusal::NotFound(_)
            | Refusal::Store(_)
            | Refusal::Invalid { field: "recurrence_id", .. },
        ) => None,
        Err(other) => panic!("a sound edit was refused: {other}"),
    }
}

/// Every event of a user, deleted ones included.
pub async fn local_events(services: &Services, user: &UserId) -> Option<Vec<Event>> {
    let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await.ok()?;
    let within = Window { from: "2000-01-01T00:00:00Z".parse().ok()?, to: "2100-01-01T00:00:00Z".parse().ok()? };
    let all = EventFilter { include_deleted: true, ..EventFilter::new(user, within) };
    let events = tx.events_in(&Scope::Whole, all, None, 10_000).await.ok()?;
    tx.commit().await.ok()?;
    Some(events.into_iter().map(|(_, event)| event).collect())
}

/// Everything an event says, as one text.
pub fn texts(content: &EventContent) -> String {
    serde_json::to_string(content).unwrap_or_default()
}

/// One thing a person does with another client, straight at the server.
///
/// `deletes`: whether they delete. A copy that is deleted takes unsynced edits of it along, and nobody misses them.
pub fn act_there(
    server: &mut Server,
    collection: &str,
    deletes: bool,
    rng: &mut StdRng,
    lineage: &mut Lineage,
) -> Option<String> {
    let objects = server.calendars.get(collection)?.objects.iter();
    let hrefs: Vec<_> = objects.filter(|(_, held)| !is_planned(&line(&held.body, "SUMMARY"))).collect();
    let hrefs: Vec<_> = hrefs.into_iter().map(|(href, _)| href.clone()).collect();
    let choice = rng.random_range(0..10);
    if hrefs.is_empty() || choice < 3 {
        return Some(create_there(server, collection, rng, lineage));
    }
    let id = lineage.len();
    let href = &hrefs[rng.random_range(0..hrefs.len())];
    let body = server.calendars.get(collection)?.objects.get(href)?.body.clone();
    let name = event_of(&body);
    if choice == 9 && deletes {
        lineage.delete(&name, numbers(&body), "there");
        server.remove(href);
        return Some(format!("there: delete {name}"));
    }
    let (field, said) = if choice % 2 == 0 { ("SUMMARY", "retitled") } else { ("LOCATION", "relocated") };
    let old = line(&body, field);
    let new = if field == "SUMMARY" { format!("{name} #{id}") } else { format!("room #{id}") };
    lineage.edit(numbers(&old), format!("{name} {said} there"));
    server.store(href, with_line(&body, field, &new));
    Some(format!("there: {said} {name} #{id}"))
}

/// Somebody makes an event straight at the server.
pub fn create_there(server: &mut Server, collection: &str, rng: &mut StdRng, lineage: &mut Lineage) -> String {
    let id = lineage.len();
    let name = format!("ev{}", lineage.events);
    lineage.events += 1;
    let start = lineage.day(rng);
    lineage.edit(Vec::new(), format!("{name} created there"));
    let rule = if rng.random_range(0..4) == 0 { "RRULE:FREQ=DAILY;COUNT=4\r\n" } else { "" };
    let body = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//sim//EN\r\nBEGIN:VEVENT\r\nUID:{name}@there\r\n\
             DTSTAMP:20260301T000000Z\r\nDTSTART;TZID=Europe/Paris:{}\r\nDTEND;TZID=Europe/Paris:{}\r\n{rule}\
             SUMMARY:{name} #{id}\r\nX-THEIRS;X-P=\"a,b\":kept {id}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        start.format("%Y%m%dT%H%M%S"),
        (start + Duration::hours(1)).format("%Y%m%dT%H%M%S"),
    );
    server.store(&format!("{collection}{name}.ics"), body);
    format!("there: create {name}")
}

/// Sets a property of the first (master) event of an object.
pub fn with_line(body: &str, name: &str, value: &str) -> String {
    let unfolded = body.replace("\r\n ", "");
    let new = format!("{name}:{value}\r\n");
    let head = unfolded.find("BEGIN:VEVENT").unwrap_or(0);
    let tail = unfolded[head..].find("END:VEVENT").map_or(unfolded.len(), |at| head + at);
    let event = &unfolded[head..tail];
    let found = event.find(&format!("\r\n{name}:")).or_else(|| event.find(&format!("\r\n{name};")));
    let changed = match found {
        Some(at) => {
            let end = event[at + 2..].find("\r\n").map_or(event.len(), |end| at + 2 + end + 2);
            format!("{}{new}{}", &event[..at + 2], &event[end..])
        }
        None => format!("{event}{new}"),
    };
    format!("{}{changed}{}", &unfolded[..head], &unfolded[tail..])
}
