ALTER TABLE remains DROP COLUMN taken_out;
