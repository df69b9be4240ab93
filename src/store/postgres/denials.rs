//! Bans, revoked tokens and ended sign-ins.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;

use super::{
    PostgresStore, connect::run_statement, failure::PostgresFailure, pool::with_connection,
};
use crate::{
    chat::ports::{DenialChange, DenialSnapshot, DenialStore, Fault},
    store::sql::{denial, row},
};

// The row's lock orders the changes of all nodes, so it is taken first.
const NEXT_NUMBER: &str = "UPDATE meta SET denials = denials + 1 RETURNING denials";

const DROP_OVER: &str = "DELETE FROM denial WHERE until <= $1";

const UPSERT: &str = "INSERT INTO denial (kind, space, name, at, until, reason)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (kind, space, name) DO UPDATE
        SET at = excluded.at, until = excluded.until, reason = excluded.reason";

const DROP: &str = "DELETE FROM denial WHERE kind = $1 AND space = $2 AND name = $3";

const NUMBER: &str = "SELECT denials FROM meta";

/// One statement, so one snapshot.
const ALL: &str = "SELECT meta.denials AS number, kind, space, name, at, until, reason
    FROM meta LEFT JOIN denial ON true";

#[async_trait]
impl DenialStore for PostgresStore {
    /// A repetition after a broken connection takes another number, which is no harm: nodes that
    /// miss a number read the list.
    async fn change_denials(
        &self,
        change: &DenialChange,
        now: OffsetDateTime,
    ) -> Result<u64, Fault> {
        let now = row::millis(now);
        let changed =
            with_connection!(self.writer, |connection| store_change(connection, change, now));
        changed.map_err(|failure| Fault::new("postgres denial change failed", failure))
    }

    async fn denials_number(&self) -> Result<u64, Fault> {
        let number = with_connection!(self.readers, |connection| number(connection));
        number.map_err(|failure| Fault::new("postgres denial number query failed", failure))
    }

    async fn denials(&self) -> Result<DenialSnapshot, Fault> {
        let list = with_connection!(self.readers, |connection| all(connection));
        list.map_err(|failure| Fault::new("postgres denials query failed", failure))
    }
}

async fn store_change(
    connection: &mut PgConnection,
    change: &DenialChange,
    now: i64,
) -> Result<u64, PostgresFailure> {
    run_statement(connection, "BEGIN").await?;
    let number = sqlx::query_scalar(NEXT_NUMBER).fetch_one(&mut *connection).await?;
    sqlx::query(DROP_OVER).bind(now).execute(&mut *connection).await?;
    let query = match change {
        DenialChange::Deny(it) => {
            let (kind, space, name) = denial::key(&it.subject);
            let (at, until, reason) = denial::values(it);
            let query = sqlx::query(UPSERT).bind(kind).bind(space).bind(name);
            query.bind(at).bind(until).bind(reason)
        }
        DenialChange::Allow(subject) => {
            let (kind, space, name) = denial::key(subject);
            sqlx::query(DROP).bind(kind).bind(space).bind(name)
        }
    };
    query.execute(&mut *connection).await?;
    run_statement(connection, "COMMIT").await?;
    Ok(row::count(number)?)
}

async fn number(connection: &mut PgConnection) -> Result<u64, PostgresFailure> {
    let number = sqlx::query_scalar(NUMBER).fetch_one(connection).await?;
    Ok(row::count(number)?)
}

async fn all(connection: &mut PgConnection) -> Result<DenialSnapshot, PostgresFailure> {
    let mut list = DenialSnapshot::default();
    let mut rows = sqlx::query(ALL).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        denial::read_into(&mut list, &row)?;
    }
    Ok(list)
}
