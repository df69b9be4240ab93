//! Export and import of a whole database.
//!
//! An export reads one state in one transaction, also while nodes write. An import is one
//! transaction that has all tables locked: a node that starts meanwhile waits for its end.

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _,
    postgres::{PgConnectOptions, PgConnection, PgRow},
};

use super::{MIGRATIONS, PostgresOptions, check, error::PostgresError, failure::has_code, migrate};
use crate::{
    chat::ports::LEASE,
    store::transfer::{
        CONTRADICTIONS, ColumnKind, DataError, DatabaseSummary, EpochChoice, ExportWriter,
        ImportReader, ImportRow, META, TABLES, Table, Value, at_line,
    },
};

/// The operator may have set global timeouts; and notices would be logged.
const SESSION: &str = "SET client_min_messages = error; SET statement_timeout = 0; SET lock_timeout = 0; \
    SET idle_in_transaction_session_timeout = 0";

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const FIND_SCHEMA: &str = "SELECT max(version) AS version FROM _sqlx_migrations WHERE success";

const META_ROW: &str = "(SELECT epoch, key_rule, denials, (SELECT CASE WHEN is_called \
    THEN last_value ELSE 0 END FROM webhook_event_id_seq) AS last_webhook_event FROM meta) AS meta";

const LOCK: &str = r#"LOCK TABLE meta, node, "user", conversation, member, message, device, denial,
    webhook_event, webhook_presence IN ACCESS EXCLUSIVE MODE"#;

const FIND_NODES: &str = "SELECT count(*) AS alive FROM node \
    WHERE NOT gone AND beat > clock_timestamp() - $1 * interval '1 millisecond'";

const SET_META: &str = "UPDATE meta SET epoch = $1, key_rule = $2, denials = $3";
const SET_LAST_EVENT: &str = "SELECT setval('webhook_event_id_seq', $1)";
const NEW_EPOCH: &str = "UPDATE meta SET epoch = replace(gen_random_uuid()::text, '-', '')";

const SET_LAST_CONVERSATION: &str =
    "SELECT setval('conversation_id_seq', max(id)) FROM conversation HAVING max(id) IS NOT NULL";

/// A value does not fit, or contradicts another row.
const BAD_ROW: [&str; 6] = ["22003", "22021", "23502", "23505", "23514", "22P05"];

/// Rows of one statement, and their bytes.
const BATCH_ROWS_MAX: usize = 1000;
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Writes all rows of the database.
pub async fn export(
    options: &PostgresOptions,
    mut writer: ExportWriter<'_>,
) -> Result<DatabaseSummary, DataError> {
    let mut connection = connect(&check::connect_options(options).map_err(unusable)?).await?;
    run(&mut connection, BEGIN_READ).await?;
    let schema = schema(&mut connection).await?;
    for (position, table) in TABLES.iter().enumerate() {
        let name = format!("\"{}\"", table.name);
        let source = if position == META { META_ROW } else { &name };
        let (columns, key) = (table.column_list(), table.key_list());
        let select = format!("SELECT {columns} FROM {source} ORDER BY {key}");
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut connection);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            writer.row(position, &values(table, &row).map_err(failed)?)?;
        }
    }
    run(&mut connection, "COMMIT").await?;
    connection.close().await.map_err(failed)?;
    writer.finish(schema)
}

/// Fills the database, which must have no rows. It is migrated first.
pub async fn import(
    options: &PostgresOptions,
    mut reader: ImportReader<'_>,
    epoch: EpochChoice,
) -> Result<DatabaseSummary, DataError> {
    let connect_options = check::connect_options(options).map_err(unusable)?;
    drop(check::connect_checked(&connect_options, options.wait_max).await.map_err(unusable)?);
    migrate(&connect_options).await.map_err(unusable)?;
    let mut connection = connect(&connect_options).await?;
    run(&mut connection, "BEGIN").await?;
    run(&mut connection, LOCK).await?;
    require_empty(&mut connection).await?;
    let mut batch = Vec::new();
    let mut bytes = 0;
    while let Some(row) = reader.next_row()? {
        let is_full = batch.len() >= BATCH_ROWS_MAX || bytes > BATCH_BYTES_MAX;
        let is_other = batch.last().is_some_and(|it: &ImportRow| it.table != row.table);
        if is_full || is_other {
            insert(&mut connection, &std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
        bytes += row.values.iter().map(size).sum::<usize>();
        batch.push(row);
    }
    insert(&mut connection, &batch).await?;
    finish(&mut connection, epoch).await?;
    let schema = schema(&mut connection).await?;
    run(&mut connection, "COMMIT").await?;
    connection.close().await.map_err(failed)?;
    Ok(DatabaseSummary { schema, rows: reader.counts(), files: Vec::new() })
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DataError> {
    let connected = options.connect().await.map_err(PostgresError::from);
    let mut connection = connected.map_err(unusable)?;
    run(&mut connection, SESSION).await?;
    Ok(connection)
}

async fn run(connection: &mut PgConnection, sql: &'static str) -> Result<(), DataError> {
    sqlx::raw_sql(sql).execute(connection).await.map(drop).map_err(failed)
}

/// The version of the schema, which must be this program's.
async fn schema(connection: &mut PgConnection) -> Result<i64, DataError> {
    let found = sqlx::query(FIND_SCHEMA).fetch_one(connection).await;
    let version: Option<i64> = found.and_then(|row| row.try_get("version")).map_err(failed)?;
    let last = MIGRATIONS.iter().map(|it| it.version).max();
    match version {
        Some(version) if Some(version) == last => Ok(version),
        _ => Err(DataError::Refused(format!(
            "the database has schema {}, and this version of roomcast {}",
            version.unwrap_or_default(),
            last.unwrap_or_default()
        ))),
    }
}

async fn require_empty(connection: &mut PgConnection) -> Result<(), DataError> {
    let lease = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
    let row = sqlx::query(FIND_NODES).bind(lease).fetch_one(&mut *connection).await;
    let alive: i64 = row.and_then(|row| row.try_get("alive")).map_err(failed)?;
    if alive > 0 {
        let why = format!("{alive} nodes use the database: stop them first");
        return Err(DataError::Refused(why));
    }
    for table in TABLES.iter().skip(META + 1) {
        let find = format!("SELECT 1 FROM \"{}\" LIMIT 1", table.name);
        let found = sqlx::query(AssertSqlSafe(find)).fetch_optional(&mut *connection).await;
        if found.map_err(failed)?.is_some() {
            let why = format!("the database must be empty: it has rows in `{}`", table.name);
            return Err(DataError::Refused(why));
        }
    }
    Ok(())
}

/// Inserts rows of one table in one statement.
async fn insert(connection: &mut PgConnection, rows: &[ImportRow]) -> Result<(), DataError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
    let Some(table) = TABLES.get(first.table) else { return Ok(()) };
    if first.table == META {
        return set_meta(connection, first).await;
    }
    let parameters: Vec<_> = (1..)
        .zip(table.columns)
        .map(|(number, column)| format!("${number}::{}[]", sql_type(column.kind)))
        .collect();
    let statement = format!(
        "INSERT INTO \"{}\" ({}) OVERRIDING SYSTEM VALUE SELECT * FROM unnest({})",
        table.name,
        table.column_list(),
        parameters.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for (at, column) in table.columns.iter().enumerate() {
        let values = rows.iter().map(|row| row.values.get(at).unwrap_or(&Value::Null));
        // SQLite does not know when users of its first versions were seen.
        let unknown = (column.name == "seen").then_some(0);
        query = match column.kind {
            ColumnKind::Int => {
                query.bind(values.map(|it| as_int(it).or(unknown)).collect::<Vec<_>>())
            }
            ColumnKind::Flag => query.bind(values.map(as_flag).collect::<Vec<_>>()),
            ColumnKind::Text => query.bind(values.map(as_text).collect::<Vec<_>>()),
            ColumnKind::Bytes => query.bind(values.map(as_bytes).collect::<Vec<_>>()),
        };
    }
    let inserted = query.execute(connection).await;
    inserted.map(drop).map_err(|error| {
        if has_code(&error, &BAD_ROW) {
            let (first, last) = (first.line, last.line);
            DataError::Refused(format!("lines {first} to {last}: {error}"))
        } else {
            failed(error)
        }
    })
}

async fn set_meta(connection: &mut PgConnection, row: &ImportRow) -> Result<(), DataError> {
    let [epoch, key_rule, denials, last_event] = &row.values[..] else {
        return Err(at_line(row.line, "`meta` has other columns"));
    };
    let set = sqlx::query(SET_META).bind(as_text(epoch)).bind(as_int(key_rule));
    set.bind(as_int(denials)).execute(&mut *connection).await.map_err(failed)?;
    if let Some(last @ 1..) = as_int(last_event) {
        sqlx::query(SET_LAST_EVENT).bind(last).execute(connection).await.map_err(failed)?;
    }
    Ok(())
}

async fn finish(connection: &mut PgConnection, epoch: EpochChoice) -> Result<(), DataError> {
    run(connection, SET_LAST_CONVERSATION).await?;
    if epoch == EpochChoice::New {
        run(connection, NEW_EPOCH).await?;
    }
    run(connection, "ANALYZE").await?;
    for (what, query) in CONTRADICTIONS {
        let found = sqlx::query(query).fetch_optional(&mut *connection).await.map_err(failed)?;
        if found.is_some() {
            return Err(DataError::Refused(format!("the export has {what}")));
        }
    }
    Ok(())
}

fn values(table: &Table, row: &PgRow) -> Result<Vec<Value>, sqlx::Error> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(at, column)| {
            let value = match column.kind {
                ColumnKind::Int => row.try_get::<Option<i64>, _>(at)?.map(Value::Int),
                ColumnKind::Flag => row.try_get::<Option<bool>, _>(at)?.map(Value::Flag),
                ColumnKind::Text => row.try_get::<Option<String>, _>(at)?.map(Value::Text),
                ColumnKind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Value::Bytes),
            };
            Ok(value.unwrap_or(Value::Null))
        })
        .collect()
}

fn sql_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Int => "bigint",
        ColumnKind::Flag => "boolean",
        ColumnKind::Text => "text",
        ColumnKind::Bytes => "bytea",
    }
}

fn as_int(value: &Value) -> Option<i64> {
    if let Value::Int(number) = value { Some(*number) } else { None }
}

fn as_flag(value: &Value) -> Option<bool> {
    if let Value::Flag(flag) = value { Some(*flag) } else { None }
}

fn as_text(value: &Value) -> Option<&str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

fn as_bytes(value: &Value) -> Option<&[u8]> {
    if let Value::Bytes(bytes) = value { Some(bytes) } else { None }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Int(_) | Value::Flag(_) => 8,
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
    }
}

/// The server cannot be used: that is what the setting says, unless it may run later.
fn unusable(error: PostgresError) -> DataError {
    if error.is_transient() {
        DataError::failed("the PostgreSQL database cannot be opened", error)
    } else {
        DataError::Refused(crate::chat::ports::with_causes(&error))
    }
}

fn failed(error: sqlx::Error) -> DataError {
    DataError::failed("the PostgreSQL database failed", error)
}
