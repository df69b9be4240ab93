//! The engines that keep: implementations of [`Store`](crate::chat::ports::Store).
//!
//! The memory engine says in the plainest code what the port promises; SQLite keeps the same
//! promises on disk. `contract` holds both to them.

mod memory;
mod sql;
mod sqlite;

#[cfg(test)]
pub(crate) mod contract;

pub use memory::{MemoryNodes, MemoryStore};
pub use sqlite::{OpenError, SqliteOptions, SqliteStore, Synchronous};
