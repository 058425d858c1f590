-- What is left of copies that their calendars no longer have, so that an event that is restored is there as it was.
CREATE TABLE remains (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    calendar_id TEXT NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    remote_id TEXT NOT NULL,
    uid TEXT NOT NULL,
    base TEXT NOT NULL,
    raw BLOB NOT NULL,
    kept_at INTEGER NOT NULL,
    PRIMARY KEY (event_id, calendar_id)
) STRICT;
CREATE INDEX remains_calendar ON remains (calendar_id);
CREATE INDEX remains_kept ON remains (kept_at);
