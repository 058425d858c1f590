-- With which release of the time zones' rules the blocks of a zone were looked at last.
CREATE TABLE zone_rules (
    zone text NOT NULL PRIMARY KEY,
    release text NOT NULL
);
