//! The port of the engine that decides who uses the Admin UI.

use crate::domain::Token;

/// Checks passwords and sessions of the Admin UI.
///
/// # Guarantees
/// - A session is valid on every node with the same key, for a bounded time, and until the password
///   changes.
/// - Neither a password nor a session is part of an error or of the log.
pub trait AdminAccess: Send + Sync + 'static {
    /// Whether this is the password of this user. Takes a tenth of a second of processor time and more,
    /// also for an unknown user: never called in an asynchronous task.
    fn check_password(&self, username: &str, password: &str) -> bool;

    /// Issues a session.
    fn issue_session(&self) -> Token;

    /// Whether a session was issued and has not expired.
    fn check_session(&self, session: &Token) -> bool;
}
