//! What somebody worked, by their own dates.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};

use super::{
    super::Services,
    person::{days_of, person, rules_of},
};
use crate::{
    domain::{ids::UserId, person::Scope},
    engine::focus::by_day,
    service::Refusal,
    store::Mode,
};

/// Dates asked for at once, at most.
const DAYS_MAX: i64 = 366;
/// Dates that are shown where nobody says from when.
const DAYS_USUAL: i64 = 7;

impl Services {
    /// Elapsed time worked in focus sessions on each date from one to another, both included; dates without any are left out. A
    /// focus session over midnight is split there. Without a last date up to today, without a first one a week.
    pub async fn worked_by_day(
        &self,
        scope: &Scope,
        user: &UserId,
        (from, to): (Option<NaiveDate>, Option<NaiveDate>),
    ) -> Result<BTreeMap<NaiveDate, Duration>, Refusal> {
        let now = self.world.now();
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let user = person(&mut tx, scope, user).await?;
        let days = days_of(&user, &rules_of(&mut tx, &user.id).await?);
        let last = to.unwrap_or_else(|| days.date(now));
        let first = from.or_else(|| last.checked_sub_signed(Duration::days(DAYS_USUAL - 1))).unwrap_or(last);
        if !(0..DAYS_MAX).contains(&(last - first).num_days()) {
            let why = format!("a date from `from` on, within {DAYS_MAX} days of it; without one, that is today");
            return Err(Refusal::Invalid { field: "to", why });
        }
        let begin = |after: Option<(NaiveDate, DateTime<Utc>)>| after.map_or(now, |(_, begin)| begin);
        let begins = first.pred_opt().map_or(now, |before| begin(days.after(before)));
        let sessions = tx.focuses_between(&user.id, begins, begin(days.after(last))).await?;
        tx.commit().await?;
        let mut sums = BTreeMap::new();
        for (date, part) in sessions.iter().flat_map(|session| by_day(session, days, now)) {
            if (first..=last).contains(&date) {
                *sums.entry(date).or_insert_with(Duration::zero) += part;
            }
        }
        Ok(sums)
    }
}
