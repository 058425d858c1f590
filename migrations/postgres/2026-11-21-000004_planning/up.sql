-- Dates and wall times are text that sorts like them (2026-03-29, 2026-03-29T10:00:00): they are in no zone, or name it beside.
ALTER TABLE calendars ADD COLUMN makes_tasks boolean NOT NULL DEFAULT false;
CREATE INDEX users_time_zone ON users (time_zone, id);

CREATE TABLE contexts (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL,
    visibility text NOT NULL,
    calendar_id uuid REFERENCES calendars (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX contexts_user ON contexts (user_id, id);
CREATE INDEX contexts_space ON contexts (space_id);
CREATE INDEX contexts_calendar ON contexts (calendar_id);

CREATE TABLE planning_rules (
    user_id text NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    space_id text NOT NULL REFERENCES spaces (id),
    rules json NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX planning_rules_space ON planning_rules (space_id);

-- carried_from is no reference: an instance outlives the one it goes on with, and a batch may bring the two in any order.
-- title and description are JSON strings: they may be an imported event's, and a NUL in one of them refuses no batch.
CREATE TABLE tasks (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    context_id uuid REFERENCES contexts (id) ON DELETE SET NULL,
    title json NOT NULL,
    description json,
    project text,
    priority text NOT NULL,
    estimate_min bigint,
    actual_min bigint NOT NULL,
    due json,
    not_before json,
    hours text,
    min_chunk_min bigint,
    max_chunk_min bigint,
    splittable boolean NOT NULL,
    after json NOT NULL,
    prefer text,
    buffer_after_min bigint,
    repeats json,
    status text NOT NULL,
    pinned boolean NOT NULL,
    made_from uuid REFERENCES events (id) ON DELETE SET NULL,
    carried_from uuid,
    carry_count bigint NOT NULL,
    carried_actual_min bigint NOT NULL,
    completed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX tasks_user ON tasks (user_id, id);
CREATE INDEX tasks_open ON tasks (user_id, id) WHERE status IN ('open', 'in_progress');
CREATE INDEX tasks_space ON tasks (space_id);
CREATE INDEX tasks_context ON tasks (context_id, id);
CREATE INDEX tasks_made_from ON tasks (made_from);

CREATE TABLE blocks (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    task_id uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    event_id uuid REFERENCES events (id) ON DELETE SET NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    wall text NOT NULL,
    zone text NOT NULL,
    origin text NOT NULL,
    lock text NOT NULL,
    state text NOT NULL,
    shows text,
    reason text NOT NULL,
    plan_run uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX blocks_user_ends ON blocks (user_id, ends_at);
CREATE INDEX blocks_task ON blocks (task_id);
CREATE INDEX blocks_event ON blocks (event_id);
CREATE INDEX blocks_space ON blocks (space_id);

-- Changes name blocks and tasks without referring to them: an offer outlives what it spoke of.
CREATE TABLE proposals (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    plan_run uuid NOT NULL,
    cause text NOT NULL,
    inputs bytea NOT NULL,
    changes json NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    decided_at timestamptz,
    version bigint NOT NULL
);
CREATE INDEX proposals_user ON proposals (user_id, id);
CREATE INDEX proposals_open ON proposals (user_id, state, id);
CREATE INDEX proposals_space ON proposals (space_id);

CREATE TABLE focuses (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    task_id uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    block_id uuid REFERENCES blocks (id) ON DELETE SET NULL,
    state text NOT NULL,
    since timestamptz NOT NULL,
    worked json NOT NULL,
    overrun boolean NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    version bigint NOT NULL
);
-- A person works on one thing at a time, whoever asks from wherever at once.
CREATE UNIQUE INDEX focuses_one_open ON focuses (user_id) WHERE state IN ('running', 'paused');
CREATE INDEX focuses_open ON focuses (id) WHERE state IN ('running', 'paused');
CREATE INDEX focuses_user ON focuses (user_id, started_at);
CREATE INDEX focuses_task ON focuses (task_id);
CREATE INDEX focuses_block ON focuses (block_id);
CREATE INDEX focuses_space ON focuses (space_id);

-- A zone is nobody's: which of its days have begun is the service's own affair.
CREATE TABLE rollover_runs (
    zone text NOT NULL,
    day text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (zone, day)
);

CREATE TABLE rollovers (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    date text NOT NULL,
    skipped json,
    tasks json NOT NULL,
    waiting json NOT NULL,
    ran_at timestamptz NOT NULL,
    undone_at timestamptz,
    UNIQUE (user_id, date)
);
CREATE INDEX rollovers_user ON rollovers (user_id, id);
CREATE INDEX rollovers_space ON rollovers (space_id);

-- At most one plan is owed to a person; news that come before it is made join it.
CREATE TABLE owed_plans (
    user_id text NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    cause text NOT NULL,
    due_at timestamptz NOT NULL
);
CREATE INDEX owed_plans_due ON owed_plans (due_at);
CREATE INDEX blocks_over ON blocks (state, ends_at);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'contexts', 'planning_rules', 'tasks', 'blocks', 'proposals', 'focuses', 'rollovers'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY spaces ON %I USING (calwarden_admits(space_id))', name);
    END LOOP;
END
$$;
