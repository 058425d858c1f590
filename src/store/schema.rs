//! The tables, once for both databases. Written by hand: `diesel print-schema` knows one database at a time.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    spaces (id) {
        id -> Text,
        name -> Text,
        created_at -> Instant,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    users (id) {
        id -> Text,
        name -> Text,
        time_zone -> Text,
        working_hours -> Document,
        home_space -> Text,
        created_at -> Instant,
        version -> BigInt,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    memberships (space_id, user_id) {
        space_id -> Text,
        user_id -> Text,
        role -> Text,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    accounts (id) {
        id -> Id,
        space_id -> Text,
        user_id -> Text,
        provider -> Text,
        label -> Text,
        url -> Text,
        writes_through -> Nullable<Id>,
        status -> Text,
        status_reason -> Nullable<Text>,
        policy -> Text,
        privacy -> Text,
        schedule -> Document,
        provider_interval_s -> Nullable<BigInt>,
        failures -> BigInt,
        next_round_at -> Nullable<Instant>,
        created_at -> Instant,
        updated_at -> Instant,
        version -> BigInt,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    secrets (account_id, kind) {
        account_id -> Id,
        kind -> Text,
        key_id -> Text,
        sealed -> Binary,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    calendars (id) {
        id -> Id,
        account_id -> Id,
        space_id -> Text,
        remote_id -> Text,
        name -> Text,
        color -> Nullable<Text>,
        time_zone -> Nullable<Text>,
        read_only -> Bool,
        selected -> Bool,
        direction -> Text,
        cursor -> Nullable<Text>,
        stamp -> Nullable<Text>,
        reconciled_at -> Nullable<Instant>,
        gone_at -> Nullable<Instant>,
        last_error -> Nullable<Text>,
        version -> BigInt,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    events (id) {
        id -> Id,
        space_id -> Text,
        user_id -> Text,
        calendar_id -> Nullable<Id>,
        uid -> Text,
        content -> Document,
        origin -> Text,
        deleted_at -> Nullable<Instant>,
        created_at -> Instant,
        updated_at -> Instant,
        version -> BigInt,
        starts_at -> Instant,
        ends_at -> Nullable<Instant>,
        recurring -> Bool,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    mappings (id) {
        id -> Id,
        space_id -> Text,
        account_id -> Id,
        calendar_id -> Id,
        event_id -> Id,
        remote_id -> Text,
        uid -> Text,
        revision -> Nullable<Text>,
        base -> Document,
        raw -> Nullable<Binary>,
        created_by_us -> Bool,
        updated_at -> Instant,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    outbox (id) {
        id -> Id,
        space_id -> Text,
        account_id -> Id,
        calendar_id -> Id,
        event_id -> Id,
        op -> Text,
        key -> Text,
        sent -> Document,
        priority -> BigInt,
        state -> Text,
        attempts -> BigInt,
        not_before -> Instant,
        event_version -> BigInt,
        reason -> Text,
        last_error -> Nullable<Text>,
        created_at -> Instant,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    rounds (id) {
        id -> Id,
        space_id -> Text,
        account_id -> Id,
        cause -> Text,
        started_at -> Instant,
        finished_at -> Nullable<Instant>,
        outcome -> Nullable<Text>,
        tally -> Document,
        note -> Nullable<Text>,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    conflicts (id) {
        id -> Id,
        space_id -> Text,
        account_id -> Id,
        calendar_id -> Id,
        event_id -> Id,
        kind -> Text,
        fields -> Document,
        base -> Nullable<Document>,
        local -> Nullable<Document>,
        remote -> Nullable<Document>,
        policy -> Text,
        winner -> Nullable<Text>,
        status -> Text,
        severity -> Text,
        reason -> Text,
        created_at -> Instant,
        resolved_at -> Nullable<Instant>,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    holds (id) {
        id -> Id,
        space_id -> Text,
        account_id -> Id,
        calendar_id -> Id,
        removed -> Document,
        mapped -> BigInt,
        reason -> Text,
        state -> Text,
        created_at -> Instant,
        decided_at -> Nullable<Instant>,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    notices (id) {
        id -> Id,
        space_id -> Text,
        user_id -> Text,
        account_id -> Nullable<Id>,
        event_id -> Nullable<Id>,
        kind -> Text,
        severity -> Text,
        text -> Text,
        created_at -> Instant,
        read_at -> Nullable<Instant>,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    unreadable (calendar_id, remote_id) {
        calendar_id -> Id,
        remote_id -> Text,
        revision -> Nullable<Text>,
        uid -> Nullable<Text>,
        why -> Text,
        seen_at -> Instant,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    channels (id) {
        id -> Id,
        account_id -> Id,
        calendar_id -> Nullable<Id>,
        resource_id -> Nullable<Text>,
        token_hash -> Binary,
        state -> Text,
        expires_at -> Nullable<Instant>,
        created_at -> Instant,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    audit (id) {
        id -> Id,
        space_id -> Nullable<Text>,
        account_id -> Nullable<Id>,
        actor -> Text,
        action -> Text,
        subject -> Text,
        detail -> Document,
        at -> Instant,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    api_keys (id) {
        id -> Id,
        name -> Text,
        hash -> Binary,
        scopes -> Document,
        created_at -> Instant,
        expires_at -> Nullable<Instant>,
        revoked_at -> Nullable<Instant>,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::*;

    idempotency_keys (api_key_id, key) {
        api_key_id -> Id,
        key -> Text,
        request_hash -> Binary,
        status -> BigInt,
        content_type -> Text,
        body -> Binary,
        created_at -> Instant,
    }
}

joinable!(mappings -> events (event_id));
allow_tables_to_appear_in_same_query!(accounts, calendars, conflicts, events, mappings, outbox);
