-- Every change of what a person can see, in the order in which it became durable. The database appends the rows itself, in the
-- transaction of the change: what a cascade or a purge deletes is in them too, and no query can forget one. Times and counts that
-- each round moves are no change: when an account is next due, how often it failed, its list of rounds. `version` is NULL where a
-- thing has none. What belongs to an account is deleted before it, because the account says whose it is.
CREATE TABLE changes (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    space_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    thing TEXT NOT NULL,
    version INTEGER,
    deleted INTEGER NOT NULL,
    at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))
) STRICT;
CREATE INDEX changes_user ON changes (user_id, seq);
CREATE INDEX changes_at ON changes (at);

CREATE TRIGGER users_inserted AFTER INSERT ON users BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.home_space, NEW.id, 'user', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER users_updated AFTER UPDATE ON users
WHEN NEW.version IS NOT OLD.version BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.home_space, NEW.id, 'user', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER users_deleted AFTER DELETE ON users BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.home_space, OLD.id, 'user', OLD.id, OLD.version, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT home_space, id, 'user', id, version, 0 FROM users;

CREATE TRIGGER planning_rules_inserted AFTER INSERT ON planning_rules BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'planning_rules', NEW.user_id, NEW.version, 0);
END;
CREATE TRIGGER planning_rules_updated AFTER UPDATE ON planning_rules
WHEN NEW.version IS NOT OLD.version BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'planning_rules', NEW.user_id, NEW.version, 0);
END;
CREATE TRIGGER planning_rules_deleted AFTER DELETE ON planning_rules BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, OLD.user_id, 'planning_rules', OLD.user_id, OLD.version, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT space_id, user_id, 'planning_rules', user_id, version, 0 FROM planning_rules;

CREATE TRIGGER accounts_inserted AFTER INSERT ON accounts BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'account', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER accounts_updated AFTER UPDATE ON accounts
WHEN (NEW.version, NEW.status, NEW.status_reason, NEW.writes_through) IS NOT (OLD.version, OLD.status, OLD.status_reason, OLD.writes_through) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'account', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER accounts_deleted AFTER DELETE ON accounts BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, OLD.user_id, 'account', OLD.id, OLD.version, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT space_id, user_id, 'account', id, version, 0 FROM accounts;

CREATE TRIGGER calendars_inserted AFTER INSERT ON calendars BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, (SELECT user_id FROM accounts WHERE id = NEW.account_id), 'calendar', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER calendars_updated AFTER UPDATE ON calendars
WHEN (NEW.version, NEW.name, NEW.color, NEW.time_zone, NEW.read_only, NEW.gone_at, NEW.last_error) IS NOT (OLD.version, OLD.name, OLD.color, OLD.time_zone, OLD.read_only, OLD.gone_at, OLD.last_error) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, (SELECT user_id FROM accounts WHERE id = NEW.account_id), 'calendar', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER calendars_deleted AFTER DELETE ON calendars BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, (SELECT user_id FROM accounts WHERE id = OLD.account_id), 'calendar', OLD.id, OLD.version, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT calendars.space_id, (SELECT user_id FROM accounts WHERE id = calendars.account_id), 'calendar', calendars.id, calendars.version, 0 FROM calendars;

CREATE TRIGGER events_inserted AFTER INSERT ON events BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'event', NEW.id, NEW.version, NEW.deleted_at IS NOT NULL);
END;
CREATE TRIGGER events_updated AFTER UPDATE ON events
WHEN (NEW.version, NEW.calendar_id, NEW.deleted_at) IS NOT (OLD.version, OLD.calendar_id, OLD.deleted_at) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'event', NEW.id, NEW.version, NEW.deleted_at IS NOT NULL);
END;
CREATE TRIGGER events_deleted AFTER DELETE ON events BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, OLD.user_id, 'event', OLD.id, OLD.version, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT space_id, user_id, 'event', id, version, deleted_at IS NOT NULL FROM events;

CREATE TRIGGER contexts_inserted AFTER INSERT ON contexts BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'context', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER contexts_updated AFTER UPDATE ON contexts
WHEN (NEW.version, NEW.calendar_id) IS NOT (OLD.version, OLD.calendar_id) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'context', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER contexts_deleted AFTER DELETE ON contexts BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, OLD.user_id, 'context', OLD.id, OLD.version, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT space_id, user_id, 'context', id, version, 0 FROM contexts;

CREATE TRIGGER tasks_inserted AFTER INSERT ON tasks BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'task', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER tasks_updated AFTER UPDATE ON tasks
WHEN (NEW.version, NEW.context_id, NEW.made_from, NEW.after) IS NOT (OLD.version, OLD.context_id, OLD.made_from, OLD.after) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'task', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER tasks_deleted AFTER DELETE ON tasks BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, OLD.user_id, 'task', OLD.id, OLD.version, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT space_id, user_id, 'task', id, version, 0 FROM tasks;

CREATE TRIGGER blocks_inserted AFTER INSERT ON blocks BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'block', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER blocks_updated AFTER UPDATE ON blocks
WHEN (NEW.version, NEW.event_id) IS NOT (OLD.version, OLD.event_id) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'block', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER blocks_deleted AFTER DELETE ON blocks BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, OLD.user_id, 'block', OLD.id, OLD.version, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT space_id, user_id, 'block', id, version, 0 FROM blocks;

CREATE TRIGGER proposals_inserted AFTER INSERT ON proposals BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'proposal', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER proposals_updated AFTER UPDATE ON proposals
WHEN NEW.version IS NOT OLD.version BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'proposal', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER proposals_deleted AFTER DELETE ON proposals BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, OLD.user_id, 'proposal', OLD.id, OLD.version, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT space_id, user_id, 'proposal', id, version, 0 FROM proposals;

CREATE TRIGGER focuses_inserted AFTER INSERT ON focuses BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'focus', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER focuses_updated AFTER UPDATE ON focuses
WHEN (NEW.version, NEW.block_id, NEW.overrun) IS NOT (OLD.version, OLD.block_id, OLD.overrun) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'focus', NEW.id, NEW.version, 0);
END;
CREATE TRIGGER focuses_deleted AFTER DELETE ON focuses BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, OLD.user_id, 'focus', OLD.id, OLD.version, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT space_id, user_id, 'focus', id, version, 0 FROM focuses;

CREATE TRIGGER rollovers_inserted AFTER INSERT ON rollovers BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'rollover', NEW.id, NULL, 0);
END;
CREATE TRIGGER rollovers_updated AFTER UPDATE ON rollovers
WHEN (NEW.undone_at, NEW.tasks, NEW.waiting) IS NOT (OLD.undone_at, OLD.tasks, OLD.waiting) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'rollover', NEW.id, NULL, 0);
END;
CREATE TRIGGER rollovers_deleted AFTER DELETE ON rollovers BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, OLD.user_id, 'rollover', OLD.id, NULL, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT space_id, user_id, 'rollover', id, NULL, 0 FROM rollovers;

CREATE TRIGGER conflicts_inserted AFTER INSERT ON conflicts BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, (SELECT user_id FROM accounts WHERE id = NEW.account_id), 'conflict', NEW.id, NULL, 0);
END;
CREATE TRIGGER conflicts_updated AFTER UPDATE ON conflicts
WHEN (NEW.kind, NEW.status, NEW.winner, NEW.fields, NEW.base, NEW.local, NEW.remote, NEW.policy, NEW.severity, NEW.reason) IS NOT (OLD.kind, OLD.status, OLD.winner, OLD.fields, OLD.base, OLD.local, OLD.remote, OLD.policy, OLD.severity, OLD.reason) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, (SELECT user_id FROM accounts WHERE id = NEW.account_id), 'conflict', NEW.id, NULL, 0);
END;
CREATE TRIGGER conflicts_deleted AFTER DELETE ON conflicts BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, (SELECT user_id FROM accounts WHERE id = OLD.account_id), 'conflict', OLD.id, NULL, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT conflicts.space_id, (SELECT user_id FROM accounts WHERE id = conflicts.account_id), 'conflict', conflicts.id, NULL, 0 FROM conflicts;

CREATE TRIGGER holds_inserted AFTER INSERT ON holds BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, (SELECT user_id FROM accounts WHERE id = NEW.account_id), 'hold', NEW.id, NULL, 0);
END;
CREATE TRIGGER holds_updated AFTER UPDATE ON holds
WHEN (NEW.state, NEW.removed, NEW.reason) IS NOT (OLD.state, OLD.removed, OLD.reason) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, (SELECT user_id FROM accounts WHERE id = NEW.account_id), 'hold', NEW.id, NULL, 0);
END;
CREATE TRIGGER holds_deleted AFTER DELETE ON holds BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, (SELECT user_id FROM accounts WHERE id = OLD.account_id), 'hold', OLD.id, NULL, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT holds.space_id, (SELECT user_id FROM accounts WHERE id = holds.account_id), 'hold', holds.id, NULL, 0 FROM holds;

CREATE TRIGGER notices_inserted AFTER INSERT ON notices BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'notice', NEW.id, NULL, 0);
END;
CREATE TRIGGER notices_updated AFTER UPDATE ON notices
WHEN (NEW.text, NEW.severity, NEW.created_at, NEW.read_at) IS NOT (OLD.text, OLD.severity, OLD.created_at, OLD.read_at) BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (NEW.space_id, NEW.user_id, 'notice', NEW.id, NULL, 0);
END;
CREATE TRIGGER notices_deleted AFTER DELETE ON notices BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    VALUES (OLD.space_id, OLD.user_id, 'notice', OLD.id, NULL, 1);
END;
INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
SELECT space_id, user_id, 'notice', id, NULL, 0 FROM notices;

-- What its owner has granted is shown with the account.
CREATE TRIGGER grants_updated AFTER UPDATE ON grants WHEN NEW.scopes IS NOT OLD.scopes BEGIN
    INSERT INTO changes (space_id, user_id, kind, thing, version, deleted)
    SELECT space_id, user_id, 'account', id, version, 0 FROM accounts WHERE id = NEW.account_id;
END;

CREATE TRIGGER accounts_emptied BEFORE DELETE ON accounts BEGIN
    DELETE FROM conflicts WHERE account_id = OLD.id;
    DELETE FROM holds WHERE account_id = OLD.id;
    DELETE FROM calendars WHERE account_id = OLD.id;
END;
