use super::super::{
    href::Etag,
    request::{Depth, PropfindQuery, delete, get, multiget, propfind, put_new, put_over, query_uid, sync_collection},
};
use super::*;

fn place() -> Url {
    Url::parse("https://dav.example.org/home/ada/office/").expect("a URL")
}

fn lines(request: &OutgoingRequest) -> Vec<String> {
    let mut lines = vec![format!("{} {}", request.method, request.url.path())];
    lines.extend(request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(String::from_utf8(request.body.to_vec()).expect("text"));
    lines
}

#[test]
fn a_sync_report_has_depth_zero_level_one_and_no_limit() {
    let request = sync_collection(place(), "urn:t?a=1&b=<2>", None);
    assert_eq!(
        lines(&request),
        [
            "REPORT /home/ada/office/",
            "Content-Type: application/xml; charset=utf-8",
            "Depth: 0",
            concat!(
                r#"<?xml version="1.0" encoding="utf-8"?><d:sync-collection xmlns:d="DAV:">"#,
                "<d:sync-token>urn:t?a=1&amp;b=&lt;2&gt;</d:sync-token><d:sync-level>1</d:sync-level>",
                "<d:prop><d:getetag/></d:prop></d:sync-collection>"
            ),
        ]
    );
    assert!(!request.writes);
}

#[test]
fn a_multiget_names_each_object_as_it_was_spelt() {
    let request = multiget(place(), ["/home/a@b/x%20y.ics", "/home/a%40b/&.ics"].into_iter());
    assert_eq!(
        lines(&request)[2..],
        [
            "Depth: 1",
            concat!(
                r#"<?xml version="1.0" encoding="utf-8"?>"#,
                r#"<c:calendar-multiget xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">"#,
                "<d:prop><d:getetag/><c:calendar-data/></d:prop><d:href>/home/a@b/x%20y.ics</d:href>",
                "<d:href>/home/a%40b/&amp;.ics</d:href></c:calendar-multiget>"
            ),
        ]
    );
}

#[test]
fn properties_are_asked_for_by_name() {
    let request = propfind(place(), Depth::One, PropfindQuery::Members);
    assert_eq!(
        lines(&request)[2..],
        [
            "Depth: 1",
            concat!(
                r#"<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav""#,
                r#" xmlns:s="http://calendarserver.org/ns/" xmlns:a="http://apple.com/ns/ical/">"#,
                "<d:prop><d:getetag/><d:resourcetype/><d:getcontenttype/></d:prop></d:propfind>"
            ),
        ]
    );
    for ask in [
        PropfindQuery::Discovery,
        PropfindQuery::Calendars,
        PropfindQuery::Members,
        PropfindQuery::Version,
        PropfindQuery::Ctag,
    ] {
        assert!(!lines(&propfind(place(), Depth::Zero, ask))[3].contains("allprop"));
    }
}

#[test]
fn a_search_for_a_uid_names_the_component() {
    let body = lines(&query_uid(place(), &"a<b".into())).pop().expect("a body");
    assert!(body.contains(r#"<c:comp-filter name="VEVENT"><c:prop-filter name="UID">"#), "{body}");
    assert!(body.contains(">a&lt;b</c:text-match>"), "{body}");
}

#[test]
fn every_write_is_conditional_and_marked_as_a_write() {
    let etag = Etag::strong(&"\"v 1\"".into()).expect("a strong stamp");
    let update = put_over(place(), &etag, b"x".to_vec());
    let create = put_new(place(), b"x".to_vec());
    let remove = delete(place(), &etag);
    assert_eq!(lines(&update)[1..], ["Content-Type: text/calendar; charset=utf-8", "If-Match: \"v 1\"", "x"]);
    assert_eq!(lines(&create)[1..], ["Content-Type: text/calendar; charset=utf-8", "If-None-Match: *", "x"]);
    assert_eq!(lines(&remove)[1..], ["If-Match: \"v 1\"", "Schedule-Reply: F", ""]);
    assert!(update.writes && create.writes && remove.writes && !get(place()).writes);
}

#[test]
fn neither_a_weak_stamp_nor_a_star_can_be_a_condition() {
    for refused in ["W/\"a\"", "w/\"a\"", "*", ""] {
        assert_eq!(Etag::strong(&refused.into()), None, "{refused}");
    }
    assert_eq!(Etag::strong(&"unquoted".into()).expect("sent as it is").as_str(), "unquoted");
}
