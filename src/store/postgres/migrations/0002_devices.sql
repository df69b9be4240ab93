-- A device that is connected to two nodes is one. Nodes of the version before write none of these
-- names, and count as before.
ALTER TABLE online ADD COLUMN named text[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN online.named IS 'the ids of those of the devices that have one';
