//! The tables, once for both databases. Written by hand: `diesel print-schema` knows one database at a time.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

pub use super::planning_tables::{
    blocks, contexts, focuses, owed_plans, planning_rules, proposals, rollover_runs, rollovers, tasks, zone_rules,
};

table! {
    use super::super::types::Instant;
    use diesel::sql_types::Text;

    spaces (id) {
        id -> Text,
        name -> Text,
        created_at -> Instant,
    }
}

table! {
    use super::super::types::{Document, Instant};
    use diesel::sql_types::{BigInt, Text};

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
    use diesel::sql_types::Text;

    memberships (space_id, user_id) {
        space_id -> Text,
        user_id -> Text,
        role -> Text,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};

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
        delete_copies -> Bool,
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
    use super::super::types::Id;
    use diesel::sql_types::{Binary, Text};

    secrets (account_id, kind) {
        account_id -> Id,
        kind -> Text,
        key_id -> Text,
        sealed -> Binary,
    }
}

table! {
    use super::super::types::{Id, Instant};
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};

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
        makes_tasks -> Bool,
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
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};

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
    use diesel::sql_types::{Binary, Bool, Nullable, Text};

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
    use diesel::sql_types::{BigInt, Nullable, Text};

    outbox (id) {
        id -> Id,
        space_id -> Text,
        account_id -> Id,
        calendar_id -> Id,
        event_id -> Id,
        op -> Text,
        intent -> Text,
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
    use diesel::sql_types::{Nullable, Text};

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
    use diesel::sql_types::{Nullable, Text};

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
    use diesel::sql_types::{BigInt, Nullable, Text};

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
    use diesel::sql_types::{Nullable, Text};

    notices (id) {
        id -> Id,
        space_id -> Text,
        user_id -> Text,
        account_id -> Nullable<Id>,
        event_id -> Nullable<Id>,
        kind -> Text,
        severity -> Text,
        parameters -> Document,
        created_at -> Instant,
        read_at -> Nullable<Instant>,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::{Binary, Bool, Text};

    remains (event_id, calendar_id) {
        event_id -> Id,
        calendar_id -> Id,
        remote_id -> Text,
        uid -> Text,
        base -> Document,
        raw -> Binary,
        created_by_us -> Bool,
        taken_out -> Bool,
        kept_at -> Instant,
    }
}

table! {
    use super::super::types::{Id, Instant};
    use diesel::sql_types::{Nullable, Text};

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
    use super::super::types::{Id, Instant};
    use diesel::sql_types::{Binary, Nullable, Text};

    channels (id) {
        id -> Id,
        account_id -> Id,
        calendar_id -> Nullable<Id>,
        resource_id -> Nullable<Text>,
        token_hash -> Binary,
        state -> Text,
        expires_at -> Nullable<Instant>,
        created_at -> Instant,
        heard_at -> Nullable<Instant>,
    }
}

table! {
    use super::super::types::{Id, Instant};
    use diesel::sql_types::{Nullable, Text};

    grants (account_id) {
        account_id -> Id,
        subject -> Nullable<Text>,
        scopes -> Text,
        access_expires_at -> Nullable<Instant>,
    }
}

table! {
    use super::super::types::{Id, Instant};
    use diesel::sql_types::{Binary, Nullable, Text};

    consents (id) {
        id -> Id,
        state_hash -> Binary,
        ticket_hash -> Binary,
        cookie -> Text,
        url -> Text,
        provider -> Text,
        space_id -> Text,
        user_id -> Text,
        account_id -> Nullable<Id>,
        return_to -> Nullable<Text>,
        created_at -> Instant,
    }
}

table! {
    use super::super::types::{Id, Instant};

    busy_reads (calendar_id) {
        calendar_id -> Id,
        read_at -> Instant,
        until -> Instant,
    }
}

table! {
    use super::super::types::{Id, Instant};

    busy_blocks (calendar_id, starts_at) {
        calendar_id -> Id,
        starts_at -> Instant,
        ends_at -> Instant,
    }
}

table! {
    use super::super::types::{Document, Id, Instant};
    use diesel::sql_types::{Nullable, Text};

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
    use diesel::sql_types::{Binary, Nullable, Text};

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
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};

    idempotency_keys (api_key_id, key) {
        api_key_id -> Id,
        key -> Text,
        request_hash -> Binary,
        status -> BigInt,
        content_type -> Text,
        body -> Binary,
        created_at -> Instant,
        headers -> Document,
        user_id -> Nullable<Text>,
    }
}

table! {
    use super::super::types::Instant;
    use diesel::sql_types::BigInt;

    pulse (id) {
        id -> BigInt,
        at -> Instant,
    }
}

table! {
    use super::super::types::Id;
    use diesel::sql_types::Text;

    account_identities (user_id, identity) {
        user_id -> Text,
        identity -> Text,
        account_id -> Id,
    }
}

table! {
    use super::super::types::Instant;
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};

    changes (seq) {
        seq -> BigInt,
        space_id -> Text,
        user_id -> Text,
        kind -> Text,
        thing -> Text,
        version -> Nullable<BigInt>,
        deleted -> Bool,
        at -> Instant,
    }
}

joinable!(mappings -> events (event_id));
joinable!(busy_blocks -> calendars (calendar_id));
joinable!(calendars -> accounts (account_id));
joinable!(grants -> accounts (account_id));
allow_tables_to_appear_in_same_query!(accounts, busy_blocks, calendars, grants, conflicts, events, mappings, outbox);
allow_tables_to_appear_in_same_query!(users, tasks, rollovers, notices);
allow_tables_to_appear_in_same_query!(focuses, blocks);
allow_tables_to_appear_in_same_query!(accounts, account_identities);
