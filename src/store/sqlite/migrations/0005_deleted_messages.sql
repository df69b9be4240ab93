-- Deleted messages are not unread. A conversation counts all that it still has; those after the read
-- position of a member are counted by the index when its memberships are read.
ALTER TABLE conversation ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0; -- kept by the triggers below

CREATE INDEX message_deleted ON message (conversation, seq) WHERE deletion IS NOT NULL;

UPDATE conversation SET deleted = (SELECT count(*) FROM message
    WHERE message.conversation = conversation.id AND message.deletion IS NOT NULL);

CREATE TRIGGER message_deletion AFTER UPDATE OF deletion ON message
WHEN OLD.deletion IS NULL AND NEW.deletion IS NOT NULL BEGIN
    UPDATE conversation SET deleted = deleted + 1 WHERE id = NEW.conversation;
END;

CREATE TRIGGER message_trimmed AFTER DELETE ON message
WHEN OLD.deletion IS NOT NULL BEGIN
    UPDATE conversation SET deleted = deleted - 1 WHERE id = OLD.conversation;
END;
