//! The data directory, its files and their modes.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::Finding;
use crate::{
    auth::{self, KeyLocation},
    config::{Config, StoreKind},
    store::{DataError, inspect_sqlite},
};

/// The process that has the data directory locked. The lock is not tried: a server that starts at
/// this moment would be refused.
pub(super) fn running_server(config: &Config) -> Option<u32> {
    let lock = fs::metadata(config.data.join("roomcast.lock")).ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (process, file) = (fields.get(4)?, fields.get(5)?);
        let inode: u64 = file.rsplit(':').next()?.parse().ok()?;
        (fields.get(1) == Some(&"FLOCK") && inode == lock.ino()).then(|| process.parse().ok())?
    })
}

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![directory(config)];
    let database = config.data.join("roomcast.db");
    if config.store == StoreKind::Sqlite && database.exists() {
        findings.push(private("files.database", &database, 0o600));
        findings.push(content(config));
    }
    let key = key_path(config);
    if let Some(key) = key.filter(|it| it.exists()) {
        findings.push(private("files.key", &key, 0o600));
    }
    let secrets = secret_files(config).into_iter().filter(|(_, path)| path.exists());
    findings.extend(secrets.map(|(check, path)| private(check, path, 0o600)));
    findings
}

/// The private keys of certificates, and the secrets of other issuers.
fn secret_files(config: &Config) -> Vec<(&'static str, &Path)> {
    let of_tls = config.tls.certificates.iter().map(|it| ("files.tls_key", it.key.as_path()));
    let of_tokens = config.token.keys.iter().filter_map(|it| match &it.location {
        KeyLocation::SecretFile(path, _) => Some(("files.token_key", path.as_path())),
        KeyLocation::Secret(..)
        | KeyLocation::PemFile(..)
        | KeyLocation::JwksFile(_)
        | KeyLocation::JwksUrl(_) => None,
    });
    of_tls.chain(of_tokens).collect()
}

/// The data directory exists, is private, and belongs to this user; or it can be made.
fn directory(config: &Config) -> Finding {
    const CHECK: &str = "files.data";
    let data = &config.data;
    match fs::metadata(data) {
        Ok(metadata) if !metadata.is_dir() => Finding::error(
            CHECK,
            format!("{} is not a directory", data.display()),
            "set `data` to a directory",
        ),
        Ok(metadata) => {
            let user = rustix::process::geteuid().as_raw();
            if user != 0 && metadata.uid() != user {
                let message =
                    format!("{} belongs to user {}, not to {user}", data.display(), metadata.uid());
                return Finding::error(
                    CHECK,
                    message,
                    "run as the owner, or `chown` the directory",
                );
            }
            private(CHECK, data, 0o700)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = data.ancestors().skip(1).find(|it| it.exists());
            let parent = parent.filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
            match rustix::fs::access(parent, rustix::fs::Access::WRITE_OK) {
                Ok(()) => Finding::ok(CHECK, format!("{} is made at the start", data.display())),
                Err(error) => Finding::error(
                    CHECK,
                    format!("{} cannot be made: {error}", data.display()),
                    format!("make it for this user, or make {} writable", parent.display()),
                ),
            }
        }
        Err(error) => Finding::error(
            CHECK,
            format!("{} cannot be read: {error}", data.display()),
            "give this user access to it",
        ),
    }
}

/// Other users of the machine have no access: messages are private, and a key signs any token.
fn private(check: &'static str, path: &Path, mode: u32) -> Finding {
    match fs::metadata(path) {
        Ok(metadata) => {
            let found = metadata.permissions().mode() & 0o777;
            let path = path.display();
            if found & 0o077 != 0 {
                return Finding::warning(
                    check,
                    format!("{path} has mode {found:o}: other users of the machine have access"),
                    format!("chmod {mode:o} {path}"),
                );
            }
            Finding::ok(check, format!("{path} has mode {found:o}"))
        }
        Err(error) => Finding::error(
            check,
            format!("{} cannot be read: {error}", path.display()),
            "give this user access to it",
        ),
    }
}

/// The database can be read, and this version knows its schema.
fn content(config: &Config) -> Finding {
    const CHECK: &str = "files.schema";
    match inspect_sqlite(&config.data) {
        Ok(schema) => Finding::ok(CHECK, format!("the database has schema {schema}")),
        Err(error @ DataError::Refused(_)) => Finding::error(
            CHECK,
            error.to_string(),
            "start the version of roomcast that it is of, or restore a backup",
        ),
        Err(error) => Finding::error(
            CHECK,
            crate::chat::ports::with_causes(&error),
            "restore a backup, if the file is damaged",
        ),
    }
}

/// The file of the server's own key, unless the settings have the key itself.
fn key_path(config: &Config) -> Option<PathBuf> {
    let file = &config.token.secret_file;
    if !config.token.secret.is_empty() {
        None
    } else if file.as_os_str().is_empty() {
        Some(config.data.join(auth::FILE))
    } else {
        Some(file.clone())
    }
}
