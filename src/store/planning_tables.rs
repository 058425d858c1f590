//! The tables of planning: what is to be done, when, and what became of it.

use diesel::table;

table! {
    use crate::store::types::{Id, Instant};
    use diesel::sql_types::{BigInt, Nullable, Text};

    contexts (id) {
        id -> Id,
        space_id -> Text,
        user_id -> Text,
        name -> Text,
        visibility -> Text,
        calendar_id -> Nullable<Id>,
        created_at -> Instant,
        updated_at -> Instant,
        version -> BigInt,
    }
}

table! {
    use crate::store::types::Document;
    use diesel::sql_types::{BigInt, Text};

    planning_rules (user_id) {
        user_id -> Text,
        space_id -> Text,
        rules -> Document,
        version -> BigInt,
    }
}

table! {
    use crate::store::types::{Document, Id, Instant};
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};

    tasks (id) {
        id -> Id,
        space_id -> Text,
        user_id -> Text,
        context_id -> Nullable<Id>,
        title -> Document,
        description -> Nullable<Document>,
        project -> Nullable<Text>,
        priority -> Text,
        estimate_min -> Nullable<BigInt>,
        actual_min -> BigInt,
        due -> Nullable<Document>,
        not_before -> Nullable<Document>,
        hours -> Nullable<Text>,
        min_chunk_min -> Nullable<BigInt>,
        max_chunk_min -> Nullable<BigInt>,
        splittable -> Bool,
        after -> Document,
        prefer -> Nullable<Text>,
        buffer_after_min -> Nullable<BigInt>,
        repeats -> Nullable<Document>,
        status -> Text,
        pinned -> Bool,
        made_from -> Nullable<Id>,
        series -> Nullable<Document>,
        carried_from -> Nullable<Id>,
        carry_count -> BigInt,
        carried_actual_min -> BigInt,
        completed_at -> Nullable<Instant>,
        created_at -> Instant,
        updated_at -> Instant,
        version -> BigInt,
    }
}

table! {
    use crate::store::types::{Id, Instant};
    use diesel::sql_types::{BigInt, Nullable, Text};

    blocks (id) {
        id -> Id,
        space_id -> Text,
        user_id -> Text,
        task_id -> Id,
        event_id -> Nullable<Id>,
        #[sql_name = "starts_at"]
        start -> Instant,
        #[sql_name = "ends_at"]
        end -> Instant,
        wall -> Text,
        zone -> Text,
        origin -> Text,
        lock -> Text,
        state -> Text,
        shows -> Nullable<Text>,
        reason -> Text,
        plan_run -> Nullable<Id>,
        created_at -> Instant,
        updated_at -> Instant,
        version -> BigInt,
    }
}

table! {
    use crate::store::types::{Document, Id, Instant};
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};

    proposals (id) {
        id -> Id,
        space_id -> Text,
        user_id -> Text,
        plan_run -> Id,
        cause -> Text,
        inputs -> Binary,
        changes -> Document,
        state -> Text,
        created_at -> Instant,
        decided_at -> Nullable<Instant>,
        version -> BigInt,
    }
}

table! {
    use crate::store::types::{Document, Id, Instant};
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};

    focuses (id) {
        id -> Id,
        space_id -> Text,
        user_id -> Text,
        task_id -> Id,
        block_id -> Nullable<Id>,
        state -> Text,
        since -> Instant,
        worked -> Document,
        overrun -> Bool,
        started_at -> Instant,
        ended_at -> Nullable<Instant>,
        version -> BigInt,
    }
}

table! {
    use crate::store::types::Instant;
    use diesel::sql_types::{BigInt, Text};

    owed_plans (user_id) {
        user_id -> Text,
        cause -> Text,
        due_at -> Instant,
        wishes -> BigInt,
    }
}

table! {
    use crate::store::types::Instant;
    use diesel::sql_types::Text;

    rollover_runs (zone, day) {
        zone -> Text,
        day -> Text,
        at -> Instant,
    }
}

table! {
    use diesel::sql_types::Text;

    zone_rules (zone) {
        zone -> Text,
        release -> Text,
    }
}

table! {
    use crate::store::types::{Document, Id, Instant};
    use diesel::sql_types::{Nullable, Text};

    rollovers (id) {
        id -> Id,
        space_id -> Text,
        user_id -> Text,
        date -> Text,
        skipped -> Nullable<Document>,
        tasks -> Document,
        waiting -> Document,
        ran_at -> Instant,
        undone_at -> Nullable<Instant>,
    }
}
