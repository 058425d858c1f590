-- When a channel last told us anything; and the busy time that providers tell, with how far and when it was read.
ALTER TABLE channels ADD COLUMN heard_at INTEGER;

-- What owners granted at providers; the tokens lie in secrets, sealed.
CREATE TABLE grants (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    subject TEXT,
    scopes TEXT NOT NULL,
    access_expires_at INTEGER
) STRICT;

-- People who were sent to a provider and have not come back yet. account_id is no reference: a new account has yet to be made.
CREATE TABLE consents (
    id TEXT NOT NULL PRIMARY KEY,
    state_hash BLOB NOT NULL UNIQUE,
    ticket_hash BLOB NOT NULL UNIQUE,
    cookie TEXT NOT NULL,
    url TEXT NOT NULL,
    provider TEXT NOT NULL,
    space_id TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    account_id TEXT,
    return_to TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX consents_created ON consents (created_at);

CREATE TABLE busy_reads (
    calendar_id TEXT NOT NULL PRIMARY KEY REFERENCES calendars (id) ON DELETE CASCADE,
    read_at INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;

CREATE TABLE busy_blocks (
    calendar_id TEXT NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (calendar_id, starts_at)
) STRICT;
