//! Databases of earlier versions.

use sqlx::{Connection as _, SqliteConnection};

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
async fn create_schema_2(directory: &TempDir) {
    create_schema(directory, 2, SCHEMA_2_ROWS).await;
}

/// Creates a database of an earlier schema.
async fn create_schema(directory: &TempDir, version: i64, rows: &'static str) {
    let path = directory.path().join("roomcast.db");
    let options = connect_options(&options(directory.path()), &path).create_if_missing(true);
    let mut connection: SqliteConnection = options.connect().await.unwrap();
    let mut migrator = sqlx::migrate!("src/store/sqlite/migrations");
    migrator.migrations.to_mut().retain(|migration| migration.version <= version);
    migrator.run(&mut connection).await.unwrap();
    sqlx::raw_sql(rows).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn logs_of_schema_2_are_migrated() {
    let directory = tempfile::tempdir().unwrap();
    create_schema_2(&directory).await;
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
    create_schema_2(&directory).await;
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
    create_schema(&directory, 4, EARLIER_ROWS).await;
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
    let mut other_connection = open_other_connection(&directory).await;
    let old_rule = "UPDATE user SET key = lower(name); UPDATE meta SET key_rule = 1";
    sqlx::raw_sql(old_rule).execute(&mut other_connection).await.unwrap();
    other_connection.close().await.unwrap();
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
    create_schema_2(&directory).await;
    open(&directory).await.close().await;
    let mut other_connection = open_other_connection(&directory).await;
    let broken =
        sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut other_connection).await.unwrap();
    assert!(broken.is_empty());
    let check: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut other_connection)
        .await
        .unwrap();
    assert_eq!(check, "ok");
}
