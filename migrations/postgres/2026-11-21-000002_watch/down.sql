DROP TABLE busy_blocks;
DROP TABLE busy_reads;
DROP TABLE consents;
DROP TABLE grants;
ALTER TABLE channels DROP COLUMN heard_at;
