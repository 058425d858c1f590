-- When a channel last told us anything; and the busy time that providers tell, with how far and when it was read.
ALTER TABLE channels ADD COLUMN heard_at INTEGER;

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
