//! Our side in memory: the tables that decisions read and write, each method one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use calwarden::{
    domain::{
        account::{Account, AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, Schedule},
        calendar::{Calendar, Direction},
        conflict::{Conflict, ConflictStatus, HeldFate, Hold, HoldState},
        event::EventContent,
        ids::{AccountId, CalendarId, EventId, RemoteCalendarId, RemoteEventId, SpaceId, Uid, UserId},
        mapping::{Event, Mapping, Origin, Remains, RemoteEvent},
        outbox::{OutboxEntry, OutboxState, WriteOp},
        person::{User, WorkingHours},
        ports::{Clock, Random, World},
    },
    engine::{
        conflict::{Standing, bring_up_to_date, settled},
        outbox::{Owes, is_withdrawal, joined, missed, owes},
        sync::plan::Reason,
    },
    provider::{EventWriter, Found, Result, Target},
    service::sync_round::{
        changes::{Changes, to_read_again},
        moved::has_moved,
        scene::Scene,
    },
    store::MappingKey,
};
use chrono::{DateTime, Utc};

use super::{
    dice::Dice,
    edits::{ZONE, beginning},
};

/// What is gone in any calendar of an account by one round.
pub type Absent = BTreeSet<(CalendarId, RemoteEventId)>;

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

/// The hand that says what a provider keeps: everything. It is never asked to write.
struct Keeps;

#[async_trait]
impl EventWriter for Keeps {
    fn canonical(&self, content: &EventContent) -> EventContent {
        content.clone()
    }
    async fn create(&self, _: &RemoteCalendarId, _: &Uid, _: &EventContent) -> Result<RemoteEvent> {
        unreachable!("the story sends by itself")
    }
    async fn update(&self, _: Target<'_>, _: &EventContent) -> Result<RemoteEvent> {
        unreachable!("the story sends by itself")
    }
    async fn delete(&self, _: Target<'_>) -> Result<()> {
        unreachable!("the story sends by itself")
    }
    async fn read(&self, _: &RemoteCalendarId, _: &RemoteEventId) -> Result<Option<RemoteEvent>> {
        unreachable!("the story sends by itself")
    }
    async fn find(&self, _: &RemoteCalendarId, _: &Uid) -> Result<Found> {
        unreachable!("the story sends by itself")
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

    pub fn scene(&self, account: usize, calendar: usize) -> Scene<'_> {
        let calendar = &self.calendars[account][calendar];
        Scene::new(&self.accounts[account], &self.user, calendar, Some(&Keeps), &self.world)
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
    pub fn write(&mut self, setting: &Setting, scene: &Scene<'_>, changes: &Changes) {
        for event in &changes.events {
            self.events.insert(event.id, event.clone());
        }
        self.mappings.retain(|_, mapping| !changes.forgotten.contains(&mapping.id));
        for mapping in &changes.mappings {
            // As both databases have it: one object, one bond.
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
            |held: &&Conflict| held.calendar_id == scene.calendar.id && held.status == ConflictStatus::Pending;
        let waiting = self.conflicts.iter().filter(waiting).cloned().collect();
        let (new, closed) = changes.closing(waiting, scene.world.now());
        for conflict in closed {
            self.conflicts.retain(|held| held.id != conflict.id);
            self.conflicts.push(conflict);
        }
        self.conflicts.extend(new);
        for id in &changes.spread {
            let Some(event) = self.events.get(id) else { continue };
            let others = self.mappings.values().filter(|held| held.event_id == *id);
            let others = others.filter(|held| held.calendar_id != scene.calendar.id);
            let owed: Vec<_> = others.map(|copy| scene.owed_elsewhere(event, copy)).collect();
            for entry in &owed {
                self.join(entry);
            }
        }
        for id in &changes.restored {
            let event = self.events[id].clone();
            self.read_again(*id, Some(scene.calendar.id));
            if let Some(home) = event.calendar_id.filter(|home| !self.mappings.contains_key(&(*id, *home))) {
                let (account, which) = setting.place(home);
                self.join(&scene.owed_at_home(&event, &setting.calendars[account][which]));
            }
        }
    }

    /// A calendar only takes events from now on: what came from there and lives nowhere else goes from here.
    pub fn let_go(&mut self, calendar: CalendarId) {
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
    pub fn resume(&mut self, scene: &Scene<'_>) {
        let parked = self.outbox.values_mut().filter(|entry| entry.calendar_id == scene.calendar.id);
        parked.for_each(|entry| entry.state = OutboxState::Queued);
        let bonds = self.mappings.values().filter(|held| held.calendar_id == scene.calendar.id);
        let owed = bonds.filter_map(|held| {
            let event = &self.events[&held.event_id];
            missed(event, held, scene.account.privacy).map(|op| scene.owed(event, op, held.uid.clone(), reason(op)))
        });
        let unlinked = self.unlinked(scene.calendar.id).map(|event| {
            let key = Uid(scene.world.new_id::<uuid::Uuid>().to_string());
            scene.owed(event, WriteOp::Create, key, Reason::NewLocally)
        });
        for entry in owed.chain(unlinked).collect::<Vec<_>>() {
            self.join(&entry);
        }
    }

    /// The new event in the account's other calendar that this one has become there.
    pub fn moved(
        &self,
        setting: &Setting,
        account: usize,
        (left, event): (&Mapping, &Event),
        gone: &Absent,
    ) -> Option<(Mapping, Event)> {
        let of_account =
            self.mappings.values().filter(|held| held.account_id == left.account_id && held.uid == left.uid);
        let found = of_account.filter(|held| held.calendar_id != left.calendar_id).find(|held| {
            let (_, which) = setting.place(held.calendar_id);
            let inbound = setting.calendars[account][which].direction.inbound();
            let alone = |id: EventId| self.mappings.keys().filter(|copy| copy.0 == id).count() == 1;
            inbound
                && !gone.contains(&(held.calendar_id, held.remote_id.clone()))
                && alone(event.id)
                && alone(held.event_id)
                && !self.outbox.contains_key(&(event.id, held.calendar_id))
                && !self.pending((event.id, left.calendar_id))
                && has_moved(&setting.scene(account, which), (left, event), (held, &self.events[&held.event_id]))
        })?;
        Some((found.clone(), self.events[&found.event_id].clone()))
    }

    /// Whether an object is the copy of another event.
    pub fn is_anothers(&self, copy: Copy, remote: &RemoteEventId) -> bool {
        let mut bonds = self.mappings.values();
        bonds.any(|held| held.calendar_id == copy.1 && held.remote_id == *remote && held.event_id != copy.0)
    }

    /// A copy that a calendar had under this name and lost, of an event that has none there now.
    pub fn lost(&self, calendar: CalendarId, uid: &Uid) -> Option<Remains> {
        let here = self.remains.values().filter(|was| was.calendar_id == calendar && was.uid == *uid);
        let free = here.filter(|was| !self.mappings.contains_key(&(was.event_id, calendar)));
        free.max_by_key(|was| was.kept_at).cloned()
    }

    /// The name that a copy was to get is taken: it gets another.
    pub fn rename(&mut self, setting: &Setting, copy: Copy) {
        let key = Uid(setting.world.new_id::<uuid::Uuid>().to_string());
        if let Some(entry) = self.outbox.get_mut(&copy) {
            entry.key = key;
            entry.sent.clear();
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

    /// Edits that waited for a hold's answer wait no more where it has come, or the event is back.
    pub fn release(&mut self, hold: &Hold) {
        for held in hold.removed.iter().filter(|held| held.fate != HeldFate::Open) {
            if let Some(entry) = self.outbox.get_mut(&(held.event_id, hold.calendar_id)) {
                entry.state = OutboxState::Queued;
            }
        }
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
        self.outbox.get(&copy).is_some_and(is_withdrawal)
    }

    /// What was worked on has ended.
    pub fn close(&mut self, copy: Copy) {
        if !self.is_going(copy) {
            self.outbox.remove(&copy);
        }
    }

    pub fn join(&mut self, entry: &OutboxEntry) {
        let copy = (entry.event_id, entry.calendar_id);
        let entry = joined(self.outbox.get(&copy).cloned(), entry);
        self.outbox.insert(copy, entry);
    }

    /// Queues what an event owes to every calendar it lives in.
    pub fn owe_all(&mut self, setting: &Setting, id: EventId) {
        let Some(event) = self.events.get(&id).cloned() else { return };
        let bonded = self.mappings.values().filter(|held| held.event_id == id);
        let mut homes: Vec<_> = bonded.map(|held| (held.calendar_id, Some(held.uid.clone()))).collect();
        if let Some(home) = event.calendar_id.filter(|home| !homes.iter().any(|(calendar, _)| calendar == home)) {
            homes.push((home, None));
        }
        for (calendar, bonded) in homes {
            let (account, which) = setting.place(calendar);
            if !setting.calendars[account][which].takes_writes() {
                continue;
            }
            match owes(event.deleted_at.is_some(), bonded.is_some(), self.outbox.get(&(id, calendar))) {
                Owes::Nothing => {}
                Owes::Withdraw => {
                    self.outbox.remove(&(id, calendar));
                }
                Owes::Write(op) => {
                    let fresh = || Uid(setting.world.new_id::<uuid::Uuid>().to_string());
                    let key = bonded.unwrap_or_else(|| if event.version == 1 { event.uid.clone() } else { fresh() });
                    self.join(&setting.scene(account, which).owed(&event, op, key, reason(op)));
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
            Standing::Says(content) => {
                event.content = content;
                if event.deleted_at.take().is_some() {
                    self.read_again(copy.0, None);
                }
            }
            Standing::Deleted => event.deleted_at = Some(now),
            Standing::CopyAgain if event.deleted_at.is_none() => {
                let event = event.clone();
                return self.link(setting, &event, copy.1);
            }
            Standing::CopyAgain | Standing::NoCopy => return,
        }
        let event = self.events.get_mut(&copy.0).expect("it is there");
        event.version += 1;
        event.updated_at = now;
        self.owe_all(setting, copy.0);
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
        let entry = setting.scene(account, which).owed(event, WriteOp::Create, key, Reason::NewLocally);
        self.join(&entry);
    }

    pub fn index(&self, calendar: CalendarId) -> Vec<MappingKey> {
        let held = self.mappings.values().filter(|mapping| mapping.calendar_id == calendar);
        held.map(MappingKey::from).collect()
    }

    pub fn bond(&self, calendar: CalendarId, id: &RemoteEventId) -> Option<(Mapping, Event)> {
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

fn reason(op: WriteOp) -> Reason {
    match op {
        WriteOp::Create => Reason::NewLocally,
        WriteOp::Update => Reason::LocalChanged,
        WriteOp::Delete => Reason::DeletedLocally,
    }
}
