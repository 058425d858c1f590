//! One suite over every CalDAV server that can be installed: Radicale, Xandikos, Cyrus, `DAViCal` and `SOGo`.
//!
//! What a server may do that others do not is in one table, [`Kind::habits`](crate::support::strangers::Kind::habits). `plain` is part
//! of every run; `asked` is behind `tests/run peers`. A check that fails shows the last exchanges with its server.

mod deletions;
mod edits;
mod objects;
mod trouble;
mod world;

/// Makes a test of each check beside each server.
macro_rules! beside {
    ([$($server:ident $kind:ident)*] $checks:tt) => {
        $(beside!(@ $server $kind $checks);)*
    };
    (@ $server:ident $kind:ident {$($file:ident: $($name:ident)*;)*}) => {
        mod $server {$($(
            #[tokio::test]
            async fn $name() {
                super::super::$file::$name(crate::support::strangers::Kind::$kind).await;
            }
        )*)*}
    };
}

/// In every run.
mod plain {
    beside! { [radicale Radicale xandikos Xandikos cyrus Cyrus davical Davical sogo Sogo] {
        edits: edits_of_every_kind_travel_both_ways
            whole_days_end_after_they_begin
            both_edit_one_event
            an_edit_comes_before_our_write;
        deletions: an_approval_is_used_up
            a_deletion_of_less_than_half_needs_no_word;
    } }
}

/// Behind `tests/run peers`.
mod asked {
    beside! { [radicale Radicale xandikos Xandikos cyrus Cyrus davical Davical sogo Sogo] {
        edits: three_hundred_mixed_events_are_the_same_on_both_sides
            an_event_without_length_has_no_end_before_it_begins
            what_is_deleted_here_while_it_is_edited_there;
        deletions: a_refusal_lasts_for_days;
        trouble: every_address_of_a_server_leads_to_its_calendars
            a_server_that_is_away_is_met_again
            a_server_that_answers_503_for_a_while_loses_nothing
            lost_answers_double_nothing
            cut_answers_delete_nothing
            a_token_that_was_never_given_hides_nothing_for_longer_than_a_day
            a_backup_that_is_restored_ends_in_the_same_on_both_sides
            a_calendar_made_anew_under_its_name_is_read_anew;
        objects: an_object_of_eleven_megabytes_stops_nothing
            a_hundred_and_sixty_objects_of_eighty_kilobytes_are_all_read
            zones_by_any_name_keep_their_clock
            objects_at_odd_addresses_are_read_edited_and_deleted;
    } }
}
