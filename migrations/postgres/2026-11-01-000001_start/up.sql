-- Documents are `json`, not `jsonb`: they come back byte for byte as they were written, and a NUL inside a remote text does not
-- refuse a whole batch. The twin of this file is migrations/sqlite: same tables, same columns, same nullability.

CREATE TABLE spaces (
    id text NOT NULL PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE users (
    id text NOT NULL PRIMARY KEY,
    name text NOT NULL,
    time_zone text NOT NULL,
    working_hours json NOT NULL,
    home_space text NOT NULL REFERENCES spaces (id),
    created_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX users_home_space ON users (home_space);

CREATE TABLE memberships (
    space_id text NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role text NOT NULL,
    PRIMARY KEY (space_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE accounts (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider text NOT NULL,
    label text NOT NULL,
    url text NOT NULL,
    writes_through uuid REFERENCES accounts (id) ON DELETE SET NULL,
    status text NOT NULL,
    status_reason text,
    delete_copies boolean NOT NULL,
    policy text NOT NULL,
    privacy text NOT NULL,
    schedule json NOT NULL,
    provider_interval_s bigint,
    failures bigint NOT NULL,
    next_round_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX accounts_space ON accounts (space_id, id);
CREATE INDEX accounts_user ON accounts (user_id, id);
CREATE INDEX accounts_writes_through ON accounts (writes_through);

CREATE TABLE secrets (
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind text NOT NULL,
    key_id text NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (account_id, kind)
);
CREATE INDEX secrets_key ON secrets (key_id);

CREATE TABLE calendars (
    id uuid NOT NULL PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    space_id text NOT NULL REFERENCES spaces (id),
    remote_id text NOT NULL,
    name text NOT NULL,
    color text,
    time_zone text,
    read_only boolean NOT NULL,
    selected boolean NOT NULL,
    direction text NOT NULL,
    cursor text,
    stamp text,
    reconciled_at timestamptz,
    gone_at timestamptz,
    last_error text,
    version bigint NOT NULL,
    UNIQUE (account_id, remote_id)
);
CREATE INDEX calendars_space ON calendars (space_id);

-- starts_at, ends_at and recurring place an event in time for window queries; they are worked out from content by
-- the caller, who knows the zones. ends_at NULL: the series has no end.
CREATE TABLE events (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    calendar_id uuid REFERENCES calendars (id) ON DELETE SET NULL,
    uid text NOT NULL,
    content json NOT NULL,
    origin text NOT NULL,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    recurring boolean NOT NULL
);
CREATE INDEX events_user_window ON events (user_id, starts_at, id);
CREATE INDEX events_calendar ON events (calendar_id);
CREATE INDEX events_space ON events (space_id);
CREATE INDEX events_deleted ON events (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE mappings (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    remote_id text NOT NULL,
    uid text NOT NULL,
    revision text,
    base json NOT NULL,
    raw bytea,
    created_by_us boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (calendar_id, remote_id),
    UNIQUE (calendar_id, event_id)
);
CREATE INDEX mappings_event ON mappings (event_id);
CREATE INDEX mappings_account ON mappings (account_id);
CREATE INDEX mappings_page ON mappings (calendar_id, id);

CREATE TABLE outbox (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    op text NOT NULL,
    key text NOT NULL,
    sent json NOT NULL,
    priority bigint NOT NULL,
    state text NOT NULL,
    attempts bigint NOT NULL,
    not_before timestamptz NOT NULL,
    event_version bigint NOT NULL,
    reason text NOT NULL,
    last_error text,
    created_at timestamptz NOT NULL,
    UNIQUE (event_id, calendar_id)
);
CREATE INDEX outbox_due ON outbox (account_id, state, priority, created_at);
CREATE INDEX outbox_alarm ON outbox (account_id, state, not_before);
CREATE INDEX outbox_calendar ON outbox (calendar_id);

CREATE TABLE rounds (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    cause text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    outcome text,
    tally json NOT NULL,
    note text
);
CREATE INDEX rounds_account ON rounds (account_id, id);
CREATE INDEX rounds_started ON rounds (started_at);

-- A conflict outlives its event: the history is what lets the loser be restored.
CREATE TABLE conflicts (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    fields json NOT NULL,
    base json,
    local json,
    remote json,
    policy text NOT NULL,
    winner text,
    status text NOT NULL,
    severity text NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL,
    resolved_at timestamptz
);
CREATE INDEX conflicts_account ON conflicts (account_id, id);
CREATE INDEX conflicts_space ON conflicts (space_id, id);
CREATE INDEX conflicts_event ON conflicts (event_id);
CREATE INDEX conflicts_calendar ON conflicts (calendar_id);
CREATE INDEX conflicts_pending ON conflicts (id) WHERE status = 'pending';
CREATE INDEX conflicts_resolved ON conflicts (resolved_at) WHERE resolved_at IS NOT NULL;

CREATE TABLE holds (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    removed json NOT NULL,
    mapped bigint NOT NULL,
    reason text NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    decided_at timestamptz
);
CREATE INDEX holds_account ON holds (account_id, id);
CREATE INDEX holds_calendar ON holds (calendar_id, created_at);
CREATE INDEX holds_space ON holds (space_id, id);

CREATE TABLE notices (
    id uuid NOT NULL PRIMARY KEY,
    space_id text NOT NULL REFERENCES spaces (id),
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    account_id uuid REFERENCES accounts (id) ON DELETE CASCADE,
    event_id uuid,
    kind text NOT NULL,
    severity text NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL,
    read_at timestamptz
);
CREATE INDEX notices_user ON notices (user_id, id);
CREATE INDEX notices_account ON notices (account_id);
CREATE INDEX notices_space ON notices (space_id, id);
CREATE INDEX notices_created ON notices (created_at);
CREATE UNIQUE INDEX notices_one_unread ON notices
    (user_id, kind, coalesce(account_id::text, ''), coalesce(event_id::text, '')) WHERE read_at IS NULL;

CREATE TABLE unreadable (
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    remote_id text NOT NULL,
    revision text,
    uid text,
    why text NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (calendar_id, remote_id)
);

CREATE TABLE channels (
    id uuid NOT NULL PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    calendar_id uuid REFERENCES calendars (id) ON DELETE CASCADE,
    resource_id text,
    token_hash bytea NOT NULL,
    state text NOT NULL,
    expires_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX channels_account ON channels (account_id);
CREATE INDEX channels_calendar ON channels (calendar_id);

-- The audit log outlives what it speaks of, so it refers to nothing.
CREATE TABLE audit (
    id uuid NOT NULL PRIMARY KEY,
    space_id text,
    account_id uuid,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail json NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX audit_account ON audit (account_id, id);
CREATE INDEX audit_at ON audit (at);

CREATE TABLE api_keys (
    id uuid NOT NULL PRIMARY KEY,
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    scopes json NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);

CREATE TABLE idempotency_keys (
    api_key_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status bigint NOT NULL,
    content_type text NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (api_key_id, key)
);
CREATE INDEX idempotency_created ON idempotency_keys (created_at);

-- The second wall between spaces. Every transaction runs as calwarden_app, which owns nothing, so that row-level security
-- binds even when the connection belongs to a superuser. Roles are the cluster's, not the database's: another database may be
-- making it at this moment, and an operator who gives us no CREATEROLE makes it himself (or relies on FORCE alone).
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'calwarden_app') THEN
        CREATE ROLE calwarden_app NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
    RAISE NOTICE 'role calwarden_app was not created: %', SQLERRM;
END
$$;
DO $$
BEGIN
    -- From PostgreSQL 16 on, who makes a role is a member that may not become it, until it is granted.
    IF NOT pg_has_role(current_user, 'calwarden_app',
        CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END) THEN
        EXECUTE format('GRANT calwarden_app TO %I', current_user);
    END IF;
EXCEPTION WHEN undefined_object OR insufficient_privilege OR unique_violation THEN
    RAISE NOTICE 'role calwarden_app was not granted: %', SQLERRM;
END
$$;

CREATE FUNCTION calwarden_admits(space text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('app.whole', true) = 'on', false)
        OR coalesce(space = ANY (string_to_array(NULLIF(current_setting('app.spaces', true), ''), ',')), false)
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'memberships', 'accounts', 'calendars', 'events', 'mappings', 'outbox',
        'rounds', 'conflicts', 'holds', 'notices', 'audit'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY spaces ON %I USING (calwarden_admits(space_id))', name);
    END LOOP;
    -- No space of their own: what they hang on decides, by its own policy.
    FOREACH name IN ARRAY ARRAY['secrets', 'channels'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY spaces ON %I USING (EXISTS (SELECT 1 FROM accounts a WHERE a.id = account_id))', name);
    END LOOP;
    ALTER TABLE unreadable ENABLE ROW LEVEL SECURITY;
    ALTER TABLE unreadable FORCE ROW LEVEL SECURITY;
    CREATE POLICY spaces ON unreadable USING (EXISTS (SELECT 1 FROM calendars c WHERE c.id = calendar_id));
END
$$;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO calwarden_app', current_schema());
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO calwarden_app', current_schema());
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO calwarden_app',
        current_schema());
EXCEPTION WHEN undefined_object THEN
    RAISE NOTICE 'role calwarden_app does not exist, nothing was granted';
END
$$;
