//! Secrets in files, and the key file in the data directory.
//!
//! The key file is text, so that a back end that signs its own tokens can use a copy: any JWT
//! library takes the line as an HS256 secret. The secret allows tokens for any user.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use tracing::warn;

use crate::domain::Secret;

/// The file's name in the data directory.
pub const FILE: &str = "token.key";

/// Random bytes in a generated key.
const RANDOM_BYTES: usize = 32;
/// The shortest key: the size of an HS256 hash.
const KEY_BYTES_MIN: usize = 32;
/// The longest key; a longer file is not a key file.
const KEY_BYTES_MAX: u64 = 4096;
/// The key is readable by its owner alone.
const FILE_MODE: u32 = 0o600;
/// So is a data directory that is created here.
const DIRECTORY_MODE: u32 = 0o700;

/// Why a key cannot be read or created.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The key is too short to be secure.
    #[error("{} is too short to be a key: at least {KEY_BYTES_MIN} bytes, better 43 characters of chance", .0.display())]
    TooShort(PathBuf),
    /// The file is too long to be a key.
    #[error("{} is too long to be a key: at most {KEY_BYTES_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    /// An I/O error.
    #[error("{doing} {} failed", path.display())]
    Disk {
        /// The operation.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Reads the key in the directory `data`, and creates both if they are missing.
///
/// Two processes that do so at the same time get the same key.
pub fn load_or_create_key(data: &Path) -> Result<Secret, KeyFileError> {
    let path = data.join(FILE);
    match read_key_file(&path) {
        Err(KeyFileError::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            create_key_file(data, &path)?;
            read_key_file(&path)
        }
        result => result,
    }
}

/// Reads the key in the directory `data`. If there is none, generates one that is not stored, so
/// that a check leaves no files behind.
pub fn load_or_generate_key(data: &Path) -> Result<Secret, KeyFileError> {
    match read_key_file(&data.join(FILE)) {
        Err(KeyFileError::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Secret::from_raw(random_text::<RANDOM_BYTES>().as_bytes()))
        }
        result => result,
    }
}

/// Reads the secret in the file `path`.
pub fn read_key_file(path: &Path) -> Result<Secret, KeyFileError> {
    let failed = |source| KeyFileError::Disk { doing: "reading", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode();
    if mode & 0o077 != 0 {
        let (path, mode) = (path.display(), format!("{:o}", mode & 0o777));
        warn!(key.path = %path, key.mode = mode, "key file readable by other users: chmod 600");
    }
    let mut bytes = Vec::new();
    file.take(KEY_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > KEY_BYTES_MAX {
        return Err(KeyFileError::TooLong(path.to_owned()));
    }
    // Editors add the end of the line, so it is not part of the key. In a binary key it may be one
    // of the bytes.
    let key = if bytes.is_ascii() { bytes.trim_ascii_end() } else { &bytes };
    if key.len() < KEY_BYTES_MIN {
        return Err(KeyFileError::TooShort(path.to_owned()));
    }
    Ok(Secret::from_raw(key))
}

/// Creates the file atomically, also across a power cut: the key is written to a temporary file
/// that is then linked to its name. The link fails if another process was first.
fn create_key_file(data: &Path, path: &Path) -> Result<(), KeyFileError> {
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| KeyFileError::Disk { doing, path, source }
    };
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(data)
        .map_err(failed("making the directory", data))?;
    let temporary = data.join(format!(".{FILE}.{}", random_text::<6>()));
    let result = write_new_key(&temporary).and_then(|()| link_into_place(&temporary, path));
    // Best effort: a leftover is one small file with a name that is not used again.
    drop(fs::remove_file(&temporary));
    result.map_err(failed("making", path))?;
    File::open(data)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("syncing the directory", data))
}

/// Writes a new key to `temporary`, and syncs it.
fn write_new_key(temporary: &Path) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(temporary)?;
    // Without the end of a line: the file contains exactly the key.
    file.write_all(random_text::<RANDOM_BYTES>().as_bytes())?;
    file.sync_all()
}

/// Links the file to its name, unless that exists. On file systems without links, two processes
/// that start at the same time may get different keys.
fn link_into_place(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => fs::rename(temporary, path),
    }
}

/// Random bytes as text.
fn random_text<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system has random bytes after its start");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, thread};

    use super::*;

    #[test]
    fn the_first_start_creates_a_key_and_the_next_one_reads_it() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("new").join("data");
        let first = load_or_create_key(&data).unwrap();
        assert_eq!(load_or_create_key(&data).unwrap(), first);
        assert!(first.expose().len() >= KEY_BYTES_MIN);
        let mode = fs::metadata(data.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, FILE_MODE);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn two_directories_have_two_keys() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_ne!(
            load_or_create_key(one.path()).unwrap(),
            load_or_create_key(two.path()).unwrap()
        );
    }

    #[test]
    fn concurrent_first_starts_get_the_same_key() {
        let home = tempfile::tempdir().unwrap();
        let keys: Vec<_> = thread::scope(|scope| {
            let starts: Vec<_> =
                (0..8).map(|_| scope.spawn(|| load_or_create_key(home.path()))).collect();
            starts.into_iter().map(|start| start.join().unwrap().unwrap()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn the_trailing_newline_of_an_existing_key_is_ignored() {
        let home = tempfile::tempdir().unwrap();
        let text = "k".repeat(KEY_BYTES_MIN);
        fs::write(home.path().join(FILE), format!("{text}\r\n")).unwrap();
        assert_eq!(load_or_create_key(home.path()).unwrap(), Secret::from_raw(text.as_bytes()));
        let bytes = [[0xff; KEY_BYTES_MIN].as_slice(), b"\n"].concat();
        fs::write(home.path().join(FILE), &bytes).unwrap();
        assert_eq!(load_or_create_key(home.path()).unwrap(), Secret::from_raw(&bytes));
    }

    #[test]
    fn an_invalid_key_file_is_refused_and_not_modified() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        for (size, short) in [(0, true), (31, true), (4097, false)] {
            fs::write(&path, "k".repeat(size)).unwrap();
            let refused = load_or_create_key(home.path()).unwrap_err();
            assert_eq!(matches!(refused, KeyFileError::TooShort(_)), short, "{size}");
            assert_eq!(fs::metadata(&path).unwrap().len(), size as u64);
        }
    }

    #[test]
    fn the_error_names_a_directory_that_cannot_be_created() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let refused = load_or_create_key(&file).unwrap_err();
        assert!(refused.to_string().contains("file"), "{refused}");
    }
}
