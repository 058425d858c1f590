-- Whether its owner took the copy out of the calendar: then it is none of theirs, until they ask for it there again.
ALTER TABLE remains ADD COLUMN taken_out INTEGER NOT NULL DEFAULT 0;
