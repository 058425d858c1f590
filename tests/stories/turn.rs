//! An account's round in single turns: a request or a transaction each, so that anything can happen between any two. What is
//! decided is the product's; here is only the order in which it asks, remembers and is told.

use std::collections::VecDeque;

use calwarden::{
    domain::{
        conflict::{HeldDeletion, Hold, HoldState},
        event::EventContent,
        failure::FailureClass::{self, Ambiguous, Conflict, Gone},
        ids::{RemoteEventId, Revision, SyncCursor},
        mapping::{Event, Mapping, Remains, RemoteEvent},
        outbox::{OutboxEntry, OutboxState, WriteOp},
    },
    engine::{
        outbox::{self, Write, may_still_arrive, next_write},
        sync::{
            brake::{BrakeRules, Held as Stopped, judge},
            hold::{Answers, Picture, Said, follow},
        },
    },
    provider::{ChangePage, Found, Next, PageToken, Unreadable},
    service::sync_round::{
        changes::Changes,
        pulled::Pulled,
        sweep::{Held, Sweep, Unbound},
    },
};
use chrono::{DateTime, Utc};

use super::{
    hub::{Absent, Copy},
    remote::{Ask, Heard, Sender},
    steps::Fate,
    world::World,
};

/// Where an account's round is.
#[derive(Default)]
pub enum Stage {
    #[default]
    Idle,
    Ask(Box<Pulling>),
    Page(Box<Pulling>, ChangePage),
    Remove(Vec<Pulled>),
    Drain(VecDeque<Copy>),
    Send(VecDeque<Copy>, Box<Case>, Doing, Ask),
    Heard(VecDeque<Copy>, Box<Case>, Doing, Heard),
}

/// One calendar's pull.
pub struct Pulling {
    calendar: usize,
    cursor: Option<SyncCursor>,
    token: PageToken,
    held: Held,
    unbound: Unbound,
    sweep: Sweep,
    pulled: Vec<Pulled>,
}

/// What is stored about one entry's event.
pub struct Case {
    copy: Copy,
    event: Event,
    mapping: Option<Mapping>,
    remains: Option<Remains>,
    entry: OutboxEntry,
}

impl Case {
    /// Whether a copy is made again under the name that it had.
    fn is_again(&self) -> bool {
        self.remains.as_ref().is_some_and(|remains| remains.uid == self.entry.key)
    }

    fn is_ours(&self) -> bool {
        let was = self.remains.as_ref().is_none_or(|remains| remains.created_by_us);
        self.mapping.as_ref().map_or(was, |mapping| mapping.created_by_us)
    }
}

/// Why something was asked.
#[derive(Clone, Debug)]
pub enum Doing {
    Create(EventContent),
    Update(EventContent),
    Delete,
    /// To decide again; `Some`: after an unclear answer, the version before.
    Look(Option<Revision>),
    /// What a create made; whether that name was refused.
    Find {
        told: EventContent,
        refused: bool,
    },
    /// What a forgotten create made; asked at this time.
    FindThenDelete(DateTime<Utc>),
}

/// An event that its provider does not hand out just now.
fn withheld(id: RemoteEventId) -> Unreadable {
    Unreadable { id, revision: None, uid: None, why: "not just now".to_owned(), may_pass: true }
}

impl World {
    /// One request or one transaction.
    pub fn turn(&mut self, account: usize, fate: Fate) {
        if fate == Fate::Expired {
            self.remotes[account].expire();
        }
        let well = matches!(fate, Fate::Well | Fate::Expired | Fate::Withheld);
        let next = match std::mem::take(&mut self.stages[account]) {
            Stage::Idle => self.begin(account, 0, Vec::new(), true),
            Stage::Ask(_) if !well => Stage::Idle,
            Stage::Ask(pulling) => self.ask(account, pulling, fate),
            Stage::Page(pulling, page) => self.apply(account, *pulling, page),
            Stage::Remove(pulled) => self.remove(account, pulled),
            Stage::Drain(queue) => self.drain(queue),
            Stage::Send(queue, case, doing, ask) => {
                let heard = self.send(account, &case, ask, fate);
                Stage::Heard(queue, case, doing, heard)
            }
            Stage::Heard(queue, case, doing, heard) => self.heard(account, queue, case, doing, heard),
        };
        self.stages[account] = next;
    }

    fn begin(&mut self, account: usize, calendar: usize, pulled: Vec<Pulled>, with_cursor: bool) -> Stage {
        let held = &self.setting.calendars[account][calendar];
        let reconcile = held.reconciled_at.is_none();
        let cursor = held.cursor.clone().filter(|_| with_cursor && !reconcile);
        let queued: Vec<_> = self.hub.outbox.values().filter(|entry| entry.calendar_id == held.id).cloned().collect();
        let scene = self.setting.scene(account, calendar);
        let unlinked = self.hub.unlinked(held.id);
        let looks = unlinked.map(|event| (event.id, scene.told(&event.content, false)));
        let unbound = Unbound::new(&queued, looks, []);
        let held = Held::new(self.hub.index(held.id), Vec::new(), queued);
        let sweep = Sweep::over(&held, self.setting.world.now());
        Stage::Ask(Box::new(Pulling { calendar, cursor, token: PageToken::Start, held, unbound, sweep, pulled }))
    }

    fn ask(&mut self, account: usize, pulling: Box<Pulling>, fate: Fate) -> Stage {
        let now = self.setting.world.now();
        match self.remotes[account].list(pulling.calendar, pulling.cursor.as_ref(), &pulling.token, now) {
            Ok(mut page) if fate == Fate::Withheld && !page.changed.is_empty() => {
                let first = page.changed.remove(0);
                page.unreadable.push(withheld(first.id));
                Stage::Page(pulling, page)
            }
            Ok(page) => Stage::Page(pulling, page),
            Err(FailureClass::CursorExpired) if pulling.cursor.is_some() => {
                self.begin(account, pulling.calendar, pulling.pulled, false)
            }
            Err(_) => Stage::Idle,
        }
    }

    fn apply(&mut self, account: usize, mut pulling: Pulling, page: ChangePage) -> Stage {
        let scene = self.setting.scene(account, pulling.calendar);
        let next = pulling.sweep.take(page, &pulling.held);
        let batch = pulling.sweep.batch(matches!(next, Next::Done(_)));
        let mut changes = Changes::default();
        for remote in batch.changed {
            let bond = if pulling.held.has(&remote.id) { self.hub.bond(scene.calendar.id, &remote.id) } else { None };
            let was = if bond.is_none() { self.hub.lost(scene.calendar.id, &remote.uid) } else { None };
            let named = if bond.is_none() { pulling.unbound.counterpart(&remote) } else { None };
            let counterpart = named.or_else(|| was.as_ref().map(|was| was.event_id));
            let event = counterpart.and_then(|id| self.hub.events.get(&id).cloned());
            let event = event.filter(|event| named.is_some() || event.deleted_at.is_none());
            let event = event.filter(|event| !self.hub.mappings.contains_key(&(event.id, scene.calendar.id)));
            let counterpart = event.map(|event| {
                let was = was.filter(|was| was.event_id == event.id);
                let was = was.or_else(|| self.hub.remains.get(&(event.id, scene.calendar.id)).cloned());
                (event, was)
            });
            changes.meet(&scene, remote, bond, counterpart, &pulling.held);
        }
        self.commit(account, pulling.calendar, &changes);
        pulling.held.hold_all(&changes);
        pulling.sweep.add(changes);
        let cursor = match next {
            Next::Page(token) => return Stage::Ask(Box::new(Pulling { token, ..pulling })),
            Next::Done(cursor) => cursor,
        };
        let mut changes = Changes::default();
        let scene = self.setting.scene(account, pulling.calendar);
        for (remote, old) in pulling.sweep.moved(&pulling.held) {
            let bond = old.and_then(|old| self.hub.bond(scene.calendar.id, &old)).map(|(mapping, event)| {
                pulling.sweep.renamed(mapping.remote_id.clone());
                (Mapping { remote_id: remote.id.clone(), ..mapping }, event)
            });
            changes.meet(&scene, remote, bond, None, &pulling.held);
        }
        self.commit(account, pulling.calendar, &changes);
        pulling.pulled.push(pulling.sweep.finish(cursor, &pulling.held));
        match pulling.calendar {
            0 => self.begin(account, 1, pulling.pulled, true),
            _ => Stage::Remove(pulling.pulled),
        }
    }

    fn remove(&mut self, account: usize, pulled: Vec<Pulled>) -> Stage {
        let calendars = &self.setting.calendars[account];
        let of = |(which, result): (usize, &Pulled)| {
            result.removed.iter().map(|id| (calendars[which].id, id.clone())).collect::<Vec<_>>()
        };
        let gone: Absent = pulled.iter().enumerate().flat_map(of).collect();
        let pictures: Vec<_> =
            pulled.iter().enumerate().map(|(which, result)| self.picture(account, which, result, &gone)).collect();
        let losses: Vec<_> =
            pulled.iter().zip(&pictures).map(|(result, picture)| picture.loss(result.mapped, false)).collect();
        let verdicts = judge(&losses, &BrakeRules::default());
        for (which, (result, stopped)) in pulled.into_iter().zip(verdicts).enumerate() {
            self.finish((account, which), &result, (&pictures[which], &gone), stopped.map(Stopped::reason));
        }
        Stage::Drain(self.hub.of_account(self.setting.accounts[account].id).into())
    }

    fn picture(&self, account: usize, which: usize, result: &Pulled, gone: &Absent) -> Picture {
        let calendar = &self.setting.calendars[account][which];
        let bonds = result.removed.iter().filter_map(|id| self.hub.bond(calendar.id, id));
        let free = |mapping: &Mapping, event: &Event| {
            let moved = self.hub.moved(&self.setting, account, (mapping, event), gone).is_some();
            !calendar.direction.inbound() || event.deleted_at.is_some() || moved
        };
        let missing = bonds.map(|(mapping, event)| (HeldDeletion::of(&mapping), free(&mapping, &event)));
        Picture::new(&Answers::of(&self.hub.holds_in_force(calendar.id)), missing)
    }

    fn finish(
        &mut self,
        (account, which): (usize, usize),
        result: &Pulled,
        (picture, gone): (&Picture, &Absent),
        stopped: Option<&str>,
    ) {
        let calendar = self.setting.calendars[account][which].clone();
        let sorted = picture.sorted(stopped.is_some());
        let holds = self.hub.holds_in_force(calendar.id);
        let followed = follow(&holds, &sorted, result.reconciled, calendar.takes_writes());
        // What goes on in the other calendar is no loss, whatever was answered about it before that was known.
        let lost = sorted.settle.iter().filter(|lost| {
            let bond = self.hub.bond(calendar.id, &lost.remote_id);
            bond.is_none_or(|(held, event)| self.hub.moved(&self.setting, account, (&held, &event), gone).is_none())
        });
        let lost: Vec<_> = lost.cloned().collect();
        self.judge_answers(&calendar, result.mapped, &lost);
        let mut changes = Changes::default();
        let mut moved = Vec::new();
        let scene = self.setting.scene(account, which);
        for (mapping, event) in sorted.settle.iter().filter_map(|gone| self.hub.bond(calendar.id, &gone.remote_id)) {
            let copy = (event.id, calendar.id);
            if self.hub.is_going(copy) {
                changes.withdrawn(&mapping);
                continue;
            }
            if let Some(found) = self.hub.moved(&self.setting, account, (&mapping, &event), gone) {
                moved.push(((mapping, event), found));
                continue;
            }
            let sent = self.hub.outbox.get(&copy).map_or(&[][..], |entry| &entry.sent);
            changes.settle(&scene, mapping, event, None, sent);
        }
        if calendar.takes_writes() {
            for (mapping, event) in sorted.keep.iter().filter_map(|gone| self.hub.bond(calendar.id, &gone.remote_id)) {
                changes.keep(&scene, mapping, event);
            }
        }
        self.activity += u64::from(!followed.changed.is_empty());
        for hold in followed.changed {
            self.hub.release(&hold);
            self.hub.put_hold(hold);
        }
        if followed.asks {
            let hold = self.hold(account, which, &sorted.wait, stopped.unwrap_or_default());
            self.hub.put_hold(hold);
        }
        self.commit(account, which, &changes);
        for (gone, found) in moved {
            self.carry_over(account, gone, found);
        }
        if !sorted.wait.is_empty() {
            return;
        }
        let now = self.setting.world.now();
        let calendar = &mut self.setting.calendars[account][which];
        calendar.cursor = result.cursor_after(calendar.cursor.as_ref()).cloned();
        calendar.reconciled_at =
            if result.reconciled { Some(now) } else { calendar.reconciled_at.filter(|_| !result.lagging) };
        self.passed(account, which);
    }

    /// An event goes on in the other calendar, where it was carried to.
    fn carry_over(&mut self, account: usize, gone: (Mapping, Event), found: (Mapping, Event)) {
        let (_, which) = self.setting.place(found.0.calendar_id);
        let sent = self.hub.outbox.get(&(gone.1.id, gone.0.calendar_id)).map(|entry| entry.sent.clone());
        if let Some(name) = self.names.get(&gone.1.id) {
            self.here.insert(*name, gone.1.id);
        }
        // Somebody put it where it was taken out of.
        self.hub.taken_out.remove(&(gone.1.id, found.0.calendar_id));
        let mut changes = Changes::default();
        changes.move_over(&self.setting.scene(account, which), gone, found, &sent.unwrap_or_default());
        self.commit(account, which, &changes);
    }

    fn hold(&self, account: usize, which: usize, removed: &[HeldDeletion], why: &str) -> Hold {
        let calendar = &self.setting.calendars[account][which];
        Hold {
            id: self.setting.world.new_id(),
            space_id: calendar.space_id.clone(),
            account_id: calendar.account_id,
            calendar_id: calendar.id,
            removed: removed.to_vec(),
            mapped: 0,
            reason: why.to_owned(),
            state: HoldState::Held,
            created_at: self.setting.world.now(),
            decided_at: None,
        }
    }

    /// Looks at the next entry that is owed, decides, and remembers what it is about to send.
    fn drain(&mut self, mut queue: VecDeque<Copy>) -> Stage {
        while let Some(copy) = queue.pop_front() {
            let pending = self.hub.pending(copy) && !self.hub.is_going(copy);
            let Some(entry) = self.hub.outbox.get_mut(&copy) else { continue };
            if entry.state == OutboxState::Parked {
                continue;
            }
            let (account, which) = self.setting.place(copy.1);
            let takes_writes = self.setting.calendars[account][which].takes_writes();
            if pending || !takes_writes {
                entry.state = OutboxState::Parked;
                continue;
            }
            let mapping = self.hub.mappings.get(&copy).cloned();
            let remains = self.hub.remains.get(&copy).filter(|_| mapping.is_none() && entry.op != WriteOp::Delete);
            if let Some(remains) = remains
                && entry.attempts == 0
                && entry.sent.is_empty()
            {
                entry.key = remains.uid.clone();
            }
            let (entry, remains) = (entry.clone(), remains.cloned());
            let Some(event) = self.hub.events.get(&copy.0).cloned() else { continue };
            let case = Box::new(Case { copy, event, mapping, remains, entry });
            if let Some((doing, ask)) = self.attend(account, &case) {
                return Stage::Send(queue, case, doing, ask);
            }
        }
        Stage::Idle
    }

    fn attend(&mut self, account: usize, case: &Case) -> Option<(Doing, Ask)> {
        let (_, which) = self.setting.place(case.copy.1);
        let ours = case.is_ours();
        let wanted = case.event.deleted_at.is_none() && case.entry.op != WriteOp::Delete;
        let told = wanted.then(|| self.setting.scene(account, which).told(&case.event.content, ours));
        let copy =
            case.mapping.as_ref().map(|held| outbox::Copy { base: &held.base, revision: held.revision.as_ref() });
        let bonded = case.mapping.as_ref().and_then(|held| Some((held.remote_id.clone(), held.revision.clone()?)));
        let write = next_write(told.as_ref(), copy, !case.entry.sent.is_empty());
        match (write, told, bonded) {
            (Write::Settled, ..) => {
                self.settled(case);
                None
            }
            (Write::Create, Some(told), _) => {
                self.remember(case, &told);
                let ask = match &case.remains {
                    Some(remains) if remains.uid == case.entry.key && remains.was_read() => {
                        Ask::MakeAgain { id: remains.remote_id.clone(), told: told.clone() }
                    }
                    _ => Ask::Create { key: case.entry.key.clone(), told: told.clone() },
                };
                Some((Doing::Create(told), ask))
            }
            (Write::Update, Some(told), Some((id, revision))) => {
                self.remember(case, &told);
                Some((Doing::Update(told.clone()), Ask::Update { id, revision, told }))
            }
            (Write::Delete, _, Some((id, revision))) => Some((Doing::Delete, Ask::Delete { id, revision })),
            (Write::FindThenDelete, ..) => {
                Some((Doing::FindThenDelete(self.setting.world.now()), Ask::Find { key: case.entry.key.clone() }))
            }
            _ => {
                let id = case.mapping.as_ref().expect("a bond").remote_id.clone();
                Some((Doing::Look(None), Ask::Read { id }))
            }
        }
    }

    fn settled(&mut self, case: &Case) {
        if self.hub.outbox.get(&case.copy) == Some(&case.entry) {
            self.hub.outbox.remove(&case.copy);
        }
    }

    fn remember(&mut self, case: &Case, told: &EventContent) {
        if let Some(entry) = self.hub.outbox.get_mut(&case.copy) {
            entry.about_to_send(told.clone());
        }
    }

    fn send(&mut self, account: usize, case: &Case, ask: Ask, fate: Fate) -> Heard {
        let sender = Sender {
            calendar: self.setting.place(case.copy.1).1,
            event: case.event.id,
            name: self.names.get(&case.event.id).copied().unwrap_or(0),
            now: self.setting.world.now(),
        };
        let reads = matches!(ask, Ask::Read { .. } | Ask::Find { .. });
        let unclear = if reads { FailureClass::Transient } else { FailureClass::Ambiguous };
        match fate {
            Fate::Well | Fate::Expired | Fate::Withheld => self.carry_out(account, &ask, sender),
            Fate::Refused => Heard::Refused(FailureClass::Transient),
            Fate::Lost => {
                self.carry_out(account, &ask, sender);
                Heard::Refused(unclear)
            }
            Fate::Late if !reads => {
                self.remotes[account].late.push((ask, sender));
                Heard::Refused(unclear)
            }
            Fate::Late | Fate::Unsure => Heard::Refused(unclear),
        }
    }

    fn heard(&mut self, account: usize, queue: VecDeque<Copy>, case: Box<Case>, doing: Doing, heard: Heard) -> Stage {
        let look = |before: Option<Revision>| match &case.mapping {
            Some(held) => Some((Doing::Look(before), Ask::Read { id: held.remote_id.clone() })),
            None => Some((Doing::FindThenDelete(self.setting.world.now()), Ask::Find { key: case.entry.key.clone() })),
        };
        let find = |told: EventContent, refused| {
            Some((Doing::Find { told, refused }, Ask::Find { key: case.entry.key.clone() }))
        };
        let before = case.mapping.as_ref().and_then(|held| held.revision.clone());
        let again = match (doing, heard) {
            (Doing::Create(told) | Doing::Update(told), Heard::Is(Some(remote))) => {
                self.confirm(account, &case, &told, remote);
                None
            }
            (Doing::Create(told), Heard::Refused(class @ (Conflict | Ambiguous))) => find(told, class == Conflict),
            (Doing::Update(told), Heard::Refused(Conflict | Gone)) => {
                if let Some(entry) = self.hub.outbox.get_mut(&case.copy) {
                    entry.refused(&told, &case.entry.sent);
                }
                look(None)
            }
            (Doing::Delete, Heard::Refused(Conflict)) => look(None),
            (Doing::Update(_) | Doing::Delete, Heard::Refused(Ambiguous)) => look(before),
            (Doing::Delete, Heard::Is(_) | Heard::Refused(Gone)) => {
                self.settle(account, &case, None);
                None
            }
            (Doing::Look(None), Heard::Is(remote)) => {
                self.settle(account, &case, remote);
                None
            }
            (Doing::Look(Some(before)), Heard::Is(remote)) => {
                if remote.as_ref().is_none_or(|remote| remote.revision.as_ref() != Some(&before)) {
                    self.settle(account, &case, remote);
                }
                None
            }
            (Doing::Find { .. }, Heard::Found(Found::Here(remote))) if self.hub.is_anothers(case.copy, &remote.id) => {
                self.hub.rename(&self.setting, case.copy);
                None
            }
            (Doing::Find { told, refused }, Heard::Found(Found::Here(remote))) => {
                self.found(account, &case, &told, remote, refused);
                None
            }
            (Doing::Find { refused: false, .. }, Heard::Found(Found::Deleted)) if case.is_again() => None,
            (Doing::Find { refused, .. }, Heard::Found(Found::Deleted))
                if !case.is_again() && (!refused || !case.entry.sent.is_empty()) =>
            {
                self.deleted_there(account, &case);
                None
            }
            (Doing::Find { refused: true, .. }, Heard::Found(_)) => {
                self.hub.rename(&self.setting, case.copy);
                None
            }
            (Doing::FindThenDelete(_), Heard::Found(Found::Here(remote))) => {
                self.found_to_delete(account, &case, remote);
                None
            }
            (Doing::FindThenDelete(_), Heard::Found(Found::Deleted)) => {
                self.settled(&case);
                None
            }
            (Doing::FindThenDelete(asked), Heard::Found(Found::Nothing)) => {
                if !may_still_arrive(&case.entry, case.event.deleted_at, asked) {
                    self.settled(&case);
                }
                None
            }
            _ => None,
        };
        match again {
            Some((doing, ask)) => Stage::Send(queue, case, doing, ask),
            None => Stage::Drain(queue),
        }
    }

    /// The provider has taken what was sent.
    fn confirm(&mut self, account: usize, case: &Case, told: &EventContent, remote: RemoteEvent) {
        let (_, which) = self.setting.place(case.copy.1);
        let scene = self.setting.scene(account, which).answered();
        let mut changes = Changes::default();
        let Some(event) = self.hub.events.get(&case.copy.0).cloned() else { return };
        match self.hub.mappings.get(&case.copy).cloned() {
            Some(mapping) => {
                let mapping = Mapping { base: told.clone(), ..mapping };
                changes.settle(&scene, mapping, event, Some(remote), &[]);
            }
            None => changes.link(&scene, event, remote, std::slice::from_ref(told), case.remains.as_ref()),
        }
        self.hub.close(case.copy);
        self.commit(account, which, &changes);
    }

    fn found(&mut self, account: usize, case: &Case, told: &EventContent, remote: RemoteEvent, refused: bool) {
        let (_, which) = self.setting.place(case.copy.1);
        let Some(event) = self.hub.events.get(&case.copy.0).cloned() else { return };
        let mut changes = Changes::default();
        let attempt = (&case.entry, told, refused);
        changes.link_made(&self.setting.scene(account, which), event, remote, attempt, case.remains.as_ref());
        self.unconfirmed.insert(case.copy);
        self.hub.close(case.copy);
        self.commit(account, which, &changes);
    }

    fn found_to_delete(&mut self, account: usize, case: &Case, remote: RemoteEvent) {
        if self.hub.is_anothers(case.copy, &remote.id) {
            return self.settled(case);
        }
        let last = case.entry.sent.last().unwrap_or(&case.event.content).clone();
        self.found(account, case, &last, remote, false);
    }

    fn deleted_there(&mut self, account: usize, case: &Case) {
        let (_, which) = self.setting.place(case.copy.1);
        let Some(event) = self.hub.events.get(&case.copy.0).cloned() else { return };
        let mut changes = Changes::default();
        if self.hub.is_going(case.copy) {
            changes.settled.push(case.copy);
        } else {
            changes.lose(&self.setting.scene(account, which), event, &case.entry, case.remains.as_ref());
        }
        self.hub.close(case.copy);
        self.commit(account, which, &changes);
    }

    /// Both sides are known: decides and stores what follows.
    fn settle(&mut self, account: usize, case: &Case, remote: Option<RemoteEvent>) {
        let (_, which) = self.setting.place(case.copy.1);
        let (event, mapping) = (self.hub.events.get(&case.copy.0).cloned(), self.hub.mappings.get(&case.copy).cloned());
        let (Some(event), Some(mapping)) = (event, mapping) else { return };
        let mut changes = Changes::default();
        let said = match &remote {
            None if event.deleted_at.is_none() => {
                Answers::of(&self.hub.holds_in_force(case.copy.1)).about(&HeldDeletion::of(&mapping))
            }
            _ => Said::Nothing,
        };
        if remote.is_none() && self.hub.is_going(case.copy) {
            changes.withdrawn(&mapping);
        } else if said == Said::Kept {
            changes.keep(&self.setting.scene(account, which), mapping, event);
        } else if matches!(said, Said::Asked | Said::Approved) {
            if let Some(entry) = self.hub.outbox.get_mut(&case.copy) {
                entry.state = OutboxState::Parked;
            }
        } else {
            let sent = self.hub.outbox.get(&case.copy).map(|entry| entry.sent.clone()).unwrap_or_default();
            changes.settle(&self.setting.scene(account, which), mapping, event, remote, &sent);
        }
        self.commit(account, which, &changes);
    }
}
