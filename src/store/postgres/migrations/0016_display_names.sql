-- What the user was called last, as the name of a token says. NULL for users without one.
ALTER TABLE "user" ADD COLUMN display_name text;
