//! The engines that keep: implementations of [`Store`](crate::chat::ports::Store).
//!
//! The memory engine says in the plainest code what the port promises; SQLite keeps the same
//! promises on disk, and PostgreSQL for several nodes. `contract` holds all of them to them.

mod memory;
mod postgres;
mod sql;
mod sqlite;

#[cfg(test)]
pub(crate) mod contract;

pub use memory::{MemoryNodes, MemoryStore};
pub use postgres::{PostgresError, PostgresNodes, PostgresOptions, PostgresStore, PostgresWarning};
pub use sqlite::{SqliteError, SqliteOptions, SqliteStore, Synchronous};
