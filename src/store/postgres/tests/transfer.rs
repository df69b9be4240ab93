//! Exports and imports between both engines.

use std::path::Path;

use super::*;
use crate::{
    domain::Synchronous,
    store::{
        SqliteOptions, SqliteStore,
        contract::{
            JOIN, apply_changes, change, commit, draft, head, log, log_state, memberships, room,
            seq,
        },
        export_sqlite, import_sqlite,
        transfer::{
            DataError, DatabaseSummary, EpochChoice, ExportWriter, ImportReader,
            samples::{NoProgress, ROWS, exported_columns, kept_columns},
        },
    },
};

const COLUMNS: &str = "SELECT table_name::text, column_name::text FROM information_schema.columns \
    WHERE table_schema = current_schema()";

async fn sqlite(directory: &Path) -> SqliteStore {
    let (directory, synchronous) = (directory.to_owned(), Synchronous::Normal);
    let options = SqliteOptions { directory, synchronous, busy_wait_max: WAIT };
    SqliteStore::open(&options).await.unwrap()
}

const WAIT: Duration = Duration::from_secs(5);

/// Rows of every kind in SQLite, and messages in the intake, whose author is a member.
async fn filled_sqlite(directory: &Path) -> SqliteStore {
    sqlite(directory).await.close().await;
    let connection = rusqlite::Connection::open(directory.join("roomcast.db")).unwrap();
    connection.execute_batch(ROWS).unwrap();
    drop(connection);
    let store = sqlite(directory).await;
    apply_changes(&store, vec![change("lobby", "author", JOIN)]).await;
    for id in ["1", "2", "3"] {
        commit(&store, vec![draft("lobby", id, id)]).await;
    }
    store
}

fn export_from_sqlite(directory: &Path) -> String {
    let mut bytes = Vec::new();
    export_sqlite(directory, ExportWriter::begin(&mut bytes, &NoProgress).unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn export(database: &TestDatabase) -> String {
    let mut bytes = Vec::new();
    let writer = ExportWriter::begin(&mut bytes, &NoProgress).unwrap();
    export_postgres(&database.options("export"), writer).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn import(
    database: &TestDatabase,
    text: &str,
    epoch: EpochChoice,
) -> Result<DatabaseSummary, DataError> {
    let mut input = text.as_bytes();
    let reader = ImportReader::begin(&mut input, &NoProgress)?;
    import_postgres(&database.options("import"), reader, epoch).await
}

#[tokio::test]
async fn exported_columns_are_those_of_postgres() {
    let database = TestDatabase::start();
    drop(database.open().await);
    let mut connection = database.connect().await;
    let found = sqlx::query_as(COLUMNS).fetch_all(&mut connection).await.unwrap();
    assert_eq!(kept_columns(found), exported_columns());
}

#[tokio::test]
async fn rows_of_every_kind_go_from_sqlite_to_postgres_and_back() {
    let (database, folder) = (TestDatabase::start(), tempfile::tempdir().unwrap());
    let (first, last) = (folder.path().join("first"), folder.path().join("last"));
    let store = filled_sqlite(&first).await;
    let text = export_from_sqlite(&first);
    database.make_schema().await;
    import(&database, &text, EpochChoice::Keep).await.unwrap();
    assert_eq!(export(&database).await, text);
    let mut input = text.as_bytes();
    let reader = ImportReader::begin(&mut input, &NoProgress).unwrap();
    import_sqlite(&last, reader, EpochChoice::Keep).unwrap();
    assert_eq!(export_from_sqlite(&last), text);

    let (copy, _) = database.open_as_node("first").await;
    assert_eq!(copy.epoch(), store.epoch());
    for place in [&room("lobby"), &room("all kinds")] {
        assert_eq!(log(&copy, place).await, log(&store, place).await);
        assert_eq!(log_state(&copy, place).await, log_state(&store, place).await);
    }
    for user in ["author", "ann", "bob"] {
        assert_eq!(memberships(&copy, user).await, memberships(&store, user).await, "{user}");
    }
    // No id of a conversation or of an event is used again.
    commit(&copy, vec![draft("another", "1", "1")]).await;
    assert_eq!(head(&copy, &room("another")).await, seq(1));
    database.run("INSERT INTO webhook_event (webhook, subject, space, type, fields, at) VALUES ('a', '', '/', 'x', '{}', 1)").await;
    assert!(export(&database).await.contains("{\"webhook_event\":{\"id\":31,"));
}

#[tokio::test]
async fn an_import_that_is_refused_leaves_postgres_empty() {
    let (database, folder) = (TestDatabase::start(), tempfile::tempdir().unwrap());
    filled_sqlite(folder.path()).await.close().await;
    let text = export_from_sqlite(folder.path());
    database.make_schema().await;
    let cases = [
        (text.get(..text.len() - 10).unwrap().to_owned(), "this is not JSON"),
        (text.replacen("\"id\":8,", "\"id\":7,", 1), "duplicate key"),
        (text.replacen("\"role\":3", "\"role\":9", 1), "member_role_check"),
        (text.replacen("\"id\":\"phone\"", "\"id\":\"\\u0000\"", 1), "invalid byte sequence"),
        (text.replacen("\"head\":9", "\"head\":8", 1), "the export has a message without"),
    ];
    for (file, expected) in cases {
        let refused = import(&database, &file, EpochChoice::New).await;
        assert!(matches!(refused, Err(DataError::Refused(_))), "{expected}: {refused:?}");
        let why = refused.unwrap_err().to_string();
        assert!(
            why.contains(expected) && (why.starts_with("line") || why.starts_with("the")),
            "{why}"
        );
        let left = export(&database).await;
        assert_eq!(left.lines().count(), 3, "{left}");
    }
    let before = database.open_as_node("before").await.0;
    import(&database, &text, EpochChoice::New).await.unwrap();
    assert_ne!(database.open_as_node("after").await.0.epoch(), before.epoch());
    let again = import(&database, &text, EpochChoice::New).await.unwrap_err().to_string();
    assert!(again.contains("must be empty"), "{again}");
}

#[tokio::test]
async fn a_database_that_a_node_uses_is_not_imported_into() {
    let (database, folder) = (TestDatabase::start(), tempfile::tempdir().unwrap());
    filled_sqlite(folder.path()).await.close().await;
    let text = export_from_sqlite(folder.path());
    let (_, nodes) = database.open().await;
    nodes.heartbeat(&[]).await.unwrap();
    let refused = import(&database, &text, EpochChoice::New).await.unwrap_err().to_string();
    assert!(refused.contains("1 nodes use the database"), "{refused}");
}
