//! What the keeping of watch channels relies on.

use calwarden::{
    domain::{ids::ChannelId, secret::Secret},
    provider::push::Watch,
};

use super::subject::{Account, Subject, world};

pub async fn a_channel_ends_later_and_is_closed_twice(subject: &Subject) {
    let Account { provider, calendar } = subject.account().await;
    let keeper = provider.channels().expect("it opens channels");
    let (token, address) = (Secret::new("a token"), "https://calendars.example.org/hook".parse().expect("a URL"));
    let ids = [world().new_id::<ChannelId>(), world().new_id()];
    let mut opened = Vec::new();
    // A successor is opened before the old one is closed.
    for id in ids {
        let channel = keeper.open(Watch { calendar: &calendar, id, token: &token, address: &address }).await;
        let channel = channel.expect("it is opened");
        assert!(channel.expires_at > world().now(), "{}", channel.expires_at);
        assert!(!channel.resource_id.is_empty());
        opened.push((id, channel.resource_id));
    }
    let mut left = opened.len();
    for (id, resource) in &opened {
        assert!(subject.there.channels().is_none_or(|open| open == left));
        keeper.close(*id, resource).await.expect("once");
        keeper.close(*id, resource).await.expect("twice");
        left -= 1;
        assert!(subject.there.channels().is_none_or(|open| open == left));
    }
}
