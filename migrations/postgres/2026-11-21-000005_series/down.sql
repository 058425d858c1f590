DROP INDEX rollovers_ran;
DROP INDEX proposals_decided;
DROP INDEX tasks_stale;
DROP INDEX tasks_carried_from;
UPDATE tasks SET repeats = json_build_object(
    'series', series ->> 'id', 'rule', repeats ->> 'rule', 'first', series ->> 'first', 'date', series ->> 'date',
    'missed', repeats ->> 'missed')
WHERE repeats IS NOT NULL;
ALTER TABLE tasks DROP COLUMN series;
