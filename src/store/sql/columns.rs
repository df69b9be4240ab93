//! A row of either database.

use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow};

/// Columns by name. All integers have 64 bits.
pub(crate) trait Columns {
    fn int(&self, name: &str) -> Result<i64, sqlx::Error>;
    fn maybe_int(&self, name: &str) -> Result<Option<i64>, sqlx::Error>;
    fn text(&self, name: &str) -> Result<&str, sqlx::Error>;
    fn maybe_text(&self, name: &str) -> Result<Option<&str>, sqlx::Error>;
    fn maybe_bytes(&self, name: &str) -> Result<Option<&[u8]>, sqlx::Error>;
    fn flag(&self, name: &str) -> Result<bool, sqlx::Error>;
}

macro_rules! columns {
    ($($row:ty),+) => {
        $(impl Columns for $row {
            fn int(&self, name: &str) -> Result<i64, sqlx::Error> {
                self.try_get(name)
            }

            fn maybe_int(&self, name: &str) -> Result<Option<i64>, sqlx::Error> {
                self.try_get(name)
            }

            fn text(&self, name: &str) -> Result<&str, sqlx::Error> {
                self.try_get(name)
            }

            fn maybe_text(&self, name: &str) -> Result<Option<&str>, sqlx::Error> {
                self.try_get(name)
            }

            fn maybe_bytes(&self, name: &str) -> Result<Option<&[u8]>, sqlx::Error> {
                self.try_get(name)
            }

            fn flag(&self, name: &str) -> Result<bool, sqlx::Error> {
                self.try_get(name)
            }
        })+
    };
}

columns! { PgRow, SqliteRow }
