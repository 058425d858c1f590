//! Components as a tree over the lines (RFC 5545 §3.4, §3.6).
//!
//! **Invariant:** a component that its own `END` does not close is not `whole`, and nothing is read from it as if it were.

use std::ops::Range;

use super::{
    TextLimits, TextRefused,
    line::{ContentLine, Lines},
};

/// What a component is, as far as we care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ComponentKind {
    /// `VCALENDAR`
    Calendar,
    /// `VEVENT`
    Event,
    /// `VTIMEZONE`
    Zone,
    /// `STANDARD` or `DAYLIGHT`
    Observance,
    /// Anything else, by its name; its lines are not kept.
    Other(String),
}

impl ComponentKind {
    fn of(name: &str) -> Self {
        let name = name.trim();
        let known = [
            ("VCALENDAR", Self::Calendar),
            ("VEVENT", Self::Event),
            ("VTIMEZONE", Self::Zone),
            ("STANDARD", Self::Observance),
            ("DAYLIGHT", Self::Observance),
        ];
        let known = known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map_or_else(|| Self::Other(name.to_owned()), |(_, kind)| kind)
    }

    /// Whether this is the kind of a name.
    fn is(&self, name: &str) -> bool {
        let name = name.trim();
        match self {
            Self::Calendar => name.eq_ignore_ascii_case("VCALENDAR"),
            Self::Event => name.eq_ignore_ascii_case("VEVENT"),
            Self::Zone => name.eq_ignore_ascii_case("VTIMEZONE"),
            Self::Observance => name.eq_ignore_ascii_case("STANDARD") || name.eq_ignore_ascii_case("DAYLIGHT"),
            Self::Other(other) => name.eq_ignore_ascii_case(other),
        }
    }

    /// The names of the lines that are read.
    fn read(&self) -> &'static [&'static str] {
        match self {
            Self::Calendar => {
                &["VERSION", "NAME", "X-WR-CALNAME", "X-WR-TIMEZONE", "REFRESH-INTERVAL", "X-PUBLISHED-TTL"]
            }
            Self::Event => &[
                "UID",
                "RECURRENCE-ID",
                "DTSTART",
                "DTEND",
                "DURATION",
                "SUMMARY",
                "DESCRIPTION",
                "LOCATION",
                "URL",
                "STATUS",
                "TRANSP",
                "CLASS",
                "SEQUENCE",
                "DTSTAMP",
                "LAST-MODIFIED",
                "RRULE",
                "EXRULE",
                "RDATE",
                "EXDATE",
                "X-MICROSOFT-CDO-BUSYSTATUS",
                "X-MICROSOFT-CDO-ALLDAYEVENT",
            ],
            Self::Zone => &["TZID", "X-LIC-LOCATION"],
            Self::Observance => &["DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE"],
            Self::Other(_) => &[],
        }
    }

    fn may_not_nest(&self) -> bool {
        matches!(self, Self::Calendar | Self::Event)
    }
}

/// One component.
#[derive(Debug)]
pub(super) struct Component<'a> {
    /// What it is.
    pub kind: ComponentKind,
    /// Its bytes, from `BEGIN` to the end of the `END` line.
    pub raw: Range<usize>,
    /// Where its `END` line begins.
    pub end_at: usize,
    /// Those of its own lines that are read, in order; the others are only bytes.
    pub lines: Vec<ContentLine<'a>>,
    /// The components in it, in order.
    pub children: Vec<Component<'a>>,
    /// Whether its own `END` closed it.
    pub whole: bool,
}

impl<'a> Component<'a> {
    fn begin(kind: ComponentKind, line: &ContentLine<'_>) -> Self {
        let lines = if kind == ComponentKind::Event { Vec::with_capacity(16) } else { Vec::new() };
        Self { kind, raw: line.raw.clone(), end_at: line.raw.end, lines, children: Vec::new(), whole: false }
    }

    /// The first line of a name.
    pub fn line(&self, name: &str) -> Option<&ContentLine<'a>> {
        self.lines.iter().find(|line| line.is(name))
    }

    /// The children of a kind.
    pub fn all(&self, kind: &ComponentKind) -> impl Iterator<Item = &Component<'a>> {
        self.children.iter().filter(move |child| child.kind == *kind)
    }

    /// Where a new property goes: before the components inside, for properties come first (RFC 5545 §3.6).
    pub fn properties_end(&self) -> usize {
        self.children.first().map_or(self.end_at, |child| child.raw.start)
    }
}

/// The calendars of a text.
///
/// # Errors
/// When it is no calendar, is cut off, is vCalendar 1.0, or passes a limit.
pub(super) fn calendars<'a>(bytes: &'a [u8], limits: &TextLimits) -> Result<Vec<Component<'a>>, TextRefused> {
    if bytes.len() > limits.bytes_max {
        return Err(TextRefused::because(format!("longer than {} bytes", limits.bytes_max)));
    }
    let mut tree = ComponentTree { open: Vec::new(), done: Vec::new(), count: 0, lines: 0, limits };
    let mut begun = false;
    for line in Lines::new(bytes, limits.line_bytes_max) {
        if !begun {
            if line.name().is_empty() && !line.has_value() {
                continue;
            }
            if !(line.is("BEGIN") && ComponentKind::Calendar.is(line.value())) {
                let html = line.name().starts_with('<');
                return Err(TextRefused::because(if html { "a web page, not a calendar" } else { "not a calendar" }));
            }
            begun = true;
        }
        tree.take(line)?;
    }
    if !begun {
        return Err(TextRefused::because("empty, not a calendar"));
    }
    let calendars = tree.finish()?;
    for calendar in &calendars {
        if calendar.line("VERSION").is_some_and(|line| line.value().trim() == "1.0") {
            return Err(TextRefused::because("VERSION 1.0 is vCalendar, another format"));
        }
    }
    Ok(calendars)
}

struct ComponentTree<'a, 'l> {
    open: Vec<Component<'a>>,
    done: Vec<Component<'a>>,
    count: usize,
    lines: usize,
    limits: &'l TextLimits,
}

impl<'a> ComponentTree<'a, '_> {
    fn take(&mut self, line: ContentLine<'a>) -> Result<(), TextRefused> {
        let name = line.name();
        if name.eq_ignore_ascii_case("BEGIN") {
            return self.begin(&line);
        }
        if name.eq_ignore_ascii_case("END") {
            self.end(&line);
        } else if let Some(top) = self.open.last_mut()
            && line.has_value()
            && top.kind.read().iter().any(|read| name.eq_ignore_ascii_case(read))
        {
            self.lines += 1;
            if self.lines > self.limits.lines_max {
                return Err(TextRefused::because(format!("more than {} lines", self.limits.lines_max)));
            }
            top.lines.push(line);
        }
        Ok(())
    }

    fn begin(&mut self, line: &ContentLine<'a>) -> Result<(), TextRefused> {
        let kind = ComponentKind::of(line.value());
        if kind.may_not_nest()
            && let Some(at) = self.open.iter().rposition(|open| open.kind == kind)
        {
            self.close_above(at, line.raw.start);
            self.close(line.raw.start..line.raw.start, false);
        }
        if self.open.is_empty() && kind != ComponentKind::Calendar {
            return Ok(());
        }
        self.count += 1;
        if self.count > self.limits.components_max {
            return Err(TextRefused::because(format!("more than {} components", self.limits.components_max)));
        }
        if self.open.len() >= self.limits.depth_max {
            return Err(TextRefused::because(format!("components nested deeper than {}", self.limits.depth_max)));
        }
        self.open.push(Component::begin(kind, line));
        Ok(())
    }

    fn end(&mut self, line: &ContentLine<'a>) {
        if let Some(at) = self.open.iter().rposition(|open| open.kind.is(line.value())) {
            self.close_above(at, line.raw.start);
            self.close(line.raw.clone(), true);
        }
    }

    fn close_above(&mut self, at: usize, here: usize) {
        while self.open.len() > at + 1 {
            self.close(here..here, false);
        }
    }

    fn close(&mut self, end: Range<usize>, whole: bool) {
        let Some(mut component) = self.open.pop() else { return };
        component.end_at = end.start;
        component.raw.end = end.end;
        component.whole = whole;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(component),
            None => self.done.push(component),
        }
    }

    fn finish(self) -> Result<Vec<Component<'a>>, TextRefused> {
        if self.open.is_empty() && self.done.iter().all(|calendar| calendar.whole) {
            Ok(self.done)
        } else {
            Err(TextRefused::because("truncated: a VCALENDAR is not closed"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        calendars(text.as_bytes(), &TextLimits::default()).expect_err("refused").0
    }

    #[test]
    fn what_is_no_calendar_is_distinguished() {
        assert_eq!(refusal("  \n\n"), "empty, not a calendar");
        assert_eq!(refusal("<!DOCTYPE html>\n<p>sign in"), "a web page, not a calendar");
        assert_eq!(refusal("hello"), "not a calendar");
        assert!(refusal("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\n").starts_with("truncated"));
        assert!(refusal("BEGIN:VCALENDAR\nBEGIN:VCALENDAR\nEND:VCALENDAR\n").starts_with("truncated"));
        assert!(refusal("BEGIN:VCALENDAR\nVERSION:1.0\nEND:VCALENDAR\n").starts_with("VERSION 1.0"));
    }

    #[test]
    fn a_component_that_its_end_does_not_close_is_not_whole() {
        let text = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nX:1\nBEGIN:VEVENT\nBEGIN:VALARM\nEND:VEVENT\nEND:VCALENDAR\n";
        let calendars = calendars(text, &TextLimits::default()).expect("a calendar");
        let whole: Vec<_> = calendars[0].children.iter().map(|event| event.whole).collect();
        assert_eq!(whole, [false, true]);
        assert!(!calendars[0].children[1].children[0].whole);
    }

    #[test]
    fn depth_and_number_of_components_are_bounded() {
        let deep = format!("BEGIN:VCALENDAR\n{}", "BEGIN:X\n".repeat(100_000));
        assert!(refusal(&deep).contains("deeper than 16"));
        let many = format!("BEGIN:VCALENDAR\n{}END:VCALENDAR\n", "BEGIN:X\nEND:X\n".repeat(20_001));
        assert!(refusal(&many).contains("more than 20000 components"));
    }
}
