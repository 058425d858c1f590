//! Who is free when: busy time of several people, what is left of their hours, and times that suit all of them.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::{
    super::{
        Services,
        read_events::{BATCHES_MAX, CutShort, EventReader, near},
    },
    person::{days_of, person, rules_of},
};
use crate::{
    domain::{
        account::AccountStatus,
        block::BlockState,
        ids::{AccountId, EventId, UserId},
        person::{Scope, User},
        round::Outcome,
        time::Window,
        working_hours::{PlanningRules, TimeMap},
    },
    engine::{
        busy::BusyTime,
        recurrence::ExpansionBudget,
        spans::{free_of, merged},
        ticks::work_days,
    },
    service::Refusal,
    store::{EventFilter, Mode, Tx},
};

/// Stretches that providers call busy that are looked at for one person.
const SPANS_MAX: u32 = 20_000;
/// Accounts of one person that are listed.
const ACCOUNTS_MAX: u32 = 100;
/// Rounds looked through for one that went well.
const ROUNDS_MAX: u32 = 50;
/// Longest window that may be asked about.
const WINDOW_MAX: Duration = Duration::days(92);
/// Most people asked about at once.
const USERS_MAX: usize = 50;
/// Suggestions begin on a quarter of an hour.
const GRID_S: i64 = 15 * 60;

/// What is asked.
#[derive(Clone, Debug)]
pub struct AvailabilityWanted {
    /// Whose time.
    pub users: Vec<UserId>,
    /// When.
    pub window: Window,
    /// How long a suggested time is, in minutes.
    pub duration_min: u32,
    /// Most suggestions.
    pub suggestions: usize,
}

/// How fresh what an account says is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Which.
    pub account_id: AccountId,
    /// How it stands.
    pub status: AccountStatus,
    /// When its calendars were last read to the end; `None`: never.
    pub read_at: Option<DateTime<Utc>>,
}

/// One person's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// Whose.
    pub user_id: UserId,
    /// When they are busy, joined.
    pub busy: Vec<Window>,
    /// What is left of their hours.
    pub free: Vec<Window>,
    /// What this rests on.
    pub freshness: Vec<Freshness>,
    /// What could not be read or expanded to its end. It counts as busy.
    pub cut: Option<CutShort>,
}

/// A person's busy time.
pub(super) struct PersonBusy {
    /// Joined, cut to the window.
    pub(super) spans: Vec<Window>,
    /// What could not be read or expanded to its end. It counts as busy.
    pub(super) cut: Option<CutShort>,
}

impl Services {
    /// The time of some people, and times that suit them all, best first: the earliest.
    pub async fn availability(
        &self,
        scope: &Scope,
        wanted: &AvailabilityWanted,
    ) -> Result<(Vec<Availability>, Vec<Window>), Refusal> {
        check(wanted)?;
        let mut all = Vec::new();
        for user in &wanted.users {
            let PersonBusy { spans: busy, cut } = self.busy_time(scope, user, wanted.window, None).await?;
            let mut tx = self.store.begin(Mode::Read, scope).await?;
            let user = person(&mut tx, scope, user).await?;
            let rules = rules_of(&mut tx, &user.id).await?;
            let freshness = freshness(&mut tx, scope, &user).await?;
            tx.commit().await?;
            let free = free_of(&open_hours(&user, &rules, wanted.window), &busy);
            all.push(Availability { user_id: user.id, busy, free, freshness, cut });
        }
        let length = Duration::minutes(i64::from(wanted.duration_min));
        let from = wanted.window.from.max(self.world.now());
        let suggestions = suggested(&all, from, length, wanted.suggestions);
        Ok((all, suggestions))
    }

    /// When a person is busy, as their events, blocks and providers report it. With `blocks_of`, the events of these blocks are
    /// left out, so that a plan does not run into itself.
    pub(super) async fn busy_time(
        &self,
        scope: &Scope,
        user: &UserId,
        window: Window,
        blocks_of: Option<&BTreeSet<EventId>>,
    ) -> Result<PersonBusy, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let zone = tx.user(user).await?.ok_or(Refusal::NotFound("user"))?.time_zone;
        let mut busy = BusyTime::new(window, ExpansionBudget::PERSON);
        let mut reader = EventReader::new(&mut tx, scope, EventFilter::new(user, near(window, None)), zone);
        let mut unread = true;
        for _ in 0..BATCHES_MAX {
            let Some(mut batch) = reader.next().await? else {
                unread = false;
                break;
            };
            batch.events.retain(|(event, _)| !blocks_of.is_some_and(|own| own.contains(&event.id)));
            busy = self
                .offload
                .run(move || {
                    for (event, zone) in &batch.events {
                        busy.add(event, *zone);
                    }
                    busy
                })
                .await?;
        }
        if unread {
            busy.add_span(window);
        }
        // What a provider calls busy without saying why covers our own blocks too, where they were published.
        if blocks_of.is_none() {
            for (_, span) in tx.busy_in(scope, user, window.from, window.to, SPANS_MAX).await? {
                busy.add_span(Window { from: span.start, to: span.end });
            }
            for block in tx.blocks_between(user, window.from, window.to).await? {
                if block.event_id.is_none() && (block.state.is_live() || block.state == BlockState::Done) {
                    busy.add_span(block.span());
                }
            }
        }
        tx.commit().await?;
        let (spans, unfinished) = busy.joined();
        Ok(PersonBusy { spans, cut: CutShort::of(&unfinished, unread) })
    }
}

/// The hours of a person in a window.
pub(super) fn open_hours(user: &User, rules: &PlanningRules, window: Window) -> Vec<Window> {
    let usual = usual_hours(user, rules);
    let days = days_of(user, rules);
    let open = work_days(days, &usual, &rules.holidays, window).into_iter().flat_map(|day| day.windows);
    merged(open.collect(), window)
}

/// The hours of who names none: those of the rules, else the user's working hours.
pub(super) fn usual_hours(user: &User, rules: &PlanningRules) -> TimeMap {
    rules.hours_named(None, &user.working_hours).unwrap_or_default()
}

async fn freshness(tx: &mut Tx, scope: &Scope, user: &User) -> Result<Vec<Freshness>, Refusal> {
    let mut listed = Vec::new();
    for account in tx.accounts(scope, Some(&user.id), None, ACCOUNTS_MAX).await? {
        let rounds = tx.rounds_of(scope, account.id, None, ROUNDS_MAX).await?;
        let good = rounds.into_iter().find(|round| round.outcome == Some(Outcome::Ok));
        let read_at = good.and_then(|round| round.finished_at);
        listed.push(Freshness { account_id: account.id, status: account.status, read_at });
    }
    Ok(listed)
}

fn check(wanted: &AvailabilityWanted) -> Result<(), Refusal> {
    let invalid = |field, why: &str| Err(Refusal::Invalid { field, why: why.to_owned() });
    if wanted.users.is_empty() || wanted.users.len() > USERS_MAX {
        return invalid("users", "between 1 and 50 users");
    }
    if wanted.window.length() <= Duration::zero() {
        return invalid("to", "the end of the window is not after its begin");
    }
    if wanted.window.length() > WINDOW_MAX {
        return invalid("to", "a window is 92 days long at most");
    }
    if !(1..=24 * 60).contains(&wanted.duration_min) {
        return invalid("duration_min", "between 1 and 1440 minutes");
    }
    Ok(())
}

/// The first times, one in each stretch that is free for all and each length after it, at which all are free.
fn suggested(all: &[Availability], from: DateTime<Utc>, length: Duration, most: usize) -> Vec<Window> {
    let Some((first, rest)) = all.split_first() else { return Vec::new() };
    let mut common = first.free.clone();
    for other in rest {
        common = crate::engine::spans::common(&common, &other.free);
    }
    let mut found = Vec::new();
    for stretch in common {
        let begin = stretch.from.max(from).timestamp();
        let Some(mut at) = DateTime::from_timestamp(begin + (GRID_S - begin.rem_euclid(GRID_S)) % GRID_S, 0) else {
            continue;
        };
        if at < stretch.from.max(from) {
            at += Duration::seconds(GRID_S);
        }
        while at + length <= stretch.to && found.len() < most {
            found.push(Window { from: at, to: at + length });
            at += length;
        }
    }
    found
}
