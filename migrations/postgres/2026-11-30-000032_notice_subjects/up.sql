-- A notice keeps what it says as values; the words are found when it is shown. What was told before keeps its words, and has not
-- changed by that: the trigger that records changes is away meanwhile.
DROP TRIGGER changed ON notices;
ALTER TABLE notices ADD COLUMN parameters json;
-- The walls hold for the owner of the tables too.
SELECT set_config('app.whole', 'on', true);
UPDATE notices SET parameters = json_build_object('subject', 'plain', 'kind', kind, 'text', text);
ALTER TABLE notices ALTER COLUMN parameters SET NOT NULL;
ALTER TABLE notices DROP COLUMN text;
CREATE TRIGGER changed AFTER UPDATE ON notices FOR EACH ROW WHEN (
    NEW.parameters::text IS DISTINCT FROM OLD.parameters::text OR NEW.severity IS DISTINCT FROM OLD.severity
    OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.read_at IS DISTINCT FROM OLD.read_at
) EXECUTE FUNCTION calwarden_notices_changed();
