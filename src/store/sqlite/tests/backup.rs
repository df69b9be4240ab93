//! Backups: what is in them, and what is refused.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::store::transfer::{DataError, DatabaseSummary, samples::NoProgress};

const KEY: &str = "token.key";

fn back_up(from: &Path, to: &Path) -> Result<DatabaseSummary, DataError> {
    backup_sqlite(from, to, &[KEY], &NoProgress)
}

fn restore(from: &Path, to: &Path) -> Result<DatabaseSummary, DataError> {
    restore_sqlite(from, to, &[KEY], &NoProgress)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn rows(summary: &DatabaseSummary, table: &str) -> u64 {
    summary.rows.iter().find(|(name, _)| name == table).unwrap().1
}

/// A data directory with a key and three messages, of which some wait in the intake.
async fn open_with_messages(directory: &TempDir) -> SqliteStore {
    let store = open(directory).await;
    for id in ["1", "2", "3"] {
        commit(&store, vec![draft("lobby", id, id)]).await;
    }
    fs::write(directory.path().join(KEY), "a key").unwrap();
    store
}

#[tokio::test]
async fn a_backup_of_a_running_store_is_restored_with_another_epoch() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open_with_messages(&data).await;
    let (backup, restored) = (other.path().join("backup"), other.path().join("restored"));
    let made = back_up(data.path(), &backup).unwrap();
    assert_eq!(rows(&made, "message"), 3);
    assert_eq!(made.files, [KEY]);
    commit(&store, vec![draft("lobby", "4", "later")]).await;
    assert_eq!(names(&backup), ["roomcast.db", KEY]);
    assert_eq!(restore(&backup, &restored).unwrap(), made);
    for directory in [&backup, &restored] {
        assert_eq!(mode(directory), 0o700);
        assert_eq!(mode(&directory.join("roomcast.db")), 0o600);
        assert_eq!(mode(&directory.join(KEY)), 0o600);
    }
    let again = SqliteStore::open(&options(&restored)).await.unwrap();
    assert_eq!(head(&again, &room("lobby")).await, seq(3));
    assert_ne!(again.epoch(), store.epoch());
    // And the store that was backed up is as it was.
    assert_eq!(head(&store, &room("lobby")).await, seq(4));
}

#[tokio::test]
async fn a_directory_that_has_files_is_not_touched() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open_with_messages(&data).await);
    let backup = other.path().join("backup");
    back_up(data.path(), &backup).unwrap();
    let full = other.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("notes"), "mine").unwrap();
    for result in [back_up(data.path(), &full), restore(&backup, &full)] {
        assert!(matches!(result, Err(DataError::Refused(_))), "{result:?}");
    }
    assert!(matches!(restore(&backup, data.path()), Err(DataError::Refused(_))));
    assert_eq!(names(&full), ["notes"]);
}

#[tokio::test]
async fn an_empty_directory_whose_lock_is_held_is_refused() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open_with_messages(&data).await);
    let backup = other.path().join("backup");
    back_up(data.path(), &backup).unwrap();
    let target = tempfile::tempdir().unwrap();
    let lock = connect::lock_directory(target.path()).unwrap();
    let refused = restore(&backup, target.path());
    assert!(matches!(refused, Err(DataError::Refused(_))), "{refused:?}");
    assert_eq!(names(target.path()), [connect::LOCK]);
    drop(lock);
    restore(&backup, target.path()).unwrap();
}

#[tokio::test]
async fn what_is_no_complete_backup_is_refused_and_leaves_nothing() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open_with_messages(&data).await;
    store.close().await;
    let target = other.path().join("target");
    let break_it = |name: &str, edit: &dyn Fn(&Path)| {
        let backup = other.path().join(name);
        back_up(data.path(), &backup).unwrap();
        edit(&backup);
        backup
    };
    let sql = |path: &Path, sql: &str| {
        Connection::open(path.join("roomcast.db")).unwrap().execute_batch(sql).unwrap();
    };
    let later = break_it("later", &|it| {
        sql(it, "INSERT INTO _sqlx_migrations SELECT 9999, '', '', 1, x'00', 0");
    });
    let without = break_it("without", &|it| fs::remove_file(it.join("roomcast.db")).unwrap());
    let in_use = break_it("in use", &|it| fs::write(it.join("roomcast.db-wal"), "x").unwrap());
    for backup in [&later, &without, &in_use] {
        let refused = restore(backup, &target);
        assert!(matches!(refused, Err(DataError::Refused(_))), "{refused:?}");
        assert!(!target.exists(), "{refused:?}");
    }
    let damaged = break_it("damaged", &|it| {
        let path = it.join("roomcast.db");
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0x55);
        fs::write(path, bytes).unwrap();
    });
    let cut = break_it("cut", &|it| {
        let bytes = fs::read(it.join("roomcast.db")).unwrap();
        fs::write(it.join("roomcast.db"), &bytes[..bytes.len() / 2]).unwrap();
    });
    let foreign = break_it("foreign", &|it| {
        fs::write(it.join("roomcast.db"), "this is no database").unwrap();
    });
    for backup in [&damaged, &cut, &foreign] {
        let failed = restore(backup, &target);
        assert!(matches!(failed, Err(DataError::Failed { .. })), "{failed:?}");
        assert!(!target.exists(), "{failed:?}");
    }
    for backup in [&later, &damaged] {
        let copied = back_up(backup, &target);
        assert!(copied.is_err(), "{copied:?}");
        assert!(!target.exists(), "{copied:?}");
    }
}

#[tokio::test]
async fn a_backup_of_an_earlier_schema_is_restored_and_migrated() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut connection = open_other_connection(&data);
    let earlier = migrate::MIGRATIONS.iter().filter(|it| it.version <= 12).cloned();
    migrate::migrate(&mut connection, &earlier.collect::<Vec<_>>()).unwrap();
    drop(connection);
    let (backup, restored) = (other.path().join("backup"), other.path().join("restored"));
    assert_eq!(back_up(data.path(), &backup).unwrap().schema, 12);
    restore(&backup, &restored).unwrap();
    SqliteStore::open(&options(&restored)).await.unwrap();
}
