use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        account::{AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, Schedule},
        event::Facts,
        failure::FailureClass::{self, Ambiguous, Conflict, Gone, Malformed, RateLimited, Transient},
        ids::RemoteCalendarId,
        mapping::Origin,
        outbox::{OutboxState, WriteOp},
        person::WorkingHours,
        ports::{Clock, Random},
        time::EventTime,
    },
    engine::{
        outbox::entry,
        round::calendars::new_calendar,
        samples::{Dice, at},
        sync::{hold::Said, plan::Reason},
    },
};

const NOW: &str = "2026-05-04T10:00:00Z";

struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        at(NOW)
    }
}

impl Random for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&Dice(bytes.len() as u64).roll().to_le_bytes().repeat(2)[..bytes.len()]);
    }
}

struct AsGiven;

impl Canonical for AsGiven {
    fn canonical(&self, content: &EventContent) -> EventContent {
        content.clone()
    }
}

fn said(title: &str) -> EventContent {
    let time = EventTime::utc(at("2026-05-05T10:00:00Z"));
    EventContent::single(Facts::new(title, time, time))
}

fn there(id: &str, version: &str, title: &str) -> RemoteEvent {
    RemoteEvent {
        id: id.into(),
        uid: id.into(),
        revision: Some(version.into()),
        content: said(title),
        raw: Some(Vec::new()),
        changed_at: None,
    }
}

fn fails(class: FailureClass) -> Result<Answer, ProviderError> {
    Err(ProviderError::new(class, "as the test has it"))
}

fn is(remote: RemoteEvent) -> Answer {
    Answer::Event(Some(remote))
}

fn found(found: Found) -> Answer {
    Answer::Found(found)
}

/// One event, one calendar, and what is stored about both.
struct Tables {
    world: World,
    user: User,
    account: Account,
    calendar: Calendar,
    event: Event,
    mapping: Option<Mapping>,
    entry: Option<OutboxEntry>,
    remains: Option<Remains>,
    /// What was stored under `sent` when each request was made.
    sent: Vec<Vec<EventContent>>,
    anothers: Option<RemoteEventId>,
    disputed: bool,
    said: Said,
}

impl Tables {
    /// An event that was made here and has no copy yet.
    fn new() -> Self {
        let world = World { clock: Arc::new(Still), random: Arc::new(Still) };
        let (space, user_id): (crate::domain::ids::SpaceId, crate::domain::ids::UserId) =
            ("home".parse().expect("an id"), "ada".parse().expect("an id"));
        let user = User {
            id: user_id.clone(),
            name: "Ada".into(),
            time_zone: Tz::UTC,
            working_hours: WorkingHours::default(),
            home_space: space.clone(),
            created_at: at(NOW),
            version: 1,
        };
        let account = Account {
            id: Uuid::from_u128(1).into(),
            space_id: space.clone(),
            user_id: user_id.clone(),
            provider: ProviderKind::Caldav,
            label: String::new(),
            url: String::new(),
            writes_through: None,
            status: AccountStatus::Active,
            status_reason: None,
            delete_copies: false,
            policy: ConflictPolicy::ExternalWins,
            privacy: PrivacyLevel::Full,
            schedule: Schedule::default(),
            provider_interval_s: None,
            failures: 0,
            next_round_at: None,
            created_at: at(NOW),
            updated_at: at(NOW),
            version: 1,
        };
        let listed = crate::domain::calendar::RemoteCalendar {
            id: RemoteCalendarId("office".into()),
            name: "Office".into(),
            color: None,
            time_zone: None,
            read_only: false,
            stamp: None,
        };
        let calendar = new_calendar(&account, &listed, &world);
        let event = Event {
            id: Uuid::from_u128(7).into(),
            space_id: space,
            user_id,
            calendar_id: Some(calendar.id),
            uid: "ours".into(),
            content: said("Lunch"),
            origin: Origin::Local,
            deleted_at: None,
            created_at: at(NOW),
            updated_at: at(NOW),
            version: 1,
        };
        let owed = (WriteOp::Create, Uid::from("ours"), Reason::NewLocally);
        let entry = entry(&event, &calendar, owed, Tz::UTC, &world);
        Self {
            world,
            user,
            account,
            calendar,
            event,
            mapping: None,
            entry: Some(entry),
            remains: None,
            sent: Vec::new(),
            anothers: None,
            disputed: false,
            said: Said::Nothing,
        }
    }

    /// The same with a copy, which says what both sides have agreed on, and an edit that is owed.
    fn edited() -> Self {
        let mut tables = Self::new();
        assert!(matches!(tables.run([Ok(is(there("ours", "1", "Lunch")))]).1, Ended::Done));
        tables.event.content = said("Lunch, later");
        tables.event.version = 2;
        let owed = (WriteOp::Update, Uid::from("ours"), Reason::LocalChanged);
        tables.entry = Some(entry(&tables.event, &tables.calendar, owed, Tz::UTC, &tables.world));
        tables
    }

    /// The same, deleted here.
    fn deleted() -> Self {
        let mut tables = Self::edited();
        tables.event.deleted_at = Some(at(NOW));
        tables
    }

    /// The same, with its copy taken out of the calendar while the event lives on.
    fn withdrawn() -> Self {
        let mut tables = Self::edited();
        let owed = (WriteOp::Delete, Uid::from("ours"), Reason::Unlinked);
        tables.entry = Some(entry(&tables.event, &tables.calendar, owed, Tz::UTC, &tables.world));
        tables
    }

    fn title_there(&self) -> Option<&str> {
        self.mapping.as_ref().map(|held| held.base.facts.title.as_str())
    }

    /// One delivery to its end, with these answers; what was asked.
    fn run(&mut self, answers: impl IntoIterator<Item = Result<Answer, ProviderError>>) -> (Vec<Request>, Ended) {
        let (mut delivery, mut ask) = Delivery::new(self.entry.clone().expect("an entry"));
        let (mut answers, mut asked) = (answers.into_iter(), Vec::new());
        loop {
            ask = match ask {
                Ask::Transaction(reads) => self.transact(&mut delivery, &reads),
                Ask::Send(request) => {
                    self.sent.push(self.entry.as_ref().map(|entry| entry.sent.clone()).unwrap_or_default());
                    asked.push(*request);
                    delivery.answered(answers.next().expect("a request that was expected"), at(NOW))
                }
                Ask::Over(ended) => {
                    assert!(answers.next().is_none(), "fewer requests than expected: {asked:?}");
                    return (asked, ended);
                }
            };
        }
    }

    fn transact(&mut self, delivery: &mut Delivery, reads: &Reads) -> Ask {
        let stored = Stored {
            entry: self.entry.clone(),
            event: Some(self.event.clone()).filter(|_| reads.copy),
            mapping: self.mapping.clone().filter(|_| reads.copy),
            account: Some(self.account.clone()),
            calendar: Some(self.calendar.clone()),
            remains: self.remains.clone().filter(|_| reads.past),
            disputed: reads.past && self.disputed,
            said: if reads.answers { self.said } else { Said::Nothing },
            is_anothers: reads.object.is_some() && reads.object == self.anothers,
        };
        let around = Surroundings { user: &self.user, form: Some(&AsGiven), world: &self.world };
        let decided = delivery.decide(stored, around);
        match decided.entry {
            EntryChange::Keep => {}
            EntryChange::Put(entry) => self.entry = Some(*entry),
            EntryChange::Delete(_) => self.entry = None,
        }
        let changes = decided.changes;
        if !changes.forgotten.is_empty() {
            self.mapping = None;
        }
        self.mapping = changes.mappings.into_iter().last().or(self.mapping.take());
        if !changes.settled.is_empty() {
            self.entry = None;
        }
        self.entry = changes.owed.into_iter().last().or(self.entry.take());
        for event in changes.events {
            self.event = event;
        }
        decided.next
    }
}

#[test]
fn a_create_is_stored_before_it_is_sent_and_settled_by_its_answer() {
    let mut tables = Tables::new();
    let (asked, ended) = tables.run([Ok(is(there("ours", "1", "Lunch")))]);
    assert_eq!(asked, [Request::Create { key: "ours".into(), content: said("Lunch") }]);
    assert_eq!(tables.sent, [vec![said("Lunch")]]);
    assert!(matches!(ended, Ended::Done));
    assert_eq!((tables.title_there(), &tables.entry), (Some("Lunch"), &None));
}

#[test]
fn a_create_whose_answer_is_lost_is_looked_for_and_never_sent_twice() {
    let mut tables = Tables::new();
    let (asked, _) = tables.run([fails(Ambiguous), Ok(found(Found::Here(there("ours", "1", "Lunch"))))]);
    assert_eq!(asked.last(), Some(&Request::Find { key: "ours".into() }));
    assert_eq!((tables.title_there(), &tables.entry), (Some("Lunch"), &None));
    // It is nowhere: it may still be on its way, under the same name.
    let mut tables = Tables::new();
    let (_, ended) = tables.run([fails(Ambiguous), Ok(found(Found::Nothing))]);
    assert!(matches!(ended, Ended::Failed));
    let entry = tables.entry.as_ref().expect("it is still owed");
    assert_eq!((entry.key.as_str(), entry.sent.len(), entry.not_before > at(NOW)), ("ours", 1, true));
}

#[test]
fn a_name_that_is_taken_is_another_event_or_chosen_anew() {
    for answer in [Found::Nothing, Found::Deleted, Found::Here(there("theirs", "1", "Theirs"))] {
        let mut tables = Tables::new();
        tables.anothers = Some("theirs".into());
        let (_, ended) = tables.run([fails(Conflict), Ok(found(answer))]);
        assert!(matches!(ended, Ended::Failed));
        let entry = tables.entry.as_ref().expect("it is still owed");
        assert_ne!(entry.key.as_str(), "ours");
        assert_eq!((entry.sent.len(), entry.state, tables.title_there()), (0, OutboxState::Queued, None));
    }
}

#[test]
fn what_an_attempt_has_made_and_somebody_deleted_is_not_made_again() {
    let mut tables = Tables::new();
    tables.run([fails(Ambiguous), Ok(found(Found::Nothing))]);
    tables.run([fails(Conflict), Ok(found(Found::Deleted))]);
    assert_eq!((tables.event.deleted_at.is_some(), &tables.entry), (true, &None));
}

#[test]
fn an_update_names_its_version_and_a_refused_one_is_decided_again_by_a_read() {
    let mut tables = Tables::edited();
    let (asked, _) = tables.run([fails(Conflict), Ok(is(there("ours", "2", "Theirs")))]);
    let update = Request::Update { id: "ours".into(), revision: "1".into(), content: said("Lunch, later") };
    assert_eq!(asked, [update, Request::Read { id: "ours".into() }]);
    assert_eq!((tables.event.content.facts.title.as_str(), tables.title_there()), ("Theirs", Some("Theirs")));
}

#[test]
fn an_update_whose_answer_is_lost_is_settled_by_a_read() {
    // It was carried out.
    let mut tables = Tables::edited();
    tables.run([fails(Ambiguous), Ok(is(there("ours", "2", "Lunch, later")))]);
    assert_eq!((tables.title_there(), &tables.entry), (Some("Lunch, later"), &None));
    // It was not, and may be on its way: it waits.
    let mut tables = Tables::edited();
    let (_, ended) = tables.run([fails(Ambiguous), Ok(is(there("ours", "1", "Lunch")))]);
    assert!(matches!(ended, Ended::Failed));
    assert!(tables.entry.is_some_and(|entry| entry.not_before > at(NOW)));
    // Somebody else's words answer both.
    let mut tables = Tables::edited();
    tables.run([fails(Ambiguous), fails(Malformed)]);
    let entry = tables.entry.expect("it is still owed");
    assert_eq!((entry.state, entry.sent.len()), (OutboxState::Queued, 1), "it is tried again, not put aside");
}

#[test]
fn a_deletion_is_over_when_the_copy_is_gone() {
    for answer in [Ok(Answer::Event(None)), fails(Gone)] {
        let mut tables = Tables::deleted();
        let (asked, ended) = tables.run([answer]);
        assert_eq!(asked, [Request::Delete { id: "ours".into(), revision: "1".into() }]);
        assert!(matches!(ended, Ended::Done));
        assert_eq!((&tables.mapping, &tables.entry), (&None, &None));
    }
}

#[test]
fn what_its_owner_hides_while_a_write_is_under_way_is_written_again() {
    let mut tables = Tables::new();
    let (mut delivery, ask) = Delivery::new(tables.entry.clone().expect("an entry"));
    let Ask::Transaction(reads) = ask else { panic!("it begins with a transaction") };
    let asked = tables.transact(&mut delivery, &reads);
    assert!(matches!(asked, Ask::Send(request) if matches!(*request, Request::Create { .. })));
    tables.account.privacy = PrivacyLevel::Minimal;
    let Ask::Transaction(reads) = delivery.answered(Ok(is(there("ours", "1", "Lunch"))), at(NOW)) else {
        panic!("its answer is stored")
    };
    tables.transact(&mut delivery, &reads);
    let (asked, _) = tables.run([Ok(is(there("ours", "2", "Busy")))]);
    let shown = asked.into_iter().find_map(|asked| match asked {
        Request::Update { content, .. } => Some(content.facts.title),
        _ => None,
    });
    assert_eq!(shown.as_deref(), Some("Busy"));
}

#[test]
fn a_refusal_of_the_whole_account_stops_the_queue_and_others_do_not() {
    for (class, stops, state) in [
        (RateLimited, true, OutboxState::Queued),
        (FailureClass::Unauthorised, true, OutboxState::Queued),
        (Transient, false, OutboxState::Queued),
        (FailureClass::Refused, false, OutboxState::Parked),
        (FailureClass::Forbidden, false, OutboxState::Parked),
    ] {
        let mut tables = Tables::new();
        let (_, ended) = tables.run([fails(class)]);
        assert_eq!(matches!(ended, Ended::Stop(_)), stops, "{class}");
        assert_eq!(tables.entry.expect("it is still owed").state, state, "{class}");
    }
}

#[test]
fn a_calendar_that_takes_no_changes_by_its_owners_choice_gets_none() {
    let mut tables = Tables::new();
    tables.calendar.selected = false;
    assert_eq!(tables.run([]).0, []);
    assert_eq!(tables.entry.expect("it is kept").state, OutboxState::Parked);
}

#[test]
fn nothing_is_sent_for_an_account_that_leaves_and_what_is_owed_stays() {
    for mut tables in [Tables::new(), Tables::edited(), Tables::deleted()] {
        tables.account.status = AccountStatus::Disconnecting;
        let owed = tables.entry.clone();
        let (asked, ended) = tables.run([]);
        assert_eq!((asked.as_slice(), &tables.entry), ([].as_slice(), &owed));
        assert!(matches!(ended, Ended::Stop(_)));
    }
}

#[test]
fn an_edit_waits_for_the_decision_about_its_conflict_and_a_copy_that_is_unwanted_goes() {
    let mut tables = Tables::edited();
    tables.disputed = true;
    assert_eq!(tables.run([]).0, []);
    assert_eq!(tables.entry.expect("it is kept").state, OutboxState::Parked);
    let mut tables = Tables::withdrawn();
    tables.disputed = true;
    assert_eq!(tables.run([Ok(Answer::Event(None))]).0.len(), 1);
    assert_eq!((&tables.mapping, &tables.entry), (&None, &None));
}

#[test]
fn what_becomes_of_an_edit_whose_copy_is_gone_follows_what_was_said_about_it() {
    let lost = |said: Said| {
        let mut tables = Tables { said, ..Tables::edited() };
        let (asked, _) = tables.run([fails(Gone), Ok(Answer::Event(None))]);
        assert_eq!(asked.len(), 2, "an update, then a read");
        tables
    };
    for said in [Said::Asked, Said::Approved] {
        let tables = lost(said);
        assert!(tables.event.deleted_at.is_none(), "a person decides, or the round that carries out what they said");
        assert_eq!(tables.entry.expect("it is kept").state, OutboxState::Parked);
    }
    let tables = lost(Said::Kept);
    assert!(tables.event.deleted_at.is_none(), "somebody said that it stays");
    assert_eq!(tables.entry.expect("it is made again").op, WriteOp::Create);
}
