//! Text to content.

mod feed;
mod series;
mod vevent;

pub use feed::feed;
pub(super) use series::{IcalSeries, identity_for, series};
pub(super) use vevent::{ReadVevent, VeventLines};

use super::{
    Resource, TextLimits, TextRefused,
    component::{self, Component, ComponentKind},
    zone::Zones,
};

/// Reads one CalDAV object: the master and overrides of one `UID`.
///
/// An override with `RANGE=THISANDFUTURE` (RFC 5545 §3.2.13) reads as one of its single occurrence; the text keeps the
/// parameter.
///
/// # Errors
/// When it is no whole calendar, holds no `VEVENT`, several `UID`s or none, or a component that cannot be read.
pub fn resource(bytes: &[u8], limits: &TextLimits) -> Result<Resource, TextRefused> {
    let calendars = component::calendars(bytes, limits)?;
    let mut zones = Zones::new(&calendars, limits);
    let (series, _) = only_series(&calendars, &mut zones, limits)?;
    let uid = series.uid().ok_or_else(|| TextRefused::because("UID is missing"))?;
    let changed_at = series.changed_at();
    Ok(Resource { uid, changed_at, content: series.into_content() })
}

/// The components of a resource, sorted into one series; and the older copies of its master.
pub(super) fn only_series<'d>(
    calendars: &'d [Component<'d>],
    zones: &mut Zones<'d>,
    limits: &TextLimits,
) -> Result<(IcalSeries<'d>, Vec<ReadVevent<'d>>), TextRefused> {
    let mut pieces = Vec::new();
    for event in calendars.iter().flat_map(|calendar| calendar.all(&ComponentKind::Event)) {
        pieces.push(ReadVevent::read(event, zones, limits).map_err(|unreadable| TextRefused(unreadable.why))?);
    }
    let Some(first) = pieces.first() else { return Err(TextRefused::because("holds no VEVENT")) };
    if pieces.iter().any(|piece| piece.uid != first.uid) {
        return Err(TextRefused::because("UID: several in one resource (RFC 4791 §4.1)"));
    }
    Ok(series(pieces))
}

#[cfg(test)]
mod tests;
