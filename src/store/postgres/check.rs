//! Checks a server before it is used.

use std::{str::FromStr as _, time::Duration};

use sqlx::{
    ConnectOptions as _, Row as _,
    postgres::{PgConnectOptions, PgConnection},
};
use tokio::time::timeout;

use super::{
    PostgresOptions, connect,
    error::{PostgresError, PostgresWarning},
};

/// The first version with all features that are used here; also the oldest that is still
/// maintained.
const VERSION_MIN: u32 = 130_000;

const SERVER_PROPERTIES: &str = "SELECT current_setting('server_version') AS version,
    current_setting('server_encoding') AS encoding, current_schema()::text AS schema,
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create";

const SETTINGS: &str = "SELECT current_setting('synchronous_commit') = 'off' AS asynchronous,
    current_setting('fsync') = 'off' AS no_fsync,
    current_setting('max_connections')::bigint AS connections,
    coalesce(NOT inet_server_addr() <<= inet '127.0.0.0/8' AND inet_server_addr() <> '::1', false)
        AND NOT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), true)
        AS unencrypted";

/// Connect options from an address.
pub(super) fn connect_options(
    options: &PostgresOptions,
) -> Result<PgConnectOptions, PostgresError> {
    let url = std::str::from_utf8(options.url.expose())
        .map_err(|error| PostgresError::Address(sqlx::Error::Configuration(error.into())))?;
    let parsed = PgConnectOptions::from_str(url).map_err(PostgresError::Address)?;
    let name = parsed.get_application_name().unwrap_or("roomcast").to_owned();
    // The caller logs errors.
    Ok(parsed.application_name(&name).disable_statement_logging())
}

/// Fails when the server or the database is unsuitable.
async fn check_requirements(connection: &mut PgConnection) -> Result<(), PostgresError> {
    let version = connection.server_version_num();
    let row = sqlx::query(SERVER_PROPERTIES).fetch_one(connection).await?;
    if version.is_some_and(|version| version < VERSION_MIN) {
        let version: &str = row.try_get("version")?;
        return Err(PostgresError::TooOld(version.into()));
    }
    let encoding: &str = row.try_get("encoding")?;
    if encoding != "UTF8" {
        return Err(PostgresError::Encoding(encoding.into()));
    }
    if !row.try_get::<bool, _>("may_create")? {
        let schema: Option<&str> = row.try_get("schema")?;
        return Err(PostgresError::MayNotCreate { schema: schema.map(Into::into) });
    }
    Ok(())
}

/// Connects and checks the server, within the timeout.
pub(super) async fn connect_checked(
    options: &PgConnectOptions,
    wait_max: Duration,
) -> Result<PgConnection, PostgresError> {
    let check = async {
        let mut connection = connect::connect(options, wait_max).await?;
        check_requirements(&mut connection).await?;
        Ok(connection)
    };
    timeout(wait_max, check).await.unwrap_or(Err(PostgresError::TimedOut(wait_max)))
}

/// Warnings for the operator.
pub(super) async fn warnings(
    options: &PostgresOptions,
) -> Result<Vec<PostgresWarning>, PostgresError> {
    let mut connection = connect_checked(&connect_options(options)?, options.wait_max).await?;
    let check = query_warnings(&mut connection, options.connections_max());
    let checked = timeout(options.wait_max, check).await;
    checked.unwrap_or(Err(PostgresError::TimedOut(options.wait_max)))
}

async fn query_warnings(
    connection: &mut PgConnection,
    connections_max: u32,
) -> Result<Vec<PostgresWarning>, PostgresError> {
    let row = sqlx::query(SETTINGS).fetch_one(connection).await?;
    let mut warnings = Vec::new();
    if row.try_get("asynchronous")? {
        warnings.push(PostgresWarning::AsynchronousCommit);
    }
    if row.try_get("no_fsync")? {
        warnings.push(PostgresWarning::NoFsync);
    }
    let server: i64 = row.try_get("connections")?;
    if i64::from(connections_max) > server {
        warnings.push(PostgresWarning::FewConnections { node: connections_max, server });
    }
    if row.try_get("unencrypted")? {
        warnings.push(PostgresWarning::Unencrypted);
    }
    Ok(warnings)
}
