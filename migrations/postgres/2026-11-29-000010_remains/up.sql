-- What is left of copies that their calendars no longer have, so that an event that is restored is there as it was.
CREATE TABLE remains (
    event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    remote_id text NOT NULL,
    uid text NOT NULL,
    base jsonb NOT NULL,
    raw bytea NOT NULL,
    kept_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, calendar_id)
);
CREATE INDEX remains_calendar ON remains (calendar_id);
CREATE INDEX remains_kept ON remains (kept_at);

ALTER TABLE remains ENABLE ROW LEVEL SECURITY;
ALTER TABLE remains FORCE ROW LEVEL SECURITY;
CREATE POLICY spaces ON remains USING (EXISTS (SELECT 1 FROM calendars c WHERE c.id = calendar_id));
