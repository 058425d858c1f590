use proptest::prelude::*;

use super::*;
use crate::engine::recurrence::tests::{at, day, moved, paris, rules, series, starts, times, wall};
use chrono::DateTime;
use chrono::Utc;

const FROM: &str = "2026-01-01T00:00:00";
const TO: &str = "2027-01-01T00:00:00";

fn daily(rule: &str) -> EventContent {
    series(paris("2026-07-01T09:00:00"), paris("2026-07-01T10:00:00"), rule)
}

fn hour(start: &str) -> Facts {
    Facts::new("New", paris(start), EventTime::zoned(wall(start) + Duration::hours(1), Tz::Europe__Paris))
}

fn changed(content: &EventContent, id: &str, scope: EditScope, facts: &Facts) -> EventContent {
    match edit(content, Some(&paris(id)), scope, facts, None, Tz::Europe__Paris).expect("an edit") {
        SeriesEdit::Changed(changed) => changed,
        SeriesEdit::Split { .. } => panic!("was cut"),
    }
}

fn split(content: &EventContent, id: &EventTime, facts: &Facts) -> (EventContent, EventContent) {
    match edit(content, Some(id), EditScope::Following, facts, None, Tz::Europe__Paris).expect("an edit") {
        SeriesEdit::Split { head, tail } => (head, tail),
        SeriesEdit::Changed(_) => panic!("was not cut"),
    }
}

#[test]
fn an_edit_of_one_occurrence_changes_no_other() {
    let content = daily("FREQ=DAILY;COUNT=3");
    let edited = changed(&content, "2026-07-02T09:00:00", EditScope::This, &hour("2026-07-02T15:00:00"));
    assert_eq!(starts(&edited, FROM, TO), ["07-01T07:00", "07-02T13:00", "07-03T07:00"]);
    let again = changed(&edited, "2026-07-02T09:00:00", EditScope::This, &hour("2026-07-02T16:00:00"));
    assert_eq!(again.overrides.len(), 1);
    assert_eq!(starts(&again, FROM, TO)[1], "07-02T14:00");
}

#[test]
fn an_edit_of_the_following_splits_a_count() {
    let content = daily("FREQ=DAILY;COUNT=5");
    let (head, tail) = split(&content, &paris("2026-07-03T09:00:00"), &hour("2026-07-03T11:00:00"));
    assert_eq!(head.recurrence.rules, ["FREQ=DAILY;COUNT=2"]);
    assert_eq!(tail.recurrence.rules, ["FREQ=DAILY;COUNT=3"]);
    assert_eq!(starts(&tail, FROM, TO), ["07-03T09:00", "07-04T09:00", "07-05T09:00"]);
    assert_eq!(tail.facts.title, "New");
}

#[test]
fn a_start_off_its_rule_is_counted_in_the_head() {
    let content = daily("FREQ=WEEKLY;BYDAY=MO;COUNT=4");
    let (head, tail) = split(&content, &paris("2026-07-13T09:00:00"), &hour("2026-07-13T09:00:00"));
    assert_eq!(head.recurrence.rules, ["FREQ=WEEKLY;BYDAY=MO;COUNT=2"]);
    assert_eq!(tail.recurrence.rules, ["FREQ=WEEKLY;BYDAY=MO;COUNT=2"]);
    assert_eq!(starts(&head, FROM, TO), ["07-01T07:00", "07-06T07:00"]);
}

#[test]
fn a_head_ends_in_the_form_of_its_start() {
    let until = |start: EventTime, id: EventTime| {
        let content = series(start, start, "FREQ=DAILY");
        split(&content, &id, &Facts::new("New", id, id)).0.recurrence.rules.remove(0)
    };
    assert_eq!(until(paris("2026-07-01T09:00:00"), paris("2026-07-03T09:00:00")), "FREQ=DAILY;UNTIL=20260703T065959Z");
    assert_eq!(until(day("2026-07-01"), day("2026-07-03")), "FREQ=DAILY;UNTIL=20260702");
}

#[test]
fn exceptions_go_to_the_side_they_are_on() {
    let mut content = daily("FREQ=DAILY;COUNT=9");
    content.recurrence.excluded = vec![paris("2026-07-02T09:00:00"), EventTime::utc(at("2026-07-06T07:00:00"))];
    content.overrides = [("2026-07-03", "2026-07-20"), ("2026-07-08", "2026-06-20")]
        .map(|(id, to)| {
            let time = |day: &str, hour: u8| paris(&format!("{day}T{hour:02}:00:00"));
            moved(time(id, 9), time(to, 9), time(to, 10))
        })
        .to_vec();
    let (head, tail) = split(&content, &paris("2026-07-05T09:00:00"), &hour("2026-07-05T09:00:00"));
    assert_eq!((head.recurrence.excluded.len(), tail.recurrence.excluded.len()), (1, 1));
    assert_eq!((head.overrides.len(), tail.overrides.len()), (1, 1));
    let mut both = [starts(&head, FROM, TO), starts(&tail, FROM, TO)].concat();
    both.sort();
    assert_eq!(both, starts(&content, FROM, TO));
}

#[test]
fn an_edit_of_the_following_from_the_first_on_is_of_all() {
    let content = daily("FREQ=DAILY;COUNT=2");
    let edited = changed(&content, "2026-07-01T09:00:00", EditScope::Following, &hour("2026-07-01T11:00:00"));
    assert_eq!(starts(&edited, FROM, TO), ["07-01T09:00", "07-02T09:00"]);
}

#[test]
fn a_move_of_all_moves_exceptions_by_the_same_wall_time() {
    let mut content = daily("FREQ=DAILY;UNTIL=20260705T070000Z");
    content.recurrence.excluded = vec![paris("2026-07-02T09:00:00"), day("2026-07-04")];
    content.overrides =
        vec![moved(paris("2026-07-03T09:00:00"), paris("2026-07-03T20:00:00"), paris("2026-07-03T21:00:00"))];
    let edited = changed(&content, "2026-07-05T09:00:00", EditScope::All, &hour("2026-07-05T11:30:00"));
    assert_eq!(starts(&edited, FROM, TO), ["07-01T09:30", "07-03T18:00", "07-05T09:30"]);
    assert_eq!(edited.recurrence.excluded[0], paris("2026-07-02T11:30:00"));
    assert_eq!(edited.overrides[0].recurrence_id, paris("2026-07-03T11:30:00"));
}

#[test]
fn a_rule_that_names_its_own_day_moves_along_or_is_refused() {
    let mondays = |rule: &str| series(paris("2026-07-06T09:00:00"), paris("2026-07-06T10:00:00"), rule);
    let moved = changed(
        &mondays("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3"),
        "2026-07-06T09:00:00",
        EditScope::All,
        &hour("2026-07-07T09:00:00"),
    );
    assert_eq!(moved.recurrence.rules, ["FREQ=WEEKLY;BYDAY=TU,TH;COUNT=3"]);
    assert_eq!(starts(&moved, FROM, TO), ["07-07T07:00", "07-09T07:00", "07-14T07:00"]);
    let firsts = changed(
        &mondays("FREQ=MONTHLY;BYDAY=1MO;COUNT=2"),
        "2026-07-06T09:00:00",
        EditScope::All,
        &hour("2026-07-14T09:00:00"),
    );
    assert_eq!(firsts.recurrence.rules, ["FREQ=MONTHLY;BYDAY=2TU;COUNT=2"]);
    let fixed = mondays("FREQ=MONTHLY;BYMONTHDAY=6,7,8;COUNT=3");
    let refused = edit(&fixed, None, EditScope::All, &hour("2026-07-20T09:00:00"), None, Tz::Europe__Paris);
    assert_eq!(refused, Err(SeriesRefused::StartOffRule));
}

#[test]
fn a_series_made_all_day_keeps_its_exceptions() {
    let mut content = daily("FREQ=DAILY;UNTIL=20260704T070000Z");
    content.recurrence.excluded = vec![paris("2026-07-02T09:00:00")];
    let all_day = Facts::new("New", day("2026-07-01"), day("2026-07-02"));
    let edited = edit(&content, None, EditScope::All, &all_day, None, Tz::Europe__Paris).expect("an edit");
    let SeriesEdit::Changed(edited) = edited else { panic!("was cut") };
    assert_eq!(edited.recurrence.excluded, [day("2026-07-02")]);
    assert_eq!(edited.recurrence.rules, ["FREQ=DAILY;UNTIL=20260704"]);
    assert_eq!(starts(&edited, FROM, TO), ["06-30T22:00", "07-02T22:00", "07-03T22:00"]);
}

#[test]
fn a_new_rule_keeps_what_was_removed_and_the_overrides_that_it_still_has() {
    let mut content = daily("FREQ=DAILY;COUNT=9");
    content.recurrence.excluded = vec![paris("2026-07-03T09:00:00")];
    content.overrides = ["2026-07-05", "2026-07-06"]
        .map(|day| {
            moved(
                paris(&format!("{day}T09:00:00")),
                paris(&format!("{day}T15:00:00")),
                paris(&format!("{day}T16:00:00")),
            )
        })
        .to_vec();
    let new = Recurrence { rules: vec!["FREQ=DAILY;INTERVAL=2;COUNT=4".to_owned()], ..Recurrence::default() };
    let edited = edit(&content, None, EditScope::All, &content.facts, Some(&new), Tz::Europe__Paris).expect("an edit");
    let SeriesEdit::Changed(edited) = edited else { panic!("was cut") };
    assert_eq!(starts(&edited, FROM, TO), ["07-01T07:00", "07-05T13:00", "07-07T07:00"]);
    let bad = Recurrence { rules: vec!["FREQ=NEVER".to_owned()], ..Recurrence::default() };
    let refused = edit(&content, None, EditScope::All, &content.facts, Some(&bad), Tz::Europe__Paris);
    assert!(matches!(refused, Err(SeriesRefused::Rule(_))), "{refused:?}");
}

#[test]
fn a_deletion_takes_what_it_names() {
    let content = daily("FREQ=DAILY;COUNT=3");
    let gone = |content: &EventContent, id: &str, scope| {
        delete(content, Some(&paris(id)), scope, Tz::Europe__Paris).expect("a deletion")
    };
    let SeriesDelete::Changed(one) = gone(&content, "2026-07-02T09:00:00", EditScope::This) else { panic!("whole") };
    assert_eq!(starts(&one, FROM, TO), ["07-01T07:00", "07-03T07:00"]);
    let SeriesDelete::Changed(two) = gone(&one, "2026-07-03T09:00:00", EditScope::This) else { panic!("whole") };
    assert_eq!(gone(&two, "2026-07-01T09:00:00", EditScope::This), SeriesDelete::Whole);
    let SeriesDelete::Changed(head) = gone(&content, "2026-07-02T09:00:00", EditScope::Following) else {
        panic!("whole")
    };
    assert_eq!(starts(&head, FROM, TO), ["07-01T07:00"]);
    assert_eq!(gone(&content, "2026-07-01T09:00:00", EditScope::Following), SeriesDelete::Whole);
    assert_eq!(gone(&content, "2026-07-02T09:00:00", EditScope::All), SeriesDelete::Whole);
}

#[test]
fn an_event_that_is_an_exception_of_its_one_time_goes_with_it() {
    let mut content = daily("FREQ=DAILY;COUNT=1");
    let start = content.facts.start;
    content.overrides = vec![Override { recurrence_id: start, facts: hour("2026-07-01T15:00:00") }];
    content.recurrence.rules.clear();
    let gone = delete(&content, Some(&start), EditScope::This, Tz::Europe__Paris).expect("a deletion");
    assert!(matches!(gone, SeriesDelete::Whole), "{gone:?}");
}

#[test]
fn an_occurrence_that_is_none_cannot_be_edited() {
    let content = daily("FREQ=DAILY;COUNT=3");
    let refused = |id: Option<&EventTime>, scope| {
        edit(&content, id, scope, &hour("2026-07-04T09:00:00"), None, Tz::Europe__Paris)
    };
    let missing = paris("2026-07-04T09:00:00");
    assert_eq!(refused(Some(&missing), EditScope::This), Err(SeriesRefused::NotAnOccurrence));
    assert_eq!(refused(None, EditScope::Following), Err(SeriesRefused::WhichOccurrence));
    let mut detached = EventContent::single(hour("2026-07-04T09:00:00"));
    detached.detached_from = Some(missing);
    let all = edit(&detached, Some(&missing), EditScope::All, &hour("2026-07-04T10:00:00"), None, Tz::Europe__Paris);
    assert_eq!(all, Err(SeriesRefused::Detached));
    assert_eq!(delete(&detached, Some(&missing), EditScope::This, Tz::Europe__Paris), Ok(SeriesDelete::Whole));
}

#[test]
fn a_series_whose_rules_lean_on_each_other_is_not_cut() {
    let mut content = daily("FREQ=DAILY;INTERVAL=3;COUNT=9");
    content.recurrence.rules.push("FREQ=DAILY;INTERVAL=4;COUNT=9".to_owned());
    let refused = edit(
        &content,
        Some(&paris("2026-07-05T09:00:00")),
        EditScope::Following,
        &hour("2026-07-05T09:00:00"),
        None,
        Tz::Europe__Paris,
    );
    assert_eq!(refused, Err(SeriesRefused::Inseparable));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cut_keeps_the_set_of_instants(rule in rules(), (start, end) in times(), pick in 0..30_usize, drop in 0..30_usize) {
        let mut content = series(start, end, &rule);
        let window = Window { from: at("2024-01-01T00:00:00"), to: at("2031-01-01T00:00:00") };
        let bounds = Bounds { instances_max: 60, ..Bounds::default() };
        let shown = |content: &EventContent| -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
            let found = expand(content, window, Tz::Europe__Paris, &bounds).expect("an expansion");
            found.occurrences.iter().map(|found| (found.start, found.end)).collect()
        };
        if let Ok(whole) = expand(&content, window, Tz::Europe__Paris, &bounds) {
            let ids: Vec<_> = whole.occurrences.iter().filter_map(|found| found.recurrence_id).collect();
            let (picked, dropped) = (ids[pick % ids.len()], ids[drop % ids.len()]);
            if picked != dropped {
                content.recurrence.excluded.push(dropped);
            }
            let facts = Facts { start: picked, ..content.facts.clone() };
            let facts = Facts { end: picked.with_wall(picked.wall() + (end.wall() - start.wall())), ..facts };
            match edit(&content, Some(&picked), EditScope::Following, &facts, None, Tz::Europe__Paris) {
                Ok(SeriesEdit::Split { head, tail }) => {
                    let mut both: Vec<_> = [shown(&head), shown(&tail)].concat();
                    both.sort_unstable();
                    both.truncate(60);
                    let starts = |list: &[(DateTime<Utc>, DateTime<Utc>)]| list.iter().map(|span| span.0).collect::<Vec<_>>();
                    prop_assert_eq!(starts(&both), starts(&shown(&content)));
                }
                Ok(SeriesEdit::Changed(_)) => {}
                Err(refused) => prop_assert_eq!(refused, SeriesRefused::Inseparable),
            }
        }
    }

    #[test]
    fn a_single_rule_that_names_its_start_can_be_cut_anywhere(
        freq in prop::sample::select(vec!["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]),
        interval in 1..5_u32,
        (start, end) in times(),
        pick in 1..20_usize,
    ) {
        let content = series(start, end, &format!("FREQ={freq};INTERVAL={interval};COUNT=21"));
        let window = Window { from: at("2024-01-01T00:00:00"), to: at("2400-01-01T00:00:00") };
        let found = expand(&content, window, Tz::Europe__Paris, &Bounds::default()).expect("an expansion");
        let picked = found.occurrences[pick].recurrence_id.expect("an id");
        let cut = delete(&content, Some(&picked), EditScope::Following, Tz::Europe__Paris);
        let Ok(SeriesDelete::Changed(head)) = cut else { panic!("{cut:?}") };
        let left = expand(&head, window, Tz::Europe__Paris, &Bounds::default()).expect("an expansion");
        prop_assert_eq!(left.occurrences.len(), pick);
    }
}

#[test]
fn exceptions_at_the_end_of_time_do_no_harm() {
    let far = EventTime::utc(DateTime::<Utc>::MAX_UTC);
    let mut content = daily("FREQ=DAILY;COUNT=5");
    content.recurrence.excluded = vec![far, day("2026-07-02")];
    content.overrides = vec![moved(far, far, far), moved(EventTime::utc(DateTime::<Utc>::MIN_UTC), far, far)];
    for scope in [EditScope::This, EditScope::Following, EditScope::All] {
        let id = paris("2026-07-03T09:00:00");
        let edited = edit(&content, Some(&id), scope, &hour("2026-07-03T12:00:00"), None, Tz::Europe__Paris);
        assert!(edited.is_ok(), "{scope:?}: {edited:?}");
        assert!(delete(&content, Some(&id), scope, Tz::Europe__Paris).is_ok());
    }
    let refused = edit(&content, Some(&far), EditScope::This, &hour("2026-07-03T12:00:00"), None, Tz::Europe__Paris);
    assert_eq!(refused, Err(SeriesRefused::NotAnOccurrence));
}
