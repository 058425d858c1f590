//! The sentences that people read, in English: what a notice says, and what comes of held deletions.
//!
//! What is stored names its subject and what belongs to it; the words are found here when it is shown.

use crate::domain::{
    conflict::{ConflictKind, HeldFate, Hold, HoldState},
    notice::{NoticeSubject, counted},
};

/// What a notice says.
pub fn of_notice(subject: &NoticeSubject) -> String {
    let fixed = match subject {
        NoticeSubject::WriteParked { why } => {
            let why = why.trim_end_matches('.');
            return format!("A change could not be sent to your calendar: {why}. It is kept; you can try it again.");
        }
        NoticeSubject::DeletionsHeld { events, reason, evidence } => {
            return format!(
                "{} would be deleted because {}; {}. Nothing was deleted; please check.",
                counted(*events, "event"),
                reason.words(),
                evidence.words()
            );
        }
        NoticeSubject::DeletionsRefused { kept, written_back } => return of_refusal(*kept, *written_back),
        NoticeSubject::PlanOffered { changes } => {
            let changes = counted(*changes, "change");
            return format!("A new plan is offered, with {changes} of time blocks. It waits for a yes.");
        }
        NoticeSubject::Plain { text, .. } => return text.clone(),
        NoticeSubject::EditOverwritten { conflict } => overwritten(*conflict),
        NoticeSubject::ReconnectRequired => {
            "Your calendar account no longer lets us in. Connect it again to go on syncing; changes made meanwhile are kept."
        }
        NoticeSubject::ConflictPending => "An event was changed here and at its calendar. Choose which to keep.",
        NoticeSubject::Unwatched => {
            "Your calendar provider does not notify us of changes at the moment. We look every few minutes instead, and nothing is lost."
        }
        NoticeSubject::BlockMoved => "A time block was moved in its calendar. Confirm the new time, or move it back.",
        NoticeSubject::Overrun => {
            "The time for this task is up, and something that cannot move comes next. What is left is planned anew."
        }
        NoticeSubject::TaskStale => {
            "Some tasks were carried from day to day too often, and are not planned any more. Plan them anew, shorten them or give \
             them up."
        }
        NoticeSubject::Quarantined => {
            "Syncing this account was stopped because it kept failing. Nothing is lost; we are looking into it."
        }
        NoticeSubject::Unknown { .. } => {
            "This notice is from another version of Calwarden, which has the words for it."
        }
    };
    fixed.to_owned()
}

fn overwritten(conflict: ConflictKind) -> &'static str {
    match conflict {
        ConflictKind::Edit => {
            "An event was changed here and at its calendar. The calendar's version was kept; yours is in the conflict history."
        }
        ConflictKind::DeletedRemotely => {
            "An event you changed was deleted at its calendar. It was deleted here too; your version can be restored."
        }
        ConflictKind::DeletedLocally => "An event you deleted was changed at its calendar, so it is back.",
    }
}

fn of_refusal(kept: usize, written_back: bool) -> String {
    if written_back {
        let stay = events(kept, "stays, and is written to its", "stay, and are written to their");
        format!("You refused it: {stay} calendar again.")
    } else {
        let stay =
            events(kept, "stays, and is only here now, because its", "stay, and are only here now, because their");
        format!("You refused it: {stay} calendar takes no changes from here.")
    }
}

/// How many events, and what one of them does or several do.
fn events(count: usize, one: &str, several: &str) -> String {
    format!("{} {}", counted(count, "event"), if count == 1 { one } else { several })
}

/// What comes of a hold, whose calendar takes changes from here or does not.
pub fn of_hold(hold: &Hold, takes_writes: bool) -> String {
    let (all, back) = (hold.removed.len(), hold.count(HeldFate::Back));
    match hold.state {
        HoldState::Held => {
            format!("{} for your answer; nothing is deleted until then.", events(all, "waits", "wait"))
        }
        HoldState::Approved => {
            format!("You approved it: {} deleted here with the next sync.", events(all, "is", "are"))
        }
        HoldState::CarriedOut => {
            let deleted = events(hold.count(HeldFate::Deleted), "was", "were");
            format!("You approved it: {deleted} deleted here; {back} had come back and stayed.")
        }
        HoldState::Refused => of_refusal(hold.count(HeldFate::Kept), takes_writes),
        HoldState::Restored => {
            let restored = events(hold.count(HeldFate::Restored), "is written to its", "are written to their");
            format!("You refused it: {restored} calendar again; {back} had come back there.")
        }
        HoldState::Superseded => {
            "What is missing has changed since: events came back, or more is missing and asked about in a newer hold."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::{
        conflict::{Evidence, HeldDeletion, HoldReason},
        notice::NoticeKind,
    };

    /// Subjects, and the sentence of each of the forms that they have.
    type Sentences = Vec<(NoticeSubject, &'static str)>;

    fn about_sync() -> Sentences {
        let overwritten = |conflict| NoticeSubject::EditOverwritten { conflict };
        vec![
            (
                NoticeSubject::ReconnectRequired,
                "Your calendar account no longer lets us in. Connect it again to go on syncing; changes made meanwhile are kept.",
            ),
            (
                overwritten(ConflictKind::Edit),
                "An event was changed here and at its calendar. The calendar's version was kept; yours is in the conflict history.",
            ),
            (
                overwritten(ConflictKind::DeletedRemotely),
                "An event you changed was deleted at its calendar. It was deleted here too; your version can be restored.",
            ),
            (
                overwritten(ConflictKind::DeletedLocally),
                "An event you deleted was changed at its calendar, so it is back.",
            ),
            (NoticeSubject::ConflictPending, "An event was changed here and at its calendar. Choose which to keep."),
            (
                NoticeSubject::WriteParked { why: "the calendar is full.".into() },
                "A change could not be sent to your calendar: the calendar is full. It is kept; you can try it again.",
            ),
            (
                NoticeSubject::Unwatched,
                "Your calendar provider does not notify us of changes at the moment. We look every few minutes instead, and nothing \
                 is lost.",
            ),
            (
                NoticeSubject::Quarantined,
                "Syncing this account was stopped because it kept failing. Nothing is lost; we are looking into it.",
            ),
            (NoticeSubject::Plain { kind: NoticeKind::Unreadable, text: "Said before.".into() }, "Said before."),
            (
                NoticeSubject::Unknown { kind: "news".into(), stored: "{\"subject\":\"news\"}".into() },
                "This notice is from another version of Calwarden, which has the words for it.",
            ),
        ]
    }

    fn about_deletions() -> Sentences {
        let held = |events, reason, evidence| NoticeSubject::DeletionsHeld { events, reason, evidence };
        let refused = |kept, written_back| NoticeSubject::DeletionsRefused { kept, written_back };
        vec![
            (
                held(1, HoldReason::WholeCalendar, Evidence::EmptyList),
                "1 event would be deleted because every event of this calendar would be deleted at once; the list came back empty, \
                 which is often an error of the server and no deletion. Nothing was deleted; please check.",
            ),
            (
                held(24, HoldReason::ShareOfAccount, Evidence::Named),
                "24 events would be deleted because more than half of the account's events would be deleted at once; each of them is \
                 reported as deleted there, so somebody or some program has deleted them. Nothing was deleted; please check.",
            ),
            (
                held(2, HoldReason::HeldBefore, Evidence::Absent),
                "2 events would be deleted because a part of them was held before and waits for an answer; they are missing from a \
                 list that is otherwise complete. Nothing was deleted; please check.",
            ),
            (
                held(2, HoldReason::WholeCalendar, Evidence::NoCalendar),
                "2 events would be deleted because every event of this calendar would be deleted at once; the calendar itself is no \
                 longer listed there, so somebody has deleted it or closed it to you. Nothing was deleted; please check.",
            ),
            (refused(1, true), "You refused it: 1 event stays, and is written to its calendar again."),
            (refused(3, true), "You refused it: 3 events stay, and are written to their calendar again."),
            (
                refused(1, false),
                "You refused it: 1 event stays, and is only here now, because its calendar takes no changes from here.",
            ),
            (
                refused(3, false),
                "You refused it: 3 events stay, and are only here now, because their calendar takes no changes from here.",
            ),
        ]
    }

    fn about_plans() -> Sentences {
        vec![
            (
                NoticeSubject::BlockMoved,
                "A time block was moved in its calendar. Confirm the new time, or move it back.",
            ),
            (
                NoticeSubject::Overrun,
                "The time for this task is up, and something that cannot move comes next. What is left is planned anew.",
            ),
            (
                NoticeSubject::PlanOffered { changes: 1 },
                "A new plan is offered, with 1 change of time blocks. It waits for a yes.",
            ),
            (
                NoticeSubject::PlanOffered { changes: 5 },
                "A new plan is offered, with 5 changes of time blocks. It waits for a yes.",
            ),
            (
                NoticeSubject::TaskStale,
                "Some tasks were carried from day to day too often, and are not planned any more. Plan them anew, shorten them or \
                 give them up.",
            ),
        ]
    }

    #[test]
    fn each_subject_has_its_sentence() {
        let mut named = BTreeSet::new();
        for (subject, sentence) in [about_sync(), about_deletions(), about_plans()].concat() {
            let told = of_notice(&subject);
            assert_eq!(told, sentence);
            assert!(told.ends_with('.') && !told.contains("..") && !told.contains(['{', '}', '_']), "{told}");
            let values = serde_json::to_value(&subject).expect("values");
            named.insert(values["subject"].as_str().expect("a name").to_owned());
        }
        // Whoever reads a subject that is not known is told all that are.
        let refused = serde_json::from_str::<NoticeSubject>(r#"{"subject":"?"}"#).expect_err("none").to_string();
        let all: BTreeSet<_> = refused.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        assert!(all.len() > 10, "{refused}");
        assert_eq!(named, all);
    }

    #[test]
    fn what_comes_of_a_hold_has_a_sentence_in_each_state_for_one_event_and_for_several() {
        let nil = uuid::Uuid::nil();
        let hold = |state, count, fate| Hold {
            id: nil.into(),
            space_id: "home".parse().expect("an id"),
            account_id: nil.into(),
            calendar_id: nil.into(),
            removed: vec![
                HeldDeletion { remote_id: "remote".into(), event_id: nil.into(), revision: None, fate };
                count
            ],
            mapped: 0,
            reason: String::new(),
            state,
            created_at: chrono::DateTime::UNIX_EPOCH,
            decided_at: None,
        };
        let told = [
            (HoldState::Held, HeldFate::Open, "1 event waits for your answer; nothing is deleted until then."),
            (HoldState::Approved, HeldFate::Open, "You approved it: 1 event is deleted here with the next sync."),
            (
                HoldState::CarriedOut,
                HeldFate::Deleted,
                "You approved it: 1 event was deleted here; 0 had come back and stayed.",
            ),
            (
                HoldState::Refused,
                HeldFate::Kept,
                "You refused it: 1 event stays, and is written to its calendar again.",
            ),
            (
                HoldState::Restored,
                HeldFate::Restored,
                "You refused it: 1 event is written to its calendar again; 0 had come back there.",
            ),
            (
                HoldState::Superseded,
                HeldFate::Open,
                "What is missing has changed since: events came back, or more is missing and asked about in a newer hold.",
            ),
        ];
        assert_eq!(told.map(|(state, ..)| state), HoldState::ALL);
        for (state, fate, one) in told {
            assert_eq!(of_hold(&hold(state, 1, fate), true), one);
            let several = one
                .replace("1 event waits", "2 events wait")
                .replace("1 event stays, and is", "2 events stay, and are")
                .replace("1 event is", "2 events are")
                .replace("1 event was", "2 events were")
                .replace("its calendar", "their calendar");
            assert_eq!(of_hold(&hold(state, 2, fate), true), several);
        }
        let only_here = of_hold(&hold(HoldState::Refused, 1, HeldFate::Kept), false);
        assert_eq!(only_here, of_notice(&NoticeSubject::DeletionsRefused { kept: 1, written_back: false }));
    }
}
