//! Rows of every kind, for the tests of exports.

use super::*;

/// What is not told to anybody.
pub(crate) struct NoProgress;

impl Progress for NoProgress {
    fn step(&self, _: &str) {}
    fn rows(&self, _: u64) {}
}

/// Rows of every table of SQLite, besides those that commits have made: an edited message, a deleted
/// one, a topic, a message of which retention has removed the predecessors, bytes, an event of the
/// application, a direct conversation, an inbox, members of every role, guests, users of the first
/// versions, denials of every kind, waiting and dead events.
pub(crate) const ROWS: &str = r#"
    INSERT INTO member (space, user, conversation, role, joined, read, read_messages, muted, joined_at)
    VALUES ('/', 'ann', 101, 3, 0, 4, 3, 0, 1700000000000), ('/', 'bob', 101, 0, 2, 0, 0, 1, NULL),
        ('/', 'ann', 102, 1, 0, 1, 1, 0, NULL), ('/', 'bob', 102, 1, 0, 0, 0, 0, NULL),
        ('/', 'ann', 103, 2, 0, 0, 0, 0, NULL);
    INSERT INTO conversation (id, space, kind, one, other, head, messages, floor, floor_messages,
        members, said_at, deleted, topic)
    VALUES (101, '/', 0, 'all kinds', '', 9, 5, 2, 2, 2, 1700000000008, 1, 'A "topic"'),
        (102, '/', 1, 'ann', 'bob', 1, 1, 0, 0, 2, 1700000000001, 0, NULL),
        (103, '/', 2, 'ann', '', 1, 1, 0, 0, 1, 1700000000001, 0, NULL),
        (104, '/shop', 0, 'quotes " \ and  lines
 and 😀', '', 0, 0, 0, 0, 0, 0, 0, NULL);
    INSERT INTO message (conversation, seq, messages, at, kind, target, edited_at, edit, deletion,
        author, stay, id, body, attachments, event)
    VALUES (101, 3, 3, 1700000000003, 0, NULL, 1700000000006, 6, NULL, 'ann', '', 'e', '"new"', NULL,
            NULL),
        (101, 4, 4, 1700000000004, 1, NULL, NULL, NULL, 7, 'bob', 'stay', 'd', NULL, NULL, NULL),
        (101, 5, 5, 1700000000005, 0, NULL, NULL, NULL, NULL, 'bob', '', 'b',
            '[{"_placeholder":true,"num":0}]', x'0300000000ff0a', 'move'),
        (101, 6, 5, 1700000000006, 4, 3, NULL, NULL, NULL, 'ann', '', 'e', NULL, NULL, NULL),
        (101, 7, 5, 1700000000007, 5, 4, NULL, NULL, NULL, 'ann', '', 'd', NULL, NULL, NULL),
        (101, 8, 5, 1700000000008, 5, 2, NULL, NULL, NULL, 'ann', '', 'g', NULL, NULL, NULL),
        (101, 9, 5, 1700000000009, 4, 0, NULL, NULL, NULL, 'ann', '', 't', NULL, NULL, 'A "topic"'),
        (102, 1, 1, 1700000000001, 2, NULL, NULL, NULL, NULL, 'bob', '', 's',
            '"tab \t quote \" \u0000 \\ 😀"', NULL, NULL),
        (103, 1, 1, 1700000000001, 3, NULL, NULL, NULL, NULL, 'ann', '', 'n', '{"a":1.5e300}', NULL,
            NULL);
    INSERT INTO user (space, name, vouched, key, stay, seen, kept, online_since, display_name)
    VALUES ('/', 'ann', 1, 'ann', NULL, 1700000000008, 1, NULL, 'Ann Lee'),
        ('/', 'bob', 0, 'bob', 'stay', 1700000000007, 1, NULL, NULL),
        ('/shop', 'gone', 0, 'gone', '', 1700000000001, 0, NULL, NULL);
    INSERT INTO device (space, user, id, seen) VALUES ('/', 'ann', 'phone', 1700000000008);
    INSERT INTO denial (kind, space, name, at, until, reason)
    VALUES (0, '/', 'eve', 1700000000001, NULL, 'spam'), (1, '', 'jti', 1, 1900000000000, NULL),
        (2, '/', 'eve', 1700000000002, NULL, NULL), (3, '', 'sign-in', 1, 2, NULL);
    UPDATE meta SET denials = 4;
    INSERT INTO webhook_presence (space, kind, name, node, client)
    VALUES ('/', 0, 'ann', 'n0', ''), ('/', 2, 'c1', 'n0', 'ann 10.0.0.1');
    INSERT INTO webhook_event (id, webhook, subject, space, type, fields, at, batch, attempts, failure,
        dead_at)
    VALUES (7, 'a', 'room', '/', 'message', '{"seq":3}', 1700000000003, NULL, 0, NULL, NULL),
        (8, 'a', 'room', '/', 'message', '{"seq":5}', 1700000000005, '8', 3, 'status 500', NULL),
        (9, 'a', 'user', '/', 'user.online', '{}', 1700000000006, NULL, 9, 'status 500',
            1700000000009),
        (30, 'a', 'user', '/', 'user.offline', '{}', 1700000000006, NULL, 0, NULL, NULL);
    DELETE FROM webhook_event WHERE id = 30;
"#;

/// The columns that an export has, as `table.column`.
pub(crate) fn exported_columns() -> Vec<String> {
    let columns = TABLES.iter().flat_map(|table| {
        table.columns.iter().map(move |column| format!("{}.{}", table.name, column.name))
    });
    let mut columns: Vec<_> = columns.filter(|it| it != "meta.last_webhook_event").collect();
    columns.sort();
    columns
}

/// Those of a database, given as pairs, without those that are left out on purpose.
pub(crate) fn kept_columns(found: Vec<(String, String)>) -> Vec<String> {
    let is_left_out = |name: &str| tables::NOT_EXPORTED.iter().any(|(it, _)| *it == name);
    let kept = found.into_iter().filter(|(table, _)| !is_left_out(table));
    let names = kept.map(|(table, column)| format!("{table}.{column}"));
    let mut columns: Vec<_> = names.filter(|it| !is_left_out(it)).collect();
    columns.sort();
    columns
}
