//! The one connection that writes, and whose turn it is.
//!
//! A connection comes back only after all went well. Whatever else happens, a fault, a commit of
//! which nobody knows whether it went through, a caller who stops waiting, it is thrown away with
//! its transaction, and the next turn opens another one and reads anew how things stand. So there
//! is no state to repair.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tokio::sync::{Semaphore, SemaphorePermit};

#[derive(Debug)]
pub(super) struct Writer {
    options: SqliteConnectOptions,
    turns: Semaphore,
    resting: Mutex<Option<SqliteConnection>>,
}

/// The connection of whoever writes now.
#[must_use = "the connection is closed unless the turn is finished"]
pub(super) struct Turn<'a> {
    // Dropped in this order: the next one's turn comes when this connection is gone.
    connection: SqliteConnection,
    _permit: SemaphorePermit<'a>,
    writer: &'a Writer,
}

impl Writer {
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self { options, turns: Semaphore::new(1), resting: Mutex::new(Some(connection)) }
    }

    /// Waits until nobody else writes. Turns come in the order in which they were asked for.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, sqlx::Error> {
        let permit = self.turns.acquire().await.map_err(|_closed| sqlx::Error::PoolClosed)?;
        let resting = self.resting().take();
        let connection = match resting {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(Turn { connection, _permit: permit, writer: self })
    }

    /// Waits until nobody writes, and closes.
    pub(super) async fn close(&self) {
        let Ok(turn) = self.turn().await else { return };
        self.turns.close();
        if let Err(error) = turn.connection.close().await {
            tracing::warn!(%error, "the database did not close as it should: {error}");
        }
    }

    /// Poisoning is ignored: the connection is there or it is not.
    fn resting(&self) -> MutexGuard<'_, Option<SqliteConnection>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Gives back the connection, on which everything went well.
    pub(super) fn finish(self) {
        let Self { connection, _permit, writer } = self;
        *writer.resting() = Some(connection);
    }
}
