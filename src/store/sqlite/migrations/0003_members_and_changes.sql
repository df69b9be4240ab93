-- Members, edits, deletions, inboxes and retention. Tables are made anew where a CHECK was too
-- narrow; `message` goes before the `conversation` that it refers to.

-- One log per conversation. Rows are never deleted: `head` outlives the entries that retention
-- takes away, so that no seq is ever used twice.
CREATE TABLE conversation_new (
    id             INTEGER PRIMARY KEY,
    space          TEXT    NOT NULL,
    kind           INTEGER NOT NULL CHECK (kind IN (0, 1, 2)), -- 0 room, 1 direct, 2 inbox
    one            TEXT    NOT NULL, -- the room, the first user by name, or the user
    other          TEXT    NOT NULL, -- '', or the second user
    head           INTEGER NOT NULL DEFAULT 0, -- the last entry
    messages       INTEGER NOT NULL DEFAULT 0, -- up to the head
    floor          INTEGER NOT NULL DEFAULT 0, -- the last entry that is not kept any more
    floor_messages INTEGER NOT NULL DEFAULT 0, -- up to the floor
    members        INTEGER NOT NULL DEFAULT 0, -- kept by the triggers of `member`
    said_at        INTEGER NOT NULL DEFAULT 0, -- when something was said last
    UNIQUE (space, kind, one, other)
) STRICT;

INSERT INTO conversation_new (id, space, kind, one, other, head, messages, said_at)
    SELECT id, space, kind, one, other, head, head, coalesce(
        (SELECT at FROM message WHERE conversation = conversation.id AND seq = head), 0)
    FROM conversation;

-- A table by rowid, so that the entries of all conversations go to the last page together.
-- Clustered by (conversation, seq) instead (WITHOUT ROWID), a batch for 64 rooms cost a quarter
-- more, and bodies of 2 KB twice as much, for history that was read no faster.
-- A body is in the row of its message and nowhere else: an edit changes it there, a deletion leaves
-- NULL there, and their own rows have none. It stands last, so that who looks for other columns
-- does not read it.
-- `attachments` is NULL for most messages, else every byte string with its length before it (u32,
-- little endian): they are only ever read together with their message, so a table of their own
-- would cost a join and an index and serve nobody.
CREATE TABLE message_new (
    conversation INTEGER NOT NULL REFERENCES conversation_new (id),
    seq          INTEGER NOT NULL,
    messages     INTEGER NOT NULL, -- up to here and with this one
    at           INTEGER NOT NULL, -- milliseconds since 1970-01-01T00:00:00Z
    -- 0 Message, 1 GroupChat, 2 SingleChat, 3 Notification, 4 an edit, 5 a deletion
    kind         INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 5),
    target       INTEGER CHECK ((target IS NOT NULL) = (kind >= 4)), -- the message that is changed
    edited_at    INTEGER, -- when the message was edited last
    edit         INTEGER, -- the entry that did
    deletion     INTEGER, -- the entry that deleted the message
    author       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    body         TEXT CHECK ((body IS NULL) = (target IS NOT NULL OR deletion IS NOT NULL)),
    attachments  BLOB CHECK (attachments IS NULL OR body IS NOT NULL),
    PRIMARY KEY (conversation, seq)
) STRICT;

INSERT INTO message_new (conversation, seq, messages, at, kind, author, id, body, attachments)
    SELECT conversation, seq, seq, at, kind, author, id, body, attachments
    FROM message ORDER BY rowid;

DROP TABLE message;
DROP TABLE conversation;
ALTER TABLE conversation_new RENAME TO conversation;
ALTER TABLE message_new RENAME TO message;

-- An id stands before its author because ids that the server makes grow with time: the entries of a
-- busy room then go to one page instead of one per author. Changes carry the id of what they
-- change.
CREATE UNIQUE INDEX message_once ON message (conversation, id, author) WHERE target IS NULL;

-- `stay`: the mark of the guest who had the name last; NULL where that was a user of the back end,
-- '' where it was a guest of before this column.
ALTER TABLE user ADD COLUMN stay TEXT;
-- When they came or went last, if that is known.
ALTER TABLE user ADD COLUMN seen INTEGER;
-- 0 where a guest is a member of nothing for certain, so that nobody looks again.
ALTER TABLE user ADD COLUMN kept INTEGER NOT NULL DEFAULT 1 CHECK (kept IN (0, 1));

UPDATE user SET
    stay = CASE vouched WHEN 0 THEN '' END,
    seen = (SELECT max(seen) FROM device WHERE device.space = user.space AND device.user = name);

CREATE INDEX user_guest ON user (seen) WHERE stay IS NOT NULL AND kept = 1;

-- Who is in a conversation. All that a user is a member of is one run of rows. It does not refer to
-- `conversation`, of which no row is ever deleted: SQLite would prepare, for each that is made, to
-- look through this whole table for rows that waited for it.
CREATE TABLE member (
    space         TEXT    NOT NULL,
    user          TEXT    NOT NULL,
    conversation  INTEGER NOT NULL,
    role          INTEGER NOT NULL CHECK (role BETWEEN 0 AND 3), -- reader, member, admin, owner
    joined        INTEGER NOT NULL, -- the last entry before they came
    read          INTEGER NOT NULL, -- the last entry that they have read
    read_messages INTEGER NOT NULL, -- up to it
    muted         INTEGER NOT NULL CHECK (muted IN (0, 1)),
    PRIMARY KEY (space, user, conversation)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER member_made AFTER INSERT ON member BEGIN
    UPDATE conversation SET members = members + 1 WHERE id = NEW.conversation;
    UPDATE user SET kept = 1 WHERE space = NEW.space AND name = NEW.user AND kept = 0;
END;

CREATE TRIGGER member_gone AFTER DELETE ON member BEGIN
    UPDATE conversation SET members = members - 1 WHERE id = OLD.conversation;
END;

-- Whoever the back end vouches for finds their direct conversations, all of them read. A guest of
-- before this version begins anew.
INSERT INTO member (space, user, conversation, role, joined, read, read_messages, muted)
    SELECT space, name, id, 1, 0, head, head, 0
    FROM (SELECT space, one AS name, id, head FROM conversation WHERE kind = 1
        UNION SELECT space, other, id, head FROM conversation WHERE kind = 1)
    JOIN user USING (space, name) WHERE vouched = 1;
