-- Instants are microseconds since 1970 (INTEGER), ids are lower-case UUIDs (TEXT), documents are JSON (TEXT).
-- The twin of this file is migrations/postgres: same tables, same columns, same nullability.

CREATE TABLE spaces (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    working_hours TEXT NOT NULL,
    home_space TEXT NOT NULL REFERENCES spaces (id),
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX users_home_space ON users (home_space);

CREATE TABLE memberships (
    space_id TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    PRIMARY KEY (space_id, user_id)
) STRICT;
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    url TEXT NOT NULL,
    writes_through TEXT REFERENCES accounts (id) ON DELETE SET NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    delete_copies INTEGER NOT NULL,
    policy TEXT NOT NULL,
    privacy TEXT NOT NULL,
    schedule TEXT NOT NULL,
    provider_interval_s INTEGER,
    failures INTEGER NOT NULL,
    next_round_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX accounts_space ON accounts (space_id, id);
CREATE INDEX accounts_user ON accounts (user_id, id);
CREATE INDEX accounts_writes_through ON accounts (writes_through);

CREATE TABLE secrets (
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    key_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (account_id, kind)
) STRICT;
CREATE INDEX secrets_key ON secrets (key_id);

CREATE TABLE calendars (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    remote_id TEXT NOT NULL,
    name TEXT NOT NULL,
    color TEXT,
    time_zone TEXT,
    read_only INTEGER NOT NULL,
    selected INTEGER NOT NULL,
    direction TEXT NOT NULL,
    cursor TEXT,
    stamp TEXT,
    reconciled_at INTEGER,
    gone_at INTEGER,
    last_error TEXT,
    version INTEGER NOT NULL,
    UNIQUE (account_id, remote_id)
) STRICT;
CREATE INDEX calendars_space ON calendars (space_id);

-- starts_at, ends_at and recurring place an event in time for window queries; they are worked out from content by
-- the caller, who knows the zones. ends_at NULL: the series has no end.
CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    calendar_id TEXT REFERENCES calendars (id) ON DELETE SET NULL,
    uid TEXT NOT NULL,
    content TEXT NOT NULL,
    origin TEXT NOT NULL,
    deleted_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER,
    recurring INTEGER NOT NULL
) STRICT;
CREATE INDEX events_user_window ON events (user_id, starts_at, id);
CREATE INDEX events_calendar ON events (calendar_id);
CREATE INDEX events_space ON events (space_id);
CREATE INDEX events_deleted ON events (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE mappings (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    calendar_id TEXT NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    remote_id TEXT NOT NULL,
    uid TEXT NOT NULL,
    revision TEXT,
    base TEXT NOT NULL,
    raw BLOB,
    created_by_us INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (calendar_id, remote_id),
    UNIQUE (calendar_id, event_id)
) STRICT;
CREATE INDEX mappings_event ON mappings (event_id);
CREATE INDEX mappings_account ON mappings (account_id);
CREATE INDEX mappings_page ON mappings (calendar_id, id);

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    calendar_id TEXT NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    op TEXT NOT NULL,
    key TEXT NOT NULL,
    sent TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    event_version INTEGER NOT NULL,
    reason TEXT NOT NULL,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (event_id, calendar_id)
) STRICT;
CREATE INDEX outbox_due ON outbox (account_id, state, priority, created_at);
CREATE INDEX outbox_alarm ON outbox (account_id, state, not_before);
CREATE INDEX outbox_calendar ON outbox (calendar_id);

CREATE TABLE rounds (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    cause TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    outcome TEXT,
    tally TEXT NOT NULL,
    note TEXT
) STRICT;
CREATE INDEX rounds_account ON rounds (account_id, id);
CREATE INDEX rounds_started ON rounds (started_at);

-- A conflict outlives its event: the history is what lets the loser be restored.
CREATE TABLE conflicts (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    calendar_id TEXT NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    fields TEXT NOT NULL,
    base TEXT,
    local TEXT,
    remote TEXT,
    policy TEXT NOT NULL,
    winner TEXT,
    status TEXT NOT NULL,
    severity TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    resolved_at INTEGER
) STRICT;
CREATE INDEX conflicts_account ON conflicts (account_id, id);
CREATE INDEX conflicts_space ON conflicts (space_id, id);
CREATE INDEX conflicts_event ON conflicts (event_id);
CREATE INDEX conflicts_calendar ON conflicts (calendar_id);
CREATE INDEX conflicts_pending ON conflicts (id) WHERE status = 'pending';
CREATE INDEX conflicts_resolved ON conflicts (resolved_at) WHERE resolved_at IS NOT NULL;

CREATE TABLE holds (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    calendar_id TEXT NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    removed TEXT NOT NULL,
    mapped INTEGER NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    decided_at INTEGER
) STRICT;
CREATE INDEX holds_account ON holds (account_id, id);
CREATE INDEX holds_calendar ON holds (calendar_id, created_at);
CREATE INDEX holds_space ON holds (space_id, id);

CREATE TABLE notices (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT NOT NULL REFERENCES spaces (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    account_id TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    event_id TEXT,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    read_at INTEGER
) STRICT;
CREATE INDEX notices_user ON notices (user_id, id);
CREATE INDEX notices_account ON notices (account_id);
CREATE INDEX notices_space ON notices (space_id, id);
CREATE INDEX notices_created ON notices (created_at);
CREATE UNIQUE INDEX notices_one_unread ON notices
    (user_id, kind, coalesce(account_id, ''), coalesce(event_id, '')) WHERE read_at IS NULL;

CREATE TABLE unreadable (
    calendar_id TEXT NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    remote_id TEXT NOT NULL,
    revision TEXT,
    uid TEXT,
    why TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (calendar_id, remote_id)
) STRICT;

CREATE TABLE channels (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    calendar_id TEXT REFERENCES calendars (id) ON DELETE CASCADE,
    resource_id TEXT,
    token_hash BLOB NOT NULL,
    state TEXT NOT NULL,
    expires_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX channels_account ON channels (account_id);
CREATE INDEX channels_calendar ON channels (calendar_id);

-- The audit log outlives what it speaks of, so it refers to nothing.
CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    space_id TEXT,
    account_id TEXT,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_account ON audit (account_id, id);
CREATE INDEX audit_at ON audit (at);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE idempotency_keys (
    api_key_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (api_key_id, key)
) STRICT;
CREATE INDEX idempotency_created ON idempotency_keys (created_at);
