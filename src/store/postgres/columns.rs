//! The columns of a row.

use sqlx::{Row as _, postgres::PgRow};

use crate::store::sql::{ColumnError, Columns};

impl Columns for PgRow {
    fn int(&self, name: &str) -> Result<i64, ColumnError> {
        self.try_get(name).map_err(ColumnError::new)
    }

    fn maybe_int(&self, name: &str) -> Result<Option<i64>, ColumnError> {
        self.try_get(name).map_err(ColumnError::new)
    }

    fn text(&self, name: &str) -> Result<&str, ColumnError> {
        self.try_get(name).map_err(ColumnError::new)
    }

    fn maybe_text(&self, name: &str) -> Result<Option<&str>, ColumnError> {
        self.try_get(name).map_err(ColumnError::new)
    }

    fn maybe_bytes(&self, name: &str) -> Result<Option<&[u8]>, ColumnError> {
        self.try_get(name).map_err(ColumnError::new)
    }

    fn flag(&self, name: &str) -> Result<bool, ColumnError> {
        self.try_get(name).map_err(ColumnError::new)
    }
}

impl From<ColumnError> for sqlx::Error {
    fn from(error: ColumnError) -> Self {
        Self::Decode(error.into())
    }
}
