//! Nobody sees another space's rows, whatever they ask.

use calwarden::{
    domain::{
        ids::{ConflictId, HoldId, NoticeId},
        person::Scope,
        time::Window,
    },
    store::{ConflictFilter, EventFilter, Mode, Tx},
};

use super::{
    Base,
    given::{self, at, id},
    on_every_database,
};

on_every_database![a_scope_shows_its_own_spaces_and_no_others, no_spaces_show_nothing, a_foreign_notice_cannot_be_read];

const CONFLICT: u64 = 11;
const HOLD: u64 = 12;
const NOTICE: u64 = 13;

/// One of each thing that people are shown, in the space `home`.
async fn one_of_each(base: &Base) {
    let (account, calendar, event, _) = given::ada_with_an_event(base).await;
    let mut tx = base.write().await;
    tx.put_space(&given::space("other")).await.expect("space");
    tx.put_outbox(&given::write(10, &calendar, event.id)).await.expect("outbox");
    tx.insert_conflicts(&[given::conflict(CONFLICT, &calendar, event.id)]).await.expect("conflict");
    tx.put_hold(&given::hold(HOLD, &calendar)).await.expect("hold");
    tx.put_notice(&given::notice(NOTICE, &account, None)).await.expect("notice");
    tx.insert_round(&given::round(14, &account)).await.expect("round");
    tx.audit(&[given::audit_line(15, &account)]).await.expect("audit");
    tx.commit().await.expect("committed");
}

/// How many rows each of the people's queries tells under a scope.
async fn seen(tx: &mut Tx, scope: &Scope) -> Vec<(&'static str, usize)> {
    let ada = given::user_id("ada");
    let ever = EventFilter::new(&ada, Window { from: at(0), to: at(999) });
    let all = EventFilter { include_deleted: true, ..ever };
    let any = ConflictFilter { limit: 9, ..ConflictFilter::default() };
    vec![
        ("account", usize::from(tx.account(scope, id(1)).await.expect("read").is_some())),
        ("accounts", tx.accounts(scope, None, None, 9).await.expect("read").len()),
        ("calendar", usize::from(tx.calendar(scope, id(2)).await.expect("read").is_some())),
        ("event", usize::from(tx.event(scope, id(3)).await.expect("read").is_some())),
        ("events_in", tx.events_in(scope, all, None, 9).await.expect("read").len()),
        ("outbox_of", tx.outbox_of(scope, id(1), 9).await.expect("read").len()),
        ("rounds_of", tx.rounds_of(scope, id(1), None, 9).await.expect("read").len()),
        ("conflict", usize::from(tx.conflict(scope, id::<ConflictId>(CONFLICT)).await.expect("read").is_some())),
        ("conflicts", tx.conflicts(scope, &any).await.expect("read").len()),
        ("holds", tx.holds(scope, None, None).await.expect("read").len()),
        ("hold", usize::from(tx.hold(scope, id::<HoldId>(HOLD)).await.expect("read").is_some())),
        ("notice", usize::from(tx.notice(scope, id::<NoticeId>(NOTICE)).await.expect("read").is_some())),
        ("notices", tx.notices(scope, None, false, None, 9).await.expect("read").len()),
        ("audit_of", tx.audit_of(scope, id(1), 9).await.expect("read").len()),
    ]
}

async fn counted(base: &Base, scope: Scope, expected: usize) {
    // Under the whole scope only the query's own filter stands; under the narrow one PostgreSQL's walls stand too.
    for begun in [&Scope::Whole, &scope] {
        let mut tx = base.store.begin(Mode::Read, begun).await.expect("begun");
        for (query, rows) in seen(&mut tx, &scope).await {
            assert_eq!(rows, expected, "{query} under {scope:?}, begun under {begun:?}");
        }
        tx.commit().await.expect("ended");
    }
}

async fn a_scope_shows_its_own_spaces_and_no_others(base: Base) {
    one_of_each(&base).await;
    counted(&base, Scope::Whole, 1).await;
    counted(&base, Scope::Spaces(vec![given::space_id("other"), given::space_id("home")]), 1).await;
    counted(&base, Scope::Spaces(vec![given::space_id("other")]), 0).await;
}

async fn no_spaces_show_nothing(base: Base) {
    one_of_each(&base).await;
    counted(&base, Scope::Whole, 1).await;
    counted(&base, Scope::Spaces(vec![]), 0).await;
}

async fn a_foreign_notice_cannot_be_read(base: Base) {
    one_of_each(&base).await;
    let notice: NoticeId = id(NOTICE);
    let mut tx = base.write().await;
    let other = Scope::Spaces(vec![given::space_id("other")]);
    assert_eq!(tx.read_notice(&other, notice, at(1)).await, Ok(false));
    let home = Scope::Spaces(vec![given::space_id("home")]);
    assert_eq!(tx.read_notice(&home, notice, at(1)).await, Ok(true));
}
