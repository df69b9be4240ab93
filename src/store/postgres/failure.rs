//! What may go wrong on the way to the server and back.

use std::time::Duration;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostgresFailure {
    /// The server says no, or the connection broke.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// It took too long. What was asked for may have been done or not.
    #[error("the server did not answer within {0:?}")]
    TimedOut(Duration),
    /// The server is a standby, or was told to take no writes.
    #[error("the server takes no writes")]
    ReadOnly,
    /// Others were in the way each time.
    #[error("others were in the way {0} times")]
    Contended(u32),
    /// The engine was closed.
    #[error("the connections to the database are closed")]
    Closed,
}

/// Deadlock, and what could not be serialised: whoever comes again may get through.
const CONTENTION: [&str; 2] = ["40P01", "40001"];
/// The server shuts down, or crashed, or does not take connections yet.
const SHUTTING_DOWN: [&str; 3] = ["57P01", "57P02", "57P03"];

impl PostgresFailure {
    /// Whether the connection is of no more use, whatever is asked of it.
    pub(super) fn is_broken_connection(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) => true,
            Self::Sql(error) => has_code(error, &SHUTTING_DOWN),
            Self::TimedOut(_) | Self::ReadOnly | Self::Contended(_) | Self::Closed => false,
        }
    }

    /// Whether the same may go well next time: the server has done nothing.
    pub(super) fn is_contention(&self) -> bool {
        matches!(self, Self::Sql(error) if has_code(error, &CONTENTION))
    }
}

/// Whether the server answered with one of these codes (SQLSTATE).
pub(super) fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| codes.contains(&&*code))
}
