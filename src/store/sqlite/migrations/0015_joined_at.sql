-- When a user became a member, in milliseconds since 1970. NULL for those of earlier versions, and for
-- the users of direct conversations and inboxes.
ALTER TABLE member ADD COLUMN joined_at INTEGER;
