//! Where a calendar's decisions are taken: the account, its owner, the calendar, and the hand that writes.

use std::borrow::Cow;

use crate::{
    domain::{
        account::{Account, PrivacyLevel},
        calendar::Calendar,
        event::EventContent,
        ids::{EventId, Uid},
        mapping::{Canonical, Event, Mapping, RemoteEvent},
        outbox::{OutboxEntry, WriteOp},
        person::User,
        ports::World,
        time::EventTime,
    },
    engine::{outbox::entry, privacy, sync::plan::Reason},
};

/// The fixed surroundings of one calendar's decisions.
#[derive(Clone, Copy)]
pub struct CalendarContext<'a> {
    /// The account.
    pub account: &'a Account,
    /// Its owner.
    pub user: &'a User,
    /// The calendar.
    pub calendar: &'a Calendar,
    /// What the provider makes of content, where it takes any.
    pub form: Option<&'a dyn Canonical>,
    /// Clock and ids.
    pub world: &'a World,
    /// Whether what the provider says is taken: where the calendar lets it in, and in its answer to a write of ours.
    pub accepts_remote: bool,
}

impl<'a> CalendarContext<'a> {
    /// A calendar's surroundings, as its direction has them.
    #[must_use]
    pub fn new(
        account: &'a Account,
        user: &'a User,
        calendar: &'a Calendar,
        form: Option<&'a dyn Canonical>,
        world: &'a World,
    ) -> Self {
        Self { account, user, calendar, form, world, accepts_remote: calendar.direction.inbound() }
    }

    /// The same where the provider answers a write of ours: what it has made of it is agreed, whichever way events flow. Else a
    /// provider that stores something else than it is sent would be sent the same again and again.
    #[must_use]
    pub fn for_own_write(self) -> Self {
        Self { accepts_remote: true, ..self }
    }

    /// The zone that dates and floating times of this calendar are read in.
    #[must_use]
    pub fn floating_in(&self) -> chrono_tz::Tz {
        self.calendar.time_zone.as_deref().and_then(|name| name.parse().ok()).unwrap_or(self.user.time_zone)
    }

    /// Our content as the provider may see it, in its canonical form. An event that came from there is never cut down.
    #[must_use]
    pub fn outbound_form(&self, content: &EventContent, created_by_us: bool) -> EventContent {
        let level = if created_by_us { self.account.privacy } else { PrivacyLevel::Full };
        match self.form {
            Some(form) if level == PrivacyLevel::Full => form.canonical(content),
            Some(form) => form.canonical(&privacy::project(content, level)),
            None => content.clone(),
        }
    }

    /// What was agreed on, as the provider may see it now.
    pub(super) fn shown<'m>(&self, mapping: &'m Mapping) -> Cow<'m, EventContent> {
        if mapping.created_by_us && self.account.privacy != PrivacyLevel::Full {
            Cow::Owned(self.outbound_form(&mapping.base, true))
        } else {
            Cow::Borrowed(&mapping.base)
        }
    }

    pub(super) fn first_start(&self, time: &EventTime) -> chrono::DateTime<chrono::Utc> {
        time.instant(self.floating_in())
    }

    /// A queue entry for an event of this calendar.
    #[must_use]
    pub fn owed(&self, event: &Event, op: WriteOp, key: Uid, reason: Reason) -> OutboxEntry {
        entry(event, self.calendar, (op, key, reason), self.floating_in(), self.world)
    }

    /// The same for a copy of the event in another calendar.
    #[must_use]
    pub fn owed_elsewhere(&self, event: &Event, copy: &Mapping) -> OutboxEntry {
        let op = if event.deleted_at.is_some() { WriteOp::Delete } else { WriteOp::Update };
        OutboxEntry {
            account_id: copy.account_id,
            calendar_id: copy.calendar_id,
            ..self.owed(event, op, copy.uid.clone(), Reason::LocalChanged)
        }
    }

    /// The same for the home of an event that came back without its copy there. A fresh name: the old one was deleted.
    #[must_use]
    pub fn owed_at_home(&self, event: &Event, home: &Calendar) -> OutboxEntry {
        let key = Uid(self.world.new_id::<uuid::Uuid>().to_string());
        OutboxEntry {
            account_id: home.account_id,
            calendar_id: home.id,
            ..self.owed(event, WriteOp::Create, key, Reason::DeletedLocallyEditedThere)
        }
    }
}

/// A fresh mapping between a local event and a remote one, agreed on what the provider says.
#[must_use]
pub fn new_mapping(
    context: &CalendarContext<'_>,
    event_id: EventId,
    remote: RemoteEvent,
    created_by_us: bool,
) -> Mapping {
    Mapping {
        id: context.world.new_id(),
        space_id: context.account.space_id.clone(),
        account_id: context.account.id,
        calendar_id: context.calendar.id,
        event_id,
        remote_id: remote.id,
        uid: remote.uid,
        revision: remote.revision,
        base: remote.content,
        raw: remote.raw,
        created_by_us,
        updated_at: context.world.now(),
    }
}
