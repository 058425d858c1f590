DROP TABLE busy_blocks;
DROP TABLE busy_reads;
ALTER TABLE channels DROP COLUMN heard_at;
