//! Why a job on a connection failed, and why a database could not be opened.

use std::{error::Error, io, path::PathBuf};

use super::migrate::MigrationError;
use crate::store::sql::ColumnError;

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SqliteFailure {
    /// SQLite returned an error.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// A row is damaged, or a value does not fit.
    #[error(transparent)]
    Column(#[from] ColumnError),
    /// The job has a bug.
    #[error("the job has panicked")]
    Panicked,
    /// The threads have ended.
    #[error("the connections are closed")]
    Closed,
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// The directory is missing and cannot be created.
    #[error("the data directory {} cannot be created", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The lock file cannot be created or locked, though no other process holds it.
    #[error("the lock {} cannot be taken", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("another process uses the data directory {}", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// SQLite cannot open it: it is damaged, not a database, locked, or not writable. Or its
    /// threads cannot be started.
    #[error("the database {} cannot be opened", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The migration failed, or the schema is of a later version.
    #[error("the database {} cannot be migrated", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: MigrationError,
    },
}
