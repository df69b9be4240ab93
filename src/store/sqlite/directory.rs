//! A directory that a command puts a database into: on failure it becomes what it was.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{connect, failure::SqliteError};
use crate::store::transfer::DataError;

/// The name of the database in its directory.
pub(super) const DATABASE: &str = "roomcast.db";
/// The name of a database that is not complete.
const PARTIAL: &str = "roomcast.db.partial";
/// Files that SQLite puts beside a database.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// A directory that gets a database. Unless it is completed, what was put into it is removed.
#[derive(Debug)]
pub(super) struct NewDirectory {
    path: PathBuf,
    was_created: bool,
    files: Vec<PathBuf>,
}

impl NewDirectory {
    /// Creates the directory, or takes an empty one. It may have the files in `known`.
    pub(super) fn create(path: &Path, known: &[&str]) -> Result<Self, DataError> {
        let names = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            entries => entries.and_then(|all| all.map(|it| Ok(it?.file_name())).collect()),
        };
        for name in names.map_err(DataError::file("read", path))? {
            if !known.iter().any(|known| name == *known) {
                return Err(not_empty(path, &name.to_string_lossy()));
            }
        }
        Self::open(path)
    }

    /// Creates the directory, or takes one that has other files.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let was_created = !path.exists();
        connect::create_private_directory(path).map_err(refusal)?;
        Ok(Self { path: path.to_owned(), was_created, files: Vec::new() })
    }

    /// The path of a new file, which is removed on failure.
    pub(super) fn add(&mut self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        self.files.push(path.clone());
        path
    }

    /// Creates the file of the database under the name that it has until it is complete.
    pub(super) fn add_database(&mut self) -> Result<PathBuf, DataError> {
        let path = self.add(PARTIAL);
        // A process that was killed may have left one.
        let created = connect::open_private_file(&path, File::options().write(true).truncate(true));
        created.map_err(DataError::file("created", &path))?;
        Ok(path)
    }

    /// Copies files that exist in another directory; returns their names.
    pub(super) fn copy(&mut self, from: &Path, names: &[&str]) -> Result<Vec<String>, DataError> {
        let mut copied = Vec::new();
        for name in names {
            let source = from.join(name);
            let content = match fs::read(&source) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                content => content.map_err(DataError::file("read", &source))?,
            };
            let path = self.add(name);
            let written = connect::open_private_file(&path, File::options().write(true))
                .and_then(|mut file| io::Write::write_all(&mut file, &content).map(|()| file))
                .and_then(|file| file.sync_all());
            written.map_err(DataError::file("written", &path))?;
            copied.push((*name).to_owned());
        }
        Ok(copied)
    }

    /// Gives the database its name, once everything is on disk.
    pub(super) fn complete(mut self) -> Result<(), DataError> {
        let (partial, path) = (self.path.join(PARTIAL), self.path.join(DATABASE));
        let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
        sync(&partial).map_err(DataError::file("written", &partial))?;
        fs::rename(&partial, &path).map_err(DataError::file("created", &path))?;
        self.was_created = false;
        self.files.clear();
        sync(&self.path).map_err(DataError::file("written", &self.path))
    }
}

impl Drop for NewDirectory {
    fn drop(&mut self) {
        // What cannot be removed is left: the failure is reported, and the database has no name.
        for file in &self.files {
            fs::remove_file(file).ok();
            for companion in COMPANIONS {
                let mut name = file.clone().into_os_string();
                name.push(companion);
                fs::remove_file(name).ok();
            }
        }
        if self.was_created {
            fs::remove_dir(&self.path).ok();
        }
    }
}

fn not_empty(path: &Path, name: &str) -> DataError {
    let path = path.display();
    DataError::Refused(format!("the directory {path} must be new or empty, and has {name}"))
}

/// The directory belongs to another process, or cannot be created.
pub(super) fn refusal(error: SqliteError) -> DataError {
    match error {
        SqliteError::InUse { .. } => DataError::Refused(error.to_string()),
        error => DataError::failed("the data directory cannot be used", error),
    }
}
