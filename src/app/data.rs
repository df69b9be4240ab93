//! The commands on stored data: they work on what the setting `store` names.

use std::{
    future::Future,
    io::{BufRead, Write},
    path::Path,
};

use tokio::runtime;

use super::engines;
use crate::{
    auth,
    config::{Config, StoreKind},
    domain::NodeId,
    store::{
        ExportWriter, ImportReader, backup_sqlite, export_postgres, export_sqlite, import_postgres,
        import_sqlite, restore_sqlite,
    },
};

pub use crate::store::{DataError, DatabaseSummary, EpochChoice, Progress};

/// What the data directory has besides the database: without the key all issued tokens are void.
const FILES: [&str; 1] = [auth::FILE];

/// Copies the data directory to a new one, also while a server uses it.
pub fn backup(
    config: &Config,
    target: &Path,
    progress: &dyn Progress,
) -> Result<DatabaseSummary, DataError> {
    require_sqlite(config)?;
    backup_sqlite(&config.data, target, &FILES, progress)
}

/// Makes a backup the data directory, which must not exist or be empty.
pub fn restore(
    config: &Config,
    backup: &Path,
    progress: &dyn Progress,
) -> Result<DatabaseSummary, DataError> {
    require_sqlite(config)?;
    restore_sqlite(backup, &config.data, &FILES, progress)
}

/// Writes all that is stored as lines of JSON, also while servers use it.
pub fn export(
    config: &Config,
    out: &mut (dyn Write + Send),
    progress: &(dyn Progress + Sync),
) -> Result<DatabaseSummary, DataError> {
    match &config.store {
        StoreKind::Memory => Err(nothing_kept()),
        StoreKind::Sqlite => export_sqlite(&config.data, ExportWriter::begin(out, progress)?),
        StoreKind::Postgres(address) => {
            let options = engines::postgres(config, address, &NodeId::from_raw("export"));
            let writer = ExportWriter::begin(out, progress)?;
            block_on(export_postgres(&options, writer))
        }
    }
}

/// Fills an empty store with an export.
pub fn import(
    config: &Config,
    input: &mut (dyn BufRead + Send),
    epoch: EpochChoice,
    progress: &(dyn Progress + Sync),
) -> Result<DatabaseSummary, DataError> {
    match &config.store {
        StoreKind::Memory => Err(nothing_kept()),
        StoreKind::Sqlite => {
            import_sqlite(&config.data, ImportReader::begin(input, progress)?, epoch)
        }
        StoreKind::Postgres(address) => {
            let options = engines::postgres(config, address, &NodeId::from_raw("import"));
            let reader = ImportReader::begin(input, progress)?;
            block_on(import_postgres(&options, reader, epoch))
        }
    }
}

fn block_on(
    command: impl Future<Output = Result<DatabaseSummary, DataError>>,
) -> Result<DatabaseSummary, DataError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| DataError::Failed {
        doing: "the runtime cannot be started".to_owned(),
        source: source.into(),
    })?;
    let result = runtime.block_on(command);
    // A pending DNS lookup is not awaited.
    runtime.shutdown_background();
    result
}

fn require_sqlite(config: &Config) -> Result<(), DataError> {
    match config.store {
        StoreKind::Sqlite => Ok(()),
        StoreKind::Memory => Err(nothing_kept()),
        StoreKind::Postgres(_) => Err(DataError::Refused(
            "`store` is a PostgreSQL database: use pg_dump and pg_restore, or `roomcast export`"
                .to_owned(),
        )),
    }
}

fn nothing_kept() -> DataError {
    DataError::Refused("`store = \"memory\"` keeps nothing".to_owned())
}
