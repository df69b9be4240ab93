//! Errors and warnings for the operator about a database.

use std::time::Duration;

use sqlx::migrate::MigrateError;

use super::failure::{PostgresFailure, has_code};

/// Why a database cannot be used. No message contains the address: it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The address is malformed.
    #[error("the address of the PostgreSQL database is not one")]
    Address(#[source] sqlx::Error),
    /// No server listens at the address, or it is not PostgreSQL.
    #[error("the PostgreSQL server cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The server did not answer in time.
    #[error("the PostgreSQL server did not answer within {0:?}")]
    TimedOut(Duration),
    /// The server rejects the user: in most cases a wrong password.
    #[error("the PostgreSQL server refuses this user or password")]
    Login(#[source] sqlx::Error),
    /// The database does not exist.
    #[error("there is no such database on the PostgreSQL server")]
    NoDatabase(#[source] sqlx::Error),
    /// The server is too old.
    #[error("the PostgreSQL server has version {0}, and 13 is the oldest that is supported")]
    TooOld(Box<str>),
    /// The database's encoding is not UTF-8.
    #[error("the database has the encoding {0}, and only UTF8 is supported")]
    Encoding(Box<str>),
    /// The server is a standby, or is set to be read-only.
    #[error("the PostgreSQL server takes no writes: it is a standby, or was set to be read-only")]
    ReadOnly,
    /// The user must not create tables in the schema.
    #[error("this user of PostgreSQL may not create tables in {}", schema.as_deref().unwrap_or("any schema of the search path"))]
    MayNotCreate {
        /// The schema.
        schema: Option<Box<str>>,
    },
    /// The migration failed, or the schema is of a later version.
    #[error("the PostgreSQL database cannot be migrated")]
    Migration(#[source] MigrateError),
    /// The server returned another error.
    #[error("the PostgreSQL database cannot be opened")]
    Database(#[source] sqlx::Error),
}

impl PostgresError {
    /// Whether a later attempt with the same address may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::TimedOut(_) | Self::ReadOnly)
    }
}

/// The user is unknown, the password is wrong, or the server's rules reject the user.
const LOGIN: [&str; 2] = ["28P01", "28000"];
const NO_DATABASE: [&str; 1] = ["3D000"];

impl From<sqlx::Error> for PostgresError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Configuration(_) => Self::Address(error),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                Self::Unreachable(error)
            }
            error if has_code(&error, &LOGIN) => Self::Login(error),
            error if has_code(&error, &NO_DATABASE) => Self::NoDatabase(error),
            error => Self::Database(error),
        }
    }
}

impl From<PostgresFailure> for PostgresError {
    fn from(failure: PostgresFailure) -> Self {
        match failure {
            PostgresFailure::Sql(error) => error.into(),
            PostgresFailure::Column(error) => Self::Database(error.into()),
            PostgresFailure::TimedOut(wait) => Self::TimedOut(wait),
            PostgresFailure::ReadOnly => Self::ReadOnly,
            PostgresFailure::Contended(_) | PostgresFailure::Closed => {
                Self::Database(sqlx::Error::PoolClosed)
            }
        }
    }
}

/// A setting of the server that the operator may want to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostgresWarning {
    /// Commits do not wait for the disk.
    #[error("synchronous_commit = off: acknowledged messages may be lost when the server crashes")]
    AsynchronousCommit,
    /// The server does not wait for the disk at all.
    #[error("fsync = off: the database may be damaged when the server's machine crashes")]
    NoFsync,
    /// Nodes need more connections than the server accepts.
    #[error("a node opens up to {node} connections, and the server takes {server} in all")]
    FewConnections {
        /// Per node.
        node: u32,
        /// In total.
        server: i64,
    },
    /// The password and the messages cross the network unencrypted.
    #[error("the connection to the server is not encrypted: set sslmode=verify-full")]
    Unencrypted,
}
