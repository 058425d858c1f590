-- When a channel last told us anything; and the busy time that providers tell, with how far and when it was read.
ALTER TABLE channels ADD COLUMN heard_at timestamptz;

-- What owners granted at providers; the tokens lie in secrets, sealed.
CREATE TABLE grants (
    account_id uuid NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    subject text,
    scopes text NOT NULL,
    access_expires_at timestamptz
);

-- People who were sent to a provider and have not come back yet. account_id is no reference: a new account has yet to be made.
CREATE TABLE consents (
    id uuid NOT NULL PRIMARY KEY,
    state_hash bytea NOT NULL UNIQUE,
    ticket_hash bytea NOT NULL UNIQUE,
    cookie text NOT NULL,
    url text NOT NULL,
    provider text NOT NULL,
    space_id text NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    account_id uuid,
    return_to text,
    created_at timestamptz NOT NULL
);
CREATE INDEX consents_created ON consents (created_at);

CREATE TABLE busy_reads (
    calendar_id uuid NOT NULL PRIMARY KEY REFERENCES calendars (id) ON DELETE CASCADE,
    read_at timestamptz NOT NULL,
    until timestamptz NOT NULL
);

CREATE TABLE busy_blocks (
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    PRIMARY KEY (calendar_id, starts_at)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['busy_reads', 'busy_blocks'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY spaces ON %I USING (EXISTS (SELECT 1 FROM calendars c WHERE c.id = calendar_id))', name);
    END LOOP;
    ALTER TABLE grants ENABLE ROW LEVEL SECURITY;
    ALTER TABLE grants FORCE ROW LEVEL SECURITY;
    CREATE POLICY spaces ON grants USING (EXISTS (SELECT 1 FROM accounts a WHERE a.id = account_id));
    ALTER TABLE consents ENABLE ROW LEVEL SECURITY;
    ALTER TABLE consents FORCE ROW LEVEL SECURITY;
    CREATE POLICY spaces ON consents USING (calwarden_admits(space_id));
END
$$;
