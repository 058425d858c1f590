-- Every change of what a person can see, in the order in which it became durable. The database appends the rows itself, in the
-- transaction of the change: what a cascade or a purge deletes is in them too, and no query can forget one. Times and counts that
-- each round moves are no change: when an account is next due, how often it failed, its list of rounds. `version` is NULL where a
-- thing has none. What belongs to an account is deleted before it, because the account says whose it is.
SELECT set_config('app.whole', 'on', true);
CREATE SEQUENCE changes_seq;
CREATE TABLE changes (
    seq bigint NOT NULL PRIMARY KEY DEFAULT nextval('changes_seq'),
    space_id text NOT NULL,
    user_id text NOT NULL,
    kind text NOT NULL,
    thing text NOT NULL,
    version bigint,
    deleted boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX changes_user ON changes (user_id, seq);
CREATE INDEX changes_at ON changes (at);

-- A transaction that changes something takes a number before it appends its first row, and keeps it as an advisory lock until it
-- ends: all its rows come after it. The numbers of rows follow the order in which rows of tables are written, which those of
-- transactions do not: what is deleted may be made again by a transaction that began before.
CREATE FUNCTION calwarden_begins_to_change() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('app.changes_from', true), '') = '' THEN
        PERFORM set_config('app.changes_from', nextval('changes_seq')::text, true);
        PERFORM pg_advisory_xact_lock_shared((25448::bigint << 48) | current_setting('app.changes_from')::bigint);
    END IF;
END
$$;

-- The last row of which it is known that no other one will come before it. To be asked before the snapshot that reads the rows: a
-- transaction may end between the two, and then its rows are seen. The upper sixteen bits of a key tell these locks from all others.
CREATE FUNCTION calwarden_settled() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
    first_open bigint;
BEGIN
    SELECT last_value INTO last FROM changes_seq;
    SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) INTO first_open FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = 25448 AND mode = 'ShareLock' AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
    RETURN least(last, first_open);
END
$$;

DO $outer$
DECLARE
    it record;
    written text := 'INSERT INTO changes (space_id, user_id, kind, thing, version, deleted) ';
    of_row text;
    of_gone text;
    differs text;
BEGIN
    FOR it IN SELECT * FROM (VALUES
        ('user', 'users', 'ROW.home_space', 'ROW.id', 'ROW.id', 'ROW.version', 'false',
            ARRAY['version']),
        ('planning_rules', 'planning_rules', 'ROW.space_id', 'ROW.user_id', 'ROW.user_id', 'ROW.version', 'false',
            ARRAY['version']),
        ('account', 'accounts', 'ROW.space_id', 'ROW.user_id', 'ROW.id', 'ROW.version', 'false',
            ARRAY['version', 'status', 'status_reason', 'writes_through']),
        ('calendar', 'calendars', 'ROW.space_id', '(SELECT user_id FROM accounts WHERE id = ROW.account_id)', 'ROW.id', 'ROW.version', 'false',
            ARRAY['version', 'name', 'color', 'time_zone', 'read_only', 'gone_at', 'last_error']),
        ('event', 'events', 'ROW.space_id', 'ROW.user_id', 'ROW.id', 'ROW.version', 'ROW.deleted_at IS NOT NULL',
            ARRAY['version', 'calendar_id', 'deleted_at']),
        ('context', 'contexts', 'ROW.space_id', 'ROW.user_id', 'ROW.id', 'ROW.version', 'false',
            ARRAY['version', 'calendar_id']),
        ('task', 'tasks', 'ROW.space_id', 'ROW.user_id', 'ROW.id', 'ROW.version', 'false',
            ARRAY['version', 'context_id', 'made_from', 'after']),
        ('block', 'blocks', 'ROW.space_id', 'ROW.user_id', 'ROW.id', 'ROW.version', 'false',
            ARRAY['version', 'event_id']),
        ('proposal', 'proposals', 'ROW.space_id', 'ROW.user_id', 'ROW.id', 'ROW.version', 'false',
            ARRAY['version']),
        ('focus', 'focuses', 'ROW.space_id', 'ROW.user_id', 'ROW.id', 'ROW.version', 'false',
            ARRAY['version', 'block_id', 'overrun']),
        ('rollover', 'rollovers', 'ROW.space_id', 'ROW.user_id', 'ROW.id', 'NULL::bigint', 'false',
            ARRAY['undone_at', 'tasks', 'waiting']),
        ('conflict', 'conflicts', 'ROW.space_id', '(SELECT user_id FROM accounts WHERE id = ROW.account_id)', 'ROW.id', 'NULL::bigint', 'false',
            ARRAY['kind', 'status', 'winner', 'fields', 'base', 'local', 'remote', 'policy', 'severity', 'reason']),
        ('hold', 'holds', 'ROW.space_id', '(SELECT user_id FROM accounts WHERE id = ROW.account_id)', 'ROW.id', 'NULL::bigint', 'false',
            ARRAY['state', 'removed', 'reason']),
        ('notice', 'notices', 'ROW.space_id', 'ROW.user_id', 'ROW.id', 'NULL::bigint', 'false',
            ARRAY['text', 'severity', 'created_at', 'read_at'])
    ) AS listed (kind, name, space, owner, thing, version, deleted, watched) LOOP
        PERFORM calwarden_begins_to_change();
        of_row := format('%s, %s, %L, %s, %s, %s', it.space, it.owner, it.kind, it.thing, it.version, it.deleted);
        of_gone := format('%s, %s, %L, %s, %s, true', it.space, it.owner, it.kind, it.thing, it.version);
        SELECT string_agg(format('NEW.%1$I::text IS DISTINCT FROM OLD.%1$I::text', watched), ' OR ')
            INTO differs FROM unnest(it.watched) AS watched;
        EXECUTE format(
            'CREATE FUNCTION calwarden_%s_changed() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN '
            'PERFORM calwarden_begins_to_change(); IF TG_OP = ''DELETE'' THEN %s VALUES (%s); ELSE %s VALUES (%s); END IF; RETURN NULL; END $f$',
            it.name, written, replace(of_gone, 'ROW.', 'OLD.'), written, replace(of_row, 'ROW.', 'NEW.'));
        EXECUTE format(
            'CREATE TRIGGER appeared_or_gone AFTER INSERT OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION calwarden_%s_changed()',
            it.name, it.name);
        EXECUTE format(
            'CREATE TRIGGER changed AFTER UPDATE ON %I FOR EACH ROW WHEN (%s) EXECUTE FUNCTION calwarden_%s_changed()',
            it.name, differs, it.name);
        EXECUTE format('%s SELECT %s FROM %I', written, replace(of_row, 'ROW.', it.name || '.'), it.name);
    END LOOP;
END
$outer$;

-- What its owner has granted is shown with the account.
CREATE FUNCTION calwarden_grants_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM calwarden_begins_to_change();
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
        SELECT space_id, user_id, 'account', id, version, false FROM accounts WHERE id = NEW.account_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER changed AFTER UPDATE ON grants FOR EACH ROW WHEN (NEW.scopes IS DISTINCT FROM OLD.scopes)
    EXECUTE FUNCTION calwarden_grants_changed();

CREATE FUNCTION calwarden_empty_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM conflicts WHERE account_id = OLD.id;
    DELETE FROM holds WHERE account_id = OLD.id;
    DELETE FROM calendars WHERE account_id = OLD.id;
    RETURN OLD;
END
$$;
CREATE TRIGGER emptied BEFORE DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION calwarden_empty_account();

ALTER TABLE changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE changes FORCE ROW LEVEL SECURITY;
CREATE POLICY spaces ON changes USING (calwarden_admits(space_id));
DO $$
BEGIN
    GRANT USAGE, SELECT ON SEQUENCE changes_seq TO calwarden_app;
EXCEPTION WHEN undefined_object THEN
    RAISE NOTICE 'role calwarden_app does not exist, nothing was granted';
END
$$;
