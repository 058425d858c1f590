-- The second wall between spaces, where it had gaps: spaces and people, and what belongs to whole API keys.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['spaces', 'users', 'api_keys', 'idempotency_keys', 'owed_plans'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END
$$;
CREATE POLICY spaces ON spaces USING (calwarden_admits(id));
-- A person is seen in their own space, and where they are a member or have an account. What these hang on is walled itself.
CREATE POLICY spaces ON users USING (
    calwarden_admits(home_space)
    OR EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id)
    OR EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = users.id)
);
CREATE POLICY spaces ON owed_plans USING (EXISTS (SELECT 1 FROM users u WHERE u.id = user_id));
-- Keys and kept answers belong to no space: only what sees all of them sees them.
CREATE POLICY whole ON api_keys USING (coalesce(current_setting('app.whole', true) = 'on', false));
CREATE POLICY whole ON idempotency_keys USING (coalesce(current_setting('app.whole', true) = 'on', false));
