-- How often a plan was wished for since none was owed: news that come while one is made are not settled with it.
ALTER TABLE owed_plans ADD COLUMN wishes INTEGER NOT NULL DEFAULT 1;
