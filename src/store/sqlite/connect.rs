//! The directory of a database, and the settings of its connections.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{SqliteOptions, failure::SqliteError};
use crate::domain::Synchronous;

/// Statements that a connection keeps prepared: more than there are.
const PREPARED_MAX: usize = 128;

/// The file that the process of a directory has locked.
pub(super) const LOCK: &str = "roomcast.lock";

/// Opens connections, all with the same settings.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    path: PathBuf,
    flags: OpenFlags,
    busy_wait_max: Duration,
    /// Statements that a new connection runs.
    pub(super) pragmas: String,
}

impl Connector {
    /// The connector of the write connection.
    pub(super) fn writer(options: &SqliteOptions) -> Self {
        let synchronous = match options.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        // Deleted content is overwritten on disk. A larger write-ahead log is truncated to the
        // size limit.
        let pragmas = format!(
            "PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 67108864;
            PRAGMA secure_delete = ON; PRAGMA synchronous = {synchronous};
            PRAGMA foreign_keys = ON;"
        );
        Self {
            path: options.directory.join("roomcast.db"),
            flags: OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            busy_wait_max: options.busy_wait_max,
            pragmas,
        }
    }

    /// The connector of connections that read the same database.
    pub(super) fn reader(&self) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Self { flags, pragmas: String::new(), ..self.clone() }
    }

    /// A connector whose connections have a database each.
    #[cfg(test)]
    pub(super) fn in_memory() -> Self {
        Self {
            path: ":memory:".into(),
            flags: OpenFlags::SQLITE_OPEN_READ_WRITE,
            busy_wait_max: Duration::ZERO,
            pragmas: String::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn connect(&self) -> Result<Connection, rusqlite::Error> {
        // One thread at a time uses a connection, so SQLite need not lock it.
        let flags = self.flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.busy_wait_max)?;
        connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
        connection.execute_batch(&self.pragmas)?;
        Ok(connection)
    }
}

/// Creates the directory and the file if they are missing, and locks the directory until the
/// result is dropped.
pub(super) fn prepare_directory(options: &SqliteOptions) -> Result<File, SqliteError> {
    create_private_directory(&options.directory)?;
    let lock = lock_directory(&options.directory)?;
    // An error is left to SQLite, which opens the same file next.
    let path = options.directory.join("roomcast.db");
    open_private_file(&path, File::options().append(true)).ok();
    Ok(lock)
}

/// Messages are private: a directory that is created here is accessible to its owner alone.
pub(super) fn create_private_directory(directory: &Path) -> Result<(), SqliteError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(directory);
    made.map_err(|source| SqliteError::Directory { path: directory.to_owned(), source })
}

/// Opens a file; a new one is accessible to its owner alone. SQLite gives its other files the mode
/// of the database.
pub(super) fn open_private_file(path: &Path, options: &mut fs::OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.create(true).open(path)
}

pub(super) fn lock_directory(directory: &Path) -> Result<File, SqliteError> {
    let path = directory.join(LOCK);
    let opened = open_private_file(&path, File::options().truncate(false).write(true));
    let file = opened.map_err(|source| SqliteError::Lock { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SqliteError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(SqliteError::Lock { path, source }),
    }
}

/// Makes a file accessible to its owner alone.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}
