-- New messages in the order of their commits, until they are moved to `message`. Each appears in one
-- of the two tables. The rows have no index: there are few of them, and a commit then writes to the
-- last page of the table alone.
CREATE TABLE intake (
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    messages     INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    author       TEXT    NOT NULL,
    stay         TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    kind         INTEGER NOT NULL,
    body         TEXT    NOT NULL,
    attachments  BLOB
) STRICT;
