//! The one connection that writes, and the queue for it.
//!
//! The connection is kept only after success. After an error, a commit with unknown outcome or a
//! cancelled caller, it is closed together with its transaction, and the next caller opens another
//! one and reads the state anew. So no state needs repair.

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

/// The write connection while it is in use.
#[must_use = "the connection is closed unless the turn is finished"]
pub(super) struct WriteGuard<'a> {
    // Dropped in this order: the permit is released after the connection is closed.
    connection: SqliteConnection,
    _permit: SemaphorePermit<'a>,
    writer: &'a SqliteWriter,
}

impl SqliteWriter {
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self { options, permits: Semaphore::new(1), idle: Mutex::new(Some(connection)) }
    }

    /// Waits until the connection is free. Callers are served in order.
    pub(super) async fn acquire(&self) -> Result<WriteGuard<'_>, sqlx::Error> {
        let permit = self.permits.acquire().await.map_err(|_closed| sqlx::Error::PoolClosed)?;
        let idle = self.idle.lock().take();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(WriteGuard { connection, _permit: permit, writer: self })
    }

    /// Waits until the connection is free, and closes it.
    pub(super) async fn close(&self) {
        let Ok(guard) = self.acquire().await else { return };
        self.permits.close();
        if let Err(error) = guard.connection.close().await {
            tracing::warn!(%error, "sqlite close failed");
        }
    }
}

impl WriteGuard<'_> {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Returns the connection after success.
    pub(super) fn release(self) {
        let Self { connection, _permit, writer } = self;
        *writer.idle.lock() = Some(connection);
    }
}
