-- What was noted as values since then has no words: its kind stands for them.
DROP TRIGGER notices_updated;
ALTER TABLE notices ADD COLUMN text TEXT NOT NULL DEFAULT '';
UPDATE notices SET text = coalesce(
    CASE WHEN json_valid(parameters) THEN json_extract(parameters, '$.text') END, replace(kind, '_', ' '));
ALTER TABLE notices DROP COLUMN parameters;
CREATE TRIGGER notices_updated AFTER UPDATE ON notices
WHEN (NEW.text, NEW.severity, NEW.created_at, NEW.read_at) IS NOT (OLD.text, OLD.severity, OLD.created_at, OLD.read_at) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'notice', NEW.id, NULL, 0);
END;
