//! Watch channels on a calendar's events, and the notifications that come through them.
//!
//! A notification has no body and no signature: the token that we gave is all that proves it.

use async_trait::async_trait;
use chrono::DateTime;
use serde_json::json;

use super::{Google, classify::GoogleAction, request};
use crate::{
    domain::{failure::FailureClass, ids::ChannelId, secret::Secret},
    provider::{
        ProviderError, Result,
        push::{ChannelKeeper, Notification, OpenedChannel, Watch},
    },
};

/// How long a channel is asked to live: a week, Google's own default. What it answers counts.
const LIFETIME_S: u32 = 604_800;

#[async_trait]
impl ChannelKeeper for Google {
    async fn open(&self, watch: Watch<'_>) -> Result<OpenedChannel> {
        let channel = json!({
            "id": watch.id.to_string(),
            "type": "web_hook",
            "address": watch.address.as_str(),
            "token": watch.token.expose(),
            "params": { "ttl": LIFETIME_S.to_string() },
        });
        let url = self.at(&["calendars", watch.calendar.as_str(), "events", "watch"]);
        let answer = self.ask(request::watch(url, &channel), GoogleAction::Reading("opening a watch channel")).await?;
        let expires =
            answer.text("expiration").and_then(|text| text.parse().ok()).and_then(DateTime::from_timestamp_millis);
        match (answer.text("resourceId"), expires) {
            (Some(resource), Some(expires_at)) => Ok(OpenedChannel { resource_id: resource.to_owned(), expires_at }),
            _ => Err(ProviderError::new(
                FailureClass::Malformed,
                "a watch channel was opened without its resource or end",
            )),
        }
    }

    async fn close(&self, id: ChannelId, resource_id: &str) -> Result<()> {
        let channel = json!({ "id": id.to_string(), "resourceId": resource_id });
        let response = self.send(request::stop(self.at(&["channels", "stop"]), &channel)).await?;
        match response.status {
            200..300 | 404 | 410 => Ok(()),
            _ => {
                let doing = GoogleAction::Reading("closing a watch channel");
                Err(super::classify::failure(&response, doing, self.world.now()))
            }
        }
    }
}

/// Reads a notification from its headers, looked up by lower-case name. `Err` says what it lacks.
pub fn parse<'h>(header: impl Fn(&str) -> Option<&'h str>) -> std::result::Result<Notification, &'static str> {
    let channel: ChannelId =
        header("x-goog-channel-id").and_then(|text| text.parse().ok()).ok_or("no channel id of ours")?;
    let resource_id = header("x-goog-resource-id").ok_or("no resource id")?.to_owned();
    let state = header("x-goog-resource-state").ok_or("no resource state")?;
    let token = Secret::new(header("x-goog-channel-token").unwrap_or_default());
    Ok(Notification { channel, resource_id, token, changed: state != "sync" })
}
