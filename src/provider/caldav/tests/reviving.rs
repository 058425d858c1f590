use super::*;
use crate::{
    domain::{
        ids::{CalendarId, EventId},
        mapping::Remains,
    },
    ical::{self, TextLimits},
    provider::EventWriter,
};

const KEY: &str = "0192f0c1-7c1e-7000-8000-000000000001";

/// What is left of an object with much that we do not model.
fn left() -> Remains {
    let raw = event("theirs", "Tea").replace(
        "END:VEVENT",
        "ATTENDEE;CN=Bob:mailto:bob@example.com\r\nX-KEPT:as it is\r\nBEGIN:VALARM\r\nUID:alarm\r\nACTION:DISPLAY\r\n\
         TRIGGER:-PT25M\r\nEND:VALARM\r\nEND:VEVENT",
    );
    let base = ical::decode::resource(raw.as_bytes(), &TextLimits::default()).expect("read").content;
    Remains {
        event_id: EventId(uuid::Uuid::nil()),
        calendar_id: CalendarId(uuid::Uuid::nil()),
        remote_id: "/home/ada/office/odd-name.ics".into(),
        uid: "theirs".into(),
        base,
        raw: raw.into_bytes(),
        created_by_us: false,
        taken_out: false,
        kept_at: DateTime::UNIX_EPOCH,
    }
}

#[tokio::test]
async fn an_object_that_is_made_again_is_the_same_to_the_last_byte() {
    let place = format!("{OFFICE}theirs.ics");
    let (account, script) =
        trusted(vec![on("PUT", &place, 201, "").header("etag", "\"2\"").holding("If-None-Match: *")]);
    let says = ical::decode::resource(&left().raw, &TextLimits::default()).expect("read").content;
    let made = account.make_again(&office(), &"theirs".into(), &left(), &says).await.expect("made");
    assert_eq!((made.uid.as_str(), made.revision), ("theirs", Some("\"2\"".into())));
    assert_eq!(script.sent()[0].body.as_ref(), left().raw);
    script.finished();
}

#[tokio::test]
async fn an_object_that_is_made_again_under_another_uid_has_everything_else() {
    let place = format!("{OFFICE}{KEY}.ics");
    let (account, script) =
        trusted(vec![on("PUT", &place, 201, "").header("etag", "\"2\"").holding("If-None-Match: *")]);
    account.make_again(&office(), &KEY.into(), &left(), &content("New")).await.expect("made");
    let sent = String::from_utf8(script.sent()[0].body.to_vec()).expect("text");
    for kept in
        ["SUMMARY:New", "ATTENDEE;CN=Bob:mailto:bob@example.com", "X-KEPT:as it is", "TRIGGER:-PT25M", "UID:alarm"]
    {
        assert!(sent.contains(kept), "{kept}: {sent}");
    }
    assert!(sent.contains(&format!("UID:{KEY}")) && !sent.contains("UID:theirs"), "{sent}");
    script.finished();
}
