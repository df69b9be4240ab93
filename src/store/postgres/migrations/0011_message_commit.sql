-- Commits new messages in one statement. It requires that each conversation exists, that each of
-- `need_users` has at least the role in `need_roles`, and that none of the messages is stored.
-- Otherwise it writes nothing and returns NULL.
--
-- `place_...` are the conversations, each once. All other parameters give a conversation by its
-- number in them, from 1, and seqs and counts of messages as if its log were empty: the head is
-- added here. Returns the heads and counts of messages before the commit, by these numbers.
--
-- Rows are locked in the order of all transactions: users by name, then conversations by id. Each
-- statement of a VOLATILE function has a new snapshot, so the checks see what was committed before
-- the locks were granted.
--
-- The wait for a lock is short: a client that has given up must not have its messages stored later.
-- When it ends, the client locks the rows in a transaction.
CREATE FUNCTION commit_messages(
    place_spaces text[], place_kinds bigint[], place_ones text[], place_others text[],
    entry_places bigint[], entry_seqs bigint[], entry_counts bigint[], entry_ats bigint[],
    entry_authors text[], entry_stays text[], entry_ids text[], entry_kinds bigint[],
    entry_targets bigint[], entry_bodies text[], entry_attachments bytea[], entry_events text[],
    read_spaces text[], read_users text[], read_places bigint[], read_seqs bigint[],
    read_counts bigint[],
    head_places bigint[], head_seqs bigint[], head_counts bigint[], head_said_ats bigint[],
    need_spaces text[], need_users text[], need_places bigint[], need_roles bigint[],
    revised_spaces text[], revised_users text[],
    OUT heads bigint[], OUT counts bigint[]
) LANGUAGE plpgsql VOLATILE SET lock_timeout = '100ms' AS $$
#variable_conflict error
DECLARE
    ids bigint[];
    is_possible boolean;
BEGIN
    IF cardinality(revised_users) > 0 THEN
        PERFORM 1
        FROM unnest(revised_spaces, revised_users) WITH ORDINALITY AS given (space, name, number)
        JOIN "user" ON "user".space = given.space AND "user".name = given.name
        ORDER BY given.number FOR NO KEY UPDATE OF "user";
    END IF;

    SELECT array_agg(locked.id ORDER BY locked.number),
        array_agg(locked.head ORDER BY locked.number),
        array_agg(locked.messages ORDER BY locked.number)
    INTO ids, heads, counts
    FROM (
        SELECT given.number, conversation.id, conversation.head, conversation.messages
        FROM unnest(place_spaces, place_kinds, place_ones, place_others) WITH ORDINALITY
            AS given (space, kind, one, other, number)
        JOIN conversation ON conversation.space = given.space AND conversation.kind = given.kind
            AND conversation.one = given.one AND conversation.other = given.other
        ORDER BY conversation.id FOR NO KEY UPDATE OF conversation
    ) AS locked;
    is_possible := cardinality(ids) IS NOT DISTINCT FROM cardinality(place_spaces);
    IF is_possible THEN
        -- OFFSET 0 keeps the order of the joins: one index search per row.
        PERFORM 1
        FROM unnest(need_spaces, need_users, need_places, need_roles)
            AS given (space, name, place, needed)
        LEFT JOIN LATERAL (
            SELECT member.role FROM member
            WHERE member.space = given.space AND member."user" = given.name
                AND member.conversation = ids[given.place] OFFSET 0
        ) AS found ON true
        WHERE found.role IS NULL OR found.role < given.needed
        UNION ALL
        SELECT 1
        FROM unnest(entry_places, entry_ids, entry_authors, entry_stays)
            AS given (place, id, author, stay)
        CROSS JOIN LATERAL (
            SELECT 1 FROM message
            WHERE message.id = given.id AND message.conversation = ids[given.place]
                AND message.author = given.author AND message.stay = given.stay
                AND message.target IS NULL OFFSET 0
        ) AS said
        LIMIT 1;
        is_possible := NOT FOUND;
    END IF;
    IF NOT is_possible THEN
        heads := NULL;
        counts := NULL;
        -- Only rows were locked: do not wait for the disk.
        PERFORM set_config('synchronous_commit', 'off', true);
        RETURN;
    END IF;

    INSERT INTO message (conversation, seq, messages, at, author, stay, id, kind, target, body,
        attachments, event)
    SELECT ids[given.place], heads[given.place] + given.seq, counts[given.place] + given.messages,
        given.at, given.author, given.stay, given.id, given.kind, given.target, given.body,
        given.attachments, given.event
    FROM unnest(entry_places, entry_seqs, entry_counts, entry_ats, entry_authors, entry_stays,
        entry_ids, entry_kinds, entry_targets, entry_bodies, entry_attachments, entry_events)
        AS given (place, seq, messages, at, author, stay, id, kind, target, body, attachments,
            event);

    UPDATE member SET read = heads[given.place] + given.seq,
        read_messages = counts[given.place] + given.messages
    FROM unnest(read_spaces, read_users, read_places, read_seqs, read_counts)
        AS given (space, name, place, seq, messages)
    WHERE member.space = given.space AND member."user" = given.name
        AND member.conversation = ids[given.place] AND member.read < heads[given.place] + given.seq;

    UPDATE conversation SET head = conversation.head + given.seq,
        messages = conversation.messages + given.messages, said_at = given.said_at
    FROM unnest(head_places, head_seqs, head_counts, head_said_ats)
        AS given (place, seq, messages, said_at)
    WHERE conversation.id = ids[given.place];

    IF cardinality(revised_users) > 0 THEN
        UPDATE "user" SET revision = "user".revision + 1, kept = true
        FROM unnest(revised_spaces, revised_users) AS given (space, name)
        WHERE "user".space = given.space AND "user".name = given.name;
    END IF;
END $$;
