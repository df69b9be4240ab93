//! Runs statements. Their texts are constant and stay prepared; values are always bound.
//!
//! A statement runs once per row: SQLite is in the same thread, so a call costs less than a text
//! with many rows, which has to be made, prepared and bound anew.

use rusqlite::{Connection, Params, Row, Statement};

use super::failure::SqliteFailure;

/// Runs a statement without parameters.
pub(super) fn execute(connection: &Connection, sql: &str) -> Result<(), SqliteFailure> {
    connection.prepare_cached(sql)?.execute(())?;
    Ok(())
}

/// Runs a statement for each row of parameters.
pub(super) fn execute_each<P: Params>(
    connection: &Connection,
    sql: &str,
    rows: impl IntoIterator<Item = P>,
) -> Result<(), SqliteFailure> {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(sql)?;
    for row in rows {
        statement.execute(row)?;
    }
    Ok(())
}

/// Reads the first row, if there is one.
pub(super) fn first<T, E: Into<SqliteFailure>>(
    statement: &mut Statement<'_>,
    parameters: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, E>,
) -> Result<Option<T>, SqliteFailure> {
    let mut rows = statement.query(parameters)?;
    rows.next()?.map(read).transpose().map_err(Into::into)
}

/// Reads all rows.
pub(super) fn all<T, E: Into<SqliteFailure>>(
    statement: &mut Statement<'_>,
    parameters: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, E>,
) -> Result<Vec<T>, SqliteFailure> {
    let mut rows = statement.query(parameters)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row).map_err(Into::into)?);
    }
    Ok(all)
}
