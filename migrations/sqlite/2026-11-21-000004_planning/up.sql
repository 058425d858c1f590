-- Dates and wall times are text that sorts like them (2026-03-29, 2026-03-29T10:00:00): they are in no zone, or name it beside.
ALTER TABLE calendars ADD COLUMN makes_tasks INTEGER NOT NULL DEFAULT 0;
CREATE INDEX users_time_zone ON users (time_zone, id);

CREATE TABLE contexts (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    visibility TEXT NOT NULL,
    calendar_id TEXT REFERENCES calendars (id) ON DELETE SET NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX contexts_user ON contexts (user_id, id);
CREATE INDEX contexts_space ON contexts (space_id);
CREATE INDEX contexts_calendar ON contexts (calendar_id);

CREATE TABLE planning_rules (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    rules TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX planning_rules_space ON planning_rules (space_id);

-- carried_from is no reference: an instance outlives the one it goes on with, and a batch may bring the two in any order.
-- title and description are JSON strings: they may be an imported event's, and a NUL in one of them refuses no batch.
CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    context_id TEXT REFERENCES contexts (id) ON DELETE SET NULL,
    title TEXT NOT NULL,
    description TEXT,
    project TEXT,
    priority TEXT NOT NULL,
    estimate_min INTEGER,
    actual_min INTEGER NOT NULL,
    due TEXT,
    not_before TEXT,
    hours TEXT,
    min_chunk_min INTEGER,
    max_chunk_min INTEGER,
    splittable INTEGER NOT NULL,
    after TEXT NOT NULL,
    prefer TEXT,
    buffer_after_min INTEGER,
    repeats TEXT,
    status TEXT NOT NULL,
    pinned INTEGER NOT NULL,
    made_from TEXT REFERENCES events (id) ON DELETE SET NULL,
    carried_from TEXT,
    carry_count INTEGER NOT NULL,
    carried_actual_min INTEGER NOT NULL,
    completed_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX tasks_user ON tasks (user_id, id);
CREATE INDEX tasks_open ON tasks (user_id, id) WHERE status IN ('open', 'in_progress');
CREATE INDEX tasks_space ON tasks (space_id);
CREATE INDEX tasks_context ON tasks (context_id, id);
CREATE INDEX tasks_made_from ON tasks (made_from);

CREATE TABLE blocks (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    event_id TEXT REFERENCES events (id) ON DELETE SET NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    wall TEXT NOT NULL,
    zone TEXT NOT NULL,
    origin TEXT NOT NULL,
    lock TEXT NOT NULL,
    state TEXT NOT NULL,
    shows TEXT,
    reason TEXT NOT NULL,
    plan_run TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX blocks_user_ends ON blocks (user_id, ends_at);
CREATE INDEX blocks_task ON blocks (task_id);
CREATE INDEX blocks_event ON blocks (event_id);
CREATE INDEX blocks_space ON blocks (space_id);

-- Changes name blocks and tasks without referring to them: an offer outlives what it spoke of.
CREATE TABLE proposals (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    plan_run TEXT NOT NULL,
    cause TEXT NOT NULL,
    inputs BLOB NOT NULL,
    changes TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    decided_at INTEGER,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX proposals_user ON proposals (user_id, id);
CREATE INDEX proposals_open ON proposals (user_id, state, id);
CREATE INDEX proposals_space ON proposals (space_id);

CREATE TABLE focuses (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    block_id TEXT REFERENCES blocks (id) ON DELETE SET NULL,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    worked TEXT NOT NULL,
    overrun INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    version INTEGER NOT NULL
) STRICT;
-- A person works on one thing at a time, whoever asks from wherever at once.
CREATE UNIQUE INDEX focuses_one_open ON focuses (user_id) WHERE state IN ('running', 'paused');
CREATE INDEX focuses_open ON focuses (id) WHERE state IN ('running', 'paused');
CREATE INDEX focuses_user ON focuses (user_id, started_at);
CREATE INDEX focuses_task ON focuses (task_id);
CREATE INDEX focuses_block ON focuses (block_id);
CREATE INDEX focuses_space ON focuses (space_id);

-- A zone is nobody's: which of its days have begun is the service's own affair.
CREATE TABLE rollover_runs (
    zone TEXT NOT NULL,
    day TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (zone, day)
) STRICT;

CREATE TABLE rollovers (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    date TEXT NOT NULL,
    skipped TEXT,
    tasks TEXT NOT NULL,
    waiting TEXT NOT NULL,
    ran_at INTEGER NOT NULL,
    undone_at INTEGER,
    UNIQUE (user_id, date)
) STRICT;
CREATE INDEX rollovers_user ON rollovers (user_id, id);
CREATE INDEX rollovers_space ON rollovers (space_id);

-- At most one plan is owed to a person; news that come before it is made join it.
CREATE TABLE owed_plans (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    cause TEXT NOT NULL,
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX owed_plans_due ON owed_plans (due_at);
CREATE INDEX blocks_over ON blocks (state, ends_at);
