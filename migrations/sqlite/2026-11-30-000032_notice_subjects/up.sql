-- A notice keeps what it says as values; the words are found when it is shown. What was told before keeps its words, and has not
-- changed by that: the trigger that records changes is away meanwhile.
DROP TRIGGER notices_updated;
ALTER TABLE notices ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}';
UPDATE notices SET parameters = json_object('subject', 'plain', 'kind', kind, 'text', text);
ALTER TABLE notices DROP COLUMN text;
CREATE TRIGGER notices_updated AFTER UPDATE ON notices
WHEN (NEW.parameters, NEW.severity, NEW.created_at, NEW.read_at) IS NOT (OLD.parameters, OLD.severity, OLD.created_at, OLD.read_at) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'notice', NEW.id, NULL, 0);
END;
