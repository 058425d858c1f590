-- What a queued write is for is said by itself, and no longer by its reason.
ALTER TABLE outbox ADD COLUMN intent TEXT NOT NULL DEFAULT 'follow';
UPDATE outbox SET intent = 'withdraw' WHERE reason = 'unlinked';
