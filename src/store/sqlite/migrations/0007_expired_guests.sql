-- Rows of `conversation` with a head are never deleted, so that no seq is used twice. A row without
-- one is deleted with its last member: this index finds it.
DELETE FROM conversation WHERE head = 0 AND members = 0;

CREATE INDEX conversation_empty ON conversation (members) WHERE head = 0 AND members = 0;

-- Retention deletes the rows of guests. Those that it left before are visited once more. `kept` is 0
-- for guests with a name that was registered once: these rows stay.
UPDATE user SET kept = 1 WHERE stay IS NOT NULL AND vouched = 0 AND kept = 0;
