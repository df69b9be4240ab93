//! The engine that keeps on disk: one SQLite database in a directory of its own.
//!
//! One connection writes and a few read, each in a thread of its own, so that history is read while
//! messages are stored. The directory belongs to one process at a time; an operating system's lock
//! on a file in it says whose it is, and falls with the process however that ends.

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
        Batch, Committed, Draft, DraftAct, Fault, Page, PageLimit, PageRange, Store, TrimLimits,
        Trimmed,
    },
    domain::{DeviceId, Epoch, Log, Member, NameKey, Place, Space, UserName},
};

/// Connections that read. One more reader waits for one of them.
const READERS_MAX: u32 = 4;
/// Rows that a connection's thread reads ahead of who takes them.
const ROWS_AHEAD_MAX: usize = 256;
/// Texts of statements that a connection keeps prepared: those of commits come in many sizes.
const PREPARED_MAX: usize = 256;
/// Size to which the write-ahead log is cut once it was larger.
const WAL_KEPT_BYTES: &str = "67108864";

/// Keeps in `roomcast.db`.
#[derive(Debug)]
pub struct SqliteStore {
    epoch: Epoch,
    writer: SqliteWriter,
    readers: SqlitePool,
    lock: File,
    /// Where the next trim goes on.
    trim_cursor: AtomicI64,
    /// Whether the write-ahead log may still hold what was taken away.
    wal_needs_truncation: AtomicBool,
}

/// Where and how to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// A directory for the database and its lock. Made if it is not there.
    pub directory: PathBuf,
    /// What a commit outlives.
    pub synchronous: Synchronous,
    /// How long to wait for another program that has locked the database. Past it, a commit fails.
    pub busy_wait_max: Duration,
}

/// What a commit outlives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Everything, a power cut included: each commit waits for the disk.
    #[default]
    Full,
    /// The end of this process. A power cut may take the last commits, whole.
    Normal,
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// There is no such directory and it cannot be made.
    #[error("the data directory {} cannot be made", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock cannot be made or taken, though nobody holds it.
    #[error("the lock {} cannot be taken", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody holds the lock.
    #[error("another process uses the data directory {}", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// SQLite does not open it: it is damaged, not a database, locked, or not ours to write.
    #[error("the database {} cannot be opened", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// It could not be brought to the schema of this version, or is of a later one.
    #[error("the database {} cannot be brought up to date", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// Why.
        source: MigrateError,
    },
}

impl SqliteStore {
    /// Opens the database of a directory, or makes both.
    pub async fn open(options: &SqliteOptions) -> Result<Self, SqliteError> {
        let path = options.directory.join("roomcast.db");
        Self::open_as(&options.directory, connect_options(options, &path)).await
    }

    async fn open_as(directory: &Path, options: SqliteConnectOptions) -> Result<Self, SqliteError> {
        let path = options.get_filename().to_owned();
        let database_error = |source| SqliteError::Database { path: path.clone(), source };
        create_private_directory(directory)?;
        let lock = lock_directory(directory)?;
        // An error is SQLite's to report: it tries the same file next.
        open_private_file(&path, File::options().append(true)).ok();
        let mut connection =
            options.clone().create_if_missing(true).connect().await.map_err(database_error)?;
        migrate(&mut connection)
            .await
            .map_err(|source| SqliteError::Migration { path: path.clone(), source })?;
        users::backfill_keys(&mut connection).await.map_err(database_error)?;
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
        let fault = |error| Fault::new("storing a batch in SQLite", error);
        let mut guard = self.writer.acquire().await.map_err(fault)?;
        let committed = commit::commit(guard.connection(), batch).await.map_err(fault)?;
        let changes = |draft: &Draft| !matches!(draft.act, DraftAct::Say { .. });
        self.wal_needs_truncation.fetch_or(batch.drafts.iter().any(changes), Ordering::Relaxed);
        guard.release();
        Ok(committed)
    }

    async fn log(&self, place: &Place) -> Result<Log, Fault> {
        let log = read::log(&self.readers, place).await;
        log.map_err(|error| Fault::new("reading how a log stands from SQLite", error))
    }

    async fn logs(&self, places: &[Place]) -> Result<Vec<Log>, Fault> {
        let logs = read::logs(&self.readers, places).await;
        logs.map_err(|error| Fault::new("reading how logs stand from SQLite", error))
    }

    /// The directory belongs to one process: nothing changes behind its back.
    async fn revisions(&self, users: &[(Space, UserName)]) -> Result<Vec<u64>, Fault> {
        Ok(vec![0; users.len()])
    }

    async fn page(&self, place: &Place, range: PageRange, limit: PageLimit) -> Result<Page, Fault> {
        let page = read::page(&self.readers, place, range, limit).await;
        page.map_err(|error| Fault::new("reading a page from SQLite", error))
    }

    async fn member(&self, place: &Place, user: &UserName) -> Result<Option<Member>, Fault> {
        let member = read::member(&self.readers, place, user).await;
        member.map_err(|error| Fault::new("looking for a member in SQLite", error))
    }

    async fn user_exists(&self, space: &Space, user: &UserName) -> Result<bool, Fault> {
        let known = read::user_exists(&self.readers, space, user).await;
        known.map_err(|error| Fault::new("looking for a user in SQLite", error))
    }

    async fn is_registered(&self, space: &Space, key: &NameKey) -> Result<bool, Fault> {
        let registered = read::is_registered(&self.readers, space, key).await;
        registered.map_err(|error| Fault::new("looking for a name in SQLite", error))
    }

    async fn last_seen(
        &self,
        space: &Space,
        users: &[UserName],
    ) -> Result<Vec<Option<OffsetDateTime>>, Fault> {
        let seen = read::last_seen(&self.readers, space, users).await;
        seen.map_err(|error| Fault::new("looking for users in SQLite", error))
    }

    async fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<OffsetDateTime>, Fault> {
        let seen = read::device_seen(&self.readers, space, user, device).await;
        seen.map_err(|error| Fault::new("looking for a device in SQLite", error))
    }

    async fn trim(&self, retention: &TrimLimits) -> Result<Trimmed, Fault> {
        let fault = |error| Fault::new("taking away what is not kept from SQLite", error);
        let mut guard = self.writer.acquire().await.map_err(fault)?;
        let cursor = self.trim_cursor.load(Ordering::Relaxed);
        let trimmed = trim::trim(guard.connection(), retention, cursor).await;
        let (trimmed, cursor) = trimmed.map_err(fault)?;
        self.trim_cursor.store(cursor, Ordering::Relaxed);
        let wal_needs_truncation =
            self.wal_needs_truncation.swap(false, Ordering::Relaxed) || !trimmed.floors.is_empty();
        if wal_needs_truncation && !trim::truncate_wal(guard.connection()).await.map_err(fault)? {
            self.wal_needs_truncation.store(true, Ordering::Relaxed);
        }
        guard.release();
        Ok(trimmed)
    }

    /// The writer goes last: the last connection to close empties the write-ahead log into the
    /// database, which a reader may not.
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, "the lock falls when the process ends");
        }
    }
}

/// How every connection is opened.
fn connect_options(options: &SqliteOptions, path: &Path) -> SqliteConnectOptions {
    let synchronous = match options.synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("journal_size_limit", WAL_KEPT_BYTES)
        // What was deleted is overwritten, and not only forgotten.
        .pragma("secure_delete", "ON")
        .synchronous(synchronous)
        .foreign_keys(true)
        .busy_timeout(options.busy_wait_max)
        .row_buffer_size(ROWS_AHEAD_MAX)
        .statement_cache_capacity(PREPARED_MAX)
        // Statements are long, and faults are logged by who asked.
        .disable_statement_logging()
}

/// What users said is nobody else's business: a directory that we make is for us alone.
fn create_private_directory(directory: &Path) -> Result<(), SqliteError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(directory);
    made.map_err(|source| SqliteError::Directory { path: directory.to_owned(), source })
}

/// Opens a file, making it for us alone when it is not there. What SQLite keeps beside its database
/// has the database's mode.
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
