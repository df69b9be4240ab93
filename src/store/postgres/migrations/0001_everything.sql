-- Logs, members, users, devices; and which nodes there are. As in SQLite, but for what several
-- writers need. Text is compared byte by byte, as in Rust. Nothing refers to anything by a foreign
-- key: rows of `conversation` are never deleted, and each check would lock the row that it looks at.

-- One log per conversation. Rows are never deleted: `head` outlives the entries that retention
-- takes away, so that no seq is ever used twice. Whoever changes anything in a conversation has its
-- row locked, so this is where the commits of several nodes queue. The rows change with every
-- message: the space left free on each page lets them change in place.
CREATE TABLE conversation (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space          text COLLATE "C" NOT NULL,
    kind           bigint NOT NULL CHECK (kind IN (0, 1, 2)), -- 0 room, 1 direct, 2 inbox
    one            text COLLATE "C" NOT NULL, -- the room, the first user by name, or the user
    other          text COLLATE "C" NOT NULL, -- '', or the second user
    head           bigint NOT NULL DEFAULT 0, -- the last entry
    messages       bigint NOT NULL DEFAULT 0, -- up to the head
    floor          bigint NOT NULL DEFAULT 0, -- the last entry that is not kept any more
    floor_messages bigint NOT NULL DEFAULT 0, -- up to the floor
    members        bigint NOT NULL DEFAULT 0, -- rows of `member`
    said_at        bigint NOT NULL DEFAULT 0, -- when something was said last
    UNIQUE (space, kind, one, other)
) WITH (fillfactor = 50);

-- A body is in the row of its message and nowhere else: an edit changes it there, a deletion leaves
-- NULL there, and their own rows have none. It is JSON, but kept as the text that it came as.
-- `attachments` is NULL for most messages, else every byte string with its length before it (u32,
-- little endian).
CREATE TABLE message (
    conversation bigint NOT NULL,
    seq          bigint NOT NULL,
    messages     bigint NOT NULL, -- up to here and with this one
    at           bigint NOT NULL, -- milliseconds since 1970-01-01T00:00:00Z
    -- 0 Message, 1 GroupChat, 2 SingleChat, 3 Notification, 4 an edit, 5 a deletion
    kind         bigint NOT NULL CHECK (kind BETWEEN 0 AND 5),
    target       bigint CHECK ((target IS NOT NULL) = (kind >= 4)), -- the message that is changed
    edited_at    bigint, -- when the message was edited last
    edit         bigint, -- the entry that did
    deletion     bigint, -- the entry that deleted the message
    author       text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    body         text CHECK ((body IS NULL) = (target IS NOT NULL OR deletion IS NOT NULL)),
    attachments  bytea CHECK (attachments IS NULL OR body IS NOT NULL),
    PRIMARY KEY (conversation, seq)
);

-- An id stands before its author because ids that the server makes grow with time: the entries of a
-- busy room then go to one page instead of one per author. Changes carry the id of what they
-- change.
CREATE UNIQUE INDEX message_once ON message (conversation, id, author) WHERE target IS NULL;

-- Users who ever came. A name that the back end once vouched for is never a guest's again. Whoever
-- changes what a user is a member of has their row locked, where there is one.
CREATE TABLE "user" (
    space    text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    vouched  boolean NOT NULL,
    key      text COLLATE "C" NOT NULL, -- what a reader takes the name for
    stay     text COLLATE "C", -- the mark of the guest who had the name last; NULL: a user
    seen     bigint NOT NULL, -- when they came or went last
    -- False where a guest is a member of nothing for certain, so that nobody looks again.
    kept     boolean NOT NULL DEFAULT true,
    revision bigint NOT NULL DEFAULT 1, -- grows with every change of what they are a member of
    PRIMARY KEY (space, name)
) WITH (fillfactor = 70);

CREATE INDEX user_vouched_key ON "user" (space, key) WHERE vouched;
CREATE INDEX user_guest ON "user" (seen) WHERE stay IS NOT NULL AND kept;

-- The devices with which a user came, the newest few.
CREATE TABLE device (
    space  text COLLATE "C" NOT NULL,
    "user" text COLLATE "C" NOT NULL,
    id     text COLLATE "C" NOT NULL,
    seen   bigint NOT NULL, -- milliseconds since 1970-01-01T00:00:00Z
    PRIMARY KEY (space, "user", id)
) WITH (fillfactor = 70);

-- Who is in a conversation. `conversation.members` counts the rows.
CREATE TABLE member (
    space         text COLLATE "C" NOT NULL,
    "user"        text COLLATE "C" NOT NULL,
    conversation  bigint NOT NULL,
    role          bigint NOT NULL CHECK (role BETWEEN 0 AND 3), -- reader, member, admin, owner
    joined        bigint NOT NULL, -- the last entry before they came
    read          bigint NOT NULL, -- the last entry that they have read
    read_messages bigint NOT NULL, -- up to it
    muted         boolean NOT NULL,
    PRIMARY KEY (space, "user", conversation)
) WITH (fillfactor = 70);

-- The processes that live, or did, by this server's clock.
CREATE TABLE node (
    id   text COLLATE "C" PRIMARY KEY,
    beat timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Which guests' names are claimed on which nodes, and by which stay.
CREATE TABLE guest_name (
    space text COLLATE "C" NOT NULL,
    key   text COLLATE "C" NOT NULL, -- what a reader takes the name for
    node  text COLLATE "C" NOT NULL,
    stay  text COLLATE "C" NOT NULL,
    name  text COLLATE "C" NOT NULL,
    PRIMARY KEY (space, key, node, stay)
);

CREATE INDEX guest_name_node ON guest_name (node);

-- What nodes are to be told that they have lost. A row stays until its node beats once more after
-- it was told: an answer may be lost, too.
CREATE TABLE lost_name (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node  text COLLATE "C" NOT NULL,
    space text COLLATE "C" NOT NULL,
    name  text COLLATE "C" NOT NULL,
    stay  text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX lost_name_node ON lost_name (node);

-- On how many devices users are on which nodes.
CREATE TABLE online (
    space   text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    node    text COLLATE "C" NOT NULL,
    devices bigint NOT NULL,
    PRIMARY KEY (space, name, node)
);

CREATE INDEX online_node ON online (node);

-- One row. `epoch` tells this database from one that replaced it.
CREATE TABLE meta (
    one   bigint PRIMARY KEY CHECK (one = 1),
    epoch text NOT NULL
);

INSERT INTO meta (one, epoch) VALUES (1, replace(gen_random_uuid()::text, '-', ''));

-- Numbers that grow with every one that is drawn, on whatever node: who came last.
CREATE SEQUENCE ticket;
