-- What was noted as values since then has no words: its kind stands for them.
DROP TRIGGER changed ON notices;
ALTER TABLE notices ADD COLUMN text text;
-- The walls hold for the owner of the tables too.
SELECT set_config('app.whole', 'on', true);
UPDATE notices SET text = coalesce(parameters->>'text', replace(kind, '_', ' '));
ALTER TABLE notices ALTER COLUMN text SET NOT NULL;
ALTER TABLE notices DROP COLUMN parameters;
CREATE TRIGGER changed AFTER UPDATE ON notices FOR EACH ROW WHEN (
    NEW.text::text IS DISTINCT FROM OLD.text::text OR NEW.severity IS DISTINCT FROM OLD.severity
    OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.read_at IS DISTINCT FROM OLD.read_at
) EXECUTE FUNCTION calwarden_notices_changed();
