//! The versions of a database's schema, from embedded files such as `0001_everything.sql`.
//!
//! sqlx has a macro for it. The macro brings all of sqlx, with TLS and PostgreSQL, into the compiler: these
//! crates are built twice then.

use rust_embed::Embed;
use sqlx::{
    AssertSqlSafe, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// The migrations of a folder, in their order, with the checksums that sqlx gives them. A file with
/// another form of name is none.
pub(super) fn embedded<Files: Embed>() -> Migrator {
    Migrator::with_migrations(Files::iter().filter_map(|name| read::<Files>(&name)).collect())
}

fn read<Files: Embed>(name: &str) -> Option<Migration> {
    let (version, description) = name.strip_suffix(".sql")?.split_once('_')?;
    let sql = String::from_utf8(Files::get(name)?.data.into_owned()).ok()?;
    Some(Migration::new(
        version.parse().ok()?,
        description.replace('_', " ").into(),
        MigrationType::Simple,
        AssertSqlSafe(sql).into_sql_str(),
        false,
    ))
}
