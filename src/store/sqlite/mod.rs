//! The engine that stores on disk: one SQLite database in a directory of its own.
//!
//! One connection writes and some read, each in its own thread, so that reads and commits run
//! concurrently. The directory belongs to one process at a time: a file in it is locked by the
//! operating system, which releases the lock however the process ends.

mod bind;
mod commit;
mod members;
mod messages;
mod read;
mod script;
mod trim;
mod users;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions, SqlitePool,
    migrate::MigrateError,
    sqlite::{
        SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions,
        SqliteSynchronous,
    },
};
use time::OffsetDateTime;

use self::writer::SqliteWriter;
use crate::{
    chat::ports::{
        Batch, Committed, Draft, DraftAct, Fault, OnlineGuest, Page, PageLimit, PageRange,
        PostedMessage, Store, TrimLimits, Trimmed,
    },
    domain::{DeviceId, Epoch, Log, Member, NameKey, Place, Seq, Space, Synchronous, UserName},
};

/// Connections for reads. When all are in use, the next read waits.
const READERS_MAX: u32 = 4;
/// Rows that a connection's thread reads ahead of their consumer.
const ROWS_AHEAD_MAX: usize = 256;
/// Statements that a connection keeps prepared: those of commits vary in size.
const PREPARED_MAX: usize = 256;
/// The size to which a larger write-ahead log is truncated.
const WAL_KEPT_BYTES: &str = "67108864";

/// Stores in `roomcast.db`.
#[derive(Debug)]
pub struct SqliteStore {
    epoch: Epoch,
    writer: SqliteWriter,
    readers: SqlitePool,
    lock: File,
    /// Where the next trim continues.
    trim_cursor: AtomicI64,
    /// Whether the write-ahead log may still hold removed content.
    wal_needs_truncation: AtomicBool,
}

/// Where and how to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The directory of the database and its lock. It is created if it is missing.
    pub directory: PathBuf,
    /// The failures that a commit survives.
    pub synchronous: Synchronous,
    /// The longest wait for another program's lock on the database; then a commit fails.
    pub busy_wait_max: Duration,
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
    /// SQLite cannot open it: it is damaged, not a database, locked, or not writable.
    #[error("the database {} cannot be opened", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: sqlx::Error,
    },
    /// The migration failed, or the schema is of a later version.
    #[error("the database {} cannot be migrated", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: MigrateError,
    },
}

impl SqliteStore {
    /// Opens the database in a directory, and creates both if they are missing.
    pub async fn open(options: &SqliteOptions) -> Result<Self, SqliteError> {
        let path = options.directory.join("roomcast.db");
        Self::open_as(&options.directory, connect_options(options, &path)).await
    }

    async fn open_as(directory: &Path, options: SqliteConnectOptions) -> Result<Self, SqliteError> {
        let path = options.get_filename().to_owned();
        let database_error = |source| SqliteError::Database { path: path.clone(), source };
        create_private_directory(directory)?;
        let lock = lock_directory(directory)?;
        // An error is left to SQLite, which opens the same file next.
        open_private_file(&path, File::options().append(true)).ok();
        let mut connection =
            options.clone().create_if_missing(true).connect().await.map_err(database_error)?;
        migrate(&mut connection)
            .await
            .map_err(|source| SqliteError::Migration { path: path.clone(), source })?;
        users::renew_keys(&mut connection).await.map_err(database_error)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone().read_only(true))
            .await
            .map_err(database_error)?;
        let epoch = read::epoch(&readers).await.map_err(database_error)?;
        let writer = SqliteWriter::new(options, connection);
        Ok(Self {
            epoch,
            writer,
            readers,
            lock,
            trim_cursor: AtomicI64::new(0),
            wal_needs_truncation: AtomicBool::new(true),
        })
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    async fn commit(&self, batch: &Batch) -> Result<Committed, Fault> {
        if batch.is_empty() {
            return Ok(Committed::default());
        }
        let fault = |error| Fault::new("sqlite commit failed", error);
        let mut guard = self.writer.acquire().await.map_err(fault)?;
        let committed = commit::commit(guard.connection(), batch).await.map_err(fault)?;
        let changes = |draft: &Draft| !matches!(draft.act, DraftAct::Say { .. });
        self.wal_needs_truncation.fetch_or(batch.drafts.iter().any(changes), Ordering::Relaxed);
        guard.release();
        Ok(committed)
    }

    async fn log(&self, place: &Place) -> Result<Log, Fault> {
        let log = read::log(&self.readers, place).await;
        log.map_err(|error| Fault::new("sqlite log query failed", error))
    }

    async fn logs(&self, places: &[Place]) -> Result<Vec<Log>, Fault> {
        let logs = read::logs(&self.readers, places).await;
        logs.map_err(|error| Fault::new("sqlite logs query failed", error))
    }

    /// The directory belongs to one process, so no other process changes memberships.
    async fn revisions(&self, users: &[(Space, UserName)]) -> Result<Vec<u64>, Fault> {
        Ok(vec![0; users.len()])
    }

    async fn page(&self, place: &Place, range: PageRange, limit: PageLimit) -> Result<Page, Fault> {
        let page = read::page(&self.readers, place, range, limit).await;
        page.map_err(|error| Fault::new("sqlite page query failed", error))
    }

    async fn member(&self, place: &Place, user: &UserName) -> Result<Option<Member>, Fault> {
        let member = read::member(&self.readers, place, user).await;
        member.map_err(|error| Fault::new("sqlite member query failed", error))
    }

    async fn user_exists(&self, space: &Space, user: &UserName) -> Result<bool, Fault> {
        let known = read::user_exists(&self.readers, space, user).await;
        known.map_err(|error| Fault::new("sqlite user query failed", error))
    }

    async fn is_registered(&self, space: &Space, key: &NameKey) -> Result<bool, Fault> {
        let registered = read::is_registered(&self.readers, space, key).await;
        registered.map_err(|error| Fault::new("sqlite name query failed", error))
    }

    async fn last_seen(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<Option<OffsetDateTime>>, Fault> {
        let seen = read::last_seen(&self.readers, space, users).await;
        seen.map_err(|error| Fault::new("sqlite last-seen query failed", error))
    }

    async fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault> {
        let seen = read::device_seen(&self.readers, space, user, device).await;
        seen.map_err(|error| Fault::new("sqlite device query failed", error))
    }

    async fn message(&self, place: &Place, seq: Seq) -> Result<Option<PostedMessage>, Fault> {
        let message = read::message(&self.readers, place, seq).await;
        message.map_err(|error| Fault::new("sqlite message query failed", error))
    }

    async fn online_guests(&self) -> Result<Vec<OnlineGuest>, Fault> {
        let guests = users::online_guests(&self.readers).await;
        guests.map_err(|error| Fault::new("sqlite online guests query failed", error))
    }

    async fn trim(&self, retention: &TrimLimits) -> Result<Trimmed, Fault> {
        let fault = |error| Fault::new("sqlite trim failed", error);
        let mut guard = self.writer.acquire().await.map_err(fault)?;
        let cursor = self.trim_cursor.load(Ordering::Relaxed);
        let trimmed = trim::trim(guard.connection(), retention, cursor).await;
        let (trimmed, cursor) = trimmed.map_err(fault)?;
        self.trim_cursor.store(cursor, Ordering::Relaxed);
        let wal_needs_truncation =
            self.wal_needs_truncation.swap(false, Ordering::Relaxed) || !trimmed.logs.is_empty();
        if wal_needs_truncation && !trim::truncate_wal(guard.connection()).await.map_err(fault)? {
            self.wal_needs_truncation.store(true, Ordering::Relaxed);
        }
        guard.release();
        Ok(trimmed)
    }

    /// The writer is closed last: the last connection to close empties the write-ahead log into the
    /// database, and a reader must not write.
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, "data directory unlock failed");
        }
    }
}

/// The options of all connections.
fn connect_options(options: &SqliteOptions, path: &Path) -> SqliteConnectOptions {
    let synchronous = match options.synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("journal_size_limit", WAL_KEPT_BYTES)
        // Deleted content is overwritten on disk.
        .pragma("secure_delete", "ON")
        .synchronous(synchronous)
        .foreign_keys(true)
        .busy_timeout(options.busy_wait_max)
        .row_buffer_size(ROWS_AHEAD_MAX)
        .statement_cache_capacity(PREPARED_MAX)
        // Statements are long, and the caller logs errors.
        .disable_statement_logging()
}

/// Messages are private: a directory that is created here is accessible to its owner alone.
fn create_private_directory(directory: &Path) -> Result<(), SqliteError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(directory);
    made.map_err(|source| SqliteError::Directory { path: directory.to_owned(), source })
}

/// Opens a file; a new one is accessible to its owner alone. SQLite gives its other files the mode
/// of the database.
fn open_private_file(path: &Path, options: &mut fs::OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.create(true).open(path)
}

fn lock_directory(directory: &Path) -> Result<File, SqliteError> {
    let path = directory.join("roomcast.lock");
    let opened = open_private_file(&path, File::options().truncate(false).write(true));
    let file = opened.map_err(|source| SqliteError::Lock { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SqliteError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(SqliteError::Lock { path, source }),
    }
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    sqlx::migrate!("src/store/sqlite/migrations").run(connection).await
}
