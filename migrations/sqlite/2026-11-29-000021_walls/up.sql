-- SQLite has no second wall; see the twin.
SELECT 1;
