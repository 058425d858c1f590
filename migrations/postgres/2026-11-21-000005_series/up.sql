-- Which instance of a repeating task a row is, apart from how the task repeats, which somebody may change or take away.
ALTER TABLE tasks ADD COLUMN series json;
-- Who owns the tables without more rights sees no row of theirs otherwise.
SELECT set_config('app.whole', 'on', true);
UPDATE tasks SET
    series = json_build_object('id', repeats ->> 'series', 'first', repeats ->> 'first', 'date', repeats ->> 'date'),
    repeats = json_build_object('rule', repeats ->> 'rule', 'missed', repeats ->> 'missed')
WHERE repeats IS NOT NULL;
CREATE INDEX tasks_carried_from ON tasks (carried_from) WHERE carried_from IS NOT NULL;
CREATE INDEX tasks_stale ON tasks (user_id) WHERE status = 'stale';
-- What has been kept long enough is found by its age.
CREATE INDEX proposals_decided ON proposals (decided_at) WHERE decided_at IS NOT NULL;
CREATE INDEX rollovers_ran ON rollovers (ran_at);
