//! Records to store: every field filled with something that is not its default, ids by number.

mod planning;

use calwarden::domain::{
    account::{Account, AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, Schedule, SealedSecret, SecretKind},
    calendar::{Calendar, Direction},
    conflict::{
        AuditLine, Conflict, ConflictKind, ConflictStatus, Evidence, HeldDeletion, HeldFate, Hold, HoldReason,
        HoldState, Severity, Winner,
    },
    event::{AddedDate, EventContent, EventStatus, Facts, Override, Recurrence, Transparency, Visibility},
    ids::{AccountId, CalendarId, EventId, SpaceId, UserId},
    mapping::{Event, Mapping, Origin},
    notice::{Notice, NoticeKind, NoticeSubject},
    outbox::{OutboxEntry, OutboxState, WriteIntent, WriteOp},
    person::{Space, User, Weekday, WorkSpan, WorkingHours},
    round::{Cause, Outcome, Round, Tally},
    time::EventTime,
};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use uuid::Uuid;

pub use self::planning::{
    ada_with_work, block, context, date, focus, planning_rules, proposal, rollover, task, window,
};
use super::Base;

/// An instant, so many minutes after the first of March 2026; microseconds included, as clocks have them.
pub fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_772_323_200_000_123).expect("an instant") + TimeDelta::minutes(minutes)
}

/// An id by number; later numbers sort later.
pub fn id<T: From<Uuid>>(number: u64) -> T {
    T::from(Uuid::from_u128(u128::from(number) << 16 | 0x7000))
}

pub fn space_id(name: &str) -> SpaceId {
    name.parse().expect("an id")
}

pub fn user_id(name: &str) -> UserId {
    name.parse().expect("an id")
}

pub fn space(name: &str) -> Space {
    Space { id: space_id(name), name: format!("{name} ünd friends"), created_at: at(0) }
}

pub fn user(name: &str, home: &str) -> User {
    let span = WorkSpan {
        from: NaiveTime::from_hms_opt(9, 0, 0).expect("a time"),
        to: NaiveTime::from_hms_opt(17, 30, 0).expect("a time"),
    };
    User {
        id: user_id(name),
        name: format!("{name} Lovelace"),
        time_zone: chrono_tz::Europe::Paris,
        working_hours: WorkingHours([(Weekday::Mon, vec![span]), (Weekday::Fri, vec![])].into()),
        home_space: space_id(home),
        created_at: at(1),
        version: 3,
    }
}

pub fn account(number: u64, space: &str, user: &str) -> Account {
    Account {
        id: id(number),
        space_id: space_id(space),
        user_id: user_id(user),
        provider: ProviderKind::Caldav,
        label: "Work".into(),
        url: "https://dav.example.org/".into(),
        writes_through: None,
        status: AccountStatus::Error,
        status_reason: Some("the server is away".into()),
        delete_copies: true,
        policy: ConflictPolicy::MostRecentWins,
        privacy: PrivacyLevel::Normal,
        schedule: Schedule { auto_sync_enabled: false, sync_frequency_minutes: Some(15) },
        provider_interval_s: Some(3_600),
        failures: 4,
        next_round_at: Some(at(15)),
        created_at: at(2),
        updated_at: at(3),
        version: 1,
    }
}

pub fn secret(account: AccountId, kind: SecretKind, key_id: &str, sealed: &[u8]) -> SealedSecret {
    SealedSecret { account_id: account, kind, key_id: key_id.into(), sealed: sealed.to_vec() }
}

pub fn calendar(number: u64, account: &Account) -> Calendar {
    Calendar {
        id: id(number),
        account_id: account.id,
        space_id: account.space_id.clone(),
        remote_id: format!("/cal/{number}/").into(),
        name: "Tasks & chores".into(),
        color: Some("#00ff88".into()),
        time_zone: Some("Europe/Paris".into()),
        read_only: true,
        selected: true,
        direction: Direction::Both,
        makes_tasks: true,
        cursor: Some("sync-token-1".into()),
        stamp: Some("ctag-1".into()),
        reconciled_at: Some(at(4)),
        gone_at: Some(at(5)),
        last_error: Some("half of it".into()),
        version: 1,
    }
}

fn facts(title: &str) -> Facts {
    let wall = "2026-03-29T10:00:00".parse().expect("a time");
    let end = "2026-03-29T11:00:00".parse().expect("a time");
    Facts {
        description: Some("line one\nline two \"quoted\" \\ \u{1f600}".into()),
        location: Some("Zürich".into()),
        status: EventStatus::Tentative,
        transparency: Transparency::Transparent,
        visibility: Visibility::Private,
        url: Some("https://example.org/".into()),
        ..Facts::new(
            title,
            EventTime::zoned(wall, chrono_tz::Europe::Paris),
            EventTime::zoned(end, chrono_tz::America::New_York),
        )
    }
}

/// A series with everything that content can hold.
pub fn series(title: &str) -> EventContent {
    let first = facts(title);
    let day = EventTime::Date("2026-05-01".parse().expect("a date"));
    EventContent {
        recurrence: Recurrence {
            rules: vec!["FREQ=WEEKLY;BYDAY=MO".into()],
            excluded_rules: vec!["FREQ=MONTHLY".into()],
            added: vec![AddedDate { start: day, end: Some(day) }],
            excluded: vec![day],
        },
        overrides: vec![Override { recurrence_id: first.start, facts: facts("moved") }],
        detached_from: Some(day),
        facts: first,
    }
}

pub fn event(number: u64, calendar: Option<&Calendar>) -> Event {
    Event {
        id: id(number),
        space_id: calendar.map_or_else(|| space_id("home"), |calendar| calendar.space_id.clone()),
        user_id: user_id("ada"),
        calendar_id: calendar.map(|calendar| calendar.id),
        uid: format!("uid-{number}@example.org").as_str().into(),
        content: EventContent::single(facts("Lunch")),
        origin: Origin::Remote,
        deleted_at: None,
        created_at: at(6),
        updated_at: at(7),
        version: 2,
    }
}

pub fn mapping(number: u64, calendar: &Calendar, event: EventId) -> Mapping {
    Mapping {
        id: id(number),
        space_id: calendar.space_id.clone(),
        account_id: calendar.account_id,
        calendar_id: calendar.id,
        event_id: event,
        remote_id: format!("/cal/{number}.ics").into(),
        uid: format!("uid-{number}").as_str().into(),
        revision: Some("\"etag\"".into()),
        base: series("agreed"),
        raw: Some(b"BEGIN:VCALENDAR\r\n\x00\xff".to_vec()),
        created_by_us: true,
        updated_at: at(8),
    }
}

pub fn write(number: u64, calendar: &Calendar, event: EventId) -> OutboxEntry {
    OutboxEntry {
        id: id(number),
        space_id: calendar.space_id.clone(),
        account_id: calendar.account_id,
        calendar_id: calendar.id,
        event_id: event,
        op: WriteOp::Update,
        intent: WriteIntent::Withdraw,
        key: "key@example.org".into(),
        sent: vec![series("sent"), series("sent before")],
        priority: 5,
        state: OutboxState::Queued,
        attempts: 2,
        not_before: at(10),
        event_version: 7,
        reason: "edited_here".into(),
        last_error: Some("503".into()),
        created_at: at(9),
    }
}

pub fn round(number: u64, account: &Account) -> Round {
    Round {
        id: id(number),
        space_id: account.space_id.clone(),
        account_id: account.id,
        cause: Cause::Requested,
        started_at: at(number.try_into().expect("small")),
        finished_at: Some(at(100)),
        outcome: Some(Outcome::Partial),
        tally: Tally {
            created: 1,
            updated: 2,
            deleted: 3,
            conflicts: 4,
            unreadable: 5,
            held: 6,
            writes: 7,
            requests: 8,
        },
        note: Some("two were skipped".into()),
    }
}

pub fn conflict(number: u64, calendar: &Calendar, event: EventId) -> Conflict {
    Conflict {
        id: id(number),
        space_id: calendar.space_id.clone(),
        account_id: calendar.account_id,
        calendar_id: calendar.id,
        event_id: event,
        kind: ConflictKind::DeletedRemotely,
        fields: vec!["title".into(), "start".into()],
        base: Some(series("before")),
        local: Some(series("ours")),
        remote: None,
        policy: ConflictPolicy::Ask,
        winner: Some(Winner::Local),
        status: ConflictStatus::Pending,
        severity: Severity::High,
        reason: "deleted_there_edited_here".into(),
        created_at: at(number.try_into().expect("small")),
        resolved_at: None,
    }
}

fn held(name: &str) -> HeldDeletion {
    HeldDeletion { remote_id: name.into(), event_id: id(7), revision: Some("\"1\"".into()), fate: HeldFate::Open }
}

pub fn hold(number: u64, calendar: &Calendar) -> Hold {
    Hold {
        id: id(number),
        space_id: calendar.space_id.clone(),
        account_id: calendar.account_id,
        calendar_id: calendar.id,
        removed: ["/a.ics", "/b.ics"].map(held).into(),
        mapped: 12,
        reason: "half_of_it".into(),
        state: HoldState::Held,
        created_at: at(number.try_into().expect("small")),
        decided_at: Some(at(200)),
    }
}

pub fn notice(number: u64, account: &Account, event: Option<EventId>) -> Notice {
    Notice {
        id: id(number),
        space_id: account.space_id.clone(),
        user_id: account.user_id.clone(),
        account_id: Some(account.id),
        event_id: event,
        subject: NoticeSubject::WriteParked { why: "the calendar is full".into() },
        severity: Severity::Normal,
        created_at: at(number.try_into().expect("small")),
        read_at: None,
    }
}

/// Each thing that a notice can say.
pub fn subjects() -> Vec<NoticeSubject> {
    vec![
        NoticeSubject::ReconnectRequired,
        NoticeSubject::EditOverwritten { conflict: ConflictKind::DeletedRemotely },
        NoticeSubject::ConflictPending,
        NoticeSubject::WriteParked { why: "its \"quota\" is ünder\n{1}".into() },
        NoticeSubject::DeletionsHeld { events: 24, reason: HoldReason::HeldBefore, evidence: Evidence::EmptyList },
        NoticeSubject::DeletionsRefused { kept: 1, written_back: true },
        NoticeSubject::Unwatched,
        NoticeSubject::BlockMoved,
        NoticeSubject::Overrun,
        NoticeSubject::PlanOffered { changes: 3 },
        NoticeSubject::TaskStale,
        NoticeSubject::Quarantined,
        NoticeSubject::Plain { kind: NoticeKind::Unreadable, text: "An event \\ is 'odd', \"they\" said.".into() },
        NoticeSubject::Unknown { kind: "news".into(), stored: "[]".into() },
    ]
}

pub fn audit_line(number: u64, account: &Account) -> AuditLine {
    AuditLine {
        id: id(number),
        space_id: Some(account.space_id.clone()),
        account_id: Some(account.id),
        actor: "janitor".into(),
        action: "account.connected".into(),
        subject: account.id.to_string(),
        detail: serde_json::json!({"why": ["x", 1, null]}),
        at: at(number.try_into().expect("small")),
    }
}

/// Ada, at home in the space `home`, with an account (1) and one calendar (2) in it.
pub async fn ada(base: &Base) -> (Account, Calendar) {
    let account = account(1, "home", "ada");
    let calendar = calendar(2, &account);
    let mut tx = base.write().await;
    tx.put_space(&space("home")).await.expect("space");
    tx.put_user(&user("ada", "home")).await.expect("user");
    tx.insert_account(&account).await.expect("account");
    tx.put_calendars(std::slice::from_ref(&calendar)).await.expect("calendar");
    tx.commit().await.expect("committed");
    (account, calendar)
}

/// Ada's account and calendar, with one event (3) mapped there (4).
pub async fn ada_with_an_event(base: &Base) -> (Account, Calendar, Event, Mapping) {
    let (account, calendar) = ada(base).await;
    let event = event(3, Some(&calendar));
    let mapping = mapping(4, &calendar, event.id);
    let mut tx = base.write().await;
    tx.put_events(std::slice::from_ref(&event), &[(at(60), Some(at(120)))]).await.expect("event");
    tx.put_mappings(std::slice::from_ref(&mapping)).await.expect("mapping");
    tx.commit().await.expect("committed");
    (account, calendar, event, mapping)
}

/// The id of a calendar that does not exist.
pub fn nowhere() -> CalendarId {
    id(999_999)
}
