//! A row of either database.

use std::error::Error;

type Cause = Box<dyn Error + Send + Sync>;

/// A value that a column does not hold or cannot hold: a damaged row, or a value that is too large.
#[derive(Debug, thiserror::Error)]
#[error("a column has an invalid value")]
pub(crate) struct ColumnError(#[source] Cause);

impl ColumnError {
    pub(crate) fn new(why: impl Into<Cause>) -> Self {
        Self(why.into())
    }
}

/// Columns by name. All integers have 64 bits.
pub(crate) trait Columns {
    fn int(&self, name: &str) -> Result<i64, ColumnError>;
    fn maybe_int(&self, name: &str) -> Result<Option<i64>, ColumnError>;
    fn text(&self, name: &str) -> Result<&str, ColumnError>;
    fn maybe_text(&self, name: &str) -> Result<Option<&str>, ColumnError>;
    fn maybe_bytes(&self, name: &str) -> Result<Option<&[u8]>, ColumnError>;
    fn flag(&self, name: &str) -> Result<bool, ColumnError>;
}
