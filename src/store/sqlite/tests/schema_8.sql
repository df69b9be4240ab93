-- A database of schema 8 that sqlx had made, as text.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(1,'logs','2026-11-28 20:02:05',1,X'1509738b08b114f9a1ee15485fdedc01eb1894c9d95fc3e9478c7211761fa4a423c9b21e1e795e1c40ec2d09d3b2b2c2',5725817);
INSERT INTO _sqlx_migrations VALUES(2,'names and devices','2026-11-28 20:02:05',1,X'258bd06d9c71c97aa1e080ed061055ef46c12617258484432752aff9021284ef59989785df9ea98110487d8e52f90581',3264312);
INSERT INTO _sqlx_migrations VALUES(3,'members and changes','2026-11-28 20:02:05',1,X'18e19fc59c79ccad5e0d9107fc2ed6fe2d45fa7bf68c69ebdfd2fd73fd8981d79296364cabf721b7da24d6c518265549',8051636);
INSERT INTO _sqlx_migrations VALUES(4,'name keys','2026-11-28 20:02:05',1,X'f3c3edd19d59393c1e4a07be61c62c62cc774a8112e8a4e06f326456cafbabe815bae3ebf5e87f66b3c1875767b78068',11963890);
INSERT INTO _sqlx_migrations VALUES(5,'deleted messages','2026-11-28 20:02:05',1,X'0dd16cd1534361c7bc1fa781cc29a80f78ce73e4ef5c08ae4a535bfa9b71cb9dabec6229a20eccb34e3cffe07912fe4b',6894302);
INSERT INTO _sqlx_migrations VALUES(6,'online guests','2026-11-28 20:02:05',1,X'ccbe2ca90e077b4ce1fa14f564fc825ee40b857c9f52f02d1f84f8186b40bfcf12963cfdc18c9c8b81414a38eb8a806c',8012411);
INSERT INTO _sqlx_migrations VALUES(7,'expired guests','2026-11-28 20:02:05',1,X'5fa6fcb494441b0f0ee91752bb4b579cd1a32f2a27cabd5f679e51ac6738cd2a84e04e3e10e3f2e042ebb9cf76a72578',12054888);
INSERT INTO _sqlx_migrations VALUES(8,'guest messages','2026-11-28 20:02:05',1,X'06ba5f626c4d066bd0e357dd8afcb6b110914d4d5b3a362d5dc6a4576cb54441f51debbc5dbd8f4f44308cc2714f8fe6',16007088);
CREATE TABLE user (
    space   TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    vouched INTEGER NOT NULL CHECK (vouched IN (0, 1)), key TEXT NOT NULL DEFAULT '', stay TEXT, seen INTEGER, kept INTEGER NOT NULL DEFAULT 1 CHECK (kept IN (0, 1)), online_since INTEGER,
    PRIMARY KEY (space, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL
, key_rule INTEGER NOT NULL DEFAULT 1) STRICT;
INSERT INTO meta VALUES(1,'old',2);
CREATE TABLE device (
    space TEXT    NOT NULL,
    user  TEXT    NOT NULL,
    id    TEXT    NOT NULL,
    seen  INTEGER NOT NULL,
    PRIMARY KEY (space, user, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS "conversation" (
    id             INTEGER PRIMARY KEY,
    space          TEXT    NOT NULL,
    kind           INTEGER NOT NULL CHECK (kind IN (0, 1, 2)),
    one            TEXT    NOT NULL,
    other          TEXT    NOT NULL,
    head           INTEGER NOT NULL DEFAULT 0,
    messages       INTEGER NOT NULL DEFAULT 0,
    floor          INTEGER NOT NULL DEFAULT 0,
    floor_messages INTEGER NOT NULL DEFAULT 0,
    members        INTEGER NOT NULL DEFAULT 0,
    said_at        INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (space, kind, one, other)
) STRICT;
CREATE TABLE IF NOT EXISTS "message" (
    conversation INTEGER NOT NULL REFERENCES "conversation" (id),
    seq          INTEGER NOT NULL,
    messages     INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    kind         INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 5),
    target       INTEGER CHECK ((target IS NOT NULL) = (kind >= 4)),
    edited_at    INTEGER,
    edit         INTEGER,
    deletion     INTEGER,
    author       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    body         TEXT CHECK ((body IS NULL) = (target IS NOT NULL OR deletion IS NOT NULL)),
    attachments  BLOB CHECK (attachments IS NULL OR body IS NOT NULL), stay TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (conversation, seq)
) STRICT;
CREATE TABLE member (
    space         TEXT    NOT NULL,
    user          TEXT    NOT NULL,
    conversation  INTEGER NOT NULL,
    role          INTEGER NOT NULL CHECK (role BETWEEN 0 AND 3),
    joined        INTEGER NOT NULL,
    read          INTEGER NOT NULL,
    read_messages INTEGER NOT NULL,
    muted         INTEGER NOT NULL CHECK (muted IN (0, 1)),
    PRIMARY KEY (space, user, conversation)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_vouched_key ON user (space, key) WHERE vouched = 1;
CREATE INDEX user_guest ON user (seen) WHERE stay IS NOT NULL AND kept = 1;
CREATE TRIGGER member_made AFTER INSERT ON member BEGIN
    UPDATE conversation SET members = members + 1 WHERE id = NEW.conversation;
    UPDATE user SET kept = 1 WHERE space = NEW.space AND name = NEW.user AND kept = 0;
END;
CREATE TRIGGER member_gone AFTER DELETE ON member BEGIN
    UPDATE conversation SET members = members - 1 WHERE id = OLD.conversation;
END;
CREATE INDEX message_deleted ON message (conversation, seq) WHERE deletion IS NOT NULL;
CREATE TRIGGER message_deletion AFTER UPDATE OF deletion ON message
WHEN OLD.deletion IS NULL AND NEW.deletion IS NOT NULL BEGIN
    UPDATE conversation SET deleted = deleted + 1 WHERE id = NEW.conversation;
END;
CREATE TRIGGER message_trimmed AFTER DELETE ON message
WHEN OLD.deletion IS NOT NULL BEGIN
    UPDATE conversation SET deleted = deleted - 1 WHERE id = OLD.conversation;
END;
CREATE INDEX user_online ON user (space, name) WHERE online_since IS NOT NULL;
CREATE INDEX conversation_empty ON conversation (members) WHERE head = 0 AND members = 0;
CREATE UNIQUE INDEX message_once ON message (conversation, id, author, stay) WHERE target IS NULL;
COMMIT;
