//! What an operator is told about a database that cannot be used, or not without a warning.

use std::time::Duration;

use sqlx::migrate::MigrateError;

use super::failure::{PostgresFailure, has_code};

/// Why a database cannot be used. None of these says anything of the address: it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The address is none.
    #[error("the address of the PostgreSQL database is not one")]
    Address(#[source] sqlx::Error),
    /// Nobody answers there, or not as PostgreSQL does.
    #[error("the PostgreSQL server cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// Nobody answers there in time.
    #[error("the PostgreSQL server did not answer within {0:?}")]
    TimedOut(Duration),
    /// The server does not let this user in: a wrong password, most often.
    #[error("the PostgreSQL server refuses this user or password")]
    Login(#[source] sqlx::Error),
    /// There is no such database.
    #[error("there is no such database on the PostgreSQL server")]
    NoDatabase(#[source] sqlx::Error),
    /// The server is too old.
    #[error("the PostgreSQL server has version {0}, and 13 is the oldest that will do")]
    TooOld(Box<str>),
    /// The database keeps text as something other than UTF-8.
    #[error("the database keeps text as {0}, and only UTF8 will do")]
    Encoding(Box<str>),
    /// The server is a standby, or was told to take no writes.
    #[error("the PostgreSQL server takes no writes: it is a standby, or was set to be read-only")]
    ReadOnly,
    /// The user may not make tables where they would go.
    #[error("this user of PostgreSQL may not create tables in {}", schema.as_deref().unwrap_or("any schema of the search path"))]
    MayNotCreate {
        /// Where.
        schema: Option<Box<str>>,
    },
    /// It could not be brought to the schema of this version, or is of a later one.
    #[error("the PostgreSQL database cannot be brought up to date")]
    Migration(#[source] MigrateError),
    /// The server says something else.
    #[error("the PostgreSQL database cannot be opened")]
    Database(#[source] sqlx::Error),
}

impl PostgresError {
    /// Whether the same address may do a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::TimedOut(_) | Self::ReadOnly)
    }
}

/// The user is not known, or has another password; the server's rules do not let them in.
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
            PostgresFailure::TimedOut(wait) => Self::TimedOut(wait),
            PostgresFailure::ReadOnly => Self::ReadOnly,
            PostgresFailure::Contended(_) | PostgresFailure::Closed => {
                Self::Database(sqlx::Error::PoolClosed)
            }
        }
    }
}

/// What an operator may want to change before it matters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostgresWarning {
    /// Commits do not wait for the disk.
    #[error("synchronous_commit = off: acknowledged messages may be lost when the server crashes")]
    AsynchronousCommit,
    /// Nothing waits for the disk.
    #[error("fsync = off: the database may be damaged when the server's machine crashes")]
    NoFsync,
    /// Nodes need more connections than the server lets in.
    #[error("a node opens up to {node} connections, and the server takes {server} in all")]
    FewConnections {
        /// By one node.
        node: u32,
        /// By everybody.
        server: i64,
    },
    /// The password and the messages cross a network that others may listen to.
    #[error("the connection to the server is not encrypted: set sslmode=verify-full")]
    Unencrypted,
}
