//! A transaction as a value, and its queries: one line each, forwarded to the backend at hand.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel_async::{SimpleAsyncConnection, pooled_connection::deadpool::Object};

use super::{
    error::StoreError,
    postgres,
    records::{BusyRead, ConflictFilter, EventFilter, EventSpan},
    sqlite,
};
use crate::domain::{
    account::{Account, AccountStatus, ProviderKind, SealedSecret},
    availability::BusySpan,
    calendar::Calendar,
    channel::WatchChannel,
    conflict::{Conflict, Hold, HoldState},
    grant::{Consent, Grant},
    ids::{
        AccountId, CalendarId, ChannelId, ConflictId, EventId, HoldId, MappingId, NoticeId, OutboxId, RemoteEventId,
        RoundId, SpaceId, SyncCursor, Uid, UserId,
    },
    mapping::{Event, Mapping, MappingKey, Remains},
    notice::Notice,
    outbox::OutboxEntry,
    page::UnreadableEvent,
    person::{Scope, Space, User},
    round::Round,
};

/// An open transaction. Dropped without [`Tx::commit`], nothing of it happened; its connection is thrown away or rolled back.
///
/// After a query that failed, or whose future was dropped half-way, only dropping is left: every further query and the commit
/// are [`StoreError::Backend`]. Values that cannot be read ([`StoreError::Corrupt`]) leave it usable.
pub struct Tx {
    held: Option<TxConn>,
    /// Set while a query runs, and left set when it fails or is cancelled.
    spoilt: bool,
    /// The unit of work it is a part of.
    part: Option<Part>,
}

enum TxConn {
    Writer(sqlite::writer::Lease),
    Reader(sqlite::ReadConn),
    Postgres(Box<postgres::Pooled>),
}

/// The connection a query runs on.
enum Link<'tx> {
    Sqlite(&'tx mut sqlite::Conn),
    Postgres(&'tx mut postgres::Conn),
}

fn over() -> StoreError {
    StoreError::Backend("this transaction failed or was interrupted, begin another".to_owned())
}

impl Tx {
    pub(super) fn writing(lease: sqlite::writer::Lease) -> Self {
        Self { held: Some(TxConn::Writer(lease)), spoilt: false, part: None }
    }

    pub(super) fn reading(reader: sqlite::ReadConn) -> Self {
        Self { held: Some(TxConn::Reader(reader)), spoilt: false, part: None }
    }

    pub(super) fn postgres(pooled: postgres::Pooled) -> Self {
        Self { held: Some(TxConn::Postgres(Box::new(pooled))), spoilt: false, part: None }
    }

    fn link(&mut self) -> Result<Link<'_>, StoreError> {
        if std::mem::replace(&mut self.spoilt, true) {
            return Err(over());
        }
        match self.held.as_mut() {
            Some(TxConn::Writer(lease)) => lease.conn().map(Link::Sqlite).ok_or_else(over),
            Some(TxConn::Reader(reader)) => Ok(Link::Sqlite(reader)),
            Some(TxConn::Postgres(pooled)) => Ok(Link::Postgres(pooled)),
            None => Err(over()),
        }
    }

    /// A query has come to its end: the transaction goes on unless the database refused something.
    fn settle<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        self.spoilt = !matches!(done, Ok(_) | Err(StoreError::Corrupt(_)));
        done
    }

    /// Ends the transaction; `Ok` means durable, or within a [`super::UnitOfWork`]: durable when that is.
    /// Cancelled half-way, it may or may not have happened.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        if !self.spoilt
            && let Some(part) = self.part.take()
        {
            return part.park(self);
        }
        if std::mem::replace(&mut self.spoilt, true) {
            return Err(over());
        }
        // A pooled connection is left in place until its COMMIT has succeeded, so that any other end throws it away.
        match self.held.as_mut() {
            Some(TxConn::Reader(reader)) => reader.batch_execute("COMMIT").await?,
            Some(TxConn::Postgres(pooled)) => pooled.batch_execute("COMMIT").await?,
            Some(TxConn::Writer(_)) | None => {}
        }
        match self.held.take() {
            Some(TxConn::Writer(lease)) => lease.commit().await,
            _ => Ok(()),
        }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(part) = self.part.take() {
            let looked = Self { held: self.held.take(), spoilt: self.spoilt, part: None };
            return part.give_up(looked, self.spoilt);
        }
        match self.held.take() {
            Some(TxConn::Reader(reader)) => drop(Object::take(reader)),
            Some(TxConn::Postgres(pooled)) => drop(Object::take(*pooled)),
            // The writer rolls the savepoint back itself.
            Some(TxConn::Writer(lease)) => drop(lease),
            None => {}
        }
    }
}

/// Methods of [`Tx`] that are queries of the noun they stand under.
macro_rules! queries {
    ($($noun:ident {
        $($(#[$about:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $answer:ty;)+
    })+) => {
        impl Tx {$($(
            $(#[$about])*
            pub async fn $name(&mut self, $($arg: $type),*) -> Result<$answer, StoreError> {
                let done = match self.link()? {
                    Link::Sqlite(conn) => sqlite::queries::$noun::$name(conn, $($arg),*).await,
                    Link::Postgres(conn) => postgres::queries::$noun::$name(conn, $($arg),*).await,
                };
                self.settle(done)
            }
        )+)+}
    };
}

#[path = "planning_queries.rs"]
mod planning;
#[path = "service_queries.rs"]
mod service;
#[path = "unit.rs"]
mod unit;

use unit::Part;
pub use unit::UnitOfWork;

queries! {
    people {
        /// Makes a space or overwrites it.
        fn put_space(space: &Space) -> ();
        /// A space.
        fn space(id: &SpaceId) -> Option<Space>;
        /// Makes a person or overwrites them. Their home space exists already.
        fn put_user(user: &User) -> ();
        /// A person.
        fn user(id: &UserId) -> Option<User>;
        /// Forgets a person with their accounts, events, notices and memberships; `false`: there was none.
        fn delete_user(id: &UserId) -> bool;
        /// Puts a person into a space, or changes their role there.
        fn put_member(space: &SpaceId, user: &UserId, role: &str) -> ();
        /// Takes a person out of a space; `false`: they were not in it.
        fn remove_member(space: &SpaceId, user: &UserId) -> bool;
        /// The spaces of a person. Asked under [`Scope::Whole`]: the answer is what a narrower scope is made of.
        fn spaces_of(user: &UserId) -> Vec<SpaceId>;
        /// The people in a space, with their roles.
        fn members_of(space: &SpaceId) -> Vec<(UserId, String)>;
        /// Every zone that somebody's days are read in, once.
        fn zones_in_use() -> Vec<Tz>;
    }
    accounts {
        /// Adds an account; its space and person exist already.
        fn insert_account(account: &Account) -> ();
        /// An account.
        fn account(scope: &Scope, id: AccountId) -> Option<Account>;
        /// Accounts in the order they were made: of one person or of all, after the last of the page before.
        fn accounts(scope: &Scope, user: Option<&UserId>, after: Option<AccountId>, limit: u32) -> Vec<Account>;
        /// Overwrites an account whole and sets its version to `expected_version + 1`; `false`: its version is another, nothing
        /// was written.
        fn update_account(account: &Account, expected_version: i64) -> bool;
        /// Overwrites what the account's own actor keeps. The version stays: nobody chose this. `false`: no such account.
        fn set_account_state(
            id: AccountId,
            status: AccountStatus,
            reason: Option<&str>,
            failures: u32,
            next_round_at: Option<DateTime<Utc>>,
            provider_interval_s: Option<u32>,
        ) -> bool;
        /// Makes rounds of these accounts due at an instant, unless they are due before; survives the process.
        fn owe_rounds(ids: &[AccountId], at: DateTime<Utc>) -> ();
        /// Every account.
        fn account_ids() -> Vec<AccountId>;
        /// Gives an account its names at its provider; the account of the same user that has one of them already, if there is
        /// one: then nothing of the transaction is to be kept.
        fn claim_identities(account: AccountId, user: &UserId, identities: &[String]) -> Option<AccountId>;
        /// Frees the names of an account.
        fn release_identities(account: AccountId) -> ();
        /// The accounts of a user that have no names yet, oldest first; those that are being disconnected left out.
        fn unidentified_accounts(user: &UserId) -> Vec<Account>;
        /// Removes an account with its calendars, mappings, outbox, rounds, conflicts, holds, notices and secrets. Its events
        /// stay, without a home; `false`: there was none.
        fn delete_account(id: AccountId) -> bool;
    }
    secrets {
        /// Keeps secrets, one per account and kind.
        fn put_secrets(sealed: &[SealedSecret]) -> ();
        /// The secrets of an account.
        fn secrets_of(account: AccountId) -> Vec<SealedSecret>;
        /// Secrets that are sealed under any key but this one.
        fn secrets_not_under(key_id: &str, limit: u32) -> Vec<SealedSecret>;
        /// Replaces a secret if it is still `old`; `false`: it is not.
        fn replace_secret(old: &SealedSecret, new: &SealedSecret) -> bool;
    }
    calendars {
        /// Adds calendars or overwrites them by id (account and space stay).
        fn put_calendars(listed: &[Calendar]) -> ();
        /// A calendar.
        fn calendar(scope: &Scope, id: CalendarId) -> Option<Calendar>;
        /// The calendars of an account.
        fn calendars_of(account: AccountId) -> Vec<Calendar>;
        /// Remembers how far a calendar was read, by which stamp, when it was last compared completely, and why some of it could not
        /// be read. The version stays.
        fn save_cursor(
            id: CalendarId,
            cursor: Option<&SyncCursor>,
            stamp: Option<&str>,
            reconciled_at: Option<DateTime<Utc>>,
            error: Option<&str>,
        ) -> ();
        /// Remembers why a calendar could not be read.
        fn set_calendar_error(id: CalendarId, why: &str) -> ();
        /// Holds a calendar at this version: who would change it meanwhile gets `Busy`, or waits. `false`: it has another.
        fn claim_calendar(id: CalendarId, version: i64) -> bool;
        /// Overwrites a calendar whole and sets its version to `expected_version + 1`; `false`: its version is another.
        fn update_calendar(calendar: &Calendar, expected_version: i64) -> bool;
    }
    grants {
        /// Keeps what an owner granted, in place of what they granted before.
        fn put_grant(grant: &Grant) -> ();
        /// What an account's owner granted.
        fn grant_of(account: AccountId) -> Option<Grant>;
        /// The account of a person at a provider, by whose it is there.
        fn account_of_subject(user: &UserId, provider: ProviderKind, subject: &str) -> Option<AccountId>;
        /// Whether another account stands on the same person's grant.
        fn shares_grant(account: AccountId, subject: &str) -> bool;
        /// Begins a consent.
        fn put_consent(consent: &Consent) -> ();
        /// Takes a consent out by its state: it is good once.
        fn take_consent(state_hash: &[u8]) -> Option<Consent>;
        /// A consent by its ticket.
        fn consent_by_ticket(ticket_hash: &[u8]) -> Option<Consent>;
        /// A consent by its ticket, which finds it no more.
        fn use_ticket(ticket_hash: &[u8]) -> Option<Consent>;
        /// Forgets consents begun before an instant.
        fn sweep_consents(before: DateTime<Utc>) -> u64;
    }
    channels {
        /// Adds a watch channel, or overwrites what the provider said of it.
        fn put_channel(channel: &WatchChannel) -> ();
        /// The watch channels of an account, oldest first.
        fn channels_of(account: AccountId) -> Vec<WatchChannel>;
        /// Those of these watch channels that exist.
        fn channels_by_ids(ids: &[ChannelId]) -> Vec<WatchChannel>;
        /// Remembers that a channel notified us, and about what resource; `false`: no such channel.
        fn heard(id: ChannelId, resource_id: &str, at: DateTime<Utc>) -> bool;
        /// Forgets a watch channel; `false`: no such channel.
        fn delete_channel(id: ChannelId) -> bool;
    }
    busy {
        /// Replaces what is known of a calendar's busy time.
        fn replace_busy(calendar: CalendarId, spans: &[BusySpan], read_at: DateTime<Utc>, until: DateTime<Utc>) -> ();
        /// Forgets what is known of a calendar's busy time.
        fn clear_busy(calendar: CalendarId) -> ();
        /// When the busy time of these calendars was read.
        fn busy_reads(calendars: &[CalendarId]) -> Vec<BusyRead>;
        /// A person's busy time within `from..to`, by its start.
        fn busy_in(
            scope: &Scope,
            user: &UserId,
            from: DateTime<Utc>,
            to: DateTime<Utc>,
            limit: u32,
        ) -> Vec<(CalendarId, BusySpan)>;
    }
    events {
        /// Adds events or overwrites them by id, each with its span. What has no partner in the other list is left out.
        fn put_events(written: &[Event], spans: &[EventSpan]) -> ();
        /// An event, deleted or not.
        fn event(scope: &Scope, id: EventId) -> Option<Event>;
        /// Those of these events that exist, deleted or not, in the order of their ids.
        fn events_by_ids(ids: &[EventId]) -> Vec<Event>;
        /// A person's events by first instant and id; each with its first instant, which with the id of the last one is `after`
        /// for the next page.
        fn events_in(
            scope: &Scope,
            wanted: EventFilter<'_>,
            after: Option<(DateTime<Utc>, EventId)>,
            limit: u32,
        ) -> Vec<(DateTime<Utc>, Event)>;
        /// Live events whose home is this calendar and which have no remote copy there.
        fn unlinked_events(calendar: CalendarId) -> Vec<Event>;
        /// A person's events without a home that have no remote copy in this calendar; of what was deleted, what began here.
        fn homeless_events(user: &UserId, calendar: CalendarId) -> Vec<Event>;
        /// Gives an event another home, or none; nothing is queued for it.
        fn rehome_event(event: EventId, home: Option<CalendarId>) -> ();
        /// Forgets events deleted before an instant, oldest first; those with a mapping or a queued write are kept.
        fn purge_deleted_events(before: DateTime<Utc>, limit: u32) -> u64;
        /// Forgets events with their mappings and queued writes.
        fn delete_events(ids: &[EventId]) -> u64;
    }
    mappings {
        /// Adds mappings or overwrites them by id (space, account and calendar stay).
        fn put_mappings(written: &[Mapping]) -> ();
        /// Forgets mappings.
        fn delete_mappings(ids: &[MappingId]) -> u64;
        /// Every mapping of a calendar, without documents.
        fn mapping_index(calendar: CalendarId) -> Vec<MappingKey>;
        /// The mappings of these remote events, with their local events.
        fn mappings_by_remote(calendar: CalendarId, remote: &[RemoteEventId]) -> Vec<(Mapping, Event)>;
        /// The mappings of an account that have one of these `UID`s in another calendar than this one, with their local events.
        fn namesakes(account: AccountId, calendar: CalendarId, uids: &[Uid]) -> Vec<(Mapping, Event)>;
        /// The mapping of an event in a calendar.
        fn mapping_of(event: EventId, calendar: CalendarId) -> Option<Mapping>;
        /// Every mapping of an event.
        fn mappings_of_event(event: EventId) -> Vec<Mapping>;
        /// The mappings of these events in every calendar but this one that is selected, or that is not.
        fn other_mappings(events: &[EventId], calendar: CalendarId, selected: bool) -> Vec<Mapping>;
        /// The mappings of a calendar by id, with their local events, after the last of the page before.
        fn mappings_of_calendar(calendar: CalendarId, after: Option<MappingId>, limit: u32) -> Vec<(Mapping, Event)>;
    }
    remains {
        /// Keeps what is left of copies, in place of what was left of the same copy before.
        fn put_remains(left: &[Remains]) -> ();
        /// What is left of an event's copy in a calendar.
        fn remains_of(event: EventId, calendar: CalendarId) -> Option<Remains>;
        /// Notes whether its owner took the copy out of the calendar: what was taken out is not found until it is asked for again.
        fn mark_remains(event: EventId, calendar: CalendarId, taken_out: bool) -> ();
        /// What is left of copies in a calendar that had one of these `UID`s.
        fn remains_by_uid(calendar: CalendarId, uids: &[Uid]) -> Vec<Remains>;
        /// Forgets what was left before an instant: some thousands at most, so ask again until none went.
        fn sweep_remains(before: DateTime<Utc>) -> u64;
    }
    outbox {
        /// Queues a write, in place of what was queued for the same event and calendar.
        fn put_outbox(entry: &OutboxEntry) -> ();
        /// Overwrites a queued write. [`StoreError::Busy`]: it has gone meanwhile.
        fn update_outbox(entry: &OutboxEntry) -> ();
        /// Holds what is queued for an account: who would settle a write meanwhile gets [`StoreError::Busy`], or waits.
        fn claim_outbox(account: AccountId) -> ();
        /// What is queued for an event in a calendar.
        fn outbox_entry(event: EventId, calendar: CalendarId) -> Option<OutboxEntry>;
        /// What is queued for an event, oldest first.
        fn outbox_of_event(event: EventId) -> Vec<OutboxEntry>;
        /// What is queued for these events, in whatever calendar.
        fn outbox_of_events(events: &[EventId]) -> Vec<OutboxEntry>;
        /// What is queued for a calendar, oldest first.
        fn outbox_of_calendar(calendar: CalendarId) -> Vec<OutboxEntry>;
        /// What an account may write now: most urgent first, then oldest.
        fn outbox_due(
            account: AccountId,
            now: DateTime<Utc>,
            latest: DateTime<Utc>,
            limit: u32,
        ) -> Vec<OutboxEntry>;
        /// What is queued or parked for an account: most urgent first, then oldest.
        fn outbox_of(scope: &Scope, account: AccountId, limit: u32) -> Vec<OutboxEntry>;
        /// When the first queued write of an account may be tried.
        fn next_outbox_at(account: AccountId) -> Option<DateTime<Utc>>;
        /// Takes a write out of the queue; `false`: it was not there.
        fn delete_outbox(id: OutboxId) -> bool;
    }
    rounds {
        /// Adds a round to the log.
        fn insert_round(round: &Round) -> ();
        /// The rounds of an account, newest first, older than `before`.
        fn rounds_of(scope: &Scope, account: AccountId, before: Option<RoundId>, limit: u32) -> Vec<Round>;
        /// The newest round of an account that came to its end.
        fn last_round(account: AccountId) -> Option<Round>;
        /// Forgets rounds begun before an instant: some thousands at most, so ask again until none went.
        fn sweep_rounds(before: DateTime<Utc>) -> u64;
    }
    conflicts {
        /// Adds conflicts to the history.
        fn insert_conflicts(met: &[Conflict]) -> ();
        /// A conflict.
        fn conflict(scope: &Scope, id: ConflictId) -> Option<Conflict>;
        /// The conflict about an event in a calendar that waits for a person.
        fn pending_conflict(event: EventId, calendar: CalendarId) -> Option<Conflict>;
        /// All conflicts of a calendar that wait for a person.
        fn pending_conflicts(calendar: CalendarId) -> Vec<Conflict>;
        /// Conflicts, newest first.
        fn conflicts(scope: &Scope, wanted: &ConflictFilter) -> Vec<Conflict>;
        /// Overwrites a conflict.
        fn update_conflict(conflict: &Conflict) -> ();
        /// Forgets conflicts settled before an instant: some thousands at most, so ask again until none went.
        fn sweep_conflicts(before: DateTime<Utc>) -> u64;
    }
    holds {
        /// Adds a hold or overwrites it by id.
        fn put_hold(hold: &Hold) -> ();
        /// The holds of a calendar that still say something about its deletions: held, approved, refused.
        fn holds_in_force(calendar: CalendarId) -> Vec<Hold>;
        /// Holds, newest first, five hundred at most.
        fn holds(scope: &Scope, account: Option<AccountId>, state: Option<HoldState>) -> Vec<Hold>;
        /// A hold.
        fn hold(scope: &Scope, id: HoldId) -> Option<Hold>;
    }
    notices {
        /// Sends a notice to a person. An unread notice of the same person, kind, account and event is refreshed (severity,
        /// what it says, time; it keeps its id) instead of doubled.
        fn put_notice(notice: &Notice) -> ();
        /// Notices, newest first, older than `after`.
        fn notices(
            scope: &Scope,
            user: Option<&UserId>,
            unread_only: bool,
            after: Option<NoticeId>,
            limit: u32,
        ) -> Vec<Notice>;
        /// A notice.
        fn notice(scope: &Scope, id: NoticeId) -> Option<Notice>;
        /// Marks a notice as read; `false`: it was read before, or is not to be seen.
        fn read_notice(scope: &Scope, id: NoticeId, at: DateTime<Utc>) -> bool;
        /// Forgets notices made before an instant, read or not: some thousands at most, so ask again until none went.
        fn sweep_notices(before: DateTime<Utc>) -> u64;
    }
    unreadable {
        /// Takes `clear` off a calendar's list of what cannot be read, then puts `add` on it.
        fn replace_unreadable(calendar: CalendarId, add: &[UnreadableEvent], clear: &[RemoteEventId]) -> ();
        /// What cannot be read in a calendar.
        fn unreadable_of(calendar: CalendarId) -> Vec<UnreadableEvent>;
    }
}
