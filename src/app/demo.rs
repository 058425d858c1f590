//! `calwarden demo`: a household in the look-alike of Google, connected, with a busy fortnight on both sides.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use chrono::{Duration, NaiveTime};

use super::look_alike::consent_as;
use crate::{
    domain::{
        event::{EventContent, Facts},
        grant::Access,
        ids::{CalendarId, UserId},
        person::{Scope, WorkingHours},
        time::EventTime,
    },
    sandbox::host::SharedWorld,
    service::{Services, consent::Begin, edit_event::NewEvent, people::UserFacts},
};

/// Who lives there.
pub const HOUSEHOLD: [(&str, &str); 2] = [("ada", "Ada"), ("sam", "Sam")];
/// Events of each at the other side: six a day.
const SEEDED: u64 = 84;
/// What the product has of its own: days from today, the hour, and what.
const OURS: [(i64, u32, &str); 6] = [
    (1, 18, "Plan the summer holiday"),
    (2, 20, "Choir practice"),
    (3, 19, "Dinner with the neighbours"),
    (5, 9, "Car to the garage"),
    (6, 15, "Birthday cake for Robin"),
    (9, 18, "Parents' council"),
];

/// Makes the household, connects it, and plans a few things here.
pub async fn seed_demo(services: &Arc<Services>, shared: &SharedWorld) -> Result<()> {
    for (id, name) in HOUSEHOLD {
        let user: UserId = id.parse().context("an id")?;
        let zone = chrono_tz::Europe::Paris;
        let facts = UserFacts { name: name.to_owned(), time_zone: zone, working_hours: WorkingHours::default() };
        services.put_user(&user, facts).await?;
        let email = format!("{id}@example.com");
        shared.seed(&email, zone.name(), SEEDED);
        let asked =
            Begin { user_id: user.clone(), space_id: None, access: Access::Write, account_id: None, return_to: None };
        let connected = consent_as(services, &email, asked, |asked| shared.answer(asked)).await?;
        let facts = services.account(&Scope::Whole, connected.account).await?;
        let calendar = facts.calendars.iter().find(|calendar| calendar.selected).context("a calendar")?;
        if id == "ada" {
            plan(services, &user, calendar.id).await?;
        }
    }
    Ok(())
}

async fn plan(services: &Services, user: &UserId, calendar: CalendarId) -> Result<()> {
    let zone = chrono_tz::Europe::Paris;
    let today = services.world.now().with_timezone(&zone).date_naive();
    for (days, hour, title) in OURS {
        let start = (today + Duration::days(days)).and_time(NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default());
        let time = |at| EventTime::zoned(at, zone);
        let facts = Facts::new(title, time(start), time(start + Duration::hours(1)));
        let new = NewEvent { user_id: user.clone(), calendar_id: Some(calendar), content: EventContent::single(facts) };
        services.create_event(&Scope::Whole, new).await?;
    }
    Ok(())
}
