-- When a channel last told us anything; and the busy time that providers tell, with how far and when it was read.
ALTER TABLE channels ADD COLUMN heard_at timestamptz;

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
END
$$;
