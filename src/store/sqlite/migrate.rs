//! Migrations: the schema's versions, which every database passes through in their order.
//!
//! The table `_sqlx_migrations` has the versions of a database. The sqlx crate made and filled it
//! before this engine spoke to SQLite by itself, and it stays the only record: databases of both
//! are the same.

use std::{collections::BTreeMap, sync::LazyLock};

use rusqlite::{Connection, TransactionBehavior};
use rust_embed::Embed;
use sqlx::migrate::{Migration, Migrator};

use crate::store::migrations;

/// The versions of the schema.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(migrations::embedded::<Files>);

#[derive(Embed)]
#[folder = "src/store/sqlite/migrations"]
struct Files;

/// Why a database has no schema that this program knows.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database is of a later version.
    #[error("migration {0} was previously applied but is missing in the resolved migrations")]
    Unknown(i64),
    /// The schema was made by another file of the same version.
    #[error("migration {0} was previously applied but has been modified")]
    Modified(i64),
    /// The migration was begun and not ended.
    #[error("migration {0} is partially applied; fix and remove row from `_sqlx_migrations` table")]
    Partial(i64),
    /// A migration failed. Nothing of it is stored.
    #[error("while executing migration {0}: {1}")]
    Failed(i64, #[source] rusqlite::Error),
    /// The versions cannot be read.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
}

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)";

const FIND_APPLIED: &str = "SELECT version, success, checksum FROM _sqlx_migrations";

/// The time of an execution is not measured.
const INSERT_APPLIED: &str = "INSERT INTO _sqlx_migrations \
    (version, description, success, checksum, execution_time) VALUES (?1, ?2, TRUE, ?3, -1)";

/// Brings a database to the last version. Nothing is written when its version is unknown.
pub(super) fn migrate(
    connection: &mut Connection,
    migrations: &[Migration],
) -> Result<(), MigrationError> {
    connection.execute_batch(CREATE_TABLE)?;
    for migration in find_pending(connection, migrations)? {
        apply(connection, migration)
            .map_err(|error| MigrationError::Failed(migration.version, error))?;
    }
    Ok(())
}

/// The version of a database, if all of its migrations are known.
pub(super) fn known_version(
    connection: &Connection,
    migrations: &Migrator,
) -> Result<i64, MigrationError> {
    let pending = find_pending(connection, &migrations.migrations)?;
    let is_applied = |it: &&Migration| pending.iter().all(|other| other.version != it.version);
    let applied = migrations.migrations.iter().filter(is_applied);
    Ok(applied.map(|it| it.version).max().unwrap_or_default())
}

/// The migrations that are not applied. An error if others are.
fn find_pending<'a>(
    connection: &Connection,
    migrations: &'a [Migration],
) -> Result<Vec<&'a Migration>, MigrationError> {
    let mut applied = find_applied(connection)?;
    let mut pending = Vec::new();
    for migration in migrations {
        match applied.remove(&migration.version) {
            None => pending.push(migration),
            Some(checksum) if checksum == *migration.checksum => (),
            Some(_) => return Err(MigrationError::Modified(migration.version)),
        }
    }
    if let Some((later, _)) = applied.pop_first() {
        return Err(MigrationError::Unknown(later));
    }
    Ok(pending)
}

/// The checksums of the applied migrations, by version.
fn find_applied(connection: &Connection) -> Result<BTreeMap<i64, Vec<u8>>, MigrationError> {
    let mut statement = connection.prepare(FIND_APPLIED)?;
    let mut rows = statement.query(())?;
    let mut applied = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let version = row.get(0)?;
        if !row.get::<_, bool>(1)? {
            return Err(MigrationError::Partial(version));
        }
        applied.insert(version, row.get(2)?);
    }
    Ok(applied)
}

/// Applies a migration and records it in the same transaction.
fn apply(connection: &mut Connection, migration: &Migration) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration.sql.as_str())?;
    let Migration { version, description, checksum, .. } = migration;
    transaction.execute(INSERT_APPLIED, (version, &**description, &**checksum))?;
    transaction.commit()
}
