//! Subscribed calendars: one bad event must not lose the others, and must not look deleted.

use std::collections::BTreeMap;

use super::{ReadVevent, series};
use crate::{
    domain::{event::EventContent, ids::Uid, time::Zone},
    ical::{
        FeedEvent, FeedSnapshot, FeedUnreadable, TextLimits, TextRefused,
        component::{self, Component, ComponentKind},
        text, value,
        zone::{self, Zones},
    },
};

/// Reads a feed: any number of calendars in one text.
///
/// A series with one unreadable component is unreadable as a whole: without that component it would say something that its
/// publisher does not.
///
/// # Errors
/// When the text is no whole calendar, is vCalendar 1.0, or passes a limit.
pub fn feed(bytes: &[u8], limits: &TextLimits) -> Result<FeedSnapshot, TextRefused> {
    let calendars = component::calendars(bytes, limits)?;
    let mut zones = Zones::new(&calendars, limits);
    let mut feed = about(&calendars);
    let mut groups = Groups::default();
    for event in calendars.iter().flat_map(|calendar| calendar.all(&ComponentKind::Event)) {
        match ReadVevent::read(event, &mut zones, limits) {
            Ok(piece) => groups.add(piece),
            Err(unreadable) => feed.unreadable.push(unreadable),
        }
    }
    groups.finish(&mut feed);
    Ok(feed)
}

fn about(calendars: &[Component<'_>]) -> FeedSnapshot {
    let first = |name: &str| calendars.iter().find_map(|calendar| calendar.line(name));
    let name = first("NAME").or_else(|| first("X-WR-CALNAME"));
    let interval = first("REFRESH-INTERVAL").or_else(|| first("X-PUBLISHED-TTL"));
    FeedSnapshot {
        name: name.map(|line| text::unescape(line.value()).trim().to_owned()).filter(|name| !name.is_empty()),
        time_zone: first("X-WR-TIMEZONE").and_then(|line| match zone::resolve(line.value())? {
            Zone::Named(tz) => Some(tz),
            Zone::Utc => Some(chrono_tz::Tz::UTC),
            Zone::Fixed(_) | Zone::Floating => None,
        }),
        interval_s: interval
            .and_then(|line| value::span(line.value()))
            .and_then(|span| u32::try_from(span.total_s()).ok())
            .filter(|seconds| *seconds > 0),
        events: Vec::new(),
        unreadable: Vec::new(),
    }
}

/// Components by `UID`, in the order in which the text first names each; those without one stand alone.
#[derive(Default)]
struct Groups<'d> {
    groups: Vec<Vec<ReadVevent<'d>>>,
    by_uid: BTreeMap<Uid, usize>,
}

impl<'d> Groups<'d> {
    fn add(&mut self, piece: ReadVevent<'d>) {
        if let Some(uid) = &piece.uid {
            if let Some(group) = self.by_uid.get(uid).and_then(|at| self.groups.get_mut(*at)) {
                return group.push(piece);
            }
            self.by_uid.insert(uid.clone(), self.groups.len());
        }
        self.groups.push(vec![piece]);
    }

    fn finish(self, feed: &mut FeedSnapshot) {
        let broken: Vec<_> = feed.unreadable.iter().filter_map(|unreadable| unreadable.uid.as_ref()).collect();
        let mut is_broken = vec![false; self.groups.len()];
        for uid in broken {
            if let Some(mark) = self.by_uid.get(uid).and_then(|at| is_broken.get_mut(*at)) {
                *mark = true;
            }
        }
        for (pieces, is_broken) in self.groups.into_iter().zip(is_broken) {
            if !is_broken {
                take(pieces, feed);
            }
        }
    }
}

/// One group's events: one series, and each master of equal rank that says something else, for neither may hide the other.
fn take(pieces: Vec<ReadVevent<'_>>, feed: &mut FeedSnapshot) {
    let (winner, lost) = series(pieces);
    let rank = winner.master.as_ref().map(|master| (master.sequence, master.changed_at));
    let (uid, sequence, changed_at) = (winner.uid(), winner.sequence(), winner.changed_at());
    let mut seen: Vec<EventContent> = Vec::new();
    let content = winner.into_content();
    for master in lost.into_iter().filter(|master| rank == Some((master.sequence, master.changed_at))) {
        let mut alone = EventContent { recurrence: master.recurrence, ..EventContent::single(master.facts) };
        alone.normalise();
        let known = seen.contains(&alone) || (alone.facts == content.facts && alone.recurrence == content.recurrence);
        if known {
            continue;
        }
        if seen.len() == TWINS_MAX {
            let why = format!("more than {TWINS_MAX} events with one UID and one SEQUENCE");
            feed.unreadable.push(FeedUnreadable { uid: uid.clone(), recurrence_id: None, why });
            break;
        }
        seen.push(alone);
    }
    feed.events.push(FeedEvent { uid: uid.clone(), content, changed_at, sequence });
    feed.events.extend(seen.into_iter().map(|content| FeedEvent { uid: uid.clone(), content, changed_at, sequence }));
}

/// Events that may share a `UID` and a rank: comparing each with each must stay cheap.
const TWINS_MAX: usize = 100;
