//! Bans, revoked tokens and ended sign-ins.

use async_trait::async_trait;
use rusqlite::Connection;
use time::OffsetDateTime;

use super::{
    SqliteStore,
    commit::{BEGIN, COMMIT},
    failure::SqliteFailure,
    statement::execute,
};
use crate::{
    chat::ports::{DenialChange, DenialSnapshot, DenialStore, Fault},
    store::sql::{denial, row},
};

const NEXT_NUMBER: &str = "UPDATE meta SET denials = denials + 1 RETURNING denials";

pub(super) const DROP_OVER: &str = "DELETE FROM denial WHERE until <= ?1";

pub(super) const UPSERT: &str = "INSERT INTO denial (kind, space, name, at, until, reason) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT DO UPDATE SET at = excluded.at, until = excluded.until, reason = excluded.reason";

pub(super) const DROP: &str = "DELETE FROM denial WHERE kind = ?1 AND space = ?2 AND name = ?3";

const NUMBER: &str = "SELECT denials FROM meta";

/// One statement, so one snapshot.
const ALL: &str = "SELECT meta.denials AS number, kind, space, name, at, until, reason \
    FROM meta LEFT JOIN denial";

#[async_trait]
impl DenialStore for SqliteStore {
    async fn change_denials(
        &self,
        change: &DenialChange,
        now: OffsetDateTime,
    ) -> Result<u64, Fault> {
        let change = change.clone();
        let changed = self.writer.run(move |it| self::change(it, &change, row::millis(now))).await;
        changed.map_err(|error| Fault::new("sqlite denial change failed", error))
    }

    async fn denials_number(&self) -> Result<u64, Fault> {
        self.query("sqlite denial number query failed", |connection| {
            let number = connection.prepare_cached(NUMBER)?.query_row((), |row| row.get(0))?;
            Ok(row::count(number)?)
        })
        .await
    }

    async fn denials(&self) -> Result<DenialSnapshot, Fault> {
        self.query("sqlite denials query failed", |connection| {
            let mut statement = connection.prepare_cached(ALL)?;
            let (mut rows, mut list) = (statement.query(())?, DenialSnapshot::default());
            while let Some(row) = rows.next()? {
                denial::read_into(&mut list, row)?;
            }
            Ok(list)
        })
        .await
    }
}

/// An error leaves the transaction open: the connection must be closed.
fn change(connection: &Connection, change: &DenialChange, now: i64) -> Result<u64, SqliteFailure> {
    execute(connection, BEGIN)?;
    let number = connection.prepare_cached(NEXT_NUMBER)?.query_row((), |row| row.get(0))?;
    connection.prepare_cached(DROP_OVER)?.execute([now])?;
    match change {
        DenialChange::Deny(it) => {
            let (kind, space, name) = denial::key(&it.subject);
            let (at, until, reason) = denial::values(it);
            let row = (kind, space, name, at, until, reason);
            connection.prepare_cached(UPSERT)?.execute(row)?;
        }
        DenialChange::Allow(subject) => {
            connection.prepare_cached(DROP)?.execute(denial::key(subject))?;
        }
    }
    execute(connection, COMMIT)?;
    Ok(row::count(number)?)
}
