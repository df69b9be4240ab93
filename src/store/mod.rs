//! The storage engines: implementations of [`Store`](crate::chat::ports::Store).
//!
//! The memory engine is the reference. SQLite keeps the same guarantees on disk for one node,
//! PostgreSQL for several nodes. `contract` tests all engines against the guarantees.

mod measured;
mod memory;
mod migrations;
pub(crate) mod observed;
mod postgres;
mod sql;
mod sqlite;
mod transfer;

#[cfg(test)]
pub(crate) mod contract;

pub use measured::measured_store;
pub use memory::{MemoryNodes, MemoryStore};
pub use postgres::{
    PostgresError, PostgresMeasurement, PostgresNodes, PostgresOptions, PostgresStore,
    PostgresWarning, export_postgres, import_postgres,
};
pub use sqlite::{
    MigrationError, SqliteError, SqliteOptions, SqliteStore, backup_sqlite, export_sqlite,
    import_sqlite, inspect_sqlite, restore_sqlite,
};
pub use transfer::{DataError, DatabaseSummary, EpochChoice, ExportWriter, ImportReader, Progress};
