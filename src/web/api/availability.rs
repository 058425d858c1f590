//! Busy time as providers report it, and who is free when.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{blocks::SpanView, events::TruncatedView};
use crate::{
    domain::{
        account::AccountStatus,
        ids::{AccountId, CalendarId, UserId},
        time::Window,
    },
    service::planning::availability::{Availability, AvailabilityWanted},
    web::{
        paging::Page,
        problem::Problem,
        request::{ApiRequest, instant, json},
        route::HandlerResult,
    },
};

/// How far is looked ahead when nobody says.
const AHEAD: Duration = Duration::days(7);

/// A span in which a calendar is busy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AvailabilityBlock)]
pub struct BlockView {
    /// The calendar whose provider says so.
    #[schema(value_type = uuid::Uuid)]
    calendar_id: CalendarId,
    /// From this instant on.
    start: DateTime<Utc>,
    /// Until this instant.
    end: DateTime<Utc>,
}

/// `GET /v1/availability/blocks`
pub async fn blocks(request: ApiRequest) -> HandlerResult {
    let user = request.user()?.ok_or_else(|| Problem::invalid("user_id", "say whose busy time you ask for"))?;
    let from = request.instant("from")?.unwrap_or_else(|| request.services().world.now());
    let to = request.instant("to")?.unwrap_or_else(|| from.checked_add_signed(AHEAD).unwrap_or(from));
    if to <= from {
        return Err(Problem::invalid("to", "an instant after `from`"));
    }
    let spans = request.services().busy(request.scope(), &user, from, to).await?;
    let view = |(calendar_id, span): (_, crate::domain::availability::BusySpan)| BlockView {
        calendar_id,
        start: span.start,
        end: span.end,
    };
    json(200, &Page::whole(spans.into_iter().map(view).collect()))
}

/// Suggestions when nobody says how many.
const SUGGESTIONS: usize = 5;
/// Most suggestions.
const SUGGESTIONS_MAX: usize = 100;

/// Whose time is asked about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AvailabilityBody {
    /// Whose time: 1 to 50 users.
    #[schema(value_type = Vec<String>)]
    users: Vec<UserId>,
    /// From this instant on (RFC 3339).
    from: DateTime<Utc>,
    /// Until this instant, 92 days after `from` at most.
    to: DateTime<Utc>,
    /// How long a suggested time is, in minutes: 1 to 1440.
    duration_min: u32,
    /// Most suggestions: 0 to 100, 5 without it.
    #[serde(default)]
    suggestions: Option<usize>,
}

/// Who is free when.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Availability)]
pub struct AvailabilityView {
    /// Each user's time, in the order asked for.
    users: Vec<UserTimeView>,
    /// Times that suit all of them, the earliest first.
    suggestions: Vec<SpanView>,
}

/// One user's time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserTime)]
pub struct UserTimeView {
    /// Whose.
    #[schema(value_type = String)]
    user_id: UserId,
    /// When they are busy, joined.
    busy: Vec<SpanView>,
    /// What is left of their hours.
    free: Vec<SpanView>,
    /// What this rests on.
    accounts: Vec<FreshnessView>,
    /// What was too much to look at, and counts as busy; left out where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<TruncatedView>,
}

/// How fresh what an account says is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Freshness)]
pub struct FreshnessView {
    /// The account.
    #[schema(value_type = uuid::Uuid)]
    account_id: AccountId,
    /// How it stands.
    #[schema(value_type = String)]
    status: AccountStatus,
    /// When its calendars were last read to the end; `null`: never.
    read_at: Option<DateTime<Utc>>,
}

impl From<Availability> for UserTimeView {
    fn from(time: Availability) -> Self {
        let accounts = time.freshness.into_iter().map(|fresh| FreshnessView {
            account_id: fresh.account_id,
            status: fresh.status,
            read_at: fresh.read_at,
        });
        Self {
            user_id: time.user_id,
            busy: time.busy.into_iter().map(SpanView::from).collect(),
            free: time.free.into_iter().map(SpanView::from).collect(),
            accounts: accounts.collect(),
            truncated: time.cut.map(TruncatedView::from),
        }
    }
}

/// `POST /v1/availability/query`
pub async fn query(request: ApiRequest) -> HandlerResult {
    let body: AvailabilityBody = request.body()?;
    let suggestions = body.suggestions.unwrap_or(SUGGESTIONS);
    if suggestions > SUGGESTIONS_MAX {
        return Err(Problem::invalid("suggestions", format!("0 to {SUGGESTIONS_MAX}")));
    }
    let wanted = AvailabilityWanted {
        users: body.users,
        window: Window { from: instant("from", body.from)?, to: instant("to", body.to)? },
        duration_min: body.duration_min,
        suggestions,
    };
    let (users, suggestions) = request.services().availability(request.scope(), &wanted).await?;
    let view = AvailabilityView {
        users: users.into_iter().map(UserTimeView::from).collect(),
        suggestions: suggestions.into_iter().map(SpanView::from).collect(),
    };
    json(200, &view)
}
