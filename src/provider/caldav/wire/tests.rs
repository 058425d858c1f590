use std::path::PathBuf;

use super::*;

fn corpus(name: &str) -> Vec<u8> {
    let root = std::env::var_os("CALWARDEN_CORPORA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora")), PathBuf::from);
    let path = root.join("provider_answers/caldav").join(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why} (CALWARDEN_CORPORA names the corpora)", path.display()))
}

fn own(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/caldav").join(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn read(body: &[u8]) -> Multistatus {
    multistatus(body).expect("a multistatus")
}

#[test]
fn stalwarts_principal_names_itself_and_its_home() {
    let answer = read(&corpus("principal.xml"));
    let held = answer.rows[0].collection().expect("properties");
    assert_eq!(held.principal, Some(Principal::Href("/dav/pal/alice%40test.local/".into())));
    assert_eq!(held.homes, ["/dav/cal/alice%40test.local/"]);
}

#[test]
fn stalwarts_home_lists_one_writable_calendar() {
    let answer = read(&corpus("calendar-home.xml"));
    let calendars: Vec<_> = answer.rows.iter().filter(|row| row.is(ResourceKind::Calendar)).collect();
    assert_eq!(answer.rows.len(), 2);
    assert_eq!(calendars.len(), 1);
    let held = calendars[0].collection().expect("properties");
    assert_eq!(held.name.as_deref(), Some("Stalwart Calendar (alice@test.local)"));
    assert_eq!(held.sync_token.as_deref(), Some("urn:stalwart:davsync:16"));
    assert_eq!(held.ctag.as_deref(), Some("\"22\""));
    assert_eq!(held.takes_events, Some(true));
    assert!(held.privileges.as_ref().is_some_and(|held| held.contains(&Privilege::Write)));
}

#[test]
fn sabres_home_distinguishes_read_only_from_writable() {
    let answer = read(&corpus("calendar-home-sabredav.xml"));
    let rights = |end: &str| {
        let row = answer.rows.iter().find(|row| row.href.ends_with(end)).expect(end);
        row.collection().and_then(|held| held.privileges.clone()).expect("privileges")
    };
    assert!(!rights("bob-readonly/").contains(&Privilege::Write));
    assert!(rights("default/").contains(&Privilege::Write));
    let unnamed = answer.rows.iter().find(|row| row.href.ends_with("default/")).expect("default");
    assert_eq!(unnamed.collection().and_then(|held| held.name.clone()), None, "its propstat says 404");
}

#[test]
fn stalwarts_first_sync_carries_versions_and_texts() {
    let answer = read(&corpus("sync-initial.xml"));
    assert_eq!(answer.sync_token.as_deref(), Some("urn:stalwart:davsync:16"));
    let events: Vec<_> = answer.rows.iter().filter(|row| row.props.data.is_some()).collect();
    assert!(events.len() > 3, "{}", events.len());
    assert!(events.iter().all(|row| row.props.etag.as_deref().is_some_and(|etag| etag.starts_with('"'))));
    assert!(events[0].props.data.as_deref().is_some_and(|data| data.starts_with("BEGIN:VCALENDAR")));
}

#[test]
fn an_empty_delta_is_a_token_and_no_rows() {
    let answer = read(&corpus("sync-noop.xml"));
    assert!(answer.rows.is_empty());
    assert_eq!(answer.sync_token.as_deref(), Some("urn:stalwart:davsync:16"));
}

#[test]
fn elements_are_known_by_namespace_and_place_whatever_their_prefix() {
    let answer = read(&own("strange-prefixes.xml"));
    assert_eq!(answer.sync_token.as_deref(), Some("token/3"));
    let [event, gone, teapot] = answer.rows.as_slice() else { panic!("{} rows", answer.rows.len()) };
    assert_eq!(event.href, "https://dav.example.org/ada/office/a&b.ics");
    assert_eq!(event.props.etag.as_deref(), Some("\"one-two\""));
    assert_eq!(event.props.content_type, None, "a property answered with 404 is not set");
    let text = "BEGIN:VCALENDAR\r\nSUMMARY:Tea <now> & <later>\r\nEND:VCALENDAR";
    assert_eq!(event.props.data.as_deref(), Some(text));
    assert!(gone.is_gone() && teapot.is_gone() && !event.is_gone());
}

#[test]
fn an_answer_that_is_cut_off_anywhere_is_no_answer() {
    let whole = own("home.xml");
    let end = whole.len() - 1;
    assert!(multistatus(&whole).is_ok());
    for length in 0..end {
        assert!(multistatus(&whole[..length]).is_err(), "the first {length} bytes were taken for all");
    }
}

#[test]
fn other_documents_are_refused() {
    assert_eq!(multistatus(b"<html><body>Sign in</body></html>"), Err(Unread::Other));
    assert_eq!(multistatus(b"<!DOCTYPE html><html></html>"), Err(Unread::Dtd));
    assert_eq!(multistatus(b"<multistatus/>"), Err(Unread::Other), "not in the DAV: namespace");
    assert_eq!(multistatus(b""), Err(Unread::CutOff));
    assert!(multistatus(b"BEGIN:VCALENDAR").is_err());
    let bomb = br#"<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><d:multistatus xmlns:d="DAV:"/>"#;
    assert_eq!(multistatus(bomb), Err(Unread::Dtd));
    assert_eq!(multistatus(br#"<d:multistatus xmlns:d="DAV:">&nbsp;</d:multistatus>"#), Err(Unread::IllFormed));
}

#[test]
fn nesting_has_a_floor() {
    let nested = |depth: usize| {
        format!(r#"<d:multistatus xmlns:d="DAV:">{}{}</d:multistatus>"#, "<d:a>".repeat(depth), "</d:a>".repeat(depth))
    };
    assert!(multistatus(nested(DEPTH_MAX - 1).as_bytes()).is_ok());
    assert_eq!(multistatus(nested(DEPTH_MAX).as_bytes()), Err(Unread::TooDeep));
}

#[test]
fn a_text_with_bytes_that_are_no_text_is_left_to_a_read_by_itself() {
    let mut body = br#"<m xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"/>"#.to_vec();
    assert_eq!(multistatus(&body), Err(Unread::Other));
    body = [
        br#"<multistatus xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">"#.as_slice(),
        br"<response><href>/a.ics</href><propstat><prop><getetag>1</getetag><c:calendar-data>SUMMARY:caf".as_slice(),
        b"\xe9",
        br"</c:calendar-data></prop><status>HTTP/1.1 200 OK</status></propstat></response>".as_slice(),
        br"<response><href>/b.ics</href><propstat><prop><c:calendar-data>SUMMARY:tea</c:calendar-data></prop>"
            .as_slice(),
        br"<status>HTTP/1.1 200 OK</status></propstat></response></multistatus>".as_slice(),
    ]
    .concat();
    let answer = read(&body);
    assert_eq!(answer.rows[0].props.etag.as_deref(), Some("1"));
    assert_eq!(answer.rows[0].props.data, None);
    assert_eq!(answer.rows[1].props.data.as_deref(), Some("SUMMARY:tea"));
}

#[test]
fn the_broken_rule_is_read_from_an_error_body() {
    let body = br#"<?xml version="1.0"?><d:error xmlns:d="DAV:" xmlns:s="urn:s"><s:exception>No</s:exception><d:valid-sync-token/></d:error>"#;
    assert_eq!(conditions(body), ["exception", "valid-sync-token"]);
    let nested = br#"<error xmlns="DAV:"><no-uid-conflict xmlns="urn:ietf:params:xml:ns:carddav"><href xmlns="DAV:">/x</href></no-uid-conflict></error>"#;
    assert_eq!(conditions(nested), ["no-uid-conflict"]);
    assert!(conditions(b"<html><p>No").is_empty());
    assert!(conditions(b"").is_empty());
}

#[test]
fn a_home_is_read_with_everything_it_says_of_its_calendars() {
    let answer = read(&own("home.xml"));
    let row = |end: &str| answer.rows.iter().find(|row| row.href.ends_with(end)).expect(end);
    let work = row("office/").collection().expect("properties");
    assert_eq!((work.syncs, work.takes_events), (Some(true), Some(true)));
    assert_eq!(work.name.as_deref(), Some("Work & more"));
    assert_eq!(work.color.as_deref(), Some("#FF8800AA"));
    let shared = row("shared%20things/").collection().expect("properties");
    assert_eq!((shared.syncs, shared.takes_events), (Some(false), None));
    assert_eq!(row("tasks/").collection().and_then(|held| held.takes_events), Some(false));
    assert!(
        row("holidays/").is(ResourceKind::Special)
            && row("inbox/").is(ResourceKind::Special)
            && row("binned/").is(ResourceKind::Special)
    );
    assert!(row("home/ada/").props.is_collection);
}
