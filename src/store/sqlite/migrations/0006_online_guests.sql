-- The time since which a guest is online, its grace period included. NULL for guests that are not,
-- and for users of the back end. After a restart the names of online guests are reserved.
ALTER TABLE user ADD COLUMN online_since INTEGER;

CREATE INDEX user_online ON user (space, name) WHERE online_since IS NOT NULL;
