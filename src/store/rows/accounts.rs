//! Accounts, their secrets and their calendars.

use diesel::prelude::*;

use super::{Column, StoreError};
use crate::{
    domain::{
        account::{Account, AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, SealedSecret, SecretKind},
        calendar::{Calendar, Direction},
        channel::{ChannelState, WatchChannel},
        grant::{Consent, Grant},
        ids::{AccountId, CalendarId, ChannelId, ConsentId, RemoteCalendarId, SpaceId, SyncCursor, UserId},
    },
    store::{
        schema::{accounts, calendars, channels, consents, grants, secrets},
        types::{Json, Ts},
    },
};

row! {
    /// A connected account.
    AccountRow is Account in accounts (id) {
        id: AccountId,
        space_id: SpaceId,
        user_id: UserId,
        provider: ProviderKind,
        label: String,
        url: String,
        writes_through: Option<AccountId>,
        status: AccountStatus,
        status_reason: Option<String>,
        delete_copies: bool,
        policy: ConflictPolicy,
        privacy: PrivacyLevel,
        schedule: Json,
        provider_interval_s: Option<i64>,
        failures: i64,
        next_round_at: Option<Ts>,
        created_at: Ts,
        updated_at: Ts,
        version: i64,
    }
}

row! {
    /// A sealed secret.
    SecretRow is SealedSecret in secrets (account_id, kind) {
        account_id: AccountId,
        kind: SecretKind,
        key_id: String,
        sealed: Vec<u8>,
    }
}

row! {
    /// A calendar of an account.
    CalendarRow is Calendar in calendars (id) {
        id: CalendarId,
        account_id: AccountId,
        space_id: SpaceId,
        remote_id: RemoteCalendarId,
        name: String,
        color: Option<String>,
        time_zone: Option<String>,
        read_only: bool,
        selected: bool,
        direction: Direction,
        makes_tasks: bool,
        cursor: Option<SyncCursor>,
        stamp: Option<String>,
        reconciled_at: Option<Ts>,
        gone_at: Option<Ts>,
        last_error: Option<String>,
        version: i64,
    }
}

row! {
    /// A watch channel.
    ChannelRow is WatchChannel in channels (id) {
        id: ChannelId,
        account_id: AccountId,
        calendar_id: Option<CalendarId>,
        resource_id: Option<String>,
        token_hash: Vec<u8>,
        state: ChannelState,
        expires_at: Option<Ts>,
        created_at: Ts,
        heard_at: Option<Ts>,
    }
}

row! {
    /// What an account's owner granted.
    GrantRow is Grant in grants (account_id) {
        account_id: AccountId,
        subject: Option<String>,
        scopes: String,
        access_expires_at: Option<Ts>,
    }
}

row! {
    /// A consent under way.
    ConsentRow is Consent in consents (id) {
        id: ConsentId,
        state_hash: Vec<u8>,
        ticket_hash: Vec<u8>,
        cookie: String,
        url: String,
        provider: ProviderKind,
        space_id: SpaceId,
        user_id: UserId,
        account_id: Option<AccountId>,
        return_to: Option<String>,
        created_at: Ts,
    }
}
