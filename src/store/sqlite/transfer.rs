//! Export and import of a whole database.
//!
//! An export reads one state in one read transaction, also while a server writes. An import makes a
//! new database beside its final name and renames it, so an import that does not end leaves none.

use std::{fs, path::Path};

use rusqlite::{
    Connection, OpenFlags, ToSql, params_from_iter,
    types::{ToSqlOutput, Value as SqlValue, ValueRef},
};

use super::{
    backup::{NEW_EPOCH, count_rows, existing_database, failed, known_schema, open},
    connect,
    directory::{DATABASE, NewDirectory, refusal},
    migrate,
};
use crate::store::transfer::{
    CONTRADICTIONS, ColumnKind, DataError, DatabaseSummary, EpochChoice, ExportWriter,
    ImportReader, ImportRow, META, TABLES, Table, Value, at_line,
};

/// What waits in the intake counts as if it had been moved: see `intake`.
const CONVERSATIONS: &str = "(SELECT id, space, kind, one, other, coalesce(last.seq, head) AS head, \
        coalesce(last.messages, conversation.messages) AS messages, floor, floor_messages, members, \
        coalesce(last.at, said_at) AS said_at, deleted, topic \
    FROM conversation LEFT JOIN (SELECT conversation, max(seq) AS seq, messages, at FROM intake \
        GROUP BY conversation) AS last ON last.conversation = conversation.id)";

const MESSAGES: &str = "(SELECT conversation, seq, messages, at, kind, target, edited_at, edit, \
        deletion, author, stay, id, body, attachments, event FROM message \
    UNION ALL SELECT conversation, seq, messages, at, kind, NULL, NULL, NULL, \
        NULL, author, stay, id, body, attachments, event FROM intake)";

const MEMBERS: &str = "(SELECT member.space, user, member.conversation, role, joined, \
        max(read, coalesce(last.seq, 0)) AS read, \
        iif(last.seq > read, last.messages, read_messages) AS read_messages, muted, joined_at \
    FROM member LEFT JOIN (SELECT intake.conversation, author, max(seq) AS seq, intake.messages \
            FROM intake CROSS JOIN conversation ON conversation.id = intake.conversation \
            WHERE conversation.kind <> 2 GROUP BY intake.conversation, author) AS last \
        ON last.conversation = member.conversation AND last.author = member.user)";

const META_ROW: &str = "(SELECT epoch, key_rule, denials, coalesce((SELECT seq FROM sqlite_sequence \
    WHERE name = 'webhook_event'), 0) AS last_webhook_event FROM meta)";

const SET_META: &str = "UPDATE meta SET epoch = ?1, key_rule = ?2, denials = ?3";
const SET_LAST_EVENT: &str = "INSERT INTO sqlite_sequence (name, seq) VALUES ('webhook_event', ?1)";
const CLEAR_LAST_EVENT: &str = "DELETE FROM sqlite_sequence WHERE name = 'webhook_event'";

/// Nothing is synced before the file is complete, and a failed import is deleted.
const IMPORT_PRAGMAS: &str =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;";

/// Writes all rows of the database in the directory `data`.
pub fn export(data: &Path, mut writer: ExportWriter<'_>) -> Result<DatabaseSummary, DataError> {
    let path = existing_database(data)?;
    let sql_error = |error: rusqlite::Error| failed("read", &path, error);
    let connection = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sql_error)?;
    connection.execute_batch("BEGIN").map_err(sql_error)?;
    let schema = known_schema(&connection, &path)?;
    if migrate::MIGRATIONS.iter().any(|it| it.version > schema) {
        let path = path.display();
        let why = format!("{path} is of an earlier version of roomcast: start this version once");
        return Err(DataError::Refused(why));
    }
    for (position, table) in TABLES.iter().enumerate() {
        let source = match table.name {
            "meta" => META_ROW,
            "conversation" => CONVERSATIONS,
            "message" => MESSAGES,
            "member" => MEMBERS,
            name => &format!("\"{name}\""),
        };
        let (columns, key) = (table.column_list(), table.key_list());
        let select = format!("SELECT {columns} FROM {source} ORDER BY {key}");
        let mut statement = connection.prepare(&select).map_err(sql_error)?;
        let mut rows = statement.query(()).map_err(sql_error)?;
        while let Some(row) = rows.next().map_err(sql_error)? {
            let columns = table.columns.iter().enumerate();
            let values = columns.map(|(at, it)| Ok(value(it.kind, row.get_ref(at)?)));
            let values: Result<Vec<_>, rusqlite::Error> = values.collect();
            writer.row(position, &values.map_err(sql_error)?)?;
        }
    }
    writer.finish(schema)
}

/// Makes a database in the directory `data`, which must have none, or one without rows.
pub fn import(
    data: &Path,
    mut reader: ImportReader<'_>,
    epoch: EpochChoice,
) -> Result<DatabaseSummary, DataError> {
    let mut directory = NewDirectory::open(data)?;
    if !data.join(connect::LOCK).exists() {
        directory.add(connect::LOCK);
    }
    let lock = connect::lock_directory(data).map_err(refusal)?;
    require_empty(data)?;
    let partial = directory.add_database()?;
    let sql_error = |error: rusqlite::Error| failed("filled", &partial, error);
    let mut connection = open(&partial, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sql_error)?;
    migrate::migrate(&mut connection, &migrate::MIGRATIONS.migrations)
        .map_err(|error| failed("made", &partial, error))?;
    connection.execute_batch(IMPORT_PRAGMAS).map_err(sql_error)?;
    connection.execute_batch("BEGIN").map_err(sql_error)?;
    while let Some(row) = reader.next_row()? {
        insert(&connection, &row)?;
    }
    for (what, query) in CONTRADICTIONS {
        if connection.prepare(query).and_then(|mut it| it.exists(())).map_err(sql_error)? {
            return Err(DataError::Refused(format!("the export has {what}")));
        }
    }
    if epoch == EpochChoice::New {
        connection.execute(NEW_EPOCH, ()).map_err(sql_error)?;
    }
    connection.execute_batch("COMMIT; PRAGMA optimize").map_err(sql_error)?;
    let schema = known_schema(&connection, &partial)?;
    drop(connection);
    directory.complete()?;
    drop(lock);
    Ok(DatabaseSummary { schema, rows: reader.counts(), files: Vec::new() })
}

/// Fails if the directory has a database with rows. Otherwise deletes what an empty one has left
/// beside it: a write-ahead log of another database would damage the new one.
fn require_empty(data: &Path) -> Result<(), DataError> {
    let path = data.join(DATABASE);
    if existing_database(data).is_err() {
        return Ok(());
    }
    let sql_error = |error: rusqlite::Error| failed("read", &path, error);
    let connection = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sql_error)?;
    let counts = count_rows(&connection).map_err(sql_error)?;
    if let Some((table, count)) = counts.iter().find(|(_, count)| *count > 0) {
        let path = path.display();
        return Err(DataError::Refused(format!(
            "the database {path} must be empty: it has {count} rows in `{table}`"
        )));
    }
    // Closing the last connection empties the write-ahead log.
    connection.close().map_err(|(_, error)| sql_error(error))?;
    for companion in ["roomcast.db-wal", "roomcast.db-shm"] {
        fs::remove_file(data.join(companion)).ok();
    }
    Ok(())
}

fn insert(connection: &Connection, row: &ImportRow) -> Result<(), DataError> {
    let Some(table) = TABLES.get(row.table) else { return Ok(()) };
    let inserted = match &row.values[..] {
        [epoch, key_rule, denials, last_event] if row.table == META => connection
            .execute(SET_META, [epoch, key_rule, denials])
            .and_then(|_| connection.execute(CLEAR_LAST_EVENT, ()))
            .and_then(|_| connection.execute(SET_LAST_EVENT, [last_event])),
        values => connection
            .prepare_cached(&insert_statement(table))
            .and_then(|mut it| it.execute(params_from_iter(values))),
    };
    inserted.map(drop).map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => at_line(row.line, &error.to_string()),
        _ => DataError::failed("the database cannot be filled", error),
    })
}

fn insert_statement(table: &Table) -> String {
    let marks = vec!["?"; table.columns.len()].join(", ");
    format!("INSERT INTO \"{}\" ({}) VALUES ({marks})", table.name, table.column_list())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(SqlValue::Null),
            Self::Int(number) => ToSqlOutput::Owned(SqlValue::Integer(*number)),
            Self::Flag(flag) => ToSqlOutput::Owned(SqlValue::Integer(i64::from(*flag))),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

/// The tables are STRICT, so a column has values of its kind alone.
fn value(kind: ColumnKind, stored: ValueRef<'_>) -> Value {
    match stored {
        ValueRef::Integer(number) if kind == ColumnKind::Flag => Value::Flag(number != 0),
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
    }
}
