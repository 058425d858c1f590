//! Notices to people.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        conflict::Severity,
        ids::{AccountId, EventId, NoticeId, UserId},
        notice::{Notice, NoticeSubject},
    },
    web::{
        paging::Page,
        request::{ApiRequest, json},
        route::HandlerResult,
        words,
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
    /// What it is about, in one word. More kinds may come.
    kind: String,
    /// `low`, `normal` or `high`.
    #[schema(value_type = String)]
    severity: Severity,
    /// In plain words, in English.
    text: String,
    /// The same as values, for words of your own. `subject` says which sentence it is; the other fields are what is filled in.
    /// `edit_overwritten` has `conflict` (`edit`, `deleted_remotely` or `deleted_locally`). `write_parked` has `why`, in the words of
    /// whoever refused the change. `deletions_held` has `events` (how many), `reason` (`share_of_account`, `whole_calendar` or
    /// `held_before`) and `evidence` (`named`, `absent`, `empty_list` or `no_calendar`). `deletions_refused` has `kept` (how many
    /// events) and `written_back` (whether their calendar takes them). `plan_offered` has `changes` (how many). `plain` has
    /// its `kind` and its `text` alone: it is from before notices were kept as values. `unknown` has its `kind` and what is `stored`,
    /// a text: it is from another version. All others have `subject` alone. More subjects and fields may come.
    #[schema(value_type = Object)]
    parameters: NoticeSubject,
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
            kind: notice.subject.kind().to_owned(),
            severity: notice.severity,
            text: words::of_notice(&notice.subject),
            parameters: notice.subject,
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
