//! An object that was deleted, made again from its own bytes.

use super::{Caldav, request::put_new, write::Pen};
use crate::{
    domain::{
        event::EventContent,
        failure::FailureClass,
        ids::{RemoteCalendarId, Uid},
        mapping::{Remains, RemoteEvent},
    },
    ical,
    provider::{ProviderError, Result},
};

const REVIVING: &str = "making an event again";

impl Caldav {
    /// `PUT` of what the object was, changed only where its content is to be another one, under its own `UID` or, where a server
    /// refuses that, another.
    pub(super) async fn revive(
        &self,
        calendar: &RemoteCalendarId,
        key: &Uid,
        remains: &Remains,
        content: &EventContent,
    ) -> Result<RemoteEvent> {
        let pen = self.pen(calendar).await?;
        let refused = |why: ical::TextRefused| ProviderError::new(FailureClass::Refused, format!("{REVIVING}: {why}"));
        let now = pen.exchange.world().now();
        let bytes = if *key == remains.uid {
            ical::encode::edit(&remains.raw, content, now)
        } else {
            ical::encode::rename(&remains.raw, key).and_then(|raw| ical::encode::edit(&raw, content, now))
        };
        match bytes.and_then(|bytes| Ok((ical::decode::resource(&bytes, pen.limits)?, bytes))).map_err(refused) {
            Ok((resource, bytes)) if resource.uid == *key => {
                pen.put_again(calendar, key, resource.content, bytes).await
            }
            // Its bytes are of no use any more; what it says is.
            Ok(_) | Err(_) => pen.create(calendar, key, content).await,
        }
    }
}

impl Pen<'_> {
    async fn put_again(
        &self,
        calendar: &RemoteCalendarId,
        key: &Uid,
        content: EventContent,
        bytes: Vec<u8>,
    ) -> Result<RemoteEvent> {
        let id = super::write::chosen_id(calendar, key);
        let url = self.url(&id)?;
        let response = self.exchange.send(put_new(url.clone(), bytes.clone())).await?;
        let sent = RemoteEvent { id, uid: key.clone(), revision: None, content, raw: Some(bytes), changed_at: None };
        self.written(&response, REVIVING, &url, sent).await
    }
}
