-- The topic of a room. Each change of it is an entry, too: an edit of the entry 0 whose `event` is the
-- text. A room without members and entries has none.
ALTER TABLE conversation ADD COLUMN topic TEXT;

CREATE TRIGGER conversation_unused AFTER UPDATE OF members, floor ON conversation
WHEN NEW.topic IS NOT NULL AND NEW.members = 0 AND NEW.floor = NEW.head BEGIN
    UPDATE conversation SET topic = NULL WHERE id = NEW.id;
END;
