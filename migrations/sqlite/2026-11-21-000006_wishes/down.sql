ALTER TABLE owed_plans DROP COLUMN wishes;
