-- A guest is another author than earlier guests of the same name: an id belongs to the stay.
ALTER TABLE message ADD COLUMN stay TEXT NOT NULL DEFAULT ''; -- as in `user`; '' for others

-- Messages after the joining of a guest belong to its stay. The stay of earlier ones is not known.
UPDATE message SET stay = guest.stay
FROM (SELECT member.conversation, member.user AS author, member.joined, user.stay
    FROM member JOIN user ON user.space = member.space AND user.name = member.user
    WHERE user.stay IS NOT NULL) AS guest
WHERE message.conversation = guest.conversation AND message.seq > guest.joined
    AND message.author = guest.author;

DROP INDEX message_once;
CREATE UNIQUE INDEX message_once ON message (conversation, id, author, stay) WHERE target IS NULL;
