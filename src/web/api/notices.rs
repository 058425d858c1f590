//! Notices to people.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        conflict::Severity,
        ids::{AccountId, EventId, NoticeId, UserId},
        notice::{Notice, NoticeKind},
    },
    web::{
        paging::Page,
        request::{ApiRequest, json},
        route::HandlerResult,
    },
};

/// A notice.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notice)]
pub struct NoticeView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: NoticeId,
    /// Whom it is for.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The account it is about.
    #[schema(value_type = Option<uuid::Uuid>)]
    account_id: Option<AccountId>,
    /// The event it is about.
    #[schema(value_type = Option<uuid::Uuid>)]
    event_id: Option<EventId>,
    /// What it is about, in one word.
    #[schema(value_type = String)]
    kind: NoticeKind,
    /// `low`, `normal` or `high`.
    #[schema(value_type = String)]
    severity: Severity,
    /// In plain words.
    text: String,
    /// When.
    created_at: DateTime<Utc>,
    /// When it was read.
    read_at: Option<DateTime<Utc>>,
}

impl From<Notice> for NoticeView {
    fn from(notice: Notice) -> Self {
        Self {
            id: notice.id,
            user_id: notice.user_id,
            account_id: notice.account_id,
            event_id: notice.event_id,
            kind: notice.kind,
            severity: notice.severity,
            text: notice.text,
            created_at: notice.created_at,
            read_at: notice.read_at,
        }
    }
}

/// `GET /v1/notices`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let (user, limit) = (request.user()?, request.limit()?);
    let unread = request.param("unread")?.unwrap_or(false);
    let rows = request.services().notices(request.scope(), user.as_ref(), unread, request.cursor()?, limit + 1).await?;
    json(200, &Page::cut(rows, limit, |row| row.id).map(NoticeView::from))
}

/// `POST /v1/notices/{id}/read`
pub async fn read(request: ApiRequest) -> HandlerResult {
    let notice = request.services().read_notice(request.scope(), request.id("id", "notice")?).await?;
    json(200, &NoticeView::from(notice))
}
