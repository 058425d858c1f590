-- Whether its owner took the copy out of the calendar: then it is none of theirs, until they ask for it there again.
ALTER TABLE remains ADD COLUMN taken_out boolean NOT NULL DEFAULT false;
-- A document, as all others are: `jsonb` does not come back as it was written, and is not read as `json`.
ALTER TABLE remains ALTER COLUMN base TYPE json USING base::json;
