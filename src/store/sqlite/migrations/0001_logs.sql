-- One log per conversation. Rows of `conversation` are never deleted: `head` outlives the messages
-- that retention takes away, so that no seq is ever used twice.
CREATE TABLE conversation (
    id    INTEGER PRIMARY KEY,
    space TEXT    NOT NULL,
    kind  INTEGER NOT NULL CHECK (kind IN (0, 1)), -- 0 room, 1 direct
    one   TEXT    NOT NULL, -- the room, or the first user by name
    other TEXT    NOT NULL, -- '', or the second user
    head  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (space, kind, one, other)
) STRICT;

-- A table by rowid, so that the messages of all conversations go to the last page together. Clustered
-- by (conversation, seq) instead (WITHOUT ROWID), a batch for 64 rooms cost a quarter more, and
-- bodies of 2 KB twice as much, for history that was read no faster.
-- `attachments` is NULL for most messages, else every byte string with its length before it (u32,
-- little endian): they are only ever read together with their message, so a table of their own
-- would cost a join and an index and serve nobody.
CREATE TABLE message (
    conversation INTEGER NOT NULL REFERENCES conversation (id),
    seq          INTEGER NOT NULL,
    author       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    kind         INTEGER NOT NULL CHECK (kind IN (0, 1, 2)), -- 0 Message, 1 GroupChat, 2 SingleChat
    body         TEXT    NOT NULL,
    attachments  BLOB,
    at           INTEGER NOT NULL, -- milliseconds since 1970-01-01T00:00:00Z
    PRIMARY KEY (conversation, seq)
) STRICT;

-- An id stands before its author because ids that the server makes grow with time: the entries of a
-- busy room then go to one page instead of one per author.
CREATE UNIQUE INDEX message_once ON message (conversation, id, author);

-- Users who ever came. A name that the back end once vouched for is never a guest's again.
CREATE TABLE user (
    space   TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    vouched INTEGER NOT NULL CHECK (vouched IN (0, 1)),
    PRIMARY KEY (space, name)
) STRICT, WITHOUT ROWID;

-- One row. `epoch` tells this database from one that replaced it.
CREATE TABLE meta (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL
) STRICT;

INSERT INTO meta (one, epoch) VALUES (1, lower(hex(randomblob(16))));
