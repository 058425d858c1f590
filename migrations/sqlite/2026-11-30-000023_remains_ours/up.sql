-- Whether we had made the copy: an owner's own event stays its owner's when it is made again.
ALTER TABLE remains ADD COLUMN created_by_us INTEGER NOT NULL DEFAULT 1;
