//! Rounds, conflicts, holds, notices, the unreadable, the audit log and the figures.

use calwarden::{
    domain::{
        account::AccountStatus,
        conflict::{Conflict, ConflictStatus, Hold, HoldState, Severity},
        ids::{ConflictId, RoundId},
        notice::{Notice, NoticeSubject},
        outbox::OutboxState,
        page::UnreadableEvent,
        person::Scope,
        round::Round,
    },
    store::{ConflictFilter, Counts, StoreError},
};

use super::{
    Base,
    changes::count,
    given::{self, at, id},
    on_every_database,
};

const WHOLE: &Scope = &Scope::Whole;

on_every_database![
    rounds_are_told_newest_first,
    an_open_round_is_not_the_last,
    conflicts_come_back_as_they_were,
    conflicts_are_found_by_what_is_asked,
    holds_in_force_are_told_until_they_have_ended,
    an_unread_notice_is_refreshed_not_doubled,
    a_notice_says_what_it_said_whatever_that_is,
    a_notice_of_another_version_hides_none_of_those_around_it,
    notices_come_newest_first,
    the_unreadable_are_replaced,
    the_audit_log_is_told_newest_first,
    sweeps_take_only_what_is_old,
    the_figures_count_what_is_there,
];

async fn rounds_are_told_newest_first(base: Base) {
    let (account, _) = given::ada(&base).await;
    let rounds: Vec<_> = (10..15).map(|number| given::round(number, &account)).collect();
    let mut tx = base.write().await;
    for round in &rounds {
        tx.insert_round(round).await.expect("round");
    }
    let newest: Vec<Round> = rounds.iter().rev().cloned().collect();
    assert_eq!(tx.rounds_of(WHOLE, account.id, None, 9).await, Ok(newest.clone()));
    assert_eq!(tx.rounds_of(WHOLE, account.id, Some(id(13)), 2).await, Ok(newest[2..4].to_vec()));
    assert_eq!(tx.last_round(account.id).await, Ok(Some(newest[0].clone())));
}

async fn an_open_round_is_not_the_last(base: Base) {
    let (account, _) = given::ada(&base).await;
    let before = given::round(9, &account);
    let open = Round { finished_at: None, outcome: None, note: None, ..given::round(10, &account) };
    let mut tx = base.write().await;
    tx.insert_round(&before).await.expect("round");
    tx.insert_round(&open).await.expect("round");
    assert_eq!(tx.last_round(account.id).await, Ok(Some(before)), "an open round has not come to its end");
}

async fn conflicts_come_back_as_they_were(base: Base) {
    let (_, calendar, event, _) = given::ada_with_an_event(&base).await;
    let full = given::conflict(10, &calendar, event.id);
    let sparse = Conflict { base: None, local: None, winner: None, ..given::conflict(11, &calendar, id(404)) };
    let mut tx = base.write().await;
    tx.insert_conflicts(&[full.clone(), sparse.clone()]).await.expect("conflicts");
    assert_eq!(tx.conflict(WHOLE, full.id).await, Ok(Some(full)));
    assert_eq!(tx.conflict(WHOLE, sparse.id).await, Ok(Some(sparse.clone())), "its event need not exist any more");
    assert_eq!(tx.pending_conflict(sparse.event_id, calendar.id).await, Ok(Some(sparse.clone())));
    let settled = Conflict { status: ConflictStatus::Resolved, resolved_at: Some(at(30)), ..sparse };
    assert_eq!(tx.update_conflict(&settled).await, Ok(()));
    assert_eq!(tx.conflict(WHOLE, settled.id).await, Ok(Some(settled.clone())));
    assert_eq!(tx.pending_conflict(settled.event_id, calendar.id).await, Ok(None));
    assert_eq!(tx.update_conflict(&Conflict { id: id(99), ..settled }).await, Err(StoreError::NotFound));
}

async fn conflicts_are_found_by_what_is_asked(base: Base) {
    let (account, calendar) = given::ada(&base).await;
    let others = given::account(5, "home", "bob");
    let elsewhere = given::calendar(6, &others);
    let mut tx = base.write().await;
    tx.put_user(&given::user("bob", "home")).await.expect("user");
    tx.insert_account(&others).await.expect("account");
    tx.put_calendars(std::slice::from_ref(&elsewhere)).await.expect("calendar");
    let mut met: Vec<_> = (10..16).map(|n| given::conflict(n, &calendar, id(n % 2))).collect();
    met[1].status = ConflictStatus::Resolved;
    met.push(given::conflict(16, &elsewhere, id(1)));
    tx.insert_conflicts(&met).await.expect("conflicts");
    let any = ConflictFilter { limit: 100, ..ConflictFilter::default() };
    let asked: [(ConflictFilter, &[u64]); 9] = [
        (any.clone(), &[16, 15, 14, 13, 12, 11, 10]),
        (ConflictFilter { limit: 2, ..any.clone() }, &[16, 15]),
        (ConflictFilter { limit: 2, after: Some(id(15)), ..any.clone() }, &[14, 13]),
        (ConflictFilter { account: Some(account.id), ..any.clone() }, &[15, 14, 13, 12, 11, 10]),
        (ConflictFilter { event: Some(id(0)), ..any.clone() }, &[14, 12, 10]),
        (ConflictFilter { user: Some(given::user_id("bob")), ..any.clone() }, &[16]),
        (ConflictFilter { status: Some(ConflictStatus::Resolved), ..any.clone() }, &[11]),
        (ConflictFilter { from: Some(at(14)), ..any.clone() }, &[16, 15, 14]),
        (ConflictFilter { to: Some(at(12)), ..any }, &[11, 10]),
    ];
    for (filter, expected) in asked {
        let found = tx.conflicts(WHOLE, &filter).await.expect("found");
        let numbers: Vec<ConflictId> = expected.iter().map(|number| id(*number)).collect();
        assert_eq!(found.iter().map(|conflict| conflict.id).collect::<Vec<_>>(), numbers, "{filter:?}");
    }
}

async fn holds_in_force_are_told_until_they_have_ended(base: Base) {
    let (account, calendar) = given::ada(&base).await;
    let first = given::hold(10, &calendar);
    let mut second = Hold { decided_at: None, ..given::hold(11, &calendar) };
    let mut tx = base.write().await;
    assert_eq!(tx.holds_in_force(calendar.id).await, Ok(vec![]));
    tx.put_hold(&first).await.expect("hold");
    tx.put_hold(&second).await.expect("hold");
    assert_eq!(tx.holds_in_force(calendar.id).await, Ok(vec![first.clone(), second.clone()]));
    assert_eq!(tx.holds_in_force(id(99)).await, Ok(vec![]));
    second.state = HoldState::Approved;
    second.decided_at = Some(at(40));
    tx.put_hold(&second).await.expect("hold");
    assert_eq!(tx.hold(WHOLE, second.id).await, Ok(Some(second.clone())));
    assert_eq!(tx.holds(WHOLE, Some(account.id), None).await, Ok(vec![second.clone(), first.clone()]));
    assert_eq!(tx.holds(WHOLE, None, Some(HoldState::Held)).await, Ok(vec![first.clone()]));
    for state in [HoldState::CarriedOut, HoldState::Restored, HoldState::Superseded] {
        tx.put_hold(&Hold { state, ..second.clone() }).await.expect("hold");
        assert_eq!(tx.holds_in_force(calendar.id).await, Ok(vec![first.clone()]), "{state}");
    }
    tx.put_hold(&second).await.expect("hold");
    assert_eq!(tx.holds(WHOLE, Some(id(99)), None).await, Ok(vec![]));
}

async fn an_unread_notice_is_refreshed_not_doubled(base: Base) {
    let (account, _) = given::ada(&base).await;
    let first = given::notice(10, &account, None);
    let subject = NoticeSubject::WriteParked { why: "it is still full".into() };
    let again = Notice { subject, severity: Severity::High, ..given::notice(11, &account, None) };
    let of_event = given::notice(12, &account, Some(id(5)));
    let of_kind = Notice { subject: NoticeSubject::Quarantined, ..given::notice(13, &account, None) };
    let of_nothing = Notice { account_id: None, ..given::notice(14, &account, None) };
    let mut tx = base.write().await;
    for notice in [&first, &again, &of_event, &of_kind, &of_nothing] {
        tx.put_notice(notice).await.expect("notice");
    }
    let refreshed = Notice { id: first.id, ..again.clone() };
    let told = tx.notices(WHOLE, None, true, None, 9).await;
    assert_eq!(told, Ok(vec![of_nothing, of_kind, of_event, refreshed]));
    assert_eq!(tx.read_notice(WHOLE, first.id, at(50)).await, Ok(true));
    assert_eq!(tx.read_notice(WHOLE, first.id, at(51)).await, Ok(false), "it was read before");
    tx.put_notice(&again).await.expect("notice");
    assert_eq!(tx.notices(WHOLE, None, false, None, 9).await.expect("all").len(), 5, "a read one is not refreshed");
}

async fn a_notice_says_what_it_said_whatever_that_is(base: Base) {
    let (account, _) = given::ada(&base).await;
    let mut put = Vec::new();
    for (number, subject) in (20..).zip(given::subjects()) {
        put.push(Notice { subject, ..given::notice(number, &account, Some(id(number))) });
    }
    let mut tx = base.write().await;
    for notice in &put {
        tx.put_notice(notice).await.expect("notice");
    }
    for notice in &put {
        assert_eq!(tx.notice(WHOLE, notice.id).await, Ok(Some(notice.clone())));
    }
    put.reverse();
    assert_eq!(tx.notices(WHOLE, None, false, None, 99).await, Ok(put));
}

async fn a_notice_of_another_version_hides_none_of_those_around_it(base: Base) {
    let (account, _) = given::ada(&base).await;
    let around = [given::notice(10, &account, Some(id(1))), given::notice(14, &account, Some(id(5)))];
    let mut tx = base.write().await;
    for notice in &around {
        tx.put_notice(notice).await.expect("notice");
    }
    let mut all = around.to_vec();
    for (number, kind, stored) in [
        (11, "write_parked", r#"{"subject":"write_parked"}"#),
        (12, "news", r#"{ "subject": "news", "of": 1 }"#),
        (13, "write_parked", "3"),
    ] {
        let subject = NoticeSubject::Unknown { kind: kind.to_owned(), stored: stored.to_owned() };
        all.push(Notice { subject, ..given::notice(number, &account, Some(id(number))) });
        tx.put_notice(all.last().expect("one")).await.expect("notice");
    }
    tx.commit().await.expect("committed");
    for notice in &all[2..] {
        let NoticeSubject::Unknown { stored, .. } = &notice.subject else { continue };
        let recorded = count(&base).await;
        base.execute(&format!("UPDATE notices SET parameters = '{stored}' WHERE id = '{}'", notice.id)).await;
        assert_eq!(count(&base).await, recorded + 1, "what it says has changed");
    }
    all.sort_by_key(|notice| std::cmp::Reverse(notice.id));
    let mut tx = base.write().await;
    assert_eq!(tx.notices(WHOLE, None, false, None, 9).await, Ok(all.clone()));
    for notice in &all[1..4] {
        assert_eq!(tx.read_notice(WHOLE, notice.id, at(50)).await, Ok(true));
        assert_eq!(tx.notice(WHOLE, notice.id).await, Ok(Some(Notice { read_at: Some(at(50)), ..notice.clone() })));
    }
}

async fn notices_come_newest_first(base: Base) {
    let (account, _) = given::ada(&base).await;
    let told: Vec<_> = (10..15).map(|number| given::notice(number, &account, Some(id(number)))).collect();
    let mut tx = base.write().await;
    for notice in &told {
        tx.put_notice(notice).await.expect("notice");
    }
    let newest: Vec<Notice> = told.into_iter().rev().collect();
    let ada = Some(&account.user_id);
    assert_eq!(tx.notices(WHOLE, ada, false, None, 2).await, Ok(newest[..2].to_vec()));
    assert_eq!(tx.notices(WHOLE, ada, false, Some(newest[1].id), 9).await, Ok(newest[2..].to_vec()));
    let bob = given::user_id("bob");
    assert_eq!(tx.notices(WHOLE, Some(&bob), false, None, 9).await, Ok(vec![]));
}

async fn the_unreadable_are_replaced(base: Base) {
    let (_, calendar) = given::ada(&base).await;
    let row = |name: &str, minute| UnreadableEvent {
        remote_id: name.into(),
        revision: Some("\"1\"".into()),
        uid: (minute == 1).then(|| "uid".into()),
        why: "no DTSTART".into(),
        seen_at: at(minute),
    };
    let mut tx = base.write().await;
    tx.replace_unreadable(calendar.id, &[row("a", 1), row("b", 2)], &[]).await.expect("replaced");
    assert_eq!(tx.unreadable_of(calendar.id).await, Ok(vec![row("a", 1), row("b", 2)]));
    tx.replace_unreadable(calendar.id, &[row("b", 3), row("c", 1)], &["a".into(), "z".into()]).await.expect("replaced");
    assert_eq!(tx.unreadable_of(calendar.id).await, Ok(vec![row("b", 3), row("c", 1)]));
}

async fn the_audit_log_is_told_newest_first(base: Base) {
    let (account, _) = given::ada(&base).await;
    let lines: Vec<_> = (10..14).map(|number| given::audit_line(number, &account)).collect();
    let mut tx = base.write().await;
    tx.audit(&lines).await.expect("audit");
    let newest: Vec<_> = lines.into_iter().rev().take(3).collect();
    assert_eq!(tx.audit_of(WHOLE, account.id, 3).await, Ok(newest));
}

async fn sweeps_take_only_what_is_old(base: Base) {
    let (account, calendar) = given::ada(&base).await;
    let mut tx = base.write().await;
    for number in [10, 20, 30] {
        tx.insert_round(&given::round(number, &account)).await.expect("round");
        tx.put_notice(&given::notice(number, &account, Some(id(number)))).await.expect("notice");
        tx.audit(&[given::audit_line(number, &account)]).await.expect("audit");
        let resolved_at = (number != 20).then(|| at(number.try_into().expect("small")));
        let conflict = Conflict { resolved_at, ..given::conflict(number, &calendar, id(1)) };
        tx.insert_conflicts(&[conflict]).await.expect("conflict");
    }
    assert_eq!(tx.sweep_rounds(at(30)).await, Ok(2));
    assert_eq!(tx.sweep_notices(at(30)).await, Ok(2));
    assert_eq!(tx.sweep_audit(at(30)).await, Ok(2));
    assert_eq!(tx.sweep_conflicts(at(30)).await, Ok(1), "what is not settled is kept");
    assert_eq!(tx.sweep_rounds(at(30)).await, Ok(0));
    let left = tx.rounds_of(WHOLE, account.id, None, 9).await.expect("rounds");
    assert_eq!(left.iter().map(|round| round.id).collect::<Vec<RoundId>>(), [id(30)]);
}

async fn the_figures_count_what_is_there(base: Base) {
    let nothing = base.read().await.counts().await;
    assert_eq!(nothing, Ok(Counts::default()));
    let (_, calendar, event, _) = given::ada_with_an_event(&base).await;
    let mut tx = base.write().await;
    tx.put_outbox(&given::write(10, &calendar, event.id)).await.expect("outbox");
    tx.insert_conflicts(&[given::conflict(11, &calendar, event.id)]).await.expect("conflict");
    let expected = Counts {
        accounts: vec![(AccountStatus::Error, 1)],
        outbox: vec![(OutboxState::Queued, 1)],
        oldest_outbox: Some(at(9)),
        unresolved_conflicts: 1,
        events: 1,
    };
    assert_eq!(tx.counts().await, Ok(expected));
    assert_eq!((tx.pulse(at(0)).await, tx.pulse(at(1)).await), (Ok(()), Ok(())));
}
