//! Tests of SQLite beyond the contract: disks, locks, and restarts.

mod backup;
mod erased;
mod guests;

mod migration;
mod online;
mod statements;
mod transfer;
mod waiting;

use std::{fs, path::Path, sync::atomic::AtomicU32};

use tempfile::TempDir;

use super::*;
use crate::{
    chat::ports::{Draft, Outcome},
    domain::{Body, Seq},
    store::contract::{
        assert_agrees_with_memory, commit, draft, guest, head, log, nth, outbox_contract, room,
        seq, store_contract, stored, user, user_exists, with_body,
    },
};

const BUSY_WAIT_MAX: Duration = Duration::from_millis(200);

fn options(directory: &Path) -> SqliteOptions {
    SqliteOptions {
        directory: directory.to_owned(),
        synchronous: Synchronous::Full,
        busy_wait_max: BUSY_WAIT_MAX,
    }
}

async fn open(directory: &TempDir) -> SqliteStore {
    SqliteStore::open(&options(directory.path())).await.unwrap()
}

/// Another program that opens the same database.
fn open_other_connection(directory: &TempDir) -> Connection {
    Connector::writer(&options(directory.path())).connect().unwrap()
}

/// Opens a database with a setting of its own.
async fn open_with(directory: &TempDir, pragma: &str) -> SqliteStore {
    let options = options(directory.path());
    let mut connector = Connector::writer(&options);
    connector.pragmas.push_str(pragma);
    spawn_blocking(move || SqliteStore::open_blocking(&options, &connector)).await.unwrap().unwrap()
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let count = AtomicU32::new(0);
    let open = async || {
        let name = count.fetch_add(1, Ordering::Relaxed).to_string();
        SqliteStore::open(&options(&directory.path().join(name))).await.unwrap()
    };
    Box::pin(store_contract(open)).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_the_outbox() {
    let directory = tempfile::tempdir().unwrap();
    let count = AtomicU32::new(0);
    let open = async || {
        let name = count.fetch_add(1, Ordering::Relaxed).to_string();
        SqliteStore::open(&options(&directory.path().join(name))).await.unwrap()
    };
    Box::pin(outbox_contract(open)).await;
}

#[test]
fn sqlite_agrees_with_memory() {
    let directory = tempfile::tempdir().unwrap();
    let count = AtomicU32::new(0);
    assert_agrees_with_memory(32, async || {
        let name = count.fetch_add(1, Ordering::Relaxed).to_string();
        let fast = options(&directory.path().join(name));
        let fast = SqliteOptions { synchronous: Synchronous::Normal, ..fast };
        SqliteStore::open(&fast).await.unwrap()
    });
}

#[tokio::test]
async fn entries_survive_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let first = draft("lobby", "1", "\"x\"");
    let store = open(&directory).await;
    let (seen, drafts) = (vec![guest(&Space::root(), "ann")], vec![first.clone()]);
    store.commit(Batch { seen, drafts, ..Batch::default() }.into()).await.unwrap();
    store.close().await;
    drop(store);
    let log_left = fs::exists(directory.path().join("roomcast.db-wal")).unwrap();
    assert!(!log_left, "a close empties the write-ahead log");

    let store = open(&directory).await;
    assert_eq!(log(&store, &room("lobby")).await, [stored(first.clone(), 1)]);
    assert!(user_exists(&store, &Space::root(), "ann").await);
    let again = Outcome::Duplicate { seq: seq(1), at: first.at };
    assert_eq!(commit(&store, vec![first]).await, [again]);
    assert_eq!(commit(&store, vec![draft("lobby", "2", "0")]).await, [Outcome::Stored(nth(2))]);
}

#[tokio::test]
async fn entries_survive_without_close() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    commit(&store, vec![draft("lobby", "1", "0")]).await;
    let copy = tempfile::tempdir().unwrap();
    for file in ["roomcast.db", "roomcast.db-wal"] {
        fs::copy(directory.path().join(file), copy.path().join(file)).unwrap();
    }
    assert_eq!(head(&open(&copy).await, &room("lobby")).await, seq(1));
}

#[tokio::test]
async fn the_epoch_is_per_database_and_stable() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let epoch = async |directory| {
        let store = open(directory).await;
        let epoch = store.epoch().clone();
        store.close().await;
        let other_connection = open_other_connection(directory);
        let stored = other_connection.query_row("SELECT epoch FROM meta", (), |row| row.get(0));
        assert_eq!(epoch.as_raw(), stored.map(|epoch: String| epoch).unwrap());
        epoch
    };
    let first = epoch(&one).await;
    assert_eq!(epoch(&one).await, first);
    assert_ne!(epoch(&other).await, first);
}

#[tokio::test]
async fn a_directory_belongs_to_one_store_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let refused = SqliteStore::open(&options(directory.path())).await.unwrap_err();
    assert!(matches!(&refused, SqliteError::InUse { path } if path == directory.path()));
    commit(&store, vec![draft("lobby", "1", "0")]).await;
    store.close().await;
    assert_eq!(head(&open(&directory).await, &room("lobby")).await, seq(1));
}

#[tokio::test]
async fn open_errors_give_the_cause() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let refused = SqliteStore::open(&options(&file.join("data"))).await.unwrap_err();
    assert!(matches!(refused, SqliteError::Directory { .. }), "{refused:?}");

    let taken = tempfile::tempdir().unwrap();
    fs::create_dir(taken.path().join("roomcast.lock")).unwrap();
    let refused = SqliteStore::open(&options(taken.path())).await.unwrap_err();
    assert!(matches!(refused, SqliteError::Lock { .. }), "{refused:?}");

    fs::write(directory.path().join("roomcast.db"), "not a database ".repeat(1000)).unwrap();
    let refused = SqliteStore::open(&options(directory.path())).await.unwrap_err();
    assert!(matches!(refused, SqliteError::Database { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_database_of_a_later_version_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    open(&directory).await.close().await;
    let later = "INSERT INTO _sqlx_migrations \
        (version, description, success, checksum, execution_time) \
        VALUES (9999, 'from the future', 1, x'00', 0)";
    open_other_connection(&directory).execute_batch(later).unwrap();
    let refused = SqliteStore::open(&options(directory.path())).await.unwrap_err();
    assert!(
        matches!(refused, SqliteError::Migration { source: MigrationError::Unknown(9999), .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_locked_database_fails_whole_commits_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    commit(&store, vec![draft("lobby", "1", "0")]).await;
    let other_connection = open_other_connection(&directory);
    for (round, lock) in (0..).zip(["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"]) {
        other_connection.execute_batch(lock).unwrap();
        let two = Batch {
            seen: vec![guest(&Space::root(), "ann")],
            drafts: vec![draft("lobby", &format!("new {round}"), "0"), draft("lobby", "1", "0")],
            ..Batch::default()
        };
        let began = tokio::time::Instant::now();
        for _ in 0..2 {
            let failed = store.commit(two.clone().into()).await.unwrap_err();
            assert!(failed.chain().contains("database is locked"), "{}", failed.chain());
        }
        assert!(began.elapsed() < 4 * BUSY_WAIT_MAX, "the wait of a commit is bounded");
        assert_eq!(head(&store, &room("lobby")).await, seq(1 + round), "reads continue");
        other_connection.execute_batch("ROLLBACK").unwrap();
        let again = Outcome::Duplicate { seq: seq(1), at: two.drafts[1].at };
        assert_eq!(
            store.commit(two.clone().into()).await.unwrap().outcomes,
            [Outcome::Stored(nth(2 + round)), again]
        );
    }
}

#[tokio::test]
async fn a_full_disk_fails_whole_commits_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    open(&directory).await.close().await;
    // A table of 400 KiB, and a page limit that leaves 100 KiB free.
    let other_connection = open_other_connection(&directory);
    let fill = "CREATE TABLE filler AS SELECT randomblob(400 << 10)";
    other_connection.execute_batch(fill).unwrap();
    let store = open_with(&directory, "PRAGMA max_page_count = 138;").await;

    let text = format!("\"{}\"", "x".repeat(10 << 10));
    let three = |n: u64| {
        let draft = |room: &str| -> Draft {
            let body = Body::from_raw(text.as_str().into(), Vec::new());
            with_body(draft(room, &n.to_string(), ""), body)
        };
        Batch {
            seen: vec![guest(&Space::root(), &n.to_string())],
            drafts: vec![draft("lobby"), draft(&format!("room {n}")), draft("lobby")],
            ..Batch::default()
        }
    };
    let mut stored = 0;
    while store.commit(three(stored + 1).into()).await.is_ok() {
        stored += 1;
    }
    assert!(stored > 0, "some commits succeeded");
    for n in [stored + 1, stored + 2] {
        store.commit(three(n).into()).await.unwrap_err();
        assert_eq!(head(&store, &room("lobby")).await, seq(stored));
        assert_eq!(head(&store, &room(&format!("room {n}"))).await, Seq::ZERO);
        assert!(!user_exists(&store, &Space::root(), &n.to_string()).await);
        let known = store
            .commit(Batch { seen: Vec::new(), ..three(stored) }.into())
            .await
            .unwrap()
            .outcomes;
        assert!(matches!(known[..], [Outcome::Duplicate { .. }, _, Outcome::Duplicate { .. }]));
    }

    other_connection.execute_batch("DROP TABLE filler").unwrap();
    let outcomes = store.commit(three(stored + 1).into()).await.unwrap().outcomes;
    let lobby = nth(stored + 1);
    assert_eq!(outcomes[..2], [Outcome::Stored(lobby), Outcome::Stored(nth(1))]);
    assert_eq!(log(&store, &room("lobby")).await.len(), usize::try_from(stored).unwrap() + 1);
}

#[tokio::test]
async fn a_cancelled_commit_breaks_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    for n in 0..40 {
        let drafts = vec![draft("lobby", &n.to_string(), "0")];
        let one = Batch { drafts, ..Batch::default() };
        let wait = Duration::from_micros(n * 25);
        drop(tokio::time::timeout(wait, store.commit(one.into())).await);
    }
    let head = head(&store, &room("lobby")).await;
    assert_eq!(commit(&store, vec![draft("lobby", "last", "0")]).await.len(), 1);
    let log = log(&store, &room("lobby")).await;
    assert!(log.last().is_some_and(|last| last.seq() > head), "head and log agree");
    assert!((1..).zip(&log).all(|(n, message)| message.seq() == seq(n)));
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private_to_the_owner() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = TempDir::new().unwrap();
    let store = SqliteStore::open(&options(directory.path())).await.unwrap();
    commit(&store, vec![draft("lobby", "1", "0")]).await;
    for file in ["roomcast.db", "roomcast.db-wal", "roomcast.lock"] {
        let mode = fs::metadata(directory.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    store.close().await;
}

#[tokio::test]
async fn registered_names_are_known_while_they_are_stored_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (root, key) = (Space::root(), user("ann").key());
    let seen = |name| UserSeen { identity_kind: IdentityKind::Registered, ..guest(&root, name) };
    let store = open(&directory).await;
    let registered = Batch { seen: vec![guest(&root, "bob"), seen("Ann")], ..Batch::default() };
    store.commit(registered.into()).await.unwrap();
    assert!(store.is_registered(&root, &key).await.unwrap());
    store.close().await;
    let store = open(&directory).await;
    assert!(store.is_registered(&root, &key).await.unwrap(), "a name that looks like it");
    assert!(!store.registered.may_contain(&root, &user("bob").key()), "a guest costs no query");
    assert!(!store.is_registered(&root, &user("bob").key()).await.unwrap());
    store.close().await;
}
