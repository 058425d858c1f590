ALTER TABLE remains ALTER COLUMN base TYPE jsonb USING base::jsonb;
ALTER TABLE remains DROP COLUMN taken_out;
