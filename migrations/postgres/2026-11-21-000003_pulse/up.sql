-- Written by readiness checks: a database that still reads but takes no writes is not ready.
CREATE TABLE pulse (
    id bigint NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL
);
