ALTER TABLE remains DROP COLUMN created_by_us;
