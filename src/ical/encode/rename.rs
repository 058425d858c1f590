//! A resource's own text under another `UID`.

use crate::{
    domain::ids::Uid,
    ical::{
        TextLimits, TextRefused,
        component::{self as tree, ComponentKind},
        encode::CRLF,
        text,
    },
};

/// Gives every event of a resource another `UID`; every other byte stays.
///
/// # Errors
/// When the text cannot be read.
pub fn rename(raw: &[u8], uid: &Uid) -> Result<Vec<u8>, TextRefused> {
    let mut line = Vec::new();
    text::fold(&format!("UID:{}", text::escape(uid.as_str())), CRLF, &mut line);
    let calendars = tree::calendars(raw, &TextLimits::default())?;
    let events = calendars.iter().flat_map(|calendar| calendar.all(&ComponentKind::Event));
    let mut names: Vec<_> = events.filter_map(|event| Some(event.line("UID")?.raw.clone())).collect();
    names.sort_by_key(|name| name.start);
    let mut out = Vec::with_capacity(raw.len() + 64);
    let mut at = 0;
    for name in names {
        out.extend_from_slice(raw.get(at..name.start).unwrap_or_default());
        out.extend_from_slice(&line);
        at = name.end;
    }
    out.extend_from_slice(raw.get(at..).unwrap_or_default());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::rename;
    use crate::domain::ids::Uid;

    #[test]
    fn another_uid_changes_no_other_byte() {
        let text = |uid: &str| {
            format!(
                "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-A:1\r\nBEGIN:VEVENT\r\n{uid}\r\nDTSTART:20260301T100000Z\r\n\
                 BEGIN:VALARM\r\nUID:alarm\r\nACTION:DISPLAY\r\nEND:VALARM\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n{uid}\r\n\
                 RECURRENCE-ID:20260302T100000Z\r\nDTSTART:20260302T110000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
            )
        };
        let renamed = rename(text("UID:old-\r\n and folded").as_bytes(), &Uid::from("new")).expect("read");
        assert_eq!(String::from_utf8(renamed).expect("text"), text("UID:new"));
    }
}
