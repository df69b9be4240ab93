-- What a reader takes the name for (`NameKey`): guests may not have a name that looks like a user's.
-- '' in rows of before this column; they are filled in when the database is opened.
ALTER TABLE user ADD COLUMN key TEXT NOT NULL DEFAULT '';

CREATE INDEX user_vouched_key ON user (space, key) WHERE vouched = 1;

-- The devices with which a user came, the newest few.
CREATE TABLE device (
    space TEXT    NOT NULL,
    user  TEXT    NOT NULL,
    id    TEXT    NOT NULL,
    seen  INTEGER NOT NULL, -- milliseconds since 1970-01-01T00:00:00Z
    PRIMARY KEY (space, user, id)
) STRICT, WITHOUT ROWID;
