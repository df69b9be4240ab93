//! A database of the version before deleted messages were counted and messages had the guest session
//! of their author, for both SQL engines.

use super::*;

/// The number of its last migration is 4 in SQLite, and 3 in PostgreSQL. The first message of the
/// lobby was trimmed, the second and the fourth were deleted. A guest joined the quiet room after
/// another one of the same name.
pub(crate) const EARLIER_ROWS: &str = r#"
    INSERT INTO conversation (space, kind, one, other, head, messages, floor, floor_messages)
    VALUES ('/', 0, 'lobby', '', 7, 4, 1, 1), ('/', 0, 'quiet', '', 2, 2, 0, 0);
    INSERT INTO message
        (conversation, seq, messages, at, kind, target, deletion, author, id, body)
    VALUES (1, 2, 2, 1700000000002, 0, NULL, 6, 'author', '2', NULL),
        (1, 3, 3, 1700000000003, 0, NULL, NULL, 'author', '3', '3'),
        (1, 4, 4, 1700000000004, 0, NULL, 7, 'author', '4', NULL),
        (1, 5, 4, 1700000000005, 4, 3, NULL, 'author', '3', NULL),
        (1, 6, 4, 1700000000006, 5, 2, NULL, 'author', '2', NULL),
        (1, 7, 4, 1700000000007, 5, 4, NULL, 'author', '4', NULL),
        (2, 1, 1, 1700000000001, 0, NULL, NULL, 'author', '1', '1'),
        (2, 2, 2, 1700000000002, 0, NULL, NULL, 'author', '2', '2');
    INSERT INTO member (space, "user", conversation, role, joined, read, read_messages, muted)
    VALUES ('/', 'ann', 1, 1, 0, 3, 3, false), ('/', 'bob', 1, 1, 0, 0, 0, false),
        ('/', 'author', 2, 1, 1, 2, 2, false);
    INSERT INTO "user" (space, name, vouched, key, stay, seen)
    VALUES ('/', 'author', false, 'author', 'second', 1700000000002),
        ('/', 'ann', true, 'ann', NULL, 1700000000002);
    UPDATE conversation SET
        members = (SELECT count(*) FROM member WHERE member.conversation = conversation.id);
"#;

/// Checks what an engine makes of [`EARLIER_ROWS`].
pub(crate) async fn earlier_rows_are_migrated(store: &dyn Store) {
    let unread = async |name: &str| {
        let membership = memberships(store, name).await.remove(0);
        membership.log.unread(membership.member.read, membership.deleted)
    };
    let expected = Log { head: at(7, 4), floor: nth(1), members: 2, deleted: 2 };
    assert_eq!(log_state(store, &room("lobby")).await, expected);
    assert_eq!(log_state(store, &room("quiet")).await.deleted, 0);
    assert_eq!((unread("ann").await, unread("bob").await), (0, 1));
    let of_guest =
        |n, session: &str| Draft { guest_session: Some(session.into()), ..numbered("quiet", n) };
    let drafts = vec![of_guest(2, "second"), of_guest(1, "second"), of_guest(2, "third")];
    let again = Outcome::Duplicate { seq: seq(2), at: time(2) };
    let new = [3, 4].map(|n| Outcome::Stored(nth(n)));
    assert_eq!(commit(store, drafts).await, [again, new[0], new[1]]);
    assert_eq!(
        commit(store, vec![numbered("quiet", 1)]).await[0],
        Outcome::Duplicate { seq: seq(1), at: time(1) }
    );
    commit(store, vec![delete("lobby", 3), delete("lobby", 2)]).await;
    assert_eq!((unread("ann").await, unread("bob").await), (0, 0));
    let limits = TrimLimits {
        entries_max: Some(4),
        entries_after: None,
        guests_after: OffsetDateTime::UNIX_EPOCH,
    };
    trim(store, &limits).await;
    assert_eq!(log_state(store, &room("lobby")).await.deleted, 0);
}
