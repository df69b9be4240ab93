-- Deleted messages are not unread. A conversation counts all that it still has; those after the read
-- position of a member are counted by the index when its memberships are read. Triggers keep the
-- count, so that nodes of the version before keep it, too.

-- Running commits of other nodes end first: they lock a conversation before its messages.
LOCK TABLE conversation IN EXCLUSIVE MODE;
LOCK TABLE message IN ACCESS EXCLUSIVE MODE;

ALTER TABLE conversation ADD COLUMN deleted bigint NOT NULL DEFAULT 0;

COMMENT ON COLUMN conversation.deleted IS 'the deleted messages that are still kept';

CREATE INDEX message_deleted ON message (conversation, seq) WHERE deletion IS NOT NULL;

UPDATE conversation SET deleted = gone.messages
FROM (SELECT conversation AS id, count(*) AS messages FROM message
    WHERE deletion IS NOT NULL GROUP BY 1) AS gone
WHERE conversation.id = gone.id;

CREATE FUNCTION count_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE conversation SET deleted = deleted + 1 WHERE id = NEW.conversation;
    RETURN NULL;
END $$;

CREATE FUNCTION count_trimmed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE conversation SET deleted = deleted - 1 WHERE id = OLD.conversation;
    RETURN NULL;
END $$;

CREATE TRIGGER message_deletion AFTER UPDATE OF deletion ON message FOR EACH ROW
WHEN (OLD.deletion IS NULL AND NEW.deletion IS NOT NULL) EXECUTE FUNCTION count_deletion();

CREATE TRIGGER message_trimmed AFTER DELETE ON message FOR EACH ROW
WHEN (OLD.deletion IS NOT NULL) EXECUTE FUNCTION count_trimmed();
