-- The topic of a room. Each change of it is an entry, too: an edit of the entry 0 whose `event` is the
-- text. A room without members and entries has none.
ALTER TABLE conversation ADD COLUMN topic text;

CREATE FUNCTION forget_topic() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.topic := NULL;
    RETURN NEW;
END
$$;

CREATE TRIGGER conversation_unused BEFORE UPDATE OF members, floor ON conversation
    FOR EACH ROW WHEN (NEW.topic IS NOT NULL AND NEW.members = 0 AND NEW.floor = NEW.head)
    EXECUTE FUNCTION forget_topic();
