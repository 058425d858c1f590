-- The answer kept for a repeated request is given again as it was, headers included, and goes with the user it is about.
-- A row without a user may hold anybody's data.
ALTER TABLE idempotency_keys ADD COLUMN headers json NOT NULL DEFAULT '[]';
ALTER TABLE idempotency_keys ADD COLUMN user_id text REFERENCES users (id) ON DELETE CASCADE;
CREATE INDEX idempotency_user ON idempotency_keys (user_id);
