//! Errors of requests to the server.

use std::time::Duration;

use crate::store::sql::ColumnError;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostgresFailure {
    /// The server returned an error, or the connection broke.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// A row is damaged.
    #[error(transparent)]
    Column(#[from] ColumnError),
    /// The timeout expired. The outcome of the request is unknown.
    #[error("the server did not answer within {0:?}")]
    TimedOut(Duration),
    /// The server is a standby, or is set to be read-only.
    #[error("the server takes no writes")]
    ReadOnly,
    /// All attempts lost against concurrent transactions.
    #[error("the transaction conflicted with concurrent ones {0} times")]
    Contended(u32),
    /// The engine was closed.
    #[error("the connections to the database are closed")]
    Closed,
}

/// Deadlock, serialisation failure, and a lock that was not granted in time: a retry may succeed.
const CONTENTION: [&str; 3] = ["40P01", "40001", "55P03"];
/// The server shuts down, has crashed, or does not accept connections yet.
const SHUTTING_DOWN: [&str; 3] = ["57P01", "57P02", "57P03"];

impl PostgresFailure {
    /// Whether the connection is unusable from now on.
    pub(super) fn is_broken_connection(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) => true,
            Self::Sql(error) => has_code(error, &SHUTTING_DOWN),
            Self::Column(_)
            | Self::TimedOut(_)
            | Self::ReadOnly
            | Self::Contended(_)
            | Self::Closed => false,
        }
    }

    /// Whether a retry may succeed: the server has rolled back.
    pub(super) fn is_contention(&self) -> bool {
        matches!(self, Self::Sql(error) if has_code(error, &CONTENTION))
    }
}

/// Whether the server answered with one of these SQLSTATE codes.
pub(super) fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| codes.contains(&&*code))
}
