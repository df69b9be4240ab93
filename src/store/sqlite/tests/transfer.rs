//! Exports and imports of SQLite alone; `postgres::tests::transfer` has both engines.

use super::*;
use crate::store::transfer::{
    DataError, DatabaseSummary, EpochChoice, ExportWriter, ImportReader,
    samples::{NoProgress, ROWS, exported_columns, kept_columns},
};

const COLUMNS: &str = "SELECT tables.name, columns.name FROM sqlite_schema AS tables \
    JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'";

fn export(directory: &Path) -> String {
    let mut bytes = Vec::new();
    export_sqlite(directory, ExportWriter::begin(&mut bytes, &NoProgress).unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn import(directory: &Path, text: &str) -> Result<DatabaseSummary, DataError> {
    let mut input = text.as_bytes();
    let reader = ImportReader::begin(&mut input, &NoProgress)?;
    import_sqlite(directory, reader, EpochChoice::Keep)
}

/// A database with rows of every kind; the newest messages are in the intake.
async fn filled() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    open(&directory).await.close().await;
    open_other_connection(&directory).execute_batch(ROWS).unwrap();
    let store = open(&directory).await;
    for id in ["1", "2"] {
        commit(&store, vec![draft("lobby", id, id)]).await;
    }
    store.close().await;
    directory
}

#[tokio::test]
async fn exported_columns_are_those_of_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    open(&directory).await.close().await;
    let connection = open_other_connection(&directory);
    let mut columns = connection.prepare(COLUMNS).unwrap();
    let found = columns.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let found: Result<Vec<(String, String)>, _> = found.collect();
    assert_eq!(kept_columns(found.unwrap()), exported_columns());
}

#[tokio::test]
async fn an_export_of_a_running_store_is_imported_over_an_empty_one() {
    let (source, other) = (filled().await, tempfile::tempdir().unwrap());
    let running = open(&source).await;
    let text = export(source.path());
    commit(&running, vec![draft("lobby", "3", "later")]).await;
    open(&other).await.close().await;
    import(other.path(), &text).unwrap();
    assert_eq!(export(other.path()), text);
    let copy = open(&other).await;
    assert_eq!(copy.epoch(), running.epoch());
    assert_eq!(log(&copy, &room("lobby")).await.len(), 2);
    assert_eq!(log(&copy, &room("all kinds")).await, log(&running, &room("all kinds")).await);
}

#[tokio::test]
async fn an_import_has_a_new_epoch_unless_it_is_kept() {
    let (source, other) = (filled().await, tempfile::tempdir().unwrap());
    let text = export(source.path());
    let mut input = text.as_bytes();
    let reader = ImportReader::begin(&mut input, &NoProgress).unwrap();
    import_sqlite(other.path(), reader, EpochChoice::New).unwrap();
    assert_ne!(open(&other).await.epoch(), open(&source).await.epoch());
}

#[tokio::test]
async fn a_store_that_has_rows_or_is_in_use_is_not_imported_into() {
    let (source, other) = (filled().await, filled().await);
    let text = export(source.path());
    let before = export(other.path());
    let refused = import(other.path(), &text).unwrap_err().to_string();
    assert!(refused.contains("must be empty"), "{refused}");
    assert_eq!(export(other.path()), before);
    let empty = tempfile::tempdir().unwrap();
    let running = open(&empty).await;
    let refused = import(empty.path(), &text).unwrap_err().to_string();
    assert!(refused.contains("another process"), "{refused}");
    running.close().await;
    import(empty.path(), &text).unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_with_its_line_and_nothing_is_stored() {
    let text = export(filled().await.path());
    let lines: Vec<_> = text.lines().collect();
    let change = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let line_of = |part: &str| lines.iter().position(|it| it.contains(part)).unwrap() + 1;
    let at_line = |part: &str, why: &str| format!("line {}: {why}", line_of(part));
    let last = lines.len();
    let cases = [
        (lines[..last - 1].join("\n"), format!("line {last}: the file ends here")),
        (lines[..last / 2].join("\n"), format!("line {}: the file ends", last / 2 + 1)),
        (text.get(..text.len() - 20).unwrap().to_owned(), format!("line {last}: this is not JSON")),
        (format!("{text}{{}}\n"), format!("line {}: nothing may follow", last + 1)),
        (String::new(), "line 1: the file ends".to_owned()),
        (change("roomcast", "other"), "line 1: this is no export".to_owned()),
        (change("\"schema\":1", "\"schema\":99"), "line 1: the export is of roomcast".to_owned()),
        (
            change("{\"device\"", "{\"gadget\""),
            at_line("{\"device\"", "there is no table `gadget`"),
        ),
        (change("\"id\":\"phone\"", "\"id\":7"), at_line("phone", "`device.id` has an invalid")),
        (change("\"id\":\"phone\",", ""), at_line("phone", "`device.id` is missing")),
        (
            change("\"id\":\"phone\"", "\"id\":\"phone\",\"os\":1"),
            at_line("phone", "`device` has no column `os`"),
        ),
        (change("AwAAAAD/Cg==", "%"), at_line("AwAAAAD/Cg==", "`message.attachments` has")),
        (change("\"attempts\":3", "\"attempts\":1.5"), at_line("\"attempts\":3", "`webhook_event")),
        (change("\"role\":3", "\"role\":9"), at_line("\"role\":3", "CHECK constraint failed")),
        (change("\"id\":8,", "\"id\":7,"), at_line("\"id\":8,", "UNIQUE constraint failed")),
        (change(lines[1], ""), "line 2: this is not JSON".to_owned()),
        (change(&format!("{}\n", lines[1]), ""), "line 2: the first row".to_owned()),
        (
            change("\"webhook_event\":3}}", "\"webhook_event\":4}}"),
            format!("line {last}: the file"),
        ),
        (change("\"head\":9", "\"head\":8"), "the export has a message without".to_owned()),
        (change("\"members\":2", "\"members\":3"), "the export has a conversation with".to_owned()),
    ];
    for (file, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let refused = import(&data, &file);
        assert!(matches!(refused, Err(DataError::Refused(_))), "{expected}: {refused:?}");
        let why = refused.unwrap_err().to_string();
        assert!(why.starts_with(&expected), "{why:?} instead of {expected:?}");
        assert!(!data.exists(), "{expected}");
    }
    let mut moved = lines.clone();
    let (first, later) = (line_of("{\"member\"") - 1, line_of("{\"device\"") - 1);
    moved.swap(first, later);
    let directory = tempfile::tempdir().unwrap();
    let why = import(directory.path(), &moved.join("\n")).unwrap_err().to_string();
    assert!(why.contains("rows of `member` must come earlier"), "{why}");
}
