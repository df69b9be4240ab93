//! The one connection that writes, and whose turn it is.
//!
//! A connection comes back only after all went well. Whatever else happens, a fault, a commit of
//! which nobody knows whether it went through, a caller who stops waiting, it is thrown away with
//! its transaction, and the next turn opens another one and reads anew how things stand. So there
//! is no state to repair.

use parking_lot::Mutex;
use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tokio::sync::{Semaphore, SemaphorePermit};

#[derive(Debug)]
pub(super) struct SqliteWriter {
    options: SqliteConnectOptions,
    permits: Semaphore,
    idle: Mutex<Option<SqliteConnection>>,
}

/// The connection of whoever writes now.
#[must_use = "the connection is closed unless the turn is finished"]
pub(super) struct WriteGuard<'a> {
    // Dropped in this order: the next one's turn comes when this connection is gone.
    connection: SqliteConnection,
    _permit: SemaphorePermit<'a>,
    writer: &'a SqliteWriter,
}

impl SqliteWriter {
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self { options, permits: Semaphore::new(1), idle: Mutex::new(Some(connection)) }
    }

    /// Waits until nobody else writes. Turns come in the order in which they were asked for.
    pub(super) async fn acquire(&self) -> Result<WriteGuard<'_>, sqlx::Error> {
        let permit = self.permits.acquire().await.map_err(|_closed| sqlx::Error::PoolClosed)?;
        let idle = self.idle.lock().take();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(WriteGuard { connection, _permit: permit, writer: self })
    }

    /// Waits until nobody writes, and closes.
    pub(super) async fn close(&self) {
        let Ok(guard) = self.acquire().await else { return };
        self.permits.close();
        if let Err(error) = guard.connection.close().await {
            tracing::warn!(%error, "the database did not close as it should: {error}");
        }
    }
}

impl WriteGuard<'_> {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Gives back the connection, on which everything went well.
    pub(super) fn release(self) {
        let Self { connection, _permit, writer } = self;
        *writer.idle.lock() = Some(connection);
    }
}
