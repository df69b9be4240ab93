//! Databases of earlier versions.

use super::*;
use crate::{
    chat::ports::{IdentityKind, TrimLimits, UserSeen},
    domain::{Entry, Member, Role},
    store::contract::{
        EARLIER_ROWS, at, body, delete, direct, earlier_rows_are_migrated, edit, log_state, member,
        memberships, record_seen, time, trim, user,
    },
};

/// The content of a database of schema 2: a room with three messages, two direct conversations, and
/// users; Ann and Bob are registered.
const SCHEMA_2_ROWS: &str = "
    INSERT INTO conversation (id, space, kind, one, other, head) VALUES
        (1, '/', 0, 'lobby', '', 3), (2, '/', 1, 'ann', 'bob', 1), (3, '/', 1, 'ann', 'guest', 2),
        (4, '/', 1, 'ann', 'ann', 1), (5, '/', 0, 'empty', '', 0);
    INSERT INTO message (conversation, seq, author, id, kind, body, attachments, at) VALUES
        (1, 1, 'author', '1', 0, '1', NULL, 1700000000001),
        (2, 1, 'bob', '1', 2, '1', NULL, 1700000000005),
        (1, 2, 'author', '2', 0, '2', NULL, 1700000000002),
        (1, 3, 'bob', '1', 1, '{}', x'0100000041', 1700000000003),
        (3, 1, 'guest', '1', 2, '1', NULL, 1700000000007),
        (3, 2, 'ann', '1', 2, '1', NULL, 1700000000008),
        (4, 1, 'ann', '1', 2, '1', NULL, 1700000000009);
    INSERT INTO user (space, name, vouched, key) VALUES
        ('/', 'ann', 1, 'ann'), ('/', 'bob', 1, ''), ('/', 'guest', 0, 'guest');
    INSERT INTO device (space, user, id, seen) VALUES
        ('/', 'ann', 'phone', 1700000000004), ('/', 'ann', 'laptop', 1700000000006);
    UPDATE meta SET epoch = 'old';
";

/// Creates a database of schema 2 with that content.
fn create_schema_2(directory: &TempDir) {
    create_schema(directory, 2, SCHEMA_2_ROWS);
}

/// Creates a database of an earlier schema.
fn create_schema(directory: &TempDir, version: i64, rows: &str) {
    let mut connection = open_other_connection(directory);
    let migrations = migrate::MIGRATIONS.iter().filter(|it| it.version <= version).cloned();
    migrate::migrate(&mut connection, &migrations.collect::<Vec<_>>()).unwrap();
    connection.execute_batch(rows).unwrap();
}

/// A database that sqlx made, and rows of two guests with equal ids.
const SCHEMA_8: &str = concat!(
    include_str!("schema_8.sql"),
    "INSERT INTO conversation (id, space, kind, one, other, head, messages) VALUES
        (1, '/', 0, 'lobby', '', 3, 3);
    INSERT INTO message (conversation, seq, messages, at, kind, author, stay, id, body) VALUES
        (1, 1, 1, 1700000000001, 0, 'author', '', '1', '1'),
        (1, 2, 2, 1700000000002, 0, 'author', 'guest', '1', '2'),
        (1, 3, 3, 1700000000003, 0, 'other', '', '1', '3');"
);

#[tokio::test]
async fn a_database_of_sqlx_is_opened_in_place() {
    let directory = tempfile::tempdir().unwrap();
    open_other_connection(&directory).execute_batch(SCHEMA_8).unwrap();
    for round in 0..2 {
        let store = open(&directory).await;
        assert_eq!(store.epoch().as_raw(), "old");
        assert_eq!(head(&store, &room("lobby")).await, seq(3 + 2 * round));
        let guest =
            |id, text| Draft { guest_session: Some("guest".into()), ..draft("lobby", id, text) };
        let first = |n| Outcome::Duplicate { seq: seq(n), at: time(n) };
        let drafts = vec![
            draft("lobby", "1", "1"),
            guest("1", "2"),
            draft("lobby", "1", "another"),
            guest(&format!("new {round}"), "1"),
            draft("lobby", &format!("new {round}"), "2"),
            draft(&format!("room {round}"), "1", "1"),
        ];
        let stored = [4 + 2 * round, 5 + 2 * round, 1].map(|n| Outcome::Stored(nth(n)));
        let repeated = [first(1), first(2), Outcome::Conflict];
        let expected = [repeated, stored].concat();
        assert_eq!(commit(&store, drafts).await, expected);
        store.close().await;
    }
    let other_connection = open_other_connection(&directory);
    let installed = "SELECT count(*) FROM _sqlx_migrations WHERE installed_on LIKE '2026-11-28 %' \
        AND execution_time > 0 AND version <= 8";
    let kept: i64 = other_connection.query_row(installed, (), |row| row.get(0)).unwrap();
    assert_eq!(kept, 8, "these migrations were not run again");
}

#[tokio::test]
async fn the_schema_of_a_new_database_is_that_of_an_old_one() {
    let schema = async |directory: &TempDir| {
        open(directory).await.close().await;
        let connection = open_other_connection(directory);
        let mut statement = connection
            .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name, type")
            .unwrap();
        let rows = statement.query_map((), |row| {
            let sql: Option<String> = row.get(3)?;
            let sql = sql.unwrap_or_default();
            let lines = sql.lines().map(|line| line.split(" -- ").next().unwrap_or_default());
            let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, words))
        });
        rows.unwrap().map(Result::unwrap).collect::<Vec<_>>()
    };
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open_other_connection(&old).execute_batch(SCHEMA_8).unwrap();
    assert_eq!(schema(&old).await, schema(&new).await);
}

#[tokio::test]
async fn a_modified_or_partial_migration_is_not_continued() {
    let directory = tempfile::tempdir().unwrap();
    open(&directory).await.close().await;
    let refused = async |change: &str| {
        open_other_connection(&directory).execute_batch(change).unwrap();
        match SqliteStore::open(&options(directory.path())).await {
            Err(SqliteError::Migration { source, .. }) => source,
            other => panic!("{other:?}"),
        }
    };
    let partial = refused("UPDATE _sqlx_migrations SET success = 0 WHERE version = 3").await;
    assert!(matches!(partial, MigrationError::Partial(3)), "{partial:?}");
    let modified = "UPDATE _sqlx_migrations SET success = 1, checksum = x'00' WHERE version = 3";
    let modified = refused(modified).await;
    assert!(matches!(modified, MigrationError::Modified(3)), "{modified:?}");
}

#[tokio::test]
async fn logs_of_schema_2_are_migrated() {
    let directory = tempfile::tempdir().unwrap();
    create_schema_2(&directory);
    let store = open(&directory).await;
    assert_eq!(store.epoch().as_raw(), "old");
    let lobby = room("lobby");
    let stood = Log { head: nth(3), ..Log::default() };
    assert_eq!(log_state(&store, &lobby).await, stood);
    let found = log(&store, &lobby).await;
    assert_eq!(found[0], stored(Draft { at: time(1), ..draft("lobby", "1", "1") }, 1));
    let bytes = Body::from_raw("{}".into(), vec!["A".into()]);
    assert_eq!(found[2].body(), Some(&bytes));
    assert_eq!(found[2].position, nth(3));

    let drafts = vec![
        draft("lobby", "2", "2"),
        draft("lobby", "2", "3"),
        edit("lobby", 1, "\"new\""),
        delete("lobby", 3),
        draft("empty", "1", "1"),
    ];
    let again = Outcome::Duplicate { seq: seq(2), at: time(2) };
    let expected = [again, Outcome::Conflict, Outcome::Stored(at(4, 3))];
    let outcomes = commit(&store, drafts).await;
    assert_eq!(outcomes[..3], expected);
    assert_eq!(outcomes[3..], [Outcome::Stored(at(5, 3)), Outcome::Stored(nth(1))]);
    let found = log(&store, &lobby).await;
    let bodies: Vec<_> = found.iter().map(Entry::body).collect();
    let (new, two) = (body("\"new\""), body("2"));
    assert_eq!(bodies, [Some(&new), Some(&two), None, Some(&new), None]);
}

#[tokio::test]
async fn users_of_schema_2_keep_their_direct_conversations() {
    let directory = tempfile::tempdir().unwrap();
    create_schema_2(&directory);
    let store = open(&directory).await;
    let seen = store.last_seen(&Space::root(), &["ann", "bob"].map(user)).await.unwrap();
    assert_eq!(seen, [Some(time(6)), None]);
    assert!(store.is_registered(&Space::root(), &user("bob").key()).await.unwrap());

    let read = |n| Member { joined: Seq::ZERO, ..Member::new(Role::Member, nth(n)) };
    let with_bob = direct("/", "ann", "bob");
    assert_eq!(member(&store, &with_bob, "bob").await, Some(read(1)));
    assert_eq!(log_state(&store, &with_bob).await.members, 2);
    let with_guest = direct("/", "ann", "guest");
    assert_eq!(member(&store, &with_guest, "guest").await, None);
    assert_eq!(member(&store, &with_guest, "ann").await, Some(read(2)));
    assert_eq!(log_state(&store, &direct("/", "ann", "ann")).await.members, 1);
    let of_ann: Vec<_> = memberships(&store, "ann").await.into_iter().map(|it| it.place).collect();
    assert_eq!(of_ann, [direct("/", "ann", "ann"), with_guest.clone(), with_bob]);

    let ann = UserSeen { identity_kind: IdentityKind::Registered, ..guest(&Space::root(), "ann") };
    record_seen(&store, ann).await;
    assert_eq!(memberships(&store, "ann").await.len(), 3, "her memberships are kept");
    let says = Draft { place: with_guest.clone(), author: user("ann"), ..draft("", "2", "1") };
    commit(&store, vec![says]).await;
    assert_eq!(member(&store, &with_guest, "guest").await, Some(Member::new(Role::Member, nth(2))));
    let everything = TrimLimits {
        entries_max: None,
        entries_after: None,
        guests_after: OffsetDateTime::UNIX_EPOCH,
    };
    trim(&store, &everything).await;
    assert_eq!(member(&store, &with_guest, "guest").await, None, "the guest session is unknown");
    assert_eq!(memberships(&store, "ann").await.len(), 3);
}

#[tokio::test]
async fn deleted_messages_of_schema_4_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    create_schema(&directory, 4, EARLIER_ROWS);
    earlier_rows_are_migrated(&open(&directory).await).await;
}

#[tokio::test]
async fn keys_of_an_earlier_rule_are_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let registered =
        |name| UserSeen { identity_kind: IdentityKind::Registered, ..guest(&Space::root(), name) };
    record_seen(&store, registered("Miriam")).await;
    record_seen(&store, registered("ann")).await;
    store.close().await;
    let old_rule = "UPDATE user SET key = lower(name); UPDATE meta SET key_rule = 1";
    open_other_connection(&directory).execute_batch(old_rule).unwrap();
    for _ in 0..2 {
        let store = open(&directory).await;
        for name in ["miriam", "Мiriam", "ann", "аnn"] {
            assert!(
                store.is_registered(&Space::root(), &user(name).key()).await.unwrap(),
                "{name}"
            );
        }
        store.close().await;
    }
}

#[tokio::test]
async fn foreign_keys_are_valid_after_migration() {
    let directory = tempfile::tempdir().unwrap();
    create_schema_2(&directory);
    open(&directory).await.close().await;
    let other_connection = open_other_connection(&directory);
    let mut check = other_connection.prepare("PRAGMA foreign_key_check").unwrap();
    assert!(!check.exists(()).unwrap());
    let check = other_connection.query_row("PRAGMA integrity_check", (), |row| row.get(0));
    assert_eq!(check.map(|it: String| it).unwrap(), "ok");
}
