-- Rows of `conversation` with a head are never deleted, so that no seq is used twice. A row without
-- one is deleted with its last member. There is no index for these rows: it would make each change
-- of `head` write to all indexes.
DELETE FROM conversation WHERE head = 0 AND members = 0;

-- Retention deletes the rows of guests. Those that it left before are visited once more. `kept` is
-- false for guests with a name that was registered once: these rows stay.
UPDATE "user" SET kept = true WHERE stay IS NOT NULL AND NOT vouched AND NOT kept;
