//! A transaction as a few scripts of statements over many rows.
//!
//! Each script crosses to the connection's thread and back, so statements are queued until a result
//! is needed and are sent together: a small batch is three scripts, whatever its size. Tables of
//! rows have a few fixed sizes and are filled up with rows of `NULL`, so that there are few
//! statement texts and each stays prepared.

use std::mem;

use sqlx::{
    Arguments, AssertSqlSafe, SqliteExecutor, SqlitePool,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteConnection, SqliteRow},
};

/// Sizes of tables, in rows.
const SIZES: [usize; 5] = [1, 4, 16, 64, ROWS_MAX];
/// Rows that are sent at once: of 11 columns, well below SQLite's limit of 32,766 parameters.
const ROWS_MAX: usize = 256;

/// A statement over a table of rows: `before (VALUES row, row, …) after`. Rows of `NULL` must not
/// affect it. Its text is constant; values are always bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    pub(super) before: &'static str,
    /// As many question marks as there are columns.
    pub(super) row: &'static str,
    pub(super) after: &'static str,
}

/// Binds a row's values, one per question mark.
pub(super) type Bind<T> = fn(&mut SqliteArguments, &T) -> Result<(), BoxDynError>;

/// Queries rows on the read connections.
pub(super) async fn query<T: Sync>(
    readers: &SqlitePool,
    statement: Statement,
    rows: &[T],
    bind: Bind<T>,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let mut answers = Vec::new();
    for rows in rows.chunks(ROWS_MAX) {
        let mut script = Script::default();
        script.add(statement, rows, bind)?;
        answers.extend(script.send(readers).await?);
    }
    Ok(answers)
}

/// A transaction. It ends with [`Transaction::commit`] or when its connection is closed.
#[derive(Debug)]
pub(super) struct Transaction<'a> {
    connection: &'a mut SqliteConnection,
    pending: Script,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(connection: &'a mut SqliteConnection) -> Self {
        let text = "BEGIN IMMEDIATE; ".to_owned();
        Self { connection, pending: Script { text, ..Script::default() } }
    }

    /// Queues a statement over rows; it runs before the next query or commit.
    pub(super) async fn execute<T: Sync>(
        &mut self,
        statement: Statement,
        rows: &[T],
        bind: Bind<T>,
    ) -> Result<(), sqlx::Error> {
        for rows in rows.chunks(ROWS_MAX) {
            if self.pending.rows + size(rows.len()) > ROWS_MAX {
                self.pending.send(&mut *self.connection).await?;
            }
            self.pending.add(statement, rows, bind)?;
        }
        Ok(())
    }

    /// Runs all queued statements, then this query.
    pub(super) async fn query<T: Sync>(
        &mut self,
        statement: Statement,
        rows: &[T],
        bind: Bind<T>,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut answers = Vec::new();
        for rows in rows.chunks(ROWS_MAX) {
            self.pending.add(statement, rows, bind)?;
            answers.extend(self.pending.send(&mut *self.connection).await?);
        }
        Ok(answers)
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.pending.text.push_str("COMMIT");
        self.pending.send(self.connection).await.map(drop)
    }
}

/// Statements to be sent together.
#[derive(Debug, Default)]
struct Script {
    text: String,
    arguments: SqliteArguments,
    rows: usize,
}

impl Script {
    fn add<T>(
        &mut self,
        statement: Statement,
        rows: &[T],
        bind: Bind<T>,
    ) -> Result<(), sqlx::Error> {
        let Statement { before, row, after } = statement;
        let size = size(rows.len());
        self.text.push_str(before);
        for number in 0..size {
            self.text.push_str(if number == 0 { " (VALUES " } else { "," });
            self.text.push_str(row);
        }
        self.text.push_str(") ");
        self.text.push_str(after);
        self.text.push_str("; ");

        let columns = row.matches('?').count();
        self.arguments.reserve(size * columns, 0);
        for row in rows {
            bind(&mut self.arguments, row).map_err(sqlx::Error::Encode)?;
        }
        for _ in 0..(size - rows.len()) * columns {
            self.arguments.add(None::<i64>).map_err(sqlx::Error::Encode)?;
        }
        self.rows += size;
        Ok(())
    }

    /// Sends all queued statements.
    async fn send<'c>(
        &mut self,
        to: impl SqliteExecutor<'c>,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let Self { text, arguments, rows: _ } = mem::take(self);
        sqlx::query_with(AssertSqlSafe(text), arguments).fetch_all(to).await
    }
}

/// The smallest size with room for so many rows.
fn size(rows: usize) -> usize {
    SIZES.into_iter().find(|size| rows <= *size).unwrap_or(rows)
}
