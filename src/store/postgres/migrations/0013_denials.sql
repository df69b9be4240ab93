-- Bans, revoked tokens and ended sign-ins: `kind` is 0 for a user of a space, 1 for a token by its id, 2
-- for the tokens of a user that were issued before `at`, 3 for a sign-in. `until` is NULL for those
-- that never end. Times are milliseconds since 1970.
CREATE TABLE denial (
    kind   bigint NOT NULL,
    space  text COLLATE "C" NOT NULL,
    name   text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    until  bigint,
    reason text,
    PRIMARY KEY (kind, space, name)
);

CREATE INDEX denial_until ON denial (until) WHERE until IS NOT NULL;

-- The number of the last change of `denial`. A change locks the row first.
ALTER TABLE meta ADD COLUMN denials bigint NOT NULL DEFAULT 0;
