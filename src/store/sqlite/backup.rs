//! Copies of a database: made while a server uses it, and put in its place.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    connect,
    directory::{DATABASE, NewDirectory, refusal},
    migrate::{self, MigrationError},
};
use crate::store::transfer::{DataError, DatabaseSummary, Progress};

/// The longest wait for a lock: a server holds one for the time of a commit.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(10);

/// One read transaction: a server that writes is not blocked, and what it commits meanwhile is not
/// in the copy.
const COPY: &str = "VACUUM INTO ?1";

/// Who returns with a position of the database that was backed up must not be told that nothing
/// was missed.
pub(super) const NEW_EPOCH: &str = "UPDATE meta SET epoch = lower(hex(randomblob(16)))";

const FIND_TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' \
    AND name NOT GLOB 'sqlite_*' AND name NOT IN ('_sqlx_migrations', 'meta') ORDER BY name";

/// Copies the database in the directory `data`, and the `files` there that exist, to `target`, which
/// must be new or empty. The copy is checked.
pub fn backup(
    data: &Path,
    target: &Path,
    files: &[&str],
    progress: &dyn Progress,
) -> Result<DatabaseSummary, DataError> {
    let source = existing_database(data)?;
    must_be_outside(target, data)?;
    let mut directory = NewDirectory::create(target, &[])?;
    let copied = directory.copy(data, files)?;
    let partial = directory.add_database()?;
    progress.step("copying the database");
    let name = partial
        .to_str()
        .ok_or_else(|| DataError::Refused(format!("{} is not valid UTF-8", partial.display())))?;
    open(&source, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|connection| connection.execute(COPY, [name]))
        .map_err(|error| failed("copied", &source, error))?;
    progress.step("checking the copy");
    let copy = open(&partial, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|error| failed("opened", &partial, error))?;
    let summary = DatabaseSummary { files: copied, ..check(&copy, &source)? };
    drop(copy);
    directory.complete()?;
    Ok(summary)
}

/// Puts a backup into the directory `data`, which must be new or empty, with a new epoch.
pub fn restore(
    backup: &Path,
    data: &Path,
    files: &[&str],
    progress: &dyn Progress,
) -> Result<DatabaseSummary, DataError> {
    let source = existing_database(backup)?;
    let log = backup.join("roomcast.db-wal");
    if fs::metadata(&log).is_ok_and(|it| it.len() > 0) {
        return Err(DataError::Refused(format!(
            "{} is of a database in use: make a backup with `roomcast backup`",
            log.display()
        )));
    }
    let mut directory = NewDirectory::create(data, &[connect::LOCK])?;
    if !data.join(connect::LOCK).exists() {
        directory.add(connect::LOCK);
    }
    let lock = connect::lock_directory(data).map_err(refusal)?;
    let copied = directory.copy(backup, files)?;
    let partial = directory.add_database()?;
    progress.step("copying the database");
    fs::copy(&source, &partial).map_err(DataError::file("copied", &source))?;
    // `copy` has copied the mode, too.
    connect::make_private(&partial).map_err(DataError::file("protected", &partial))?;
    progress.step("checking the copy");
    let copy = open(&partial, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|error| failed("opened", &source, error))?;
    let summary = DatabaseSummary { files: copied, ..check(&copy, &source)? };
    // In this mode all that is written is in the file itself.
    copy.pragma_update(None, "journal_mode", "DELETE")
        .and_then(|()| copy.execute(NEW_EPOCH, ()))
        .map_err(|error| failed("given a new epoch", &partial, error))?;
    drop(copy);
    directory.complete()?;
    drop(lock);
    Ok(summary)
}

/// The version of the schema of the database in a directory, if this program knows it. Its content
/// is not checked.
pub fn inspect(data: &Path) -> Result<i64, DataError> {
    let path = existing_database(data)?;
    let connection = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| failed("opened", &path, error))?;
    known_schema(&connection, &path)
}

pub(super) fn existing_database(directory: &Path) -> Result<PathBuf, DataError> {
    let path = directory.join(DATABASE);
    match fs::metadata(&path) {
        Ok(found) if found.len() > 0 => Ok(path),
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(DataError::file("read", &path)(error))
        }
        Ok(_) | Err(_) => {
            Err(DataError::Refused(format!("there is no database {}", path.display())))
        }
    }
}

/// A backup in the directory that it is of would be lost with it.
fn must_be_outside(target: &Path, data: &Path) -> Result<(), DataError> {
    let here = |path: &Path| {
        // The parent of a relative path is empty.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.canonicalize()
    };
    let existing = target.ancestors().find_map(|it| here(it).ok());
    match (existing, here(data)) {
        (Some(existing), Ok(data)) if existing.starts_with(&data) => {
            let (target, data) = (target.display(), data.display());
            Err(DataError::Refused(format!(
                "{target} is in the data directory {data}: a backup is not"
            )))
        }
        _ => Ok(()),
    }
}

pub(super) fn open(path: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT_MAX)?;
    Ok(connection)
}

/// The version of a database, which this program must know.
pub(super) fn known_schema(connection: &Connection, path: &Path) -> Result<i64, DataError> {
    migrate::known_version(connection, &migrate::MIGRATIONS).map_err(|error| match error {
        MigrationError::Unknown(version) => DataError::Refused(format!(
            "{} is of a later version of roomcast: it has migration {version}",
            path.display()
        )),
        error => failed("used", path, error),
    })
}

/// Checks a copy of `source`: pages, indexes, and that this program knows its schema.
fn check(copy: &Connection, source: &Path) -> Result<DatabaseSummary, DataError> {
    let schema = known_schema(copy, source)?;
    let sql_error = |error| failed("checked", source, error);
    let integrity: String =
        copy.query_row("PRAGMA integrity_check(1)", (), |row| row.get(0)).map_err(sql_error)?;
    if integrity != "ok" {
        return Err(failed("used", source, integrity));
    }
    let rows = count_rows(copy).map_err(sql_error)?;
    Ok(DatabaseSummary { schema, rows, files: Vec::new() })
}

/// The rows of each table. Messages that wait in the intake are messages.
pub(super) fn count_rows(connection: &Connection) -> Result<Vec<(String, u64)>, rusqlite::Error> {
    let mut tables = connection.prepare(FIND_TABLES)?;
    let mut names = tables.query(())?;
    let (mut counts, mut waiting) = (Vec::new(), 0);
    while let Some(row) = names.next()? {
        let name: String = row.get(0)?;
        let count = format!("SELECT count(*) FROM \"{name}\"");
        let count: i64 = connection.query_row(&count, (), |row| row.get(0))?;
        let count = count.unsigned_abs();
        if name == "intake" {
            waiting = count;
        } else {
            counts.push((name, count));
        }
    }
    for (name, count) in &mut counts {
        if name == "message" {
            *count += waiting;
        }
    }
    Ok(counts)
}

pub(super) fn failed(
    doing: &str,
    path: &Path,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> DataError {
    DataError::failed(format!("the database {} cannot be {doing}", path.display()), error)
}
