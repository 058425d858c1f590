//! The interface between a look-alike and the server that hosts it.

use chrono::{DateTime, Utc};

use super::reply::{Reply, SandboxRequest};

/// A provider as its clients see it.
pub trait LookAlike: Send {
    /// The prefix of all its paths: `/` and its name.
    fn root(&self) -> &'static str;

    /// Answers a request. Total: whatever is asked, there is an answer.
    fn answer(&mut self, now: DateTime<Utc>, asked: &SandboxRequest) -> Reply;

    /// Makes a person whose own calendar holds so many events, as far as there is room; who is known keeps what is there.
    fn seed(&mut self, now: DateTime<Utc>, email: &str, zone: &str, events: u64);

    /// Notifications that are due, taken out.
    fn take_due(&mut self, now: DateTime<Utc>) -> Vec<Push>;

    /// What the delivery of one came to: the status of the answer; `None`: there was none.
    fn delivered(&mut self, now: DateTime<Utc>, push: Push, status: Option<u16>);
}

/// A notification to be delivered: an empty `POST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Where to.
    pub address: String,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Not before.
    pub due: DateTime<Utc>,
    /// How often it was tried.
    pub attempt: u32,
}
