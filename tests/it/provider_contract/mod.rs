//! What the engine relies on of a [`Provider`](calwarden::provider::Provider), whoever implements it: one suite over every provider that
//! can be met.
//!
//! - **subject**: one account at one provider, with an empty calendar, and somebody else who changes things there.
//! - **sentence**: a function over a subject. It runs for every subject whose line names the capability that its file is about.
//!
//! `alike` is the look-alike and a published file, which need nothing installed; `peers` are real servers and part of every run;
//! `asked` is behind `tests/run peers`. What a provider may do that others do not stands in its subject's
//! [`Manners`](subject::Manners), each with a word on whose it is.

mod channels;
mod contents;
mod forms;
mod free_busy;
mod reading;
mod subject;
mod subjects;
mod writing;

use calwarden::domain::account::ProviderKind;

/// Makes a test of each sentence.
macro_rules! sentences {
    ($subject:ident reading) => {
        sentences! { @ $subject reading:
            nothing_is_sent_before_it_is_asked_for
            everything_is_read_at_first_and_the_cursor_comes_last
            the_same_cursor_again_reads_nothing_and_costs_little
            what_changes_there_comes_with_another_revision
            what_is_deleted_there_is_removed_or_absent
            what_is_held_at_its_revision_is_present_and_not_handed_out
            a_cursor_that_nobody_gave_hides_nothing
            a_calendar_that_is_not_there_is_gone_and_never_empty
            a_calendar_that_is_taken_away_is_gone_and_never_empty
            a_change_shows_in_the_stamp_of_its_calendar
            an_account_has_the_same_names_whenever_it_is_opened
            the_list_of_calendars_is_the_same_whenever_it_is_asked_for
        }
    };
    ($subject:ident writing) => {
        sentences! { @ $subject writing:
            what_is_made_is_there_as_it_was_sent
            one_key_makes_one_event
            what_was_made_is_found_by_its_key
            a_write_does_not_come_back_as_a_change
            an_update_of_the_version_that_is_there_is_done
            an_update_of_an_older_version_changes_nothing
            a_deletion_of_an_older_version_changes_nothing
            a_deletion_is_done_and_twice_is_done
            what_is_gone_is_not_brought_back_by_an_update
            what_we_do_not_model_survives_an_update
            what_was_deleted_is_made_again_with_what_it_had
        }
        sentences! { @ $subject forms:
            the_canonical_form_of_a_canonical_form_is_itself
            every_content_comes_back_in_its_canonical_form
            every_event_becomes_any_other
        }
    };
    ($subject:ident channels) => {
        sentences! { @ $subject channels:
            a_channel_ends_later_and_is_closed_twice
        }
    };
    ($subject:ident free_busy) => {
        sentences! { @ $subject free_busy:
            what_takes_time_shows_and_what_is_free_does_not
            months_are_asked_for_at_once
        }
    };
    (@ $subject:ident $file:ident: $($name:ident)*) => {
        mod $file {$(
            #[tokio::test]
            async fn $name() {
                crate::provider_contract::$file::$name(&crate::provider_contract::subjects::$subject().await).await;
            }
        )*}
    };
}

/// Makes the tests of each subject from its line: the function of [`subjects`] that opens it, its kind, and what it is able to do.
macro_rules! subjects {
    ($($place:ident {$($subject:ident $kind:ident: $($able:ident)*;)*})*) => {
        /// The kinds that have a subject.
        const KINDS: &[ProviderKind] = &[$($(ProviderKind::$kind),*),*];

        $(mod $place {$(
            mod $subject {
                #[tokio::test]
                async fn is_able_to_do_what_its_line_says() {
                    let subject = crate::provider_contract::subjects::$subject().await;
                    let kind = calwarden::domain::account::ProviderKind::$kind;
                    subject.is(kind, &[$(stringify!($able)),*]);
                }

                $(sentences! { $subject $able })*
            }
        )*})*
    };
}

// Every provider that can be met: one line each.
subjects! {
    alike {
        google Google: reading writing channels free_busy;
        google_for_reading Google: reading channels free_busy;
        feed Feed: reading;
    }
    peers {
        radicale Caldav: reading writing;
        xandikos Caldav: reading writing;
        icloud Icloud: reading writing;
    }
    asked {
        cyrus Caldav: reading writing;
        davical Caldav: reading writing;
        sogo Caldav: reading writing;
    }
}

#[test]
fn every_provider_has_a_subject() {
    let without: Vec<_> = ProviderKind::ALL.iter().filter(|kind| !KINDS.contains(kind)).collect();
    assert!(without.is_empty(), "without a line in the list of subjects: {without:?}");
}
