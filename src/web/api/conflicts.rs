//! Disagreements between the two sides: listed, exported, settled, undone.

use actix_web::HttpResponse;
use chrono::{DateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        account::ConflictPolicy,
        conflict::{Conflict, ConflictKind, ConflictStatus, Severity, Winner},
        event::EventContent,
        ids::{AccountId, CalendarId, ConflictId, EventId},
    },
    service::read_events::Edge,
    store::ConflictFilter,
    web::{
        paging::{LIMIT_MAX, Page},
        problem::Problem,
        request::{ApiRequest, json},
        route::HandlerResult,
    },
};

/// Rows of an export at most.
const EXPORT_ROWS_MAX: usize = 50_000;

/// A conflict, with all three versions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Conflict)]
pub struct ConflictView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: ConflictId,
    /// The account.
    #[schema(value_type = uuid::Uuid)]
    account_id: AccountId,
    /// The calendar.
    #[schema(value_type = uuid::Uuid)]
    calendar_id: CalendarId,
    /// The event.
    #[schema(value_type = uuid::Uuid)]
    event_id: EventId,
    /// `edit`, `deleted_remotely` or `deleted_locally`.
    #[schema(value_type = String)]
    kind: ConflictKind,
    /// The fields both sides changed.
    fields: Vec<String>,
    /// The last agreed content.
    #[schema(value_type = Option<Object>)]
    base: Option<EventContent>,
    /// Ours at the time; `null`: deleted.
    #[schema(value_type = Option<Object>)]
    local: Option<EventContent>,
    /// The provider's at the time; `null`: deleted.
    #[schema(value_type = Option<Object>)]
    remote: Option<EventContent>,
    /// The rule that decided.
    #[schema(value_type = String)]
    policy: ConflictPolicy,
    /// `local` or `remote`; `null` while pending.
    #[schema(value_type = Option<String>)]
    winner: Option<Winner>,
    /// `pending`, `resolved` or `restored`.
    #[schema(value_type = String)]
    status: ConflictStatus,
    /// `low`, `normal` or `high`.
    #[schema(value_type = String)]
    severity: Severity,
    /// Why it was decided so, in one word.
    reason: String,
    /// When it was met.
    created_at: DateTime<Utc>,
    /// When it was settled.
    resolved_at: Option<DateTime<Utc>>,
}

impl From<Conflict> for ConflictView {
    fn from(conflict: Conflict) -> Self {
        Self {
            id: conflict.id,
            account_id: conflict.account_id,
            calendar_id: conflict.calendar_id,
            event_id: conflict.event_id,
            kind: conflict.kind,
            fields: conflict.fields,
            base: conflict.base,
            local: conflict.local,
            remote: conflict.remote,
            policy: conflict.policy,
            winner: conflict.winner,
            status: conflict.status,
            severity: conflict.severity,
            reason: conflict.reason,
            created_at: conflict.created_at,
            resolved_at: conflict.resolved_at,
        }
    }
}

/// Whose version is to stand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveBody {
    /// `local` or `remote`.
    #[schema(value_type = String)]
    winner: Winner,
}

/// `GET /v1/conflicts`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let limit = request.limit()?;
    let status = match request.param::<String>("status")?.as_deref() {
        None | Some("all") => None,
        Some(word) => Some(word.parse().map_err(|why| Problem::invalid("status", format!("{why}, all")))?),
    };
    let instant = |edge: Edge| match edge {
        Edge::At(at) => at,
        Edge::Day(day) => day.and_time(NaiveTime::MIN).and_utc(),
    };
    let wanted = ConflictFilter {
        account: request.param("account_id")?,
        user: request.param("user_id")?,
        event: None,
        status,
        from: request.param("from")?.map(instant),
        to: request.param("to")?.map(instant),
        after: request.cursor()?,
        limit: limit + 1,
    };
    if request.prefers("text/csv") {
        return export(&request, wanted).await;
    }
    let rows = request.services().conflicts(request.scope(), &wanted).await?;
    json(200, &Page::cut(rows, limit, |row| row.id).map(ConflictView::from))
}

/// `POST /v1/conflicts/{id}/resolve`
pub async fn resolve(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "conflict")?;
    let body: ResolveBody = request.body()?;
    json(200, &ConflictView::from(request.services().resolve(request.scope(), id, body.winner).await?))
}

/// `POST /v1/conflicts/{id}/restore`
pub async fn restore(request: ApiRequest) -> HandlerResult {
    let conflict = request.services().restore(request.scope(), request.id("id", "conflict")?).await?;
    json(200, &ConflictView::from(conflict))
}

const COLUMNS: [&str; 16] = [
    "id",
    "created_at",
    "resolved_at",
    "account_id",
    "calendar_id",
    "event_id",
    "kind",
    "status",
    "winner",
    "policy",
    "severity",
    "reason",
    "fields",
    "base_title",
    "local_title",
    "remote_title",
];

/// All that match, in one file.
async fn export(request: &ApiRequest, mut wanted: ConflictFilter) -> HandlerResult {
    let mut file = line(COLUMNS.map(str::to_owned));
    let mut rows = 0;
    wanted.limit = LIMIT_MAX;
    while rows < EXPORT_ROWS_MAX {
        let page = request.services().conflicts(request.scope(), &wanted).await?;
        let Some(last) = page.last() else { break };
        wanted.after = Some(last.id);
        rows += page.len();
        for conflict in page {
            file.push_str(&line(cells(conflict)));
        }
    }
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header(("Content-Disposition", "attachment; filename=\"conflicts.csv\""))
        .body(file))
}

fn cells(conflict: Conflict) -> [String; 16] {
    let title = |content: Option<EventContent>| content.map(|content| content.facts.title).unwrap_or_default();
    [
        conflict.id.to_string(),
        conflict.created_at.to_rfc3339(),
        conflict.resolved_at.map(|at| at.to_rfc3339()).unwrap_or_default(),
        conflict.account_id.to_string(),
        conflict.calendar_id.to_string(),
        conflict.event_id.to_string(),
        conflict.kind.to_string(),
        conflict.status.to_string(),
        conflict.winner.map(|winner| winner.to_string()).unwrap_or_default(),
        conflict.policy.to_string(),
        conflict.severity.to_string(),
        conflict.reason,
        conflict.fields.join(" "),
        title(conflict.base),
        title(conflict.local),
        title(conflict.remote),
    ]
}

/// A record of RFC 4180 §2.
fn line(cells: [String; 16]) -> String {
    let mut line = cells.map(|cell| quoted(&cell)).join(",");
    line.push_str("\r\n");
    line
}

/// A cell that no spreadsheet takes for a formula, and no reader for two.
fn quoted(cell: &str) -> String {
    let formula = cell.trim_start().starts_with(['=', '+', '-', '@']) || cell.starts_with(['\t', '\r', '\n']);
    let guarded = if formula { format!("'{cell}") } else { cell.to_owned() };
    if guarded.contains(['"', ',', '\r', '\n']) {
        return format!("\"{}\"", guarded.replace('"', "\"\""));
    }
    guarded
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_cell_is_one_cell_whatever_is_in_it() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
    }

    #[test]
    fn a_title_never_becomes_a_formula() {
        for (title, cell) in [("=1+1", "'=1+1"), ("+4", "'+4"), ("-2", "'-2"), ("@x", "'@x"), (" =1", "' =1")] {
            assert_eq!(quoted(title), cell);
        }
        assert_eq!(quoted("=HYPERLINK(\"x\",\"y\")"), "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"");
    }
}
