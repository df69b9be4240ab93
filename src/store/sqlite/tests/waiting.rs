//! Messages in the intake are found like all others, and are moved before other changes.

use super::*;
use crate::{
    chat::ports::{MemberChange, PageLimit, PageRange, TrimLimits},
    domain::{MessageKind, Position},
    store::contract::{
        JOIN, apply_changes, at, body, change, delete, direct, edit, inbox, member, memberships,
        numbered, read, trim, with_kind,
    },
};

const EVERYTHING: TrimLimits =
    TrimLimits { entries_max: None, entries_after: None, guests_after: OffsetDateTime::UNIX_EPOCH };

/// The rows of the two tables: messages in their places, and in the intake.
fn stored_rows(directory: &TempDir) -> (u64, u64) {
    let sql = "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM intake)";
    let rows = open_other_connection(directory)
        .query_row(sql, (), |row| Ok((row.get::<_, u32>(0)?.into(), row.get::<_, u32>(1)?.into())));
    rows.unwrap()
}

/// A store with messages of the lobby: `placed` in their place, and then `waiting` in the intake.
/// The author is a member.
async fn store_with(directory: &TempDir, placed: u64, waiting: u64) -> SqliteStore {
    let store = open(directory).await;
    commit(&store, (1..=placed).map(|n| numbered("lobby", n)).collect()).await;
    apply_changes(&store, vec![change("lobby", "author", JOIN)]).await;
    for n in placed + 1..=placed + waiting {
        commit(&store, vec![numbered("lobby", n)]).await;
    }
    assert_eq!(stored_rows(directory), (placed, waiting));
    store
}

/// The files of a store at this moment, as if the process were killed.
fn copy(directory: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["roomcast.db", "roomcast.db-wal"] {
        fs::copy(directory.path().join(file), copy.path().join(file)).unwrap();
    }
    copy
}

#[tokio::test]
async fn reads_find_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with(&directory, 3, 3).await;
    let expected: Vec<_> = (1..=6).map(|n| stored(numbered("lobby", n), n)).collect();
    assert_eq!(log(&store, &room("lobby")).await, expected);
    let logs = store.logs(&[room("other"), room("lobby")]).await.unwrap();
    assert_eq!(logs.iter().map(|log| log.head).collect::<Vec<_>>(), [Position::ZERO, nth(6)]);
    assert_eq!(read(&store, &room("lobby"), "author").await, nth(6));
    let message = store.message(&room("lobby"), seq(5)).await.unwrap().unwrap();
    assert_eq!(message.id.as_raw(), "5");
    assert!(store.message(&room("lobby"), seq(7)).await.unwrap().is_none());
    assert_eq!(stored_rows(&directory), (3, 3), "a read moves nothing");
}

#[tokio::test]
async fn a_page_continues_from_one_table_in_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with(&directory, 3, 3).await;
    let cases: [(PageRange, u32, &[u64], bool); 7] = [
        (PageRange::After(seq(1)), 3, &[2, 3, 4], true),
        (PageRange::After(seq(1)), 2, &[2, 3], true),
        (PageRange::After(seq(4)), 2, &[5, 6], false),
        (PageRange::Newest, 4, &[3, 4, 5, 6], true),
        (PageRange::Newest, 6, &[1, 2, 3, 4, 5, 6], false),
        (PageRange::Before(seq(5)), 2, &[3, 4], true),
        (PageRange::Before(seq(3)), 2, &[1, 2], false),
    ];
    for (range, messages, expected, more) in cases {
        let limit = PageLimit { messages, bytes: usize::MAX, attachments: usize::MAX };
        let page = store.page(&room("lobby"), range, limit).await.unwrap();
        let seqs: Vec<_> = page.entries.iter().map(|entry| entry.seq().as_raw()).collect();
        assert_eq!((&*seqs, page.more), (expected, more), "{range:?}, {messages}");
    }
}

#[tokio::test]
async fn a_waiting_message_is_not_stored_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with(&directory, 1, 2).await;
    let again = |n: u64| Outcome::Duplicate { seq: seq(n), at: numbered("lobby", n).at };
    assert_eq!(commit(&store, vec![numbered("lobby", 1)]).await, [again(1)]);
    assert_eq!(stored_rows(&directory), (1, 2), "nothing that waits is meant");
    let repeated = vec![numbered("lobby", 4), numbered("lobby", 3), draft("lobby", "2", "0")];
    let outcomes = [Outcome::Stored(nth(4)), again(3), Outcome::Conflict];
    assert_eq!(commit(&store, repeated).await, outcomes);
    assert_eq!(stored_rows(&directory), (4, 0));
}

#[tokio::test]
async fn what_waits_survives_a_kill_and_is_moved_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let _killed = store_with(&directory, 1, 2).await;
    let copy = copy(&directory);
    let store = open(&copy).await;
    assert_eq!(log(&store, &room("lobby")).await.len(), 3, "before the first commit");
    let again = Outcome::Duplicate { seq: seq(2), at: numbered("lobby", 2).at };
    let drafts = vec![numbered("lobby", 4), numbered("lobby", 2)];
    assert_eq!(commit(&store, drafts).await, [Outcome::Stored(nth(4)), again]);
    assert_eq!(stored_rows(&copy), (4, 0));
    assert_eq!(commit(&store, vec![numbered("lobby", 5)]).await, [Outcome::Stored(nth(5))]);
    assert_eq!(stored_rows(&copy), (4, 1));
}

#[tokio::test]
async fn other_changes_move_what_waits_first() {
    for what in [JOIN, MemberChange::Read(seq(2)), MemberChange::Leave] {
        let directory = tempfile::tempdir().unwrap();
        let store = store_with(&directory, 1, 2).await;
        let changed = apply_changes(&store, vec![change("lobby", "author", what)]).await;
        assert_eq!(changed[0].log.head, nth(3), "{what:?}");
        assert_eq!(changed[0].before.unwrap().read, nth(3), "{what:?}");
        assert_eq!(stored_rows(&directory), (3, 0), "{what:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let store = store_with(&directory, 1, 2).await;
    assert_eq!(memberships(&store, "author").await[0].log.head, nth(3));

    commit(&store, vec![numbered("lobby", 4)]).await;
    let changes = vec![edit("lobby", 4, "0"), delete("lobby", 1)];
    let outcomes = [at(5, 4), at(6, 4)].map(Outcome::Stored);
    assert_eq!(commit(&store, changes).await, outcomes);

    commit(&store, vec![numbered("lobby", 5)]).await;
    trim(&store, &TrimLimits { entries_max: Some(1), ..EVERYTHING }).await;
    assert_eq!(log(&store, &room("lobby")).await.len(), 1);
    assert_eq!(stored_rows(&directory), (1, 0));
}

#[tokio::test]
async fn the_first_waiting_message_makes_members() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with(&directory, 0, 1).await;
    let (pair, own) = (direct("/", "ann", "author"), inbox("author"));
    let to = |place: &Place| Draft { place: place.clone(), ..draft("", "1", "0") };
    let notification = with_kind(to(&own), MessageKind::Notification);
    commit(&store, vec![with_kind(to(&pair), MessageKind::SingleChat), notification]).await;
    assert_eq!(stored_rows(&directory), (0, 3));
    let check = async || {
        assert_eq!(read(&store, &pair, "author").await, nth(1), "authors have read");
        assert_eq!(read(&store, &pair, "ann").await, Position::ZERO);
        assert_eq!(read(&store, &own, "author").await, Position::ZERO, "but not notifications");
        assert!(member(&store, &pair, "bob").await.is_none());
    };
    check().await;
    let mut places: Vec<_> = memberships(&store, "author").await;
    places.retain(|it| it.log.head == nth(1));
    assert_eq!(places.len(), 3);
    assert_eq!(stored_rows(&directory), (3, 0));
    check().await;
}

#[tokio::test]
async fn a_full_intake_is_moved() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with(&directory, 1, 0).await;
    let (mut n, mut waiting_max) = (1, 0);
    while stored_rows(&directory).0 == 1 {
        commit(&store, (n + 1..=n + 256).map(|n| numbered("lobby", n)).collect()).await;
        n += 256;
        waiting_max = waiting_max.max(stored_rows(&directory).1);
    }
    assert_eq!((waiting_max, stored_rows(&directory)), (2048, (1 + 2048 + 256, 0)));
    let long = format!("\"{}\"", "x".repeat(400 << 10));
    for _ in 0..3 {
        n += 1;
        commit(&store, vec![with_body(numbered("lobby", n), body(&long))]).await;
    }
    assert_eq!(stored_rows(&directory), (1 + 2048 + 256 + 3, 0), "three exceed 1 MiB");
    let entries = log(&store, &room("lobby")).await;
    assert!((1..).zip(&entries).all(|(n, entry)| entry.position == nth(n)));
    assert_eq!(entries.len() as u64, n);
}

/// After a commit whose outcome is unknown, what waits is unknown, too.
#[tokio::test]
async fn a_failed_commit_leaves_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with(&directory, 1, 2).await;
    let other_connection = open_other_connection(&directory);
    other_connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let next = Batch { drafts: vec![numbered("lobby", 4)], ..Batch::default() };
    store.commit(next.clone().into()).await.unwrap_err();
    assert_eq!(log(&store, &room("lobby")).await.len(), 3, "reads continue");
    other_connection.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.commit(next.into()).await.unwrap().outcomes, [Outcome::Stored(nth(4))]);
    assert_eq!(stored_rows(&directory), (4, 0));
}

#[tokio::test]
async fn deleted_waiting_bodies_are_not_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with(&directory, 1, 0).await;
    let secret = format!("\"secret {}\"", "x".repeat(9000));
    commit(&store, vec![draft("lobby", "2", &secret), draft("lobby", "3", "\"secret 3\"")]).await;
    assert_eq!(stored_rows(&directory), (1, 2));
    commit(&store, vec![delete("lobby", 2), delete("lobby", 3)]).await;
    trim(&store, &EVERYTHING).await;
    for file in ["roomcast.db", "roomcast.db-wal"] {
        let bytes = fs::read(directory.path().join(file)).unwrap();
        assert!(!bytes.windows(7).any(|it| it == b"secret " || it == b"xxxxxxx"), "{file}");
    }
}
