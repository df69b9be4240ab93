-- Events that webhooks are told of, until they are delivered. No id is used twice: receivers know
-- events by them. `fields` depends on `type`.
CREATE TABLE webhook_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook TEXT NOT NULL,
    -- Events of one subject are delivered in order.
    subject TEXT NOT NULL,
    space TEXT NOT NULL,
    type TEXT NOT NULL,
    fields TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- The request that it is sent with, where that may have several.
    batch TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    failure TEXT,
    dead_at INTEGER
) STRICT;

-- In the order in which they are sent.
CREATE INDEX webhook_event_waiting ON webhook_event (webhook, batch IS NULL, id)
    WHERE dead_at IS NULL;

CREATE INDEX webhook_event_dead ON webhook_event (id) WHERE dead_at IS NOT NULL;

CREATE INDEX webhook_event_at ON webhook_event (at);

-- Who or what is present on which node. Kinds: 0 users, 1 rooms, 2 connections.
CREATE TABLE webhook_presence (
    space TEXT NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    node TEXT NOT NULL,
    -- The user and the address of a connection.
    client TEXT NOT NULL,
    PRIMARY KEY (space, kind, name, node)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_presence_node ON webhook_presence (node);
