-- The id stands first, so that ids that grow with time (UUIDv7, ULID, all that the server makes) go
-- to the last page together, whatever their conversations: a commit of 64 messages for 64 rooms then
-- writes one page of this index in place of 64.
DROP INDEX message_once;
CREATE UNIQUE INDEX message_once ON message (id, conversation, author, stay) WHERE target IS NULL;
