//! Our side in memory: the tables that decisions read and write, each method one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use calwarden::{
    domain::{
        account::{Account, AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, Schedule},
        calendar::{Calendar, Direction},
        conflict::{Conflict, ConflictStatus, HeldFate, Hold, HoldState},
        event::EventContent,
        ids::{AccountId, CalendarId, EventId, RemoteCalendarId, RemoteEventId, SpaceId, Uid, UserId},
        mapping::{Canonical, Event, Mapping, MappingKey, Origin, Remains},
        outbox::{OutboxEntry, OutboxState, WriteOp},
        person::{User, WorkingHours},
        ports::{Clock, Random, World},
    },
    engine::{
        conflict::{Resolution, bring_up_to_date, settled},
        drain::Surroundings,
        outbox::{Owes, joined, missed, owes},
        round::{
            batch::Counterpart,
            carried::{Ties, seem_carried},
            changes::{Changes, to_read_again},
            context::CalendarContext,
            missing::{Gone, MappedEvent, Moves},
        },
        sync::plan::Reason,
    },
};
use chrono::{DateTime, Utc};

use super::{
    dice::Dice,
    edits::{ZONE, beginning},
};

/// Time and randomness of a story.
pub struct Hands {
    now: AtomicI64,
    dice: Mutex<Dice>,
}

impl Hands {
    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000_000, Relaxed);
    }
}

impl Clock for Hands {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.now.load(Relaxed)).expect("an instant")
    }
}

impl Random for Hands {
    fn fill(&self, bytes: &mut [u8]) {
        let mut dice = self.dice.lock().expect("one thread");
        for chunk in bytes.chunks_mut(8) {
            let drawn = dice.roll().to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }
}

/// A provider that gives back what it is given.
struct AsGiven;

impl Canonical for AsGiven {
    fn canonical(&self, content: &EventContent) -> EventContent {
        content.clone()
    }
}

/// Whose accounts they are, and what their owner chose.
pub struct Setting {
    pub hands: Arc<Hands>,
    pub world: World,
    pub user: User,
    pub accounts: Vec<Account>,
    pub calendars: Vec<[Calendar; 2]>,
}

impl Setting {
    pub fn new(accounts: usize) -> Self {
        let hands = Arc::new(Hands { now: AtomicI64::new(beginning().timestamp_micros()), dice: Mutex::new(Dice(7)) });
        let world = World { clock: hands.clone(), random: hands.clone() };
        let space: SpaceId = "home".parse().expect("an id");
        let user_id: UserId = "ada".parse().expect("an id");
        let now = world.now();
        let user = User {
            id: user_id.clone(),
            name: "Ada".into(),
            time_zone: ZONE,
            working_hours: WorkingHours::default(),
            home_space: space.clone(),
            created_at: now,
            version: 1,
        };
        let account = |_| Account {
            id: world.new_id(),
            space_id: space.clone(),
            user_id: user_id.clone(),
            provider: ProviderKind::Google,
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
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let accounts: Vec<_> = (0..accounts).map(account).collect();
        let calendar = |account: &Account, which: usize| Calendar {
            id: world.new_id(),
            account_id: account.id,
            space_id: space.clone(),
            remote_id: RemoteCalendarId(which.to_string()),
            name: String::new(),
            color: None,
            time_zone: None,
            read_only: false,
            selected: true,
            direction: Direction::Both,
            makes_tasks: false,
            cursor: None,
            stamp: None,
            reconciled_at: None,
            gone_at: None,
            last_error: None,
            version: 1,
        };
        let calendars = accounts.iter().map(|account| [calendar(account, 0), calendar(account, 1)]).collect();
        Self { hands, world, user, accounts, calendars }
    }

    pub fn context(&self, account: usize, calendar: usize) -> CalendarContext<'_> {
        let calendar = &self.calendars[account][calendar];
        CalendarContext::new(&self.accounts[account], &self.user, calendar, Some(&AsGiven), &self.world)
    }

    pub fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { user: &self.user, form: Some(&AsGiven), world: &self.world }
    }

    /// Which account and which of its calendars.
    pub fn place(&self, id: CalendarId) -> (usize, usize) {
        let found = self.calendars.iter().enumerate().find_map(|(account, both)| {
            both.iter().position(|calendar| calendar.id == id).map(|calendar| (account, calendar))
        });
        found.expect("a calendar of the story")
    }
}

/// A copy's place: which event, in which calendar.
pub type Copy = (EventId, CalendarId);

/// The tables.
#[derive(Default)]
pub struct Hub {
    pub events: BTreeMap<EventId, Event>,
    pub mappings: BTreeMap<Copy, Mapping>,
    pub outbox: BTreeMap<Copy, OutboxEntry>,
    pub conflicts: Vec<Conflict>,
    pub holds: Vec<Hold>,
    /// What is left of copies that are gone.
    pub remains: BTreeMap<Copy, Remains>,
    /// What somebody wants gone.
    pub taken_out: BTreeSet<Copy>,
}

impl Hub {
    /// Writes what was decided, and tells the event's other copies.
    pub fn write(&mut self, setting: &Setting, context: &CalendarContext<'_>, changes: &Changes) {
        for event in &changes.events {
            self.events.insert(event.id, event.clone());
        }
        self.mappings.retain(|_, mapping| !changes.forgotten.contains(&mapping.id));
        for mapping in &changes.mappings {
            // As both databases have it: one object, one mapping.
            let copy = (mapping.event_id, mapping.calendar_id);
            let merged = self.mappings.values().find(|held| {
                (held.calendar_id, &held.remote_id) == (mapping.calendar_id, &mapping.remote_id)
                    && held.event_id != mapping.event_id
            });
            let merged = merged.is_some_and(|held| !changes.merged.contains(&held.event_id));
            assert!(!merged, "{copy:?} gets the object of another event: {:?}", mapping.remote_id);
            self.mappings.insert((mapping.event_id, mapping.calendar_id), mapping.clone());
        }
        self.events.retain(|id, _| !changes.merged.contains(id));
        self.mappings.retain(|copy, _| !changes.merged.contains(&copy.0));
        self.outbox.retain(|copy, _| !changes.merged.contains(&copy.0));
        for remains in &changes.remains {
            self.remains.insert((remains.event_id, remains.calendar_id), remains.clone());
        }
        for copy in &changes.settled {
            if !(self.is_going(*copy) && self.mappings.contains_key(copy)) {
                self.outbox.remove(copy);
            }
        }
        for entry in &changes.owed {
            self.join(entry);
        }
        let waiting =
            |held: &&Conflict| held.calendar_id == context.calendar.id && held.status == ConflictStatus::Pending;
        let waiting = self.conflicts.iter().filter(waiting).cloned().collect();
        let (new, closed) = changes.closing(waiting, context.world.now());
        for conflict in closed {
            self.conflicts.retain(|held| held.id != conflict.id);
            self.conflicts.push(conflict);
        }
        self.conflicts.extend(new);
        for id in &changes.spread {
            let Some(event) = self.events.get(id) else { continue };
            let others = self.mappings.values().filter(|held| held.event_id == *id);
            let others = others.filter(|held| held.calendar_id != context.calendar.id);
            let owed: Vec<_> = others.map(|copy| context.owed_elsewhere(event, copy)).collect();
            for entry in &owed {
                self.join(entry);
            }
        }
        for id in &changes.restored {
            let event = self.events[id].clone();
            self.read_again(*id, Some(context.calendar.id));
            if let Some(home) = event.calendar_id.filter(|home| !self.mappings.contains_key(&(*id, *home))) {
                let (account, which) = setting.place(home);
                self.join(&context.owed_at_home(&event, &setting.calendars[account][which]));
            }
        }
    }

    /// A calendar only takes events from now on: what came from there and lives nowhere else goes from here.
    pub fn detach_calendar(&mut self, calendar: CalendarId) {
        let here = |event: &Event| event.origin == Origin::Remote && event.calendar_id == Some(calendar);
        let lives = |copy: &Copy, id| copy.0 == id && copy.1 != calendar;
        let elsewhere = |id| self.mappings.keys().chain(self.outbox.keys()).any(|copy| lives(copy, id));
        let theirs = self.mappings.iter().filter(|(copy, held)| copy.1 == calendar && !held.created_by_us);
        let sent = theirs.map(|(copy, _)| *copy).filter(|copy| !self.outbox.contains_key(copy));
        let going = sent.filter(|copy| here(&self.events[&copy.0]) && !elsewhere(copy.0));
        for copy in going.collect::<Vec<_>>() {
            self.mappings.remove(&copy);
            self.events.remove(&copy.0);
        }
    }

    /// A calendar takes writes again: what was put aside is queued, and what has changed here meanwhile.
    pub fn resume(&mut self, context: &CalendarContext<'_>) {
        let parked = self.outbox.values_mut().filter(|entry| entry.calendar_id == context.calendar.id);
        parked.for_each(|entry| entry.state = OutboxState::Queued);
        let mapped = self.mappings.values().filter(|held| held.calendar_id == context.calendar.id);
        let owed = mapped.filter_map(|held| {
            let event = &self.events[&held.event_id];
            missed(event, held, context.account.privacy)
                .map(|op| context.owed(event, op, held.uid.clone(), Reason::of_local(op)))
        });
        let unlinked = self.unlinked(context.calendar.id).map(|event| {
            let key = Uid(context.world.new_id::<uuid::Uuid>().to_string());
            context.owed(event, WriteOp::Create, key, Reason::NewLocally)
        });
        for entry in owed.chain(unlinked).collect::<Vec<_>>() {
            self.join(&entry);
        }
    }

    /// Where events that are missing in one of an account's calendars were carried to.
    pub fn moves(
        &self,
        setting: &Setting,
        (account, which): (usize, usize),
        missing: &[MappedEvent],
        gone: &Gone,
    ) -> Moves {
        let calendars = &setting.calendars[account];
        let is_named = |held: &&Mapping| {
            let mut names = missing.iter().map(|(left, _)| &left.uid);
            held.account_id == calendars[which].account_id
                && held.calendar_id != calendars[which].id
                && names.any(|uid| *uid == held.uid)
        };
        let namesakes = self.mappings.values().filter(is_named);
        let namesakes = namesakes.map(|held| (held.clone(), self.events[&held.event_id].clone())).collect();
        let home = |id| {
            let (account, which) = setting.place(id);
            Some(setting.context(account, which)).filter(|home| home.calendar.direction.inbound())
        };
        let copies = |id: EventId| self.mappings.keys().filter(|copy| copy.0 == id).count();
        let mut moves = Moves::new();
        for (event, (copy, new)) in seem_carried(missing, namesakes, gone, home) {
            let ties = Ties {
                copies: copies(event) + copies(new.id),
                owed: self.outbox.contains_key(&(event, copy.calendar_id)),
                disputed: self.pending((event, calendars[which].id)),
            };
            if ties.allow_it() {
                moves.insert(event, (copy, new));
            }
        }
        moves
    }

    /// Those events that have no copy in a calendar, with what is left of the copy they had.
    pub fn counterparts(&self, calendar: CalendarId, ids: Vec<EventId>) -> BTreeMap<EventId, Counterpart> {
        let free = ids.into_iter().filter(|id| !self.mappings.contains_key(&(*id, calendar)));
        let found = free.filter_map(|id| {
            let remains = self.left_of((id, calendar)).cloned();
            Some((id, Counterpart { event: self.events.get(&id)?.clone(), remains }))
        });
        found.collect()
    }

    /// Whether an object is the copy of another event.
    pub fn is_anothers(&self, copy: Copy, remote: &RemoteEventId) -> bool {
        let mut mapped = self.mappings.values();
        mapped.any(|held| held.calendar_id == copy.1 && held.remote_id == *remote && held.event_id != copy.0)
    }

    /// What is left of a copy that its owner has not taken out.
    pub fn left_of(&self, copy: Copy) -> Option<&Remains> {
        self.remains.get(&copy).filter(|left| !left.taken_out)
    }

    /// A copy that a calendar had under this name and lost, of an event that has none there now.
    pub fn lost(&self, calendar: CalendarId, uid: &Uid) -> Option<Remains> {
        let here = self.remains.values().filter(|was| was.calendar_id == calendar && was.uid == *uid && !was.taken_out);
        let free = here.filter(|was| !self.mappings.contains_key(&(was.event_id, calendar)));
        free.max_by_key(|was| was.kept_at).cloned()
    }

    /// A write that failed is tried again as soon as its turn comes: somebody asks for it, if it was put aside.
    pub fn try_again(&mut self, copy: Copy, now: DateTime<Utc>) {
        if let Some(entry) = self.outbox.get_mut(&copy) {
            (entry.state, entry.not_before) = (OutboxState::Queued, now);
        }
    }

    pub fn holds_in_force(&self, calendar: CalendarId) -> Vec<Hold> {
        let in_force = [HoldState::Held, HoldState::Approved, HoldState::Refused];
        let holds = self.holds.iter().filter(|hold| hold.calendar_id == calendar && in_force.contains(&hold.state));
        holds.cloned().collect()
    }

    pub fn put_hold(&mut self, hold: Hold) {
        self.holds.retain(|held| held.id != hold.id);
        self.holds.push(hold);
    }

    /// A person's answer to the oldest hold that waits; what it was about.
    pub fn answer(&mut self, approve: bool) -> Option<Hold> {
        let hold = self.holds.iter_mut().find(|hold| hold.state == HoldState::Held)?;
        let (state, fate) =
            if approve { (HoldState::Approved, HeldFate::Open) } else { (HoldState::Refused, HeldFate::Kept) };
        hold.state = state;
        hold.removed.iter_mut().for_each(|held| held.fate = fate);
        Some(hold.clone())
    }

    /// Whether a copy is being taken out of its calendar.
    pub fn is_going(&self, copy: Copy) -> bool {
        self.outbox.get(&copy).is_some_and(OutboxEntry::withdraws)
    }

    pub fn join(&mut self, entry: &OutboxEntry) {
        let copy = (entry.event_id, entry.calendar_id);
        let entry = joined(self.outbox.get(&copy).cloned(), entry);
        self.outbox.insert(copy, entry);
    }

    /// Queues what an event owes to every calendar it lives in.
    pub fn queue_writes(&mut self, setting: &Setting, id: EventId) {
        let Some(event) = self.events.get(&id).cloned() else { return };
        let mapped = self.mappings.values().filter(|held| held.event_id == id);
        let mut homes: Vec<_> = mapped.map(|held| (held.calendar_id, Some(held.uid.clone()))).collect();
        if let Some(home) = event.calendar_id.filter(|home| !homes.iter().any(|(calendar, _)| calendar == home)) {
            homes.push((home, None));
        }
        for (calendar, mapped) in homes {
            let (account, which) = setting.place(calendar);
            if !setting.calendars[account][which].takes_writes() {
                continue;
            }
            match owes(event.deleted_at.is_some(), mapped.is_some(), self.outbox.get(&(id, calendar))) {
                Owes::Nothing => {}
                Owes::Unqueue => {
                    self.outbox.remove(&(id, calendar));
                }
                Owes::Write(op) => {
                    let fresh = || Uid(setting.world.new_id::<uuid::Uuid>().to_string());
                    let key = mapped.unwrap_or_else(|| if event.version == 1 { event.uid.clone() } else { fresh() });
                    self.join(&setting.context(account, which).owed(&event, op, key, Reason::of_local(op)));
                }
            }
        }
    }

    /// A person's settling of a conflict: that side's version stands.
    pub fn resolve(&mut self, setting: &Setting, winner: calwarden::domain::conflict::Winner) {
        let Some(at) = self.conflicts.iter().position(|conflict| conflict.status == ConflictStatus::Pending) else {
            return;
        };
        let conflict = &mut self.conflicts[at];
        conflict.winner = Some(winner);
        conflict.status = ConflictStatus::Resolved;
        let copy = (conflict.event_id, conflict.calendar_id);
        if let Some(event) = self.events.get(&copy.0) {
            bring_up_to_date(conflict, &event.content, event.deleted_at.is_some());
        }
        let ours = self.mappings.get(&copy).is_some_and(|held| held.created_by_us);
        let level = setting.accounts[setting.place(copy.1).0].privacy;
        let level = if ours { level } else { PrivacyLevel::Full };
        let Some(event) = self.events.get(&copy.0).cloned() else { return };
        let stands = settled(conflict, winner, level, event.calendar_id == Some(copy.1));
        match (self.mappings.get_mut(&copy), conflict.remote.clone()) {
            (Some(mapping), Some(remote)) => mapping.base = remote,
            (Some(mapping), None) => {
                self.remains.extend(Remains::of(mapping, setting.world.now()).map(|left| (copy, left)));
                self.mappings.remove(&copy);
                self.outbox.remove(&copy);
            }
            (None, _) => {}
        }
        let now = setting.world.now();
        let event = self.events.get_mut(&copy.0).expect("it is there");
        match stands {
            Resolution::Says(content) => {
                event.content = content;
                if event.deleted_at.take().is_some() {
                    self.read_again(copy.0, None);
                }
            }
            Resolution::Deleted => event.deleted_at = Some(now),
            Resolution::CopyAgain if event.deleted_at.is_none() => {
                let event = event.clone();
                return self.link(setting, &event, copy.1);
            }
            Resolution::CopyAgain | Resolution::NoCopy => return,
        }
        let event = self.events.get_mut(&copy.0).expect("it is there");
        event.version += 1;
        event.updated_at = now;
        self.queue_writes(setting, copy.0);
    }

    /// The copies of an event that is back are read before anything is written to them.
    fn read_again(&mut self, id: EventId, but: Option<CalendarId>) {
        for held in self.mappings.values_mut().filter(|held| held.event_id == id && Some(held.calendar_id) != but) {
            *held = to_read_again(held.clone());
        }
    }

    /// Queues a copy in one more calendar.
    pub fn link(&mut self, setting: &Setting, event: &Event, calendar: CalendarId) {
        let copy = (event.id, calendar);
        let (account, which) = setting.place(calendar);
        let takes_writes = setting.calendars[account][which].takes_writes();
        if event.calendar_id == Some(calendar) || self.is_going(copy) || !takes_writes {
            return;
        }
        self.taken_out.remove(&copy);
        if self.mappings.contains_key(&copy) {
            return;
        }
        let key = Uid(setting.world.new_id::<uuid::Uuid>().to_string());
        let entry = setting.context(account, which).owed(event, WriteOp::Create, key, Reason::NewLocally);
        self.join(&entry);
        if let Some(left) = self.remains.get_mut(&copy) {
            left.taken_out = false;
        }
    }

    pub fn index(&self, calendar: CalendarId) -> Vec<MappingKey> {
        let held = self.mappings.values().filter(|mapping| mapping.calendar_id == calendar);
        held.map(MappingKey::from).collect()
    }

    pub fn mapped(&self, calendar: CalendarId, id: &RemoteEventId) -> Option<(Mapping, Event)> {
        let mapping = self.mappings.values().find(|held| held.calendar_id == calendar && held.remote_id == *id)?;
        Some((mapping.clone(), self.events.get(&mapping.event_id)?.clone()))
    }

    pub fn unlinked(&self, calendar: CalendarId) -> impl Iterator<Item = &Event> {
        let here = move |event: &&Event| event.calendar_id == Some(calendar) && event.deleted_at.is_none();
        self.events.values().filter(here).filter(move |event| !self.mappings.contains_key(&(event.id, calendar)))
    }

    pub fn pending(&self, copy: Copy) -> bool {
        let about = |conflict: &&Conflict| (conflict.event_id, conflict.calendar_id) == copy;
        self.conflicts.iter().filter(about).any(|conflict| conflict.status == ConflictStatus::Pending)
    }

    pub fn of_account(&self, account: AccountId) -> Vec<Copy> {
        self.outbox.values().filter(|entry| entry.account_id == account).map(|e| (e.event_id, e.calendar_id)).collect()
    }
}
