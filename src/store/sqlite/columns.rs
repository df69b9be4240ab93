//! The columns of a row.

use rusqlite::Row;

use crate::store::sql::{ColumnError, Columns};

impl Columns for Row<'_> {
    fn int(&self, name: &str) -> Result<i64, ColumnError> {
        self.get(name).map_err(ColumnError::new)
    }

    fn maybe_int(&self, name: &str) -> Result<Option<i64>, ColumnError> {
        self.get(name).map_err(ColumnError::new)
    }

    fn text(&self, name: &str) -> Result<&str, ColumnError> {
        let value = self.get_ref(name).map_err(ColumnError::new)?;
        value.as_str().map_err(ColumnError::new)
    }

    fn maybe_text(&self, name: &str) -> Result<Option<&str>, ColumnError> {
        let value = self.get_ref(name).map_err(ColumnError::new)?;
        value.as_str_or_null().map_err(ColumnError::new)
    }

    fn maybe_bytes(&self, name: &str) -> Result<Option<&[u8]>, ColumnError> {
        let value = self.get_ref(name).map_err(ColumnError::new)?;
        value.as_blob_or_null().map_err(ColumnError::new)
    }

    fn flag(&self, name: &str) -> Result<bool, ColumnError> {
        self.get(name).map_err(ColumnError::new)
    }
}
