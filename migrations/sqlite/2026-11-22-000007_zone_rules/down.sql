DROP TABLE zone_rules;
