-- What a queued write is for is said by itself, and no longer by its reason.
ALTER TABLE outbox ADD COLUMN intent TEXT NOT NULL DEFAULT 'follow';
-- The walls hold for the owner of the tables too.
SELECT set_config('app.whole', 'on', true);
UPDATE outbox SET intent = 'withdraw' WHERE reason = 'unlinked';
