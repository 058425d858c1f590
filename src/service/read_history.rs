//! What happened: conflicts and notices, read for the people they concern.

use super::{Refusal, Services};
use crate::{
    domain::{
        conflict::Conflict,
        ids::{NoticeId, UserId},
        notice::Notice,
        person::Scope,
    },
    store::{ConflictFilter, Mode},
};

impl Services {
    /// Conflicts, newest first.
    pub async fn conflicts(&self, scope: &Scope, wanted: &ConflictFilter) -> Result<Vec<Conflict>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let found = tx.conflicts(scope, wanted).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Notices, newest first, of one user or of all.
    pub async fn notices(
        &self,
        scope: &Scope,
        user: Option<&UserId>,
        unread_only: bool,
        after: Option<NoticeId>,
        limit: u32,
    ) -> Result<Vec<Notice>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let found = tx.notices(scope, user, unread_only, after, limit).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Notes that a notice was read; reading it twice changes nothing.
    pub async fn read_notice(&self, scope: &Scope, id: NoticeId) -> Result<Notice, Refusal> {
        let mut tx = self.begin_write().await?;
        tx.read_notice(scope, id, self.world.now()).await?;
        let notice = tx.notice(scope, id).await?.ok_or(Refusal::NotFound("notice"))?;
        tx.commit().await?;
        Ok(notice)
    }
}
