-- Written by readiness checks: a database that still reads but takes no writes is not ready.
CREATE TABLE pulse (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;
