-- The version of the rule by which `user.key` is made (`NameKey::RULE`). Keys of an earlier rule are
-- made anew when the database is opened.
ALTER TABLE meta ADD COLUMN key_rule INTEGER NOT NULL DEFAULT 1;
