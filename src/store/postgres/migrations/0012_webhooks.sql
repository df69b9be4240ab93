-- Events that webhooks are told of, until they are delivered. No id is used twice: receivers know
-- events by them. `fields` depends on `type`.
CREATE TABLE webhook_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook text COLLATE "C" NOT NULL,
    -- Events of one subject are delivered in order.
    subject text COLLATE "C" NOT NULL,
    space text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    fields text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    -- The request that it is sent with, where that may have several.
    batch text COLLATE "C",
    attempts bigint NOT NULL DEFAULT 0,
    failure text COLLATE "C",
    dead_at bigint
);

-- In the order in which they are sent.
CREATE INDEX webhook_event_waiting ON webhook_event (webhook, (batch IS NULL), id)
    WHERE dead_at IS NULL;

CREATE INDEX webhook_event_dead ON webhook_event (id) WHERE dead_at IS NOT NULL;

CREATE INDEX webhook_event_at ON webhook_event (at);

-- Who or what is present on which node. Kinds: 0 users, 1 rooms, 2 connections.
CREATE TABLE webhook_presence (
    space text COLLATE "C" NOT NULL,
    kind bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    -- The user and the address of a connection.
    client text COLLATE "C" NOT NULL,
    PRIMARY KEY (space, kind, name, node)
);

CREATE INDEX webhook_presence_node ON webhook_presence (node);

-- The node that sends the events of a webhook.
CREATE TABLE webhook_lease (
    webhook text COLLATE "C" PRIMARY KEY,
    node text COLLATE "C" NOT NULL,
    until timestamptz NOT NULL
);
