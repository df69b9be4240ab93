-- A node that has left keeps its claims of guest names for a grace period, so that its guests find
-- their names on another node. Nodes of the version before take it for alive until its lease ends.
ALTER TABLE node ADD COLUMN gone boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN node.gone IS 'the node has left, at its last beat';
