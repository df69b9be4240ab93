-- The version of the rule by which `"user".key` and `guest_name.key` are made (`NameKey::RULE`). Keys
-- of an earlier rule are made anew when the database is opened.
ALTER TABLE meta ADD COLUMN key_rule bigint NOT NULL DEFAULT 1;
