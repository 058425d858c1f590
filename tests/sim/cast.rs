//! Who takes part: each person with one account, or with several, and what they do with the accounts themselves.

use calwarden::{
    app::look_alike::consent_as,
    domain::{
        account::{AccountStatus, ConflictPolicy, ProviderKind},
        calendar::Direction,
        conflict::HoldState,
        grant::Access,
        ids::{AccountId, CalendarId, UserId},
        outbox::OutboxState,
        person::{Scope, WorkingHours},
        secret::Secret,
    },
    sandbox::{LookAlike as _, SandboxRequest},
    service::{Refusal, change_calendar::CalendarChange, connect_account::Connect, consent::Begin, people::UserFacts},
    store::Mode,
};

use super::{google::email, life::Alive, serve::Shared};

/// Whose CalDAV servers there are.
pub const SERVED: [&str; 4] = ["ada", "bob", BOTH, LEAVER];
/// Who has an account at Google.
pub const AT_GOOGLE: [&str; 3] = ["gil", "hana", BOTH];
/// Whom each of these users signs in as: some share a calendar that one of them owns.
const PEOPLE: [(&str, &str); 3] = [("ada", "ada"), ("bob", "bob"), ("bea", "ada")];
const GOOGLERS: [(&str, &str); 3] = [("gil", "gil"), ("hana", "hana"), ("gus", "gil")];
/// Somebody with one account at each, whose events have copies in both.
const BOTH: &str = "ivy";
/// Somebody who disconnects again and again, whatever is under way, and comes back.
const LEAVER: &str = "lea";

/// Who shares no calendar.
const ALONE: [&str; 2] = ["bob", "hana"];

/// One person's one account.
pub struct Person {
    /// Where it is.
    pub at_google: bool,
    /// Whose it is here.
    pub user: UserId,
    /// Who they are there.
    pub signs_in_as: &'static str,
    /// It, while it is connected.
    pub account: AccountId,
    /// A calendar of theirs elsewhere, into which they put copies.
    pub copies_go_to: Option<CalendarId>,
    /// What is kept in step.
    pub calendars: Vec<(CalendarId, String)>,
}

impl Person {
    /// Whether they come and go. They edit in the product only: a disconnect forgets the history, so nothing may be disputed.
    pub fn leaves(&self) -> bool {
        self.signs_in_as == LEAVER
    }

    /// Whether nobody else signs in as they do, and nothing else of theirs goes there.
    fn is_alone(&self) -> bool {
        ALONE.contains(&self.signs_in_as)
    }

    /// Whether a calendar is theirs alone, without copies elsewhere: who deletes there has seen all that there is.
    pub fn deletes(&self) -> bool {
        self.copies_go_to.is_none()
    }
}

/// Connects everybody.
pub async fn connect_all(alive: &Alive, outside: &Shared, port: u16) -> Vec<Person> {
    let mut cast = Vec::new();
    for (name, signs_in_as) in PEOPLE.into_iter().chain([(LEAVER, LEAVER)]) {
        cast.push(connect_dav(alive, name, signs_in_as, port).await);
    }
    for (name, signs_in_as) in GOOGLERS {
        cast.push(connect_google(alive, outside, name, signs_in_as).await);
    }
    cast.extend(connect_both(alive, outside, port).await);
    cast
}

/// Connects somebody with two accounts.
pub async fn connect_both(alive: &Alive, outside: &Shared, port: u16) -> [Person; 2] {
    let mut two = [connect_dav(alive, BOTH, BOTH, port).await, connect_google(alive, outside, BOTH, BOTH).await];
    let calendars = [two[1].calendars[0].0, two[0].calendars[0].0];
    for (one, other) in two.iter_mut().zip(calendars) {
        one.copies_go_to = Some(other);
    }
    two
}

fn access(person: &str, user: &UserId, port: u16) -> Connect {
    Connect {
        user_id: user.clone(),
        space_id: None,
        provider: ProviderKind::Caldav,
        url: format!("http://127.0.0.1:{port}/dav/{person}/"),
        username: Some(Secret::new(person)),
        password: Some(Secret::new("password")),
        bearer_token: None,
        label: Some(person.to_owned()),
        writes_through: None,
        policy: (person == LEAVER).then_some(ConflictPolicy::LocalWins),
        privacy: None,
    }
}

async fn connect_dav(alive: &Alive, name: &str, signs_in_as: &'static str, port: u16) -> Person {
    let user = make_user(alive, name).await;
    let asked = access(signs_in_as, &user, port);
    let (account, calendars) = alive.services.connect(&Scope::Whole, "sim", asked).await.expect("connected");
    let calendars = calendars.into_iter().map(|calendar| (calendar.id, calendar.remote_id.0)).collect();
    Person { at_google: false, user, signs_in_as, account: account.id, copies_go_to: None, calendars }
}

/// Connects a Google account, or connects it again: the browser's part is played here.
async fn consent(
    alive: &Alive,
    outside: &Shared,
    user: &UserId,
    signs_in_as: &str,
    account: Option<AccountId>,
) -> AccountId {
    let asked =
        Begin { user_id: user.clone(), space_id: None, access: Access::Write, account_id: account, return_to: None };
    let now = alive.world.now();
    let ask = |asked: &SandboxRequest| outside.borrow_mut().google.google.answer(now, asked);
    consent_as(&alive.services, &email(signs_in_as), asked, ask).await.expect("connected").account
}

/// One more user with a Google account.
pub async fn connect_google(alive: &Alive, outside: &Shared, name: &str, signs_in_as: &'static str) -> Person {
    let user = make_user(alive, name).await;
    let account = consent(alive, outside, &user, signs_in_as, None).await;
    let facts = alive.services.account(&Scope::Whole, account).await.expect("an account");
    let chosen = facts.calendars.into_iter().filter(|calendar| calendar.selected);
    let calendars = chosen.map(|calendar| (calendar.id, calendar.remote_id.0)).collect();
    Person { at_google: true, user, signs_in_as, account, copies_go_to: None, calendars }
}

async fn make_user(alive: &Alive, name: &str) -> UserId {
    let user: UserId = name.parse().expect("an id");
    let facts = UserFacts {
        name: name.to_owned(),
        time_zone: chrono_tz::Europe::Paris,
        working_hours: WorkingHours::default(),
    };
    alive.services.put_user(&user, facts).await.expect("a user");
    user
}

/// Disconnects, whatever the account is doing; once it is gone, connects again. Any step may fail: they try again another day.
pub async fn come_or_go(alive: &Alive, person: &mut Person, port: u16) -> Option<String> {
    match alive.services.account(&Scope::Whole, person.account).await {
        Ok(held) if held.account.status == AccountStatus::Disconnecting => None,
        Ok(_) => {
            alive.services.begin_disconnect(&Scope::Whole, "sim", person.account, false).await.ok()?;
            // Where the actor cannot be told, it finds out when it is rebuilt.
            let told = alive.handle.disconnect(person.account, false).await.is_ok();
            Some(format!("here: {} disconnects {told}", person.signs_in_as))
        }
        Err(Refusal::NotFound(_)) => {
            let asked = access(person.signs_in_as, &person.user, port);
            let (account, calendars) = alive.services.connect(&Scope::Whole, "sim", asked).await.ok()?;
            person.account = account.id;
            person.calendars = calendars.into_iter().map(|held| (held.id, held.remote_id.0)).collect();
            Some(format!("here: {} connects again", person.signs_in_as))
        }
        Err(other) => panic!("{other}"),
    }
}

/// Turns a calendar, whatever its account is doing.
pub async fn turn(alive: &Alive, person: &Person, direction: Direction, outside: &Shared) -> Option<String> {
    let (calendar, path) = person.calendars.first()?;
    let change = CalendarChange { direction: Some(direction), ..CalendarChange::default() };
    alive.services.change_calendar(&Scope::Whole, *calendar, None, change).await.ok()?;
    if person.is_alone() {
        outside.borrow_mut().chosen(path, direction == Direction::FromProvider, alive.world.now());
    }
    Some(format!("here: {}'s calendar flows {direction}", person.signs_in_as))
}

/// Whether an account is connected at this moment.
pub async fn is_connected(alive: &Alive, person: &Person) -> bool {
    alive.services.account(&Scope::Whole, person.account).await.is_ok()
}

/// What a person does who has read their notices: connects again where a credential was refused twice, says of held deletions
/// that they are right, and tries again what was put aside. Whether there was anything to do: who connects again may only now
/// hear that much is gone.
pub async fn help(alive: &Alive, people: &mut [Person], outside: &Shared, port: u16) -> bool {
    see_to(alive, people, outside, port, true).await
}

/// The same without an answer to held deletions.
pub async fn mend(alive: &Alive, people: &mut [Person], outside: &Shared, port: u16) -> bool {
    see_to(alive, people, outside, port, false).await
}

async fn see_to(alive: &Alive, people: &mut [Person], outside: &Shared, port: u16, approves: bool) -> bool {
    let mut helped = false;
    for person in people {
        if !is_connected(alive, person).await {
            come_or_go(alive, person, port).await.expect("connected again");
            helped = true;
        }
        let account = alive.services.account(&Scope::Whole, person.account).await.expect("an account");
        if account.account.status == AccountStatus::ReconnectRequired {
            if person.at_google {
                consent(alive, outside, &person.user, person.signs_in_as, Some(person.account)).await;
            } else {
                let fresh = access(person.signs_in_as, &person.user, port);
                alive.services.reconnect(&Scope::Whole, "sim", person.account, fresh).await.expect("reconnected");
            }
            alive.handle.reauthorised(person.account).await.expect("told");
            helped = true;
        }
        let theirs = account.calendars.iter().find(|calendar| calendar.id == person.calendars[0].0);
        if theirs.is_some_and(|calendar| calendar.direction != Direction::Both) {
            let done = turn(alive, person, Direction::Both, outside).await;
            outside.borrow_mut().trace.extend(done);
            helped = true;
        }
        // Who shares a calendar is asked whether so much of it is to go.
        for shown in alive.services.holds(&Scope::Whole, person.account).await.expect("holds") {
            if approves && shown.hold.state == HoldState::Held {
                alive.services.decide_hold(&Scope::Whole, shown.hold.id, true).await.expect("approved");
                helped = true;
            }
        }
        let mut tx = alive.services.store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
        let queue = tx.outbox_of(&Scope::Whole, person.account, 1_000).await.expect("a queue");
        tx.commit().await.expect("a commit");
        for entry in queue.iter().filter(|entry| entry.state == OutboxState::Parked) {
            alive.services.retry_write(&Scope::Whole, person.account, entry.id).await.expect("queued again");
            helped = true;
        }
    }
    helped
}
