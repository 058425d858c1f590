//! The calendars that a provider lists, beside those that we hold: which are new or gone, and which must be read.

use chrono::{DateTime, Duration, Utc};

use crate::domain::{
    account::Account,
    calendar::{Calendar, Direction, RemoteCalendar},
    conflict::HoldState,
    failure::FailureClass,
    ports::World,
};

/// For so long a calendar may be missing from its account's list before its events are taken for deleted.
const MISSING_MAX: Duration = Duration::hours(24);

/// What is to be read of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToRead {
    /// Nothing: it is not synced, or nothing has changed.
    Nothing,
    /// What has changed since its cursor.
    Changes,
    /// Everything, compared with what we hold.
    Everything,
}

/// A calendar as it begins its life with us: selected, and flowing whichever ways its provider allows.
#[must_use]
pub fn new_calendar(account: &Account, remote: &RemoteCalendar, world: &World) -> Calendar {
    Calendar {
        id: world.new_id(),
        account_id: account.id,
        space_id: account.space_id.clone(),
        remote_id: remote.id.clone(),
        name: remote.name.clone(),
        color: remote.color.clone(),
        time_zone: remote.time_zone.clone(),
        read_only: remote.read_only,
        selected: true,
        direction: if remote.read_only { Direction::FromProvider } else { Direction::Both },
        makes_tasks: false,
        cursor: None,
        stamp: None,
        reconciled_at: None,
        gone_at: None,
        last_error: None,
        version: 1,
    }
}

/// Brings what we hold of an account's calendars up to what is listed; answers those that are new or were changed.
#[must_use]
pub fn follow_list(
    held: &mut [Calendar],
    listed: &[RemoteCalendar],
    account: &Account,
    world: &World,
) -> Vec<Calendar> {
    let mut changed = Vec::new();
    for remote in listed {
        match held.iter_mut().find(|held| held.remote_id == remote.id) {
            None => changed.push(new_calendar(account, remote, world)),
            Some(held) => {
                if held.follow(remote) {
                    changed.push(held.clone());
                }
            }
        }
    }
    for held in held {
        let listed = listed.iter().any(|remote| remote.id == held.remote_id);
        if !listed && held.gone_at.is_none() {
            held.gone_at = Some(world.now());
            held.version += 1;
            changed.push(held.clone());
        }
    }
    changed
}

/// What is to be read of a calendar that is listed. `holds`: how its held deletions stand that are not carried out or kept yet; `every`:
/// how often everything is compared.
#[must_use]
pub fn to_read(
    calendar: &Calendar,
    remote: &RemoteCalendar,
    holds: &[HoldState],
    every: Duration,
    now: DateTime<Utc>,
) -> ToRead {
    if !calendar.selected {
        return ToRead::Nothing;
    }
    if calendar.cursor.is_none() || calendar.reconciled_at.is_none_or(|at| now - at >= every) {
        return ToRead::Everything;
    }
    // A calendar that is back where it was has its events back, and what was said of their deletion ends with that.
    let asked = holds.iter().any(|state| *state != HoldState::Refused || calendar.takes_writes());
    let same = remote.stamp.is_some() && remote.stamp == calendar.stamp;
    if same && !asked { ToRead::Nothing } else { ToRead::Changes }
}

/// Whether a calendar has been missing from the list for so long that its events are taken for deleted.
#[must_use]
pub fn is_deserted(calendar: &Calendar, now: DateTime<Utc>) -> bool {
    calendar.selected && calendar.gone_at.is_some_and(|at| now - at >= MISSING_MAX)
}

/// Whether a failure to read one calendar ends the round: nothing at this provider can work now.
#[must_use]
pub fn ends_round(class: FailureClass) -> bool {
    match class {
        FailureClass::Unauthorised | FailureClass::RateLimited | FailureClass::AddressNotAllowed => true,
        FailureClass::Transient
        | FailureClass::Forbidden
        | FailureClass::Gone
        | FailureClass::Conflict
        | FailureClass::CursorExpired
        | FailureClass::Refused
        | FailureClass::Malformed
        | FailureClass::Ambiguous => false,
    }
}
