-- The name of an event of the application, whose body is the array of its arguments. NULL in all other
-- entries. Such an event has the kind of a message.
ALTER TABLE message ADD COLUMN event text;
