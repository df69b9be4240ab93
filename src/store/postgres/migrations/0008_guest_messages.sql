-- A guest is another author than earlier guests of the same name: an id belongs to the stay.
LOCK TABLE message IN ACCESS EXCLUSIVE MODE;

ALTER TABLE message ADD COLUMN stay text COLLATE "C" NOT NULL DEFAULT '';

COMMENT ON COLUMN message.stay IS 'the stay of the author, if that is a guest';

-- Messages after the joining of a guest belong to its stay. The stay of earlier ones is not known.
UPDATE message SET stay = "user".stay
FROM member JOIN "user" ON "user".space = member.space AND "user".name = member."user"
WHERE "user".stay IS NOT NULL AND message.conversation = member.conversation
    AND message.seq > member.joined AND message.author = member."user";

DROP INDEX message_once;
CREATE UNIQUE INDEX message_once ON message (conversation, id, author, stay) WHERE target IS NULL;
