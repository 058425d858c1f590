//! How a user wants to be planned.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::own;
use crate::{
    domain::{
        person::Weekday,
        working_hours::{DayStart, HourSpan, PastPolicy, PlanMode, PlanningRules, TimeMap},
    },
    web::{
        etag::etag,
        problem::Problem,
        request::{ApiRequest, versioned},
        route::HandlerResult,
    },
};

/// One named set of hours.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Hours)]
pub struct HoursBody {
    /// Spans of each weekday: `{"mon":[["09:00","17:00"]]}`; a day left out is free.
    #[schema(value_type = BTreeMap<String, Vec<Vec<String>>>)]
    weekly: BTreeMap<Weekday, Vec<HourSpan>>,
    /// Spans of single dates, in place of the weekday's and of a holiday's; none at all: a day off.
    #[schema(value_type = BTreeMap<String, Vec<Vec<String>>>)]
    exceptions: BTreeMap<NaiveDate, Vec<HourSpan>>,
}

/// How a user wants to be planned; what is left out is as it is for everybody at first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PlanningBody {
    /// Hours by name; `work` for what names none, and the user's working hours until it is given.
    hours: BTreeMap<String, HoursBody>,
    /// Dates on which no hours apply, unless a set of hours has an exception of its own.
    holidays: BTreeSet<NaiveDate>,
    /// How many days ahead are planned, today included: 1 to 60.
    look_ahead_days: u16,
    /// What starts within so many minutes stays where it is.
    freeze_min: u16,
    /// Minutes kept free between blocks, and the slack below which a block's event says busy.
    buffer_min: u16,
    /// Most minutes of planned work in one day, of whatever hours, worked, held or planned; a block counts for the day that it
    /// starts in. `null`: no such limit.
    daily_cap_min: Option<u16>,
    /// What is done with a plan made without being asked for: `propose`, `auto` (carry it out) or `off` (make none).
    #[schema(value_type = String)]
    mode: PlanMode,
    /// When a day begins: `00:00`, or a later time before noon.
    #[schema(value_type = String)]
    day_starts_at: DayStart,
    /// What a past block means when nobody said anything: `missed` or `assume_done`.
    #[schema(value_type = String)]
    past: PastPolicy,
}

/// How a user wants to be planned.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Planning)]
pub struct PlanningView {
    /// The rules.
    #[serde(flatten)]
    rules: PlanningBody,
    /// For `If-Match`.
    etag: String,
}

impl Default for PlanningBody {
    fn default() -> Self {
        PlanningRules::default().into()
    }
}

impl From<PlanningRules> for PlanningBody {
    fn from(rules: PlanningRules) -> Self {
        let hours = |map: TimeMap| HoursBody { weekly: map.weekly, exceptions: map.exceptions };
        Self {
            hours: rules.hours.into_iter().map(|(name, map)| (name, hours(map))).collect(),
            holidays: rules.holidays,
            look_ahead_days: rules.look_ahead_days,
            freeze_min: rules.freeze_min,
            buffer_min: rules.buffer_min,
            daily_cap_min: rules.daily_cap_min,
            mode: rules.mode,
            day_starts_at: rules.day_starts_at,
            past: rules.past,
        }
    }
}

impl From<PlanningBody> for PlanningRules {
    fn from(body: PlanningBody) -> Self {
        let map = |hours: HoursBody| TimeMap { weekly: hours.weekly, exceptions: hours.exceptions };
        Self {
            hours: body.hours.into_iter().map(|(name, hours)| (name, map(hours))).collect(),
            holidays: body.holidays,
            look_ahead_days: body.look_ahead_days,
            freeze_min: body.freeze_min,
            buffer_min: body.buffer_min,
            daily_cap_min: body.daily_cap_min,
            mode: body.mode,
            day_starts_at: body.day_starts_at,
            past: body.past,
        }
    }
}

fn rules_view((rules, version): (PlanningRules, i64)) -> HandlerResult {
    versioned(200, version, &PlanningView { rules: rules.into(), etag: etag(version) })
}

/// `GET /v1/users/{id}/planning`
pub async fn get(request: ApiRequest) -> HandlerResult {
    rules_view(request.services().planning_rules(request.scope(), &request.own_id("id")?).await?)
}

/// `PUT /v1/users/{id}/planning`
pub async fn put(request: ApiRequest) -> HandlerResult {
    let id = own(&request)?;
    let rules = PlanningRules::from(request.body::<PlanningBody>()?);
    rules.check().map_err(|why| match why.split_once(": ") {
        Some((field, why)) => Problem::invalid(field, why),
        None => Problem::invalid("body", why),
    })?;
    rules_view(request.services().set_planning_rules(request.scope(), &id, request.if_match(), rules).await?)
}
