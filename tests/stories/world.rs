//! A story's world: our tables, every account's provider, where each round is, and what was promised.

use std::collections::{BTreeMap, BTreeSet};

use calwarden::{
    domain::{
        account::ConflictPolicy,
        calendar::{Calendar, Direction},
        conflict::{Conflict, ConflictKind, ConflictStatus, HeldDeletion, Hold, HoldState, Winner},
        event::EventContent,
        failure::FailureClass,
        ids::{CalendarId, EventId, RemoteEventId, Revision, Uid},
        mapping::{Event, Origin},
        outbox::OutboxEntry,
        promise::Promise,
    },
    engine::{
        drain::{Answer, Request},
        outbox::{Owes, owes},
        round::changes::Changes,
        sync::{
            brake::{BrakeRules, Loss, judge},
            plan::Reason,
        },
    },
};

use super::{
    book::{Book, Marks, marks},
    edits::{self, Made},
    hub::{Copy, Hub, Setting},
    remote::{Object, Remote, Sender},
    steps::{Act, Fate, Name, Step},
    turn::Stage,
};

/// Seconds that a step takes.
const STEP_S: i64 = 7;
/// A late write arrives after this time at the latest.
const LATE_MAX: chrono::Duration = chrono::Duration::minutes(5);
/// Passes over all accounts until nothing moves; each sees what the one before has written.
const PASSES_MAX: u32 = 8;

/// Everything.
pub struct World {
    pub setting: Setting,
    pub hub: Hub,
    pub remotes: Vec<Remote>,
    pub stages: Vec<Stage>,
    pub names: BTreeMap<EventId, Name>,
    pub here: BTreeMap<Name, EventId>,
    pub book: Book,
    /// Copies about which a conflict was met while a write was unconfirmed.
    pub unconfirmed: BTreeSet<Copy>,
    /// Deletions that a person has answered for, by what they were asked about, and what was said.
    pub answered: BTreeMap<(Copy, Option<Revision>), bool>,
    /// Events that an account's owner made at its provider.
    pub owners_own: BTreeSet<(usize, Name)>,
    /// Copies that somebody asked for here.
    pub asked_for: BTreeSet<Copy>,
    pub broken: Option<String>,
    pub activity: u64,
    pub passes: u32,
}

impl World {
    pub fn new(accounts: usize) -> Self {
        Self {
            setting: Setting::new(accounts),
            hub: Hub::default(),
            remotes: (0..accounts).map(|_| Remote::default()).collect(),
            stages: (0..accounts).map(|_| Stage::Idle).collect(),
            names: BTreeMap::new(),
            here: BTreeMap::new(),
            book: Book::default(),
            unconfirmed: BTreeSet::new(),
            answered: BTreeMap::new(),
            owners_own: BTreeSet::new(),
            asked_for: BTreeSet::new(),
            broken: None,
            activity: 0,
            passes: 0,
        }
    }

    /// Tells a story to its end, lets everything come to rest, and judges. The error is the first broken promise.
    pub fn tell(accounts: usize, steps: &[Step]) -> Result<Self, String> {
        let mut world = Self::new(accounts);
        for step in steps {
            world.take(*step)?;
        }
        world.rest()?;
        world.judge()?;
        Ok(world)
    }

    fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    /// Does one step; the error is the promise that it breaks.
    pub fn take(&mut self, step: Step) -> Result<(), String> {
        let words = format!("{step:?}");
        self.step(step);
        self.print(&words);
        self.broken.take().map_or(Ok(()), Err)
    }

    fn step(&mut self, step: Step) {
        self.setting.hands.pass(STEP_S);
        let overdue = self.setting.world.now() - LATE_MAX;
        self.remotes.iter_mut().for_each(|remote| remote.arrive(overdue));
        match step {
            Step::Local(name, act) => self.local(name, act),
            Step::Remote(account, name, act) => self.remote(account, name, act),
            Step::Turn(account, fate) => self.turn(account, fate),
            Step::Round(account) => self.round(account),
            Step::Crash => self.stages.iter_mut().for_each(|stage| *stage = Stage::Idle),
            Step::Arrive(account) => self.remotes[account].arrive(self.setting.world.now()),
            Step::Lag(account) => self.remotes[account].lags ^= true,
            Step::Decide(winner) => self.hub.resolve(&self.setting, winner),
            Step::Answer(approve) => self.answer(approve),
            Step::Erase(account) => self.erase(account),
            Step::Return(account) => {
                let event = |name| self.here.get(&name).and_then(|id| self.hub.events.get(id));
                let deleted = |name| event(name).is_some_and(|event| event.deleted_at.is_some());
                self.remotes[account].give_back(self.setting.world.now(), deleted);
            }
            Step::Compare(account) => {
                self.setting.calendars[account].iter_mut().for_each(|calendar| calendar.reconciled_at = None);
            }
            Step::Policy(account, policy) => {
                self.setting.accounts[account].policy = policy;
                self.give_up_reading(account);
            }
            Step::Privacy(account, level) => {
                self.setting.accounts[account].privacy = level;
                self.give_up_reading(account);
                let id = self.setting.accounts[account].id;
                let ours = self.hub.mappings.values().filter(|held| held.account_id == id && held.created_by_us);
                let ours = ours.map(|held| held.event_id).filter(|id| self.hub.events[id].deleted_at.is_none());
                for id in ours.collect::<BTreeSet<_>>() {
                    self.hub.queue_writes(&self.setting, id);
                }
            }
            Step::Direction(account, direction) => self.turned(account, direction),
            Step::Wait(minutes) => self.setting.hands.pass(i64::from(minutes) * 60),
        }
    }

    /// Both calendars of an account flow another way from now on.
    fn turned(&mut self, account: usize, direction: Direction) {
        let before = self.setting.calendars[account][0].direction;
        if before == direction {
            return;
        }
        for which in 0..2 {
            let calendar = &mut self.setting.calendars[account][which];
            (calendar.direction, calendar.cursor, calendar.reconciled_at) = (direction, None, None);
            let id = calendar.id;
            if before.inbound() && !direction.inbound() {
                self.hub.detach_calendar(id);
            }
            if !before.outbound() && direction.outbound() {
                self.hub.resume(&self.setting.context(account, which));
            }
        }
        self.give_up_reading(account);
    }

    /// What is being read was read for what its owner had chosen before.
    fn give_up_reading(&mut self, account: usize) {
        if matches!(self.stages[account], Stage::Ask(..) | Stage::Page(..) | Stage::Remove(..)) {
            self.stages[account] = Stage::Idle;
        }
    }

    /// From wherever it is to the end of the round.
    fn round(&mut self, account: usize) {
        self.turn(account, Fate::Well);
        while !matches!(self.stages[account], Stage::Idle) {
            self.turn(account, Fate::Well);
        }
    }

    fn home(&self, name: Name) -> CalendarId {
        let account = usize::try_from(name).expect("small") % self.setting.accounts.len();
        self.setting.calendars[account][0].id
    }

    /// Whether an event's home lets it be changed here.
    fn takes_writes(&self, home: Option<CalendarId>) -> bool {
        let place = home.map(|home| self.setting.place(home));
        place.is_none_or(|(account, which)| self.setting.calendars[account][which].takes_writes())
    }

    fn new_here(&mut self, name: Name, home: Option<CalendarId>, content: EventContent) {
        let now = self.setting.world.now();
        let uuid: uuid::Uuid = self.setting.world.new_id();
        let event = Event {
            id: EventId(uuid),
            space_id: self.setting.user.home_space.clone(),
            user_id: self.setting.user.id.clone(),
            calendar_id: home,
            uid: Uid(uuid.to_string()),
            content,
            origin: Origin::Local,
            deleted_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let id = event.id;
        self.names.insert(id, name);
        self.here.insert(name, id);
        self.hub.events.insert(id, event);
        self.hub.queue_writes(&self.setting, id);
    }

    fn local(&mut self, name: Name, act: Act) {
        if let Some(content) = edits::made(act) {
            if !self.here.contains_key(&name) && self.takes_writes(Some(self.home(name))) {
                self.book.made(name, &content);
                self.new_here(name, Some(self.home(name)), content);
            }
            return;
        }
        if let Act::Twin(of) = act {
            let looks = self.here.get(&of).and_then(|id| self.hub.events.get(id));
            let looks = looks.filter(|event| event.deleted_at.is_none() && self.takes_writes(event.calendar_id));
            if let Some(event) = looks.cloned() {
                self.book.stems(name, of);
                self.book.made(name, &event.content);
                self.new_here(name, event.calendar_id, event.content);
            }
            return;
        }
        let Some(id) = self.here.get(&name).copied() else { return };
        let Some(event) = self.hub.events.get(&id).filter(|event| event.deleted_at.is_none()).cloned() else { return };
        match act {
            Act::Link(account) => {
                let calendar = self.setting.calendars[account][0].id;
                self.asked_for.insert((id, calendar));
                return self.hub.link(&self.setting, &event, calendar);
            }
            Act::Unlink(account) => return self.unlink(&event, account),
            _ if !self.takes_writes(event.calendar_id) => return,
            _ => {}
        }
        let made = edits::done(&event.content, act);
        let Some((kept, tail)) = self.judged(name, act, &event.content, made, true) else { return };
        let now = self.setting.world.now();
        let held = self.hub.events.get_mut(&id).expect("it is there");
        match kept {
            Some(content) => held.content = content,
            None => held.deleted_at = Some(now),
        }
        held.version += 1;
        held.updated_at = now;
        self.hub.queue_writes(&self.setting, id);
        if let Some((name, tail)) = tail {
            self.new_here(name, event.calendar_id, tail);
        }
    }

    /// Writes an act into the book; what becomes of the event, and of the rest of a series that was cut.
    #[expect(clippy::type_complexity, reason = "used twice, beside each other")]
    fn judged(
        &mut self,
        name: Name,
        act: Act,
        before: &EventContent,
        made: Made,
        everywhere: bool,
    ) -> Option<(Option<EventContent>, Option<(Name, EventContent)>)> {
        if before.is_series()
            && let Some(broken) = edits::harms_others(before, act, &made)
        {
            self.breaks(broken);
        }
        if matches!(act, Act::Skip(_) | Act::Drop(_) | Act::Following(..)) {
            self.book.cut(name);
        }
        let seen = marks(before);
        match made {
            Made::Nothing => None,
            Made::Gone => {
                self.book.deleted(name, seen, everywhere);
                Some((None, None))
            }
            Made::Same(content) => {
                self.book.wrote(name, &seen, &content, &marks(&content));
                Some((Some(content), None))
            }
            Made::Split(head, tail) => {
                let Act::Following(_, _, new) = act else { return None };
                let both: Marks = marks(&head).union(&marks(&tail)).copied().collect();
                self.book.stems(new, name);
                self.book.wrote(name, &seen, &tail, &both);
                Some((Some(head), Some((new, tail))))
            }
        }
    }

    fn unlink(&mut self, event: &Event, account: usize) {
        let calendar = self.setting.calendars[account][0].id;
        let copy = (event.id, calendar);
        if event.calendar_id == Some(calendar) {
            return;
        }
        for conflict in self.hub.conflicts.iter_mut().filter(|held| (held.event_id, held.calendar_id) == copy) {
            (conflict.status, conflict.winner) = (ConflictStatus::Resolved, Some(Winner::Local));
        }
        let mapped = self.hub.mappings.get(&copy).map(|held| held.uid.clone());
        let queued = self.hub.outbox.get(&copy);
        let owed = owes(true, mapped.is_some(), queued);
        match (owed, mapped.or_else(|| queued.map(|entry| entry.key.clone()))) {
            (Owes::Write(op), Some(key)) => {
                let entry = self.setting.context(account, 0).owed(event, op, key, Reason::Unlinked);
                self.hub.join(&entry);
            }
            (Owes::Unqueue, _) => {
                self.hub.outbox.remove(&copy);
            }
            _ => {}
        }
        if let Some(left) = self.hub.remains.get_mut(&copy) {
            left.taken_out = true;
        }
        self.hub.taken_out.insert(copy);
    }

    fn remote(&mut self, account: usize, name: Name, act: Act) {
        let now = self.setting.world.now();
        let fresh = |content: EventContent, calendar: usize, name: Name| Object {
            uid: Uid(format!("there-{name}")),
            calendar,
            content,
            gone: false,
            seq: 0,
            changed_at: now,
            shown_from: now,
            name,
            made_for: None,
        };
        if let Some(content) = edits::made(act) {
            if !self.remotes.iter().any(|remote| remote.objects.values().any(|object| object.name == name))
                && !self.here.contains_key(&name)
            {
                self.book.made(name, &content);
                let lags = self.remotes[account].lags;
                let mut object = fresh(content, 0, name);
                object.shown_from += chrono::Duration::seconds(if lags { 45 } else { 0 });
                self.owners_own.insert((account, name));
                self.remotes[account].put(&RemoteEventId(format!("there-{name}")), object);
            }
            return;
        }
        if let Act::Twin(of) = act {
            let looks = self.here.get(&of).and_then(|id| self.hub.events.get(id)).cloned();
            if let Some(event) = looks.filter(|event| event.deleted_at.is_none()) {
                self.book.stems(name, of);
                self.book.made(name, &event.content);
                self.owners_own.insert((account, name));
                self.remotes[account].put(&RemoteEventId(format!("there-{name}")), fresh(event.content, 0, name));
            }
            return;
        }
        let Some((id, object)) = self.remotes[account].living(name).map(|(id, held)| (id.clone(), held.clone())) else {
            return;
        };
        if act == Act::Carry {
            // A calendar holds a UID once (RFC 4791, section 5.3.2.1, no-uid-conflict): the server refuses the move.
            let target = 1 - object.calendar;
            let held = |other: &Object| !other.gone && other.calendar == target && other.uid == object.uid;
            if self.remotes[account].objects.values().any(held) {
                return;
            }
            self.book.carried(name);
            let moved = Object { calendar: 1 - object.calendar, made_for: None, shown_from: now, ..object.clone() };
            self.remotes[account].put(&id, Object { gone: true, ..object });
            // A name that an object had and lost is not given to another.
            let mut new = RemoteEventId(format!("{}'", id.0));
            while self.remotes[account].objects.contains_key(&new) {
                new.0.push('\'');
            }
            self.remotes[account].put(&new, moved);
            return;
        }
        let calendar = self.setting.calendars[account][object.calendar].id;
        let known = self.here.get(&name).and_then(|id| self.hub.events.get(id));
        let everywhere = known.is_none_or(|event| event.calendar_id == Some(calendar));
        let made = edits::done(&object.content, act);
        let Some((kept, tail)) = self.judged(name, act, &object.content, made, everywhere) else { return };
        let which = object.calendar;
        let changed = match kept {
            Some(content) => Object { content, changed_at: now, ..object },
            None => Object { gone: true, ..object },
        };
        self.remotes[account].put(&id, changed);
        if let Some((name, tail)) = tail {
            self.owners_own.insert((account, name));
            self.remotes[account].put(&RemoteEventId(format!("there-{name}")), fresh(tail, which, name));
        }
    }

    /// Does what is asked at an account's provider, and looks for doubles (I-10).
    pub fn carry_out(&mut self, account: usize, request: &Request, sender: Sender) -> Result<Answer, FailureClass> {
        let answer = self.remotes[account].carry_out(request, sender);
        if matches!(request, Request::Create { .. } | Request::MakeAgain { .. }) {
            let live = self.remotes[account].objects.values().filter(|object| {
                object.made_for == Some(sender.event) && object.calendar == sender.calendar && !object.gone
            });
            if live.count() > 1 {
                self.breaks(Promise::OneCopy.broken(format!("e{} is there twice", sender.name)));
            }
        }
        answer
    }

    /// Stores what was decided, learns the names of what came in, and looks for false conflicts (I-4).
    pub fn commit(&mut self, account: usize, calendar: usize, changes: &Changes) {
        if changes.is_empty() {
            return;
        }
        self.activity += u64::from(!changes.events.is_empty() || !changes.owed.is_empty());
        let false_conflict = changes.conflicts.iter().find_map(|conflict| {
            let copy = (conflict.event_id, conflict.calendar_id);
            // What is put back is our older version once more, until it is there.
            let put_back = conflict.reason == Reason::PutBack.as_str();
            if put_back || self.hub.outbox.get(&copy).is_some_and(|entry| !entry.sent.is_empty()) {
                self.unconfirmed.insert(copy);
            }
            let carried = self.names.get(&copy.0).is_some_and(|name| self.book.was_carried(*name));
            let broken = self.book.false_conflict(conflict, self.unconfirmed.contains(&copy));
            // An old version stands again once a person has chosen it, or a series' occurrences have won over another time.
            let again = self.hub.conflicts.iter().filter(|held| held.event_id == copy.0).any(|held| {
                held.policy == ConflictPolicy::Ask || held.fields.iter().any(|field| field == "occurrences")
            });
            broken.filter(|_| !carried && !again)
        });
        if let Some(broken) = false_conflict {
            self.breaks(broken);
        }
        for mapping in &changes.mappings {
            if !self.names.contains_key(&mapping.event_id)
                && let Some(object) = self.remotes[account].objects.get(&mapping.remote_id)
            {
                self.names.insert(mapping.event_id, object.name);
                self.here.insert(object.name, mapping.event_id);
            }
        }
        self.hub.write(&self.setting, &self.setting.context(account, calendar), changes);
    }

    /// I-17: whatever the cursor has passed is known here, but for what a calendar that only takes events does not give.
    pub fn passed(&mut self, account: usize, which: usize) {
        let calendar = &self.setting.calendars[account][which];
        let Some(cursor) = &calendar.cursor else { return };
        let held: BTreeMap<_, _> =
            self.hub.index(calendar.id).into_iter().map(|key| (key.remote_id, key.revision)).collect();
        let unknown = self.remotes[account].passed(which, cursor).find(|(id, object)| {
            // A copy without a revision is to be read again.
            let Some(known) = held.get(*id) else { return calendar.direction.inbound() };
            known.as_ref().and_then(|held| held.0.parse::<u64>().ok()).is_some_and(|known| known < object.seq)
        });
        let unknown =
            unknown.map(|(_, object)| Promise::CursorCovers.broken(format!("the cursor has passed e{}", object.name)));
        if let Some(broken) = unknown {
            self.breaks(broken);
        }
    }

    /// Everything at an account's provider goes. What was written only there, and never read here, goes with it.
    fn erase(&mut self, account: usize) {
        for object in self.remotes[account].objects.values().filter(|object| !object.gone) {
            let known = self.here.get(&object.name).and_then(|id| self.hub.events.get(id));
            let known = known.map(|event| marks(&event.content)).unwrap_or_default();
            self.book.erased(marks(&object.content).difference(&known).copied());
        }
        self.remotes[account].erase();
    }

    fn answer(&mut self, approve: bool) {
        let Some(hold) = self.hub.answer(approve) else { return };
        for held in hold.removed {
            self.answered.insert(((held.event_id, hold.calendar_id), held.revision), approve);
        }
    }

    /// I-15: what is deleted now was asked about, or is too little to ask; an answer reaches nothing else, and an approval is used up.
    pub fn judge_answers(&mut self, calendar: &Calendar, mapped: usize, deletions: &[HeldDeletion]) {
        let key = |gone: &HeldDeletion| ((gone.event_id, calendar.id), gone.revision.clone());
        let going: Vec<_> = deletions
            .iter()
            .filter(|gone| {
                // What has gone on in another calendar meanwhile is another event by now.
                let here = self.hub.events.get(&gone.event_id).is_some_and(|event| event.deleted_at.is_none());
                calendar.direction.inbound() && here
            })
            .collect();
        if let Some(gone) = going.iter().find(|gone| self.answered.get(&key(gone)) == Some(&false)) {
            let name = self.names[&gone.event_id];
            self.breaks(Promise::Brake.broken(format!("e{name} is deleted, which was refused")));
        }
        let approved = going.iter().filter(|gone| self.answered.get(&key(gone)) == Some(&true)).count();
        let loss = Loss { mapped: mapped.saturating_sub(approved), deleted: going.len() - approved, doubtful: false };
        // The rest of the account is not looked at here: that a calendar loses all it has.
        let rules = BrakeRules { account_min: usize::MAX, ..BrakeRules::default() };
        if let [Some(_)] = judge(&[loss], &rules)[..] {
            self.breaks(Promise::Brake.broken(format!("{} are deleted, and nobody was asked", loss.deleted)));
        }
        // Used up, or its events are back; and what is restored is another copy.
        let same = |about: &(Copy, Option<Revision>)| {
            self.hub.mappings.get(&about.0).is_some_and(|held| held.revision == about.1)
        };
        self.answered.retain(|about, approved| about.0.1 != calendar.id || (!*approved && same(about)));
    }

    /// The faults end, and everything comes to rest; then once more with every calendar flowing both ways.
    pub fn rest(&mut self) -> Result<(), String> {
        let now = self.setting.world.now();
        self.remotes.iter_mut().for_each(|remote| remote.arrive(now));
        self.setting.hands.pass(600);
        self.stages.fill_with(Stage::default);
        let one_way = |(account, both): (usize, &[Calendar; 2])| {
            let direction = both[0].direction;
            (direction != Direction::Both).then(|| (account, direction, self.remotes[account].writes))
        };
        let turned: Vec<_> = self.setting.calendars.iter().enumerate().filter_map(one_way).collect();
        self.come_to_rest()?;
        for (account, direction, writes) in &turned {
            match direction {
                Direction::FromProvider if self.remotes[*account].writes > *writes => {
                    return Err(Promise::Direction.broken(format!("{account} was written to, and is only read")));
                }
                Direction::FromProvider => self.judge_read_only(*account)?,
                Direction::ToProvider => self.judge_one_way(*account)?,
                Direction::Both => {}
            }
            self.turned(*account, Direction::Both);
        }
        if turned.is_empty() { Ok(()) } else { self.come_to_rest() }
    }

    /// Passes over all accounts until nothing moves (I-2), then one more that writes nothing (I-14).
    fn come_to_rest(&mut self) -> Result<(), String> {
        let mut winner = [Winner::Local, Winner::Remote].into_iter().cycle();
        let mut answers = [true, false].into_iter().cycle();
        for pass in 0..PASSES_MAX {
            self.print("a pass on the way to rest");
            let before = (self.activity, self.written());
            while self.hub.conflicts.iter().any(|conflict| conflict.status == ConflictStatus::Pending) {
                self.hub.resolve(&self.setting, winner.next().expect("endless"));
                self.activity += 1;
            }
            while self.hub.holds.iter().any(|hold| hold.state == HoldState::Held) {
                self.answer(answers.next().expect("endless"));
                self.activity += 1;
            }
            for account in 0..self.remotes.len() {
                self.setting.hands.pass(120);
                self.stages[account] = Stage::Idle;
                self.round(account);
            }
            if let Some(broken) = self.broken.take() {
                return Err(broken);
            }
            let waits = self.hub.conflicts.iter().any(|conflict| conflict.status == ConflictStatus::Pending);
            // What a calendar does not take waits until it does.
            let owed = self.hub.outbox.values().any(|entry| self.takes_writes(Some(entry.calendar_id)));
            let asked = |hold: &Hold| match hold.state {
                HoldState::Held | HoldState::Approved => true,
                // What is kept is queued, and so among what is owed; the hold itself ends with the daily comparison at the latest.
                HoldState::Refused | HoldState::CarriedOut | HoldState::Restored | HoldState::Superseded => false,
            };
            let open = waits || self.hub.holds.iter().any(asked) || owed;
            if (self.activity, self.written()) == before && !open {
                self.passes = pass;
                return Ok(());
            }
        }
        let owed = self.hub.outbox.values().map(|entry| {
            let (op, state, reason) = (entry.op, entry.state, &entry.reason);
            format!("{op} of e{} ({state}, {reason}, sent {})", self.names[&entry.event_id], entry.sent.len())
        });
        Err(Promise::Rest.broken(format!("no rest after {PASSES_MAX} passes; owed: {:?}", owed.collect::<Vec<_>>())))
    }

    /// Writes at all providers so far.
    pub fn written(&self) -> u64 {
        self.remotes.iter().map(|remote| remote.writes).sum()
    }

    /// What must hold at rest.
    pub fn judge(&self) -> Result<(), String> {
        let mut kept: Marks = self.hub.events.values().flat_map(|event| marks(&event.content)).collect();
        let told = |conflict: &Conflict| {
            let versions = [&conflict.base, &conflict.local, &conflict.remote];
            versions.into_iter().flatten().flat_map(marks).collect::<Vec<_>>()
        };
        kept.extend(self.hub.conflicts.iter().flat_map(told));
        let mut alive: BTreeSet<Name> = BTreeSet::new();
        for event in self.hub.events.values().filter(|event| event.deleted_at.is_none()) {
            let name = self.names[&event.id];
            alive.insert(name);
            self.book.invented(name, &event.content).map_or(Ok(()), Err)?;
            if let Some(home) = event.calendar_id
                && !self.hub.mappings.contains_key(&(event.id, home))
            {
                return Err(Promise::Agreement.broken(format!("e{name} lives here and not in its calendar")));
            }
        }
        for account in 0..self.remotes.len() {
            self.judge_account(account, &mut alive)?;
            kept.extend(self.remotes[account].objects.values().flat_map(|object| marks(&object.content)));
        }
        if let Some((event, _)) = self.hub.taken_out.iter().find(|copy| self.hub.mappings.contains_key(copy)) {
            return Err(Promise::DeletedStaysDeleted
                .broken(format!("e{} is still in a calendar that it was taken out of", self.names[event])));
        }
        if let Some(entry) = self.hub.outbox.values().next() {
            return Err(Promise::Agreement
                .broken(format!("a write about e{} is still owed: {}", self.names[&entry.event_id], entry.reason)));
        }
        self.book.lost(&kept).map_or(Ok(()), Err)?;
        let about_existence = self.hub.conflicts.iter().filter(|conflict| conflict.kind != ConflictKind::Edit);
        let disputed = about_existence.filter_map(|conflict| self.names.get(&conflict.event_id).copied()).collect();
        self.book.returned(&alive, &disputed).map_or(Ok(()), Err)
    }

    /// At rest all that a calendar says that is only read is known here, whatever waits for it.
    fn judge_read_only(&self, account: usize) -> Result<(), String> {
        for (id, object) in self.remotes[account].objects.iter().filter(|(_, object)| !object.gone) {
            let calendar = &self.setting.calendars[account][object.calendar];
            let Some((mapping, event)) = self.hub.mapped(calendar.id, id) else {
                return Err(Promise::Agreement.broken(format!("e{} is there and not here", object.name)));
            };
            // A deletion of ours that waits stands upon what it was made upon, and so does a copy that is to go; and what comes
            // back is read again.
            let to_go = self.hub.outbox.get(&(event.id, calendar.id)).is_some_and(OutboxEntry::withdraws);
            let stale = to_go || event.deleted_at.is_some() || mapping.revision.is_none();
            if !stale && mapping.base != object.content {
                let (there, known) = (marks(&object.content), marks(&mapping.base));
                return Err(Promise::Agreement
                    .broken(format!("e{} says {there:?} there, and {known:?} is known here", object.name)));
            }
        }
        Ok(())
    }

    /// At rest a calendar that only takes events holds what is here, whatever was done there; nothing of it is taken.
    fn judge_one_way(&self, account: usize) -> Result<(), String> {
        let here = self.setting.accounts[account].id;
        for mapping in self.hub.mappings.values().filter(|mapping| mapping.account_id == here) {
            let (event, name) = (&self.hub.events[&mapping.event_id], self.names[&mapping.event_id]);
            let (_, which) = self.setting.place(mapping.calendar_id);
            let told = self.setting.context(account, which).outbound_form(&event.content, mapping.created_by_us);
            match self.remotes[account].objects.get(&mapping.remote_id).filter(|object| !object.gone) {
                Some(object) if object.content == told && event.deleted_at.is_none() => {}
                there => {
                    return Err(
                        Promise::Agreement.broken(format!("e{name} says {:?} here and there {there:?}", marks(&told)))
                    );
                }
            }
        }
        let homes = self.setting.calendars[account].each_ref().map(|calendar| Some(calendar.id));
        let unshown = self.hub.events.values().filter(|event| event.deleted_at.is_none()).find(|event| {
            homes.contains(&event.calendar_id) && !self.hub.mappings.keys().any(|copy| copy.0 == event.id)
        });
        unshown.map_or(Ok(()), |event| {
            Err(Promise::Agreement.broken(format!("e{} is not in its calendar", self.names[&event.id])))
        })
    }

    fn judge_account(&self, account: usize, alive: &mut BTreeSet<Name>) -> Result<(), String> {
        let mut mapped: BTreeMap<_, _> = BTreeMap::new();
        let here = self.setting.accounts[account].id;
        for mapping in self.hub.mappings.values().filter(|mapping| mapping.account_id == here) {
            if mapped.insert(mapping.remote_id.clone(), mapping).is_some() {
                return Err(Promise::OneCopy.broken(format!("two mapped with {}", mapping.remote_id.0)));
            }
        }
        for (id, object) in self.remotes[account].objects.iter().filter(|(_, object)| !object.gone) {
            let name = object.name;
            alive.insert(name);
            self.book.invented(name, &object.content).map_or(Ok(()), Err)?;
            let Some(mapping) = mapped.remove(id) else {
                return Err(Promise::Agreement.broken(format!("e{name} is there and not here")));
            };
            let event = &self.hub.events[&mapping.event_id];
            if event.deleted_at.is_some() {
                return Err(Promise::Agreement.broken(format!("e{name} is there and deleted here")));
            }
            let copy = (event.id, mapping.calendar_id);
            let theirs = self.owners_own.contains(&(account, name))
                && event.calendar_id == Some(copy.1)
                && !self.asked_for.contains(&copy);
            if theirs && mapping.created_by_us {
                return Err(Promise::NothingLost.broken(format!("e{name} is its owner's own, and counts as ours")));
            }
            let told =
                self.setting.context(account, object.calendar).outbound_form(&event.content, mapping.created_by_us);
            if told != object.content {
                return Err(Promise::Agreement.broken(format!(
                    "e{name} says {:?} here and {:?} there",
                    marks(&told),
                    marks(&object.content)
                )));
            }
        }
        match mapped.values().next() {
            Some(mapping) => {
                Err(Promise::Agreement.broken(format!("e{} is mapped to nothing", self.names[&mapping.event_id])))
            }
            None => Ok(()),
        }
    }
}
