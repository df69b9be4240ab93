//! What the commands on stored data share: their errors and what they report.
//!
//! The commands work beside the ports: they read and write whole databases, not conversations.

mod read;
#[cfg(test)]
pub(crate) mod samples;
mod tables;
mod write;

use std::{error::Error, io, path::Path};

pub use self::{read::ImportReader, write::ExportWriter};
pub(crate) use self::{
    read::{ImportRow, at_line},
    tables::{CONTRADICTIONS, ColumnKind, META, TABLES, Table, Value},
};

/// Why a command on stored data failed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The command cannot do what it was asked for.
    #[error("{0}")]
    Refused(String),
    /// A file or a database failed.
    #[error("{doing}")]
    Failed {
        /// What failed.
        doing: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl DataError {
    pub(crate) fn failed(
        doing: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Failed { doing: doing.into(), source: source.into() }
    }

    /// The error of an operation on a file.
    pub(crate) fn file(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let doing = format!("{} cannot be {doing}", path.display());
        move |error| Self::failed(doing, error)
    }
}

/// What a command tells while it runs.
pub trait Progress: Send {
    /// The next step begins.
    fn step(&self, what: &str);
    /// So many rows are done in all.
    fn rows(&self, count: u64);
}

/// What a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSummary {
    /// The version of the schema.
    pub schema: i64,
    /// The rows of each table, by its name.
    pub rows: Vec<(String, u64)>,
    /// Files besides the database that were copied.
    pub files: Vec<String>,
}

/// Which epoch an imported database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochChoice {
    /// The one of the export: for a server that had stopped before the export.
    Keep,
    /// A new one: returning clients page history.
    New,
}
