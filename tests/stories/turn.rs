//! An account's round in single turns: a request or a transaction each, so that anything can happen between any two. What is
//! decided, and what is asked for next, is the product's.

use std::collections::VecDeque;

use calwarden::{
    domain::{
        conflict::HeldDeletion,
        failure::{FailureClass, ProviderError},
        ids::{RemoteEventId, SyncCursor},
        outbox::{OutboxEntry, OutboxState},
        page::{ChangePage, Next, Unreadable},
    },
    engine::{
        drain::{Answer, Ask, Delivery, Ended, EntryChange, Reads, Request, Stored},
        round::{
            batch::renamed,
            changes::Changes,
            missing::{Carried, Closing, Gone, Judged, MappedEvent, Missing},
            pulled::Pulled,
            sweep::{KnownCopies, Sweep, Unbound},
        },
        sync::{
            brake::{BrakeRules, judge},
            hold::{Answers, Said},
        },
    },
};

use super::{
    hub::Copy,
    remote::{Place, Sender},
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
    Send(VecDeque<Copy>, Box<Delivery>, Box<Request>),
    Answered(VecDeque<Copy>, Box<Delivery>, Box<Result<Answer, ProviderError>>),
}

/// One calendar's pull.
pub struct Pulling {
    calendar: usize,
    cursor: Option<SyncCursor>,
    place: Option<Place>,
    held: KnownCopies,
    unbound: Unbound,
    sweep: Sweep,
    pulled: Vec<Pulled>,
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
            Stage::Send(queue, delivery, request) => {
                let answer = self.send(account, delivery.queued(), *request, fate);
                Stage::Answered(queue, delivery, Box::new(answer))
            }
            Stage::Answered(queue, mut delivery, answer) => {
                let ask = delivery.answered(*answer, self.setting.world.now());
                self.go_on(queue, delivery, ask)
            }
        };
        self.stages[account] = next;
    }

    fn begin(&mut self, account: usize, calendar: usize, pulled: Vec<Pulled>, with_cursor: bool) -> Stage {
        let held = &self.setting.calendars[account][calendar];
        let reconcile = held.reconciled_at.is_none();
        let cursor = held.cursor.clone().filter(|_| with_cursor && !reconcile);
        let queued: Vec<_> = self.hub.outbox.values().filter(|entry| entry.calendar_id == held.id).cloned().collect();
        let context = self.setting.context(account, calendar);
        let unlinked = self.hub.unlinked(held.id);
        let looks = unlinked.map(|event| (event.id, context.outbound_form(&event.content, false)));
        let unbound = Unbound::new(&queued, looks, []);
        let held = KnownCopies::new(self.hub.index(held.id), Vec::new(), queued);
        let sweep = Sweep::over(&held, self.setting.world.now());
        Stage::Ask(Box::new(Pulling { calendar, cursor, place: None, held, unbound, sweep, pulled }))
    }

    fn ask(&mut self, account: usize, mut pulling: Box<Pulling>, fate: Fate) -> Stage {
        let now = self.setting.world.now();
        match self.remotes[account].list(pulling.calendar, pulling.cursor.as_ref(), &mut pulling.place, now) {
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
        let context = self.setting.context(account, pulling.calendar);
        let calendar = context.calendar.id;
        let (next, mut batch) = pulling.sweep.take(page, &pulling.held);
        let mapped: Vec<_> =
            batch.mapped(&pulling.held).iter().filter_map(|id| self.hub.mapped(calendar, id)).collect();
        let lost = batch.unmapped(&mapped).iter().filter_map(|uid| self.hub.lost(calendar, uid)).collect();
        batch.take_unreadable(&pulling.held, self.setting.world.now());
        let matched = batch.matched(mapped, lost, &mut pulling.unbound);
        let ours = self.hub.counterparts(calendar, matched.counterparts());
        let changes = matched.decide(&context, &pulling.held, &ours);
        self.commit(account, pulling.calendar, &changes);
        pulling.held.hold_all(&changes);
        pulling.sweep.add(changes);
        let cursor = match next {
            Next::More => return Stage::Ask(Box::new(pulling)),
            Next::Done(cursor) => cursor,
        };
        let moved = pulling.sweep.moved(&pulling.held);
        let mapped = moved.iter().filter_map(|(_, old)| self.hub.mapped(calendar, old.as_ref()?)).collect();
        let (changes, gone) = renamed(&self.setting.context(account, pulling.calendar), &pulling.held, moved, mapped);
        for name in gone {
            pulling.sweep.renamed(name);
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
        let gone: Gone = pulled.iter().enumerate().flat_map(of).collect();
        let of = |(which, pulled): (usize, Pulled)| self.missing(account, which, pulled, &gone);
        let missing: Vec<_> = pulled.into_iter().enumerate().map(of).collect();
        let losses: Vec<_> = missing.iter().map(|missing| missing.loss(false)).collect();
        let verdicts = judge(&losses, &BrakeRules::default());
        for (which, (missing, stopped)) in missing.into_iter().zip(verdicts).enumerate() {
            self.finish(account, which, &missing.judged(stopped), &gone);
        }
        Stage::Drain(self.hub.of_account(self.setting.accounts[account].id).into())
    }

    fn missing(&self, account: usize, which: usize, pulled: Pulled, gone: &Gone) -> Missing {
        let context = self.setting.context(account, which);
        let calendar = context.calendar.id;
        let mapped: Vec<_> = pulled.removed.iter().filter_map(|id| self.hub.mapped(calendar, id)).collect();
        let moves = self.hub.moves(&self.setting, (account, which), &mapped, gone);
        Missing::new(&context, (None, pulled), self.hub.holds_in_force(calendar), mapped, &moves)
    }

    fn finish(&mut self, account: usize, which: usize, judged: &Judged, gone: &Gone) {
        let calendar = self.setting.calendars[account][which].clone();
        let mapped = |names: Vec<RemoteEventId>| -> Vec<MappedEvent> {
            names.iter().filter_map(|id| self.hub.mapped(calendar.id, id)).collect()
        };
        let (going, kept) = (mapped(judged.going()), mapped(judged.kept()));
        let moves = self.hub.moves(&self.setting, (account, which), &going, gone);
        // What goes on in the other calendar is no loss, whatever was answered about it before that was known.
        let lost = going.iter().filter(|(_, event)| !moves.contains_key(&event.id));
        let lost: Vec<_> = lost.map(|(held, _)| HeldDeletion::of(held)).collect();
        self.judge_answers(&calendar, judged.missing.pulled.mapped, &lost);
        let queued = self.hub.outbox.values().filter(|entry| entry.calendar_id == calendar.id);
        let queued = queued.map(|entry| (entry.event_id, entry.clone())).collect();
        let closing = Closing { queued, going, kept, moves };
        let closed = judged.close(&self.setting.context(account, which), closing);
        self.activity += u64::from(!closed.holds.is_empty());
        for hold in closed.holds {
            self.hub.put_hold(hold);
        }
        for entry in closed.released {
            self.hub.outbox.insert(copy_of(&entry), entry);
        }
        self.commit(account, which, &closed.changes);
        for carried in closed.carried {
            self.carry_over(account, carried);
        }
        let Some(read) = closed.read else { return };
        let calendar = &mut self.setting.calendars[account][which];
        (calendar.cursor, calendar.reconciled_at) = (read.cursor, read.reconciled_at);
        self.passed(account, which);
    }

    /// An event goes on in the other calendar, where it was carried to.
    fn carry_over(&mut self, account: usize, carried: Carried) {
        let (event, there) = (carried.gone.1.id, carried.found.0.calendar_id);
        let (_, which) = self.setting.place(there);
        if let Some(name) = self.names.get(&event) {
            self.here.insert(*name, event);
        }
        // Somebody put it where it was taken out of.
        self.hub.taken_out.remove(&(event, there));
        let mut changes = Changes::default();
        changes.move_over(&self.setting.context(account, which), carried);
        self.commit(account, which, &changes);
    }

    /// Begins with the next entry that is owed.
    fn drain(&mut self, mut queue: VecDeque<Copy>) -> Stage {
        while let Some(copy) = queue.pop_front() {
            let entry = self.hub.outbox.get(&copy).filter(|entry| entry.state == OutboxState::Queued);
            if let Some(entry) = entry.cloned() {
                let (delivery, ask) = Delivery::new(entry);
                return self.go_on(queue, Box::new(delivery), ask);
            }
        }
        Stage::Idle
    }

    /// Carries out what a delivery asks for, up to its next request.
    fn go_on(&mut self, queue: VecDeque<Copy>, mut delivery: Box<Delivery>, mut ask: Ask) -> Stage {
        loop {
            ask = match ask {
                Ask::Transaction(reads) => self.transact(&mut delivery, &reads),
                Ask::Send(request) => return Stage::Send(queue, delivery, request),
                Ask::Over(ended) => {
                    if !matches!(ended, Ended::Done) {
                        self.hub.try_again(copy_of(delivery.queued()), self.setting.world.now());
                    }
                    return Stage::Drain(queue);
                }
            };
        }
    }

    fn transact(&mut self, delivery: &mut Delivery, reads: &Reads) -> Ask {
        let copy = copy_of(delivery.queued());
        let (account, which) = self.setting.place(copy.1);
        let (event, mapping) = (self.hub.events.get(&copy.0), self.hub.mappings.get(&copy));
        let held = mapping.map(HeldDeletion::of).filter(|_| reads.answers);
        let stored = Stored {
            entry: self.hub.outbox.get(&copy).cloned(),
            event: event.filter(|_| reads.copy).cloned(),
            mapping: mapping.filter(|_| reads.copy).cloned(),
            account: Some(self.setting.accounts[account].clone()),
            calendar: Some(self.setting.calendars[account][which].clone()),
            remains: self.hub.left_of(copy).filter(|_| reads.past).cloned(),
            disputed: reads.past && self.hub.pending(copy),
            said: held.map_or(Said::Nothing, |held| Answers::of(&self.hub.holds_in_force(copy.1)).about(&held)),
            is_anothers: reads.object.as_ref().is_some_and(|object| self.hub.is_anothers(copy, object)),
        };
        if reads.object.is_some() && !stored.is_anothers {
            self.unconfirmed.insert(copy);
        }
        let decided = delivery.decide(stored, self.setting.surroundings());
        if let Some(promise) = decided.broken {
            self.broken.get_or_insert(promise.broken(format!("{copy:?}")));
        }
        match decided.entry {
            EntryChange::Keep => {}
            EntryChange::Put(entry) => {
                self.hub.outbox.insert(copy, *entry);
            }
            EntryChange::Delete(_) => {
                self.hub.outbox.remove(&copy);
            }
        }
        self.commit(account, which, &decided.changes);
        decided.next
    }

    fn send(
        &mut self,
        account: usize,
        entry: &OutboxEntry,
        request: Request,
        fate: Fate,
    ) -> Result<Answer, ProviderError> {
        let sender = Sender {
            calendar: self.setting.place(entry.calendar_id).1,
            event: entry.event_id,
            name: self.names.get(&entry.event_id).copied().unwrap_or(0),
            now: self.setting.world.now(),
        };
        let reads = matches!(request, Request::Read { .. } | Request::Find { .. });
        let unclear = if reads { FailureClass::Transient } else { FailureClass::Ambiguous };
        let answer = match fate {
            Fate::Well | Fate::Expired | Fate::Withheld => self.carry_out(account, &request, sender),
            Fate::Refused => Err(FailureClass::Transient),
            Fate::Lost => {
                drop(self.carry_out(account, &request, sender));
                Err(unclear)
            }
            Fate::Late if !reads => {
                self.remotes[account].late.push((request, sender));
                Err(unclear)
            }
            Fate::Late | Fate::Unsure => Err(unclear),
        };
        answer.map_err(|class| ProviderError::new(class, "as the story has it"))
    }
}

fn copy_of(entry: &OutboxEntry) -> Copy {
    (entry.event_id, entry.calendar_id)
}
